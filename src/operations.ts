/**
 * What an operator does with a gateway: one implementation behind the `ascent` commands and the operators' API. An operator of
 * one tenant sees that tenant's accounts alone; what is another's is to them as if it were not there.
 */
import { z } from "zod";
import type { Wanted } from "./approvals.ts";
import type { Channel, Finding } from "./channel.ts";
import type { ConnectionState, Connections } from "./connections.ts";
import type { Core } from "./core.ts";
import { reasonOf } from "./errors.ts";
import { feedbackOperations, type FeedbackOperations } from "./feedback-operations.ts";
import { encodePart, type ConversationId } from "./ids.ts";
import type { MissionEntry } from "./mission-store.ts";
import type { MissionView } from "./mission-order.ts";
import type { MissionOperations } from "./missions.ts";
import type { Asked } from "./operators.ts";
import type { DeadLetter, ListedLetter, Log, Runtime, SetAside } from "./ports.ts";
import type { Requested } from "./proactive.ts";
import type { Marks } from "./receipts.ts";
import type { Budgets } from "./budget-meter.ts";
import { usageOf, type UsageQuery, type UsageReport } from "./usage.ts";
import type { LoggedDelivery, Subscriptions } from "./subscriptions.ts";
import { recipientOf, takeoverOperations, type Act, type TakeoverOperations } from "./takeover-operations.ts";

export interface Operator {
  /** Stands in the log beside what they do. */
  readonly name: string;
  /** The only one they have to do with; absent: all. */
  readonly tenant?: string | undefined;
}

export type Decision = "approved" | "denied";
export interface Report {
  readonly topic: string;
  readonly findings: readonly Finding[];
}
/** A call as operators are shown it; what people call themselves is their own word. */
export interface WaitingCall extends Pick<Wanted, "id" | "by" | "calls" | "at" | "until"> {
  readonly channel: string;
  readonly account: string;
  readonly conversation: string;
  readonly user: string;
  readonly name?: string;
}
/** A mission as operators are shown it: its title is an agent's word, what came of its steps is the person's. */
export type ShownMission = Pick<MissionEntry, "id" | "title" | "conversation" | "agentName" | "at"> & {
  readonly open: boolean;
};
export interface MissionDetails {
  readonly status: MissionView["status"];
  readonly steps: readonly { readonly id: string; readonly do: string; readonly is: string }[];
}
export const missionActs = ["pause", "resume", "cancel"] as const;
export type MissionAct = (typeof missionActs)[number];
export type AccountState = Pick<Channel, "channel" | "account" | "tenant"> & ConnectionState;

/** Whom to write to first, and what. */
export const sendOrder = z.object({
  /** "channel/account/id": a person's or a group's, as the platform has it. */
  to: z.string().max(20_000),
  kind: z.enum(["direct", "group"]).default("direct"),
  thread: z.string().max(20_000).optional(),
  /** "words": they go out as they are, markdown. "note": the agent is told, and writes what it makes of it. */
  form: z.enum(["words", "note"]).default("words"),
  text: z.string(),
  /** What a note is about. */
  topic: z.string().default("note from the operator"),
  /** The same once more is the same request: unique within the conversation, for eight days. */
  id: z.string(),
});
export type SendOrder = z.infer<typeof sendOrder>;

