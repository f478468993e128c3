/**
 * Takeovers beside the agents whose conversations they are: operators see who asks for a person and who has what, take it, answer and
 * let go; who subscribed is told, and a job ends what nobody came for. What counts is the agent's own state: the list is what
 * operators are shown of it.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { CallAgent } from "./agent-calls.ts";
import { handoffEnded, handoffRequested, handoffStarted, type Announce } from "./announce.ts";
import type { Approvals } from "./approvals.ts";
import type { Channel } from "./channel.ts";
import { InfrastructureError, InputError } from "./errors.ts";
import type { Reply } from "./events.ts";
import {
  agentIdOf,
  encodePart,
  messageId,
  partsOf,
  type AccountRef,
  type AgentId,
  type ConversationId,
  type TurnId,
} from "./ids.ts";
import { address, participant, type Address, type Participant } from "./message.ts";
import type { Clock, Jobs, Records } from "./ports.ts";
import type { Overheard } from "./takeover-events.ts";
import { createTakeoverList, isOf, type Listed } from "./takeover-list.ts";
import type { Held } from "./takeover-state.ts";

/** Whose conversation it is. */
export interface Place {
  readonly to: Address;
  readonly participant: Participant;
}

/** Who acts; `n`: what they were told when they took it. */
export interface Actor {
  readonly by: string;
  readonly n?: number | undefined;
}

export interface Takeovers {
  /** People can be asked for there: somebody could still hear them. */
  mayAsk(to: Address): boolean;
  /**
   * Before the agent waits for a person; the same again changes nothing. @returns until when one can come, and whether one is asked
   * for already.
   */
  want(
    of: Pick<Listed, "id" | "to" | "participant"> & { readonly reason: string; readonly turn: TurnId },
  ): Promise<{ readonly until: number; readonly known: boolean }>;
  /** It is over, by an operator, the "person" or "nobody": operators are shown it no more. */
  over(to: Address, id: string, by?: string): Promise<void>;
  /** What waits for somebody, and what somebody has; the oldest first. */
  list(accounts: readonly AccountRef[]): Promise<readonly Listed[]>;
  /** @throws InputError 404 where no such conversation of these accounts is known. */
  find(conversation: string, channels: readonly Channel[]): Promise<Place>;
  /**
   * The agent is silent there from then on. Again by the same operator it changes nothing.
   * @throws InputError 404 where nobody was heard there, 409 where another operator has it.
   */
  take(place: Place, of: Pick<Actor, "by"> & { readonly force?: boolean | undefined }): Promise<Held>;
  /** The next message there, once for each id. @throws InputError 409 where the operator does not have it (any more). */
  say(place: Place, of: Actor & { readonly id: string; readonly text: string }): Promise<void>;
  /** It is the agent's again. @throws InputError 409 as {@link say}, unless it is forced. */
  release(
    place: Place,
    of: Actor & { readonly force?: boolean | undefined; readonly note?: string | undefined },
  ): Promise<void>;
  /** As the agent has it. @throws InputError 404 where nobody was heard there. */
  watch(place: Place): Promise<Overheard>;
  /** Nothing of these is kept here. */
  forget(conversations: readonly string[]): Promise<void>;
  /** @returns false for a job that is not one of these. */
  run(job: string, data: unknown): Promise<boolean>;
}

export interface TakeoverOptions {
  readonly records: Records;
  readonly jobs: Jobs;
  readonly call: CallAgent;
  readonly clock: Clock;
  readonly channelOf: (to: AccountRef) => Channel | undefined;
  readonly approvals: Pick<Approvals, "list" | "close">;
  readonly announce?: Announce | undefined;
  /** How long people wait for a person; 0: nobody is asked for. */
  readonly waitMs: number;
  /** How long an operator may say nothing; absent: for ever. */
  readonly silentMs?: number | undefined;
}

const longestReason = 1_000;
const longestText = 20_000;
const longestNote = 2_000;
const longestId = 200;
const jobPrefix = "takeover:";
/** After which the list is made true where whoever took a conversation, or let go, died before. */
const mendMs = 15_000;

