/** Who may write to which account, as the configuration says. */
import { randomBytes } from "node:crypto";
import type { CoreOptions } from "../core.ts";
import { openPolicy, type Policy } from "../policy.ts";
import { accountKey, accountsOf } from "./accounts.ts";
import { channelKinds } from "./channels.ts";
import type { Config } from "./config.ts";

export function accessOf(config: Config): NonNullable<CoreOptions["access"]> {
  const policies = new Map(
    accountsOf(config).map(({ name, account, own }): [string, Policy] => {
      // Whoever has the key of a channel for programs is trusted to write as fast as they like.
      const usual = config.limits.messagesPerMinute;
      const person = own.messagesPerMinute.person ?? (channelKinds[name].programs === true ? "off" : usual.person);
      const perAccount = own.messagesPerMinute.account ?? usual.account;
      return [
        accountKey({ tenant: own.tenant, channel: name, account }),
        {
          access: own.access ?? config.access,
          allow: new Set(own.allow),
          block: new Set(own.block),
          groups: own.groups,
          allowGroups: own.allowGroups === undefined ? undefined : new Set(own.allowGroups),
          bots: own.bots,
          perMinute: {
            person: numberOf(person),
            account: numberOf(perAccount),
            tenant: numberOf(config.tenants?.[own.tenant]?.limits.messagesPerMinute ?? "off"),
          },
        },
      ];
    }),
  );
  return { policyOf: (to) => policies.get(accountKey(to)) ?? openPolicy, newCode };
}

/** Who may write to an account, in words for its operator. */
export interface AccessWords {
  /** "channel/account". */
  readonly account: string;
  readonly text: string;
  /** Strangers may write to it at a public address. */
  readonly exposed: boolean;
}

export function describeAccess(config: Config): readonly AccessWords[] {
  const { policyOf } = accessOf(config);
  return accountsOf(config).map(({ name, account, own }) => {
    const policy = policyOf({ tenant: own.tenant, channel: name, account });
    // Whoever has no key is not heard by a channel for programs.
    const keyed = channelKinds[name].programs === true;
    const exposed = policy.access === "open" && !keyed && isPublic(config.server.publicUrl);
    return { account: `${name}/${account}`, text: wordsOf(policy, keyed), exposed };
  });
}

/** What to do about it. */
export const exposedAdvice =
  "Set ASCENT_ACCESS=pairing, or access of the account, unless everybody shall (docs/access.md).";

function wordsOf({ access, allow, block, groups, allowGroups }: Policy, keyed: boolean): string {
  const who = {
    open: keyed ? "whoever has its key" : "everybody",
    allowlist: `${count(allow.size, "person", "people")} on its list`,
    pairing: `whom an operator lets in${allow.size === 0 ? "" : `, and ${count(allow.size, "person", "people")} on its list`}`,
  }[access];
  const listed = allowGroups === undefined ? undefined : count(allowGroups.size, "group", "groups");
  const where = listed ?? (access === "open" ? "all groups" : "no group");
  const inGroups = groups === "off" || where === "no group" ? "not in groups" : `in ${where}`;
  return [who, inGroups, ...(block.size === 0 ? [] : [`${block.size} blocked`])].join("; ");
}

function count(of: number, one: string, more: string): string {
  return of === 1 ? `one ${one}` : `${of} ${more}`;
}

function isPublic(url: string | undefined): boolean {
  return url !== undefined && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(url).hostname);
}

function numberOf(rate: number | "off"): number {
  return rate === "off" ? Infinity : rate;
}

/** Without what is easily taken for something else: 32 characters, so that every byte's remainder is as likely. */
const alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

function newCode(): string {
  return [...randomBytes(8)].map((byte) => alphabet[byte % alphabet.length]).join("");
}