export interface Operations extends TakeoverOperations, FeedbackOperations {
  /** The newest first; `before`: the `n` of the last one of a former page. */
  deadLetters(limit: number, before?: number): Promise<readonly ListedLetter[]>;
  deadLetter(id: string): Promise<DeadLetter | undefined>;
  /** As {@link Core.retry}. @returns false where there is no such letter. */
  retry(id: string): Promise<boolean>;
  drop(id: string): Promise<boolean>;
  /** What was set aside by a rule, the newest first. */
  journal(limit: number, conversation?: string): Promise<readonly SetAside[]>;
  /** Who asks to be let in. */
  asked(): Promise<readonly Asked[]>;
  /** As `Operators.decide`. */
  decide(who: string, state: Decision): Promise<Pick<Asked, "channel" | "account" | "user">>;
  /** Calls of tools that wait for a word, the oldest first. */
  approvals(): Promise<readonly WaitingCall[]>;
  /** As `Approvals.decide`. `note`: for the agent, as data. */
  approve(
    id: string,
    verdict: { readonly approved: boolean; readonly note?: string | undefined },
  ): Promise<WaitingCall>;
  /** Those that are open, the newest first, then those that have ended. */
  missions(limit: number): Promise<readonly ShownMission[]>;
  /** How its steps stand. */
  mission(id: string): Promise<(ShownMission & MissionDetails) | undefined>;
  /** @returns false where there is no such mission. @throws InputError where it has ended. */
  orderMission(id: string, order: MissionAct): Promise<boolean>;
  /** The agent writes first: see `proactive.ts`. */
  send(order: SendOrder): Promise<Requested>;
  /** How far a conversation's answers got, as its platform tells. */
  marks(conversation: string): Promise<Marks>;
  /** @throws InputError where that is not counted, or is not this operator's. */
  usage(query: UsageQuery): Promise<UsageReport>;
  /** Deliveries to subscribers, the newest first. */
  webhooks(limit: number): Promise<readonly LoggedDelivery[]>;
  /** @returns false where there is no such delivery. */
  replay(id: string): Promise<boolean>;
  /** How each account stands with its platform. */
  channels(): Promise<readonly AccountState[]>;
  /** What every channel says of its own settings. */
  check(): Promise<readonly Report[]>;
}

/** What the operations work on. */
export interface Operated {
  readonly runtime: Pick<Runtime, "deadLetters" | "journal">;
  readonly core: Pick<
    Core,
    "approvals" | "operators" | "proactive" | "retry" | "marks" | "takeovers" | "feedback" | "reviews"
  >;
  readonly missions: MissionOperations;
  readonly subscriptions: Pick<Subscriptions, "log" | "get" | "replay">;
  readonly connections: Pick<Connections, "stateOf">;
  readonly channels: readonly Channel[];
  /** Where anybody has a budget. */
  readonly budgets?: Budgets | undefined;
  readonly log: Log;
}

const checkMs = 20_000;
/** How far back is looked for what is an operator's own. */
const furthest = 10_000;

export function operationsOf(of: Operated, { name, tenant }: Operator): Operations {
  const { runtime, core, subscriptions, connections, log } = of;
  const { deadLetters, journal } = runtime;
  const channels = of.channels.filter((channel) => tenant === undefined || channel.tenant === tenant);
  const ownLetter = (letter: DeadLetter) => isOf(letter.event.subject, tenant);
  const ownDelivery = (delivery: LoggedDelivery) => tenant === undefined || delivery.tenant === tenant;

  async function letter(id: string): Promise<DeadLetter | undefined> {
    const found = await deadLetters.get(id);
    return found !== undefined && ownLetter(found) ? found : undefined;
  }

  async function ownMission(id: string) {
    const found = await of.missions.show(id);
    return found !== undefined && isOf(found.to.conversation, tenant) ? found : undefined;
  }

  /** Who did it stands in the log, once it is done. */
  const act: Act = async (action, about, work) => {
    const done = await work();
    if (done !== false) log.info({ operator: name, action, ...about }, "an operator acted");
    return done;
  };

  return {
    ...takeoverOperations({ core, channels, name, act }),
    ...feedbackOperations({ core, channels, name, act }),
    async deadLetters(limit, before) {
      if (tenant === undefined) return deadLetters.list(limit, before);
      const found: ListedLetter[] = [];
      for (let looked = 0, from = before; found.length < limit && looked < furthest;) {
        const page = await deadLetters.list(Math.max(limit, 100), from);
        if (page.length === 0) break;
        found.push(...page.filter(ownLetter));
        looked += page.length;
        from = page.at(-1)?.n;
      }
      return found.slice(0, limit);
    },
    deadLetter: letter,
    retry: (id) => act("retry", { letter: id }, async () => (await letter(id)) !== undefined && core.retry(id)),
    drop: (id) => act("drop", { letter: id }, async () => (await letter(id)) !== undefined && deadLetters.drop(id)),
    journal: (limit, conversation) =>
      newest(limit, tenant === undefined ? undefined : (entry) => isOf(entry.conversation, tenant), (most) =>
        journal.list({ limit: most, ...(conversation === undefined ? {} : { conversation }) }),
      ),
    asked: () => core.operators.asked(channels),
    async decide(who, state) {
      const { channel, account, user } = await core.operators.decide(who, state, channels);
      log.info({ operator: name, action: state, channel, account, user }, "an operator acted");
      return { channel, account, user };
    },
    approvals: async () => (await core.approvals.list(channels)).map(waitingCall),
    approve: (id, { approved, note }) =>
      act(approved ? "approve" : "deny", { approval: id }, async () =>
        waitingCall(await core.approvals.decide(id, { approved, by: name, ...(note && { note }) }, channels)),
      ),
    async missions(limit) {
      const tenants = [...new Set(channels.map((one) => one.tenant))];
      const all = await Promise.all(tenants.map((one) => of.missions.list(one, limit)));
      const shown = all.flat().map(shownMission);
      return shown.toSorted((a, b) => Number(b.open) - Number(a.open) || b.at - a.at).slice(0, limit);
    },
    async mission(id) {
      const found = await ownMission(id);
      if (found === undefined) return undefined;
      const { plan, status, state, to, agentName, at, end } = found;
      const steps = plan.steps.map((one) => ({ id: one.id, do: one.do, is: state?.steps[one.id]?.is ?? "waiting" }));
      const { conversation } = to;
      return { id, title: plan.title, conversation, agentName, at, open: end === undefined, status, steps };
    },
    orderMission: (id, order) =>
      act(order, { mission: id }, async () => {
        if ((await ownMission(id)) === undefined) return false;
        await of.missions.order(id, order);
        return true;
      }),
    async send(order) {
      const { to, form, id } = order;
      return act("send", { to, form, request: id }, () => send(core, channels, order));
    },
    marks: async (conversation) => (isOf(conversation, tenant) ? core.marks(conversation as ConversationId) : {}),
    usage: (query) => usageOf(of.budgets, query, tenant, channels),
    webhooks: (limit) =>
      newest(limit, tenant === undefined ? undefined : ownDelivery, (most) => subscriptions.log(most)),
    replay: (id) =>
      act("replay", { delivery: id }, async () => {
        const found = await subscriptions.get(id);
        return found !== undefined && ownDelivery(found) && subscriptions.replay(id);
      }),
    channels: () =>
      Promise.all(
        channels.map(async (one) => {
          const { tenant: whose, channel, account } = one;
          return { tenant: whose, channel, account, ...(await connections.stateOf(one)) };
        }),
      ),
    check: () =>
      Promise.all(
        channels.map(async (one) => ({ topic: `${one.channel}/${one.account}`, findings: await checkChannel(one) })),
      ),
  };
}