/** `by`: who lets go just now. `until`: it is over then, unless it has another time by then. `turn`: it asks for a person. */
const job = z.object({
  id: z.string(),
  to: address,
  participant,
  by: z.string().optional(),
  until: z.number().optional(),
  turn: z.custom<TurnId>((id) => typeof id === "string").optional(),
});

export function createTakeovers(options: TakeoverOptions): Takeovers {
  const { records, jobs, call, clock, channelOf, approvals, announce, waitMs, silentMs } = options;
  const shown = createTakeoverList(records);

  async function over(to: Address, id: string, by = "nobody"): Promise<void> {
    const isShown = (await shown.of(to)).some((one) => one.id === id);
    if (isShown) await announce?.([handoffEnded({ id, to, by }, clock.now())]);
    await shown.remove(to, id);
    await jobs.cancel(`${jobPrefix}${id}`);
  }

  async function watch(place: Place): Promise<Overheard> {
    const heard = await call(agentOf(place), "overheard", { conversation: place.to.conversation });
    if (heard === "stale") throw new InputError("nobody was heard in this conversation", { status: 404 });
    return heard;
  }

  const schedule = (
    { to, participant: person }: Place,
    id: string,
    { dueAt, ...of }: { readonly dueAt: number; readonly by?: string; readonly until?: number; readonly turn?: TurnId },
  ) => jobs.schedule(`${jobPrefix}${id}`, { dueAt }, { id, to, participant: person, ...of });
  const mended = () => ({ dueAt: clock.now() + mendMs });

  /** Operators, and who subscribed, know what the agent knows. @returns false where it is another takeover's, or nobody's. */
  async function mend(place: Place, id: string): Promise<boolean> {
    const { held } = await watch(place);
    if (held?.id !== id) return false;
    const { by, n, at, until } = held;
    const { to, participant: person } = place;
    await shown.show({
      id,
      to,
      participant: person,
      at,
      ...(by !== undefined && { by }),
      ...(until !== undefined && { until }),
    });
    if (by !== undefined) await announce?.([handoffStarted({ id, to, by, n }, at)]);
    if (until !== undefined) await schedule(place, id, { dueAt: until, until });
    return true;
  }

  /** @throws InputError with who has it. */
  async function refuse(place: Place): Promise<never> {
    const { held } = await watch(place);
    const words =
      held === undefined
        ? "nobody has this conversation: it is the agent's. Take it first"
        : held.by === undefined
          ? "nobody has taken this conversation yet. Take it first"
          : `${held.by} has this conversation since ${new Date(held.at).toISOString()}`;
    throw new InputError(words, { status: 409 });
  }

  function check(reply: Reply): void {
    if (reply === "stale") throw new InputError("nobody was heard in this conversation", { status: 404 });
    if (reply === "unwatched") throw new InfrastructureError("the conversation has no watchdog yet: try it again");
  }

  /** What waited for somebody's word there is over with it. */
  async function closeApprovals({ to }: Place, by: string): Promise<void> {
    const open = (await approvals.list([to])).filter(isOf(to));
    for (const one of open) await approvals.close(one, { approved: false, by });
  }

  return {
    mayAsk: (to) => waitMs > 0 && channelOf(to)?.reach !== undefined,
    async want({ id, to, participant: person, reason: given, turn }) {
      const { held } = await watch({ to, participant: person });
      const at = clock.now();
      if (held !== undefined) return { until: held.until ?? at + waitMs, known: true };
      const until = (await shown.of(to)).find((one) => one.id === id)?.until ?? at + waitMs;
      const reason = given.trim().slice(0, longestReason);
      await schedule({ to, participant: person }, id, { dueAt: until, until, turn });
      await shown.show({ id, to, participant: person, reason, at, until });
      await announce?.([handoffRequested({ id, to, reason, until }, at)]);
      return { until, known: false };
    },
    over,
    async list(accounts) {
      const all = await Promise.all(accounts.map(shown.of));
      return all.flat().toSorted((a, b) => a.at - b.at);
    },
    async find(conversation, channels) {
      const account = channels.find((of) => conversation.startsWith(`${prefixOf(of)}:`));
      const known = account && (await shown.of(account)).find(isOf({ conversation: conversation as ConversationId }));
      const place = known ?? (account && (await reached(account, conversation as ConversationId)));
      if (place === undefined) throw new InputError(`no conversation "${conversation}" is known here`, { status: 404 });
      return { to: place.to, participant: place.participant };
    },
    async take(place, { by, force }) {
      const { to } = place;
      const before = (await watch(place)).held;
      const id = before?.id ?? idOf(to.conversation, by, clock.now());
      await schedule(place, id, mended());
      const more = silentMs === undefined ? {} : { silentMs };
      const reply = await call(agentOf(place), "takeOver", { to, id, by, force: force === true, ...more });
      check(reply);
      const { held } = await watch(place);
      if (reply === "refused" || held?.by !== by) return refuse(place);
      await closeApprovals(place, by);
      await mend(place, held.id);
      return held;
    },
    async say(place, { by, n, id, text }) {
      if (id === "" || id.length > longestId) throw new InputError(`an id has 1 to ${longestId} characters`);
      if (text.trim() === "") throw new InputError("a message has to have words");
      if (text.length > longestText) throw new InputError(`a message has at most ${longestText} characters`);
      const { to } = place;
      const { conversation } = to;
      const reply = await call(agentOf(place), "speak", {
        conversation,
        by,
        ...(n !== undefined && { n }),
        // Of more parts than a channel's ids that people choose, so that nobody can take it before.
        message: messageId(to, "operator", conversation, id),
        answer: { parts: [{ kind: "text", text, format: "markdown" }] },
      });
      check(reply);
      if (reply === "refused") await refuse(place);
    },
    async release(place, { by, n, force, note: given }) {
      const { to } = place;
      const { conversation } = to;
      const before = (await watch(place)).held;
      if (before !== undefined) await schedule(place, before.id, { ...mended(), by });
      const note = given?.trim().slice(0, longestNote);
      const more = { ...(n !== undefined && { n }), ...(note && { note }), force: force === true };
      const reply = await call(agentOf(place), "handBack", { conversation, by, ...more });
      if (reply === "refused" || reply === "stale") await refuse(place);
      check(reply);
      if (before !== undefined) await over(to, before.id, by);
    },
    watch,
    async forget(conversations) {
      const accounts = new Map(conversations.map((id) => [id.split(":").slice(0, 3).join(":"), accountIn(id)]));
      for (const account of accounts.values()) {
        const gone = (await shown.of(account)).filter(({ to }) => conversations.includes(to.conversation));
        for (const { to, id } of gone) await over(to, id, "person");
      }
    },
    async run(name, data) {
      if (!name.startsWith(jobPrefix)) return false;
      const { id, by, until, turn, ...place } = job.parse(data);
      const { conversation } = place.to;
      const asks = turn === undefined ? {} : { turn };
      const lapse = () => call(agentOf(place), "lapse", { conversation, id, until: until ?? 0, ...asks });
      const reply = until === undefined ? "busy" : await lapse();
      if (reply === "unwatched" || reply === "early")
        throw new InfrastructureError("whether it is over is not known yet");
      if (reply === "busy" && (await mend(place, id))) return true;
      await over(place.to, id, by);
      return true;
    },
  };
}

function agentOf({ to, participant: { id } }: Place): AgentId {
  return agentIdOf(to.kind, id, to.conversation);
}

function prefixOf({ tenant, channel, account }: AccountRef): string {
  return [tenant, channel, account].map(encodePart).join(":");
}

function accountIn(conversation: string): AccountRef {
  const [tenant = "", channel = "", account = ""] = conversation.split(":").map(decodeURIComponent);
  return { tenant, channel, account };
}

function idOf(conversation: ConversationId, by: string, now: number): string {
  return createHash("sha256").update(`${conversation}\n${by}\n${now}`).digest("base64url").slice(0, 16);
}

/** By the platform's ids in it, where those name people. */
async function reached(channel: Channel, conversation: ConversationId): Promise<Place | undefined> {
  const [id, thread] = partsOf(conversation) ?? [];
  if (id === undefined || channel.reach === undefined) return undefined;
  for (const kind of ["direct", "group"] as const) {
    try {
      const found = await channel.reach({ kind, id, thread });
      if (found.to.conversation === conversation) return found;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
    }
  }
  return undefined;
}
