/** Which messages start no turn, by named rules: what is set aside is visible with its rule, never dropped in silence. */
import type { InboundEvent } from "./message.ts";

export const accessKinds = ["open", "allowlist", "pairing"] as const;
export const groupKinds = ["mention", "reply", "always", "off"] as const;

/** Who may write to one account. Ids are the platform's own. */
export interface Policy {
  /** Of direct chats; of groups see {@link Policy.allowGroups}. */
  readonly access: (typeof accessKinds)[number];
  readonly allow: ReadonlySet<string>;
  readonly block: ReadonlySet<string>;
  /** What is answered in a group: "mention" is all that addresses the bot, "reply" no mere mention of it. */
  readonly groups: (typeof groupKinds)[number];
  /**
   * The groups whose members may write, whoever they are: what a person was allowed in a direct chat is worth nothing in a
   * group. Undefined: every group where access is open, else none.
   */
  readonly allowGroups: ReadonlySet<string> | undefined;
  readonly bots: boolean;
  /** Messages of a person, of the account, and of all accounts of its tenant; Infinity for any number. */
  readonly perMinute: { readonly person: number; readonly account: number; readonly tenant: number };
}

export const openPolicy: Policy = {
  access: "open",
  allow: new Set(),
  block: new Set(),
  groups: "mention",
  allowGroups: undefined,
  bots: false,
  perMinute: { person: Infinity, account: Infinity, tenant: Infinity },
};

/** Why a message does not come in; in the journal, and in the answers of channels whose callers wait for one. */
export type Rule =
  | "blocked"
  | "from a bot"
  | "groups are off"
  | "group not allowed"
  | "not allowed"
  | "not paired"
  | "pairing denied"
  | "not addressed"
  | "empty"
  | "bots in a loop"
  | "too many messages";

export type Sender = Pick<InboundEvent, "address" | "participant">;

/** The rule about who wrote it, and where. "not paired" is said of everybody whom the lists do not name: see `pairing.ts`. */
export function senderRule({ participant, address }: Sender, policy: Policy): Rule | undefined {
  const { access, allow, block, groups, allowGroups, bots } = policy;
  if (block.has(participant.user)) return "blocked";
  if (participant.bot === true && !bots) return "from a bot";
  if (address.kind === "group") {
    if (groups === "off") return "groups are off";
    const listed = allowGroups === undefined ? access === "open" : allowGroups.has(address.chat);
    return listed ? undefined : "group not allowed";
  }
  if (access === "open" || allow.has(participant.user)) return undefined;
  return access === "allowlist" ? "not allowed" : "not paired";
}

/** The rule about what was written. */
export function contentRule(event: InboundEvent, policy: Policy): Rule | undefined {
  if (!isTalk(event)) return undefined;
  const { message, address } = event;
  if (address.kind === "group" && !isAddressed(event, policy.groups)) return "not addressed";
  if (message.parts.length === 0 && message.command === undefined) return "empty";
  return undefined;
}

export type Talk = Extract<InboundEvent, { kind: "message" | "edited" }>;

/** Somebody says something: what the agent may answer. */
export function isTalk(event: InboundEvent): event is Talk {
  return event.kind === "message" || event.kind === "edited";
}

function isAddressed({ message }: Talk, groups: Policy["groups"]): boolean {
  if (groups === "always") return message.addressed || message.forAnother !== true;
  if (groups === "mention") return message.addressed;
  const isReply = message.replyTo?.own === true || message.parts.some(({ kind }) => kind === "press");
  return message.addressed && (isReply || message.command !== undefined);
}