function shownMission({
  id,
  title,
  conversation,
  agentName,
  at,
  open,
}: MissionEntry & { open: boolean }): ShownMission {
  return { id, title, conversation, agentName, at, open };
}

function waitingCall({ id, by, calls, at, until, to, participant: { user, name } }: Wanted): WaitingCall {
  const { channel, account, conversation } = to;
  return { id, by, calls, at, until, channel, account, conversation, user, ...(name === undefined ? {} : { name }) };
}

async function send(
  { proactive }: Pick<Core, "proactive">,
  channels: readonly Channel[],
  given: SendOrder,
): Promise<Requested> {
  const { form, text, topic, id } = given;
  const to = recipientOf(channels, given);
  if (form === "note") return proactive.prompt(to, id, { topic, text });
  return proactive.say(to, id, { parts: [{ kind: "text", text, format: "markdown" }] });
}

async function checkChannel(channel: Channel): Promise<readonly Finding[]> {
  try {
    return (await channel.check?.(AbortSignal.timeout(checkMs))) ?? [{ ok: true, text: "is configured" }];
  } catch (error) {
    return [{ ok: false, text: reasonOf(error), next: "Check the network from this machine, and try again." }];
  }
}

/** Whether an id that begins with an account is of this tenant's; an event from elsewhere may have none. */
function isOf(id: string | undefined, tenant: string | undefined): boolean {
  return tenant === undefined || id?.split(":", 1)[0] === encodePart(tenant);
}

/** Of a list that knows no tenants: more and more of it is read until there are enough that are `wanted`. */
async function newest<One>(
  limit: number,
  wanted: ((one: One) => boolean) | undefined,
  list: (most: number) => Promise<readonly One[]>,
): Promise<readonly One[]> {
  if (wanted === undefined) return list(limit);
  for (let most = limit; ; most = Math.min(most * 4, furthest)) {
    const all = await list(most);
    const own = all.filter(wanted);
    if (own.length >= limit || all.length < most || most >= furthest) return own.slice(0, limit);
  }
}
