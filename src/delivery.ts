/**
 * Delivery: from topic "outbound" to the platform, each answer once, in the order of the conversation's sequence.
 *
 * A conversation is a lane. The lane's record (plain state with an ETag) says what is done: the last settled sequence and
 * how many parts of the next are sent; it is written after every part. What has to wait longer than {@link parkAfterMs} is
 * acknowledged and parked: the agent's outbox still holds it, and its watchdog publishes it again if this process dies.
 */
import { untilAborted } from "./abort.ts";
import type { Announce } from "./announce.ts";
import type { Channel, Outgoing, Sent } from "./channel.ts";
import {
  keepRecord,
  readRecord,
  renewMs,
  type GivenUp,
  type KnownRecord,
  type RecordKeeper,
} from "./delivery-record.ts";
import { readOutbound } from "./envelope.ts";
import { ConflictError, fateOf, InfrastructureError, RateLimitedError, reasonOf, RetryableError } from "./errors.ts";
import type { Feedback } from "./feedback.ts";
import { compose } from "./format.ts";
import { tellGivenUp } from "./given-up.ts";
import type { ConversationId } from "./ids.ts";
import type { Address, NoticeKey, NoticeValues, OutboundEvent } from "./message.ts";
import type { Clock, CloudEvent, Log, Runtime } from "./ports.ts";
import { createRecent } from "./recent.ts";
import type { SentLog } from "./sent.ts";
import type { TellAnswered } from "./tell-answered.ts";

const parkAfterMs = 5_000;
/** Of one send; a medium may be an upload over a slow line. */
export const sendDeadlineMs = { text: 60_000, location: 60_000, media: 600_000 } as const;
/** Tries of one part: many where the platform is down, few where the error is not understood. */
const mostTries = { retryable: 20, unknown: 5 } as const;
const backoff = { firstMs: 500, mostMs: 60_000 } as const;

export interface DeliveryOptions {
  readonly runtime: Pick<Runtime, "bus" | "records" | "deadLetters" | "actors">;
  readonly clock: Clock;
  readonly log: Log;
  readonly instance: string;
  readonly channelOf: (to: Address) => Channel | undefined;
  readonly notice: (key: NoticeKey, locale: string | undefined, values?: NoticeValues) => string;
  readonly blobUrl?: (id: string) => string | undefined;
  readonly announce?: Announce;
  readonly sent: Pick<SentLog, "keep" | "named">;
  /** Where answers are rated. */
  readonly feedback?: Pick<Feedback, "keep" | "named"> | undefined;
  readonly tellAnswered?: TellAnswered | undefined;
}

export interface Delivery {
  /** The subscriber of topic "outbound". */
  handle(event: CloudEvent): Promise<void>;
  /**
   * An answer of an agent that is hosted here: the topic is spared. Resolves with true once it is settled, with false when the
   * agent's watchdog looks after it. Rejects where somebody else must have it.
   */
  take(entry: OutboundEvent): Promise<boolean>;
  /** An answer as it is sent there. @throws where it cannot be composed. */
  partsOf(channel: Channel, entry: OutboundEvent): readonly Outgoing[];
  /** The last sequence of the conversation that is sent or given up. */
  settled(conversation: ConversationId): Promise<number>;
  /** Waits for the sends that are under way, and what is told of those before, and starts no others. */
  drain(graceMs: number): Promise<void>;
}

interface Item {
  readonly entry: OutboundEvent;
  /** Settled (true) or parked: whoever gave it need not hold it any more. */
  released: PromiseWithResolvers<boolean>;
}

interface Lane {
  readonly conversation: ConversationId;
  readonly items: Map<number, Item>;
  readonly keeper: RecordKeeper;
  /** Something was parked here: another process may have been given it meanwhile. */
  parked: boolean;
  /** In a long wait or a long send right now: what comes is parked too. */
  resting: boolean;
  sending: boolean;
}

export function createDelivery(options: DeliveryOptions): Delivery {
  const { runtime, clock, log, instance } = options;
  const { records } = runtime;
  const startedAt = clock.now();
  const lanes = new Map<ConversationId, Lane>();
  /** Accounts that the platform asked to be quiet, until a monotonic time. */
  const quiet = new Map<string, number>();
  const resting = new Set<() => void>();
  /** What follows a sending, and nothing waits for. */
  const beside = new Set<Promise<void>>();
  /** Records that were read or written a short time ago: the next answer need not read them again. */
  const known = createRecent<ConversationId, KnownRecord>(clock);
  let draining = false;

  async function run(lane: Lane): Promise<void> {
    try {
      if (!lane.items.has(lane.keeper.record.seq + 1) || known.get(lane.conversation) === undefined)
        await lane.keeper.load();
      for (;;) {
        for (const [seq, item] of lane.items) if (seq <= lane.keeper.record.seq) release(lane, seq, item);
        const next = lane.items.get(lane.keeper.record.seq + 1);
        if (next !== undefined) await deliver(lane, next);
        else if (lane.items.size === 0 || !(await missingCame(lane))) break;
        if (draining) throw new InfrastructureError("the gateway is stopping");
      }
      // Where the store is this process's own, reading costs nothing.
      if (!runtime.actors.exclusive) known.set(lane.conversation, lane.keeper.known());
    } catch (error) {
      known.delete(lane.conversation);
      if (!(error instanceof ConflictError)) {
        // Nothing is lost: the bus delivers again what it still holds, the watchdog what was parked.
        log.warn({ conversation: lane.conversation, reason: reasonOf(error) }, "delivery of a conversation pauses");
        for (const item of lane.items.values()) item.released.reject(asInfrastructure(error));
        lane.items.clear();
      }
    } finally {
      // Another process has them, or they wait for one that is missing.
      for (const item of lane.items.values()) handBack(item);
      lanes.delete(lane.conversation);
    }
  }

  function release(lane: Lane, seq: number, item: Item): void {
    lane.items.delete(seq);
    item.released.resolve(true);
  }

  /** An earlier sequence is not here yet: on an unordered bus it may still come, or another process has it and is at work. */
  async function missingCame(lane: Lane): Promise<boolean> {
    const { seq } = lane.keeper.record;
    let look = 100;
    for (let waited = 0; waited < parkAfterMs && !draining; waited += 50) {
      await rest(50);
      if (lane.items.has(seq + 1)) return true;
      if (waited < look) continue;
      look *= 2;
      await lane.keeper.load();
      if (lane.keeper.record.seq !== seq) return true;
    }
    await lane.keeper.load();
    return lane.keeper.record.seq !== seq;
  }

  async function deliver(lane: Lane, item: Item): Promise<void> {
    const { entry } = item;
    if (lane.keeper.record.givenUp !== undefined) return bury(lane, item, lane.keeper.record.givenUp);
    const channel = options.channelOf(entry.to);
    if (channel === undefined) {
      const reason = `no account "${entry.to.channel}/${entry.to.account}" is configured`;
      return giveUp(lane, item, { tries: 0, reason });
    }
    let parts: readonly Outgoing[];
    try {
      parts = partsOf(channel, entry);
    } catch (error) {
      return giveUp(lane, item, { tries: 0, reason: reasonOf(error) });
    }
    await options.sent.keep(channel, entry);
    for (let part = lane.keeper.record.part; part < parts.length; part++) {
      const outgoing = parts[part];
      if (outgoing === undefined) break;
      const key = `${entry.to.conversation}#${entry.seq}.${part}`;
      const sent = await sendPart(lane, item, channel, outgoing, { key, part, parts: parts.length });
      if ("reason" in sent) return giveUp(lane, item, sent);
      // First, and alone waited for: who dies before it sends the part again. Where the store is this process's own they are one commit.
      const written = lane.keeper.write(part + 1 < parts.length ? { part: part + 1 } : { seq: entry.seq, part: 0 });
      if (options.feedback !== undefined) aside(options.feedback.named(channel, entry, key, sent.id));
      await written;
    }
    if (lane.keeper.record.seq < entry.seq) await lane.keeper.write({ seq: entry.seq, part: 0 });
    tellAnswered(entry);
  }

  function aside(work: Promise<void>): void {
    const ended = work.finally(() => beside.delete(ended));
    beside.add(ended);
  }

  /** At once and without waiting: the agent tells it too, before its outbox forgets the answer. */
  function tellAnswered(entry: OutboundEvent): void {
    if (options.tellAnswered === undefined) return;
    const told = options.tellAnswered([entry]).catch((error: unknown) => {
      log.debug({ conversation: entry.to.conversation, reason: reasonOf(error) }, "an answer is told of later");
    });
    aside(told);
  }

  function partsOf(channel: Channel, entry: OutboundEvent): readonly Outgoing[] {
    return compose(entry.answer, channel, {
      notice: (key, values) => options.notice(key, entry.locale, values),
      ...(options.blobUrl === undefined ? {} : { blobUrl: options.blobUrl }),
    });
  }

  /** Sends one part, again and again as the errors say. @returns what the platform calls it, or why it is given up. */
  async function sendPart(
    lane: Lane,
    { entry }: Item,
    channel: Channel,
    outgoing: Outgoing,
    { key, part, parts }: { key: string; part: number; parts: number },
  ): Promise<Sent | GivenUp> {
    const account = `${entry.to.tenant}/${entry.to.channel}/${entry.to.account}`;
    let again = entry.at < startedAt || lane.parked;
    await options.feedback?.keep(channel, entry, key);
    for (let tries = 0; ;) {
      await pauseFor(lane, (quiet.get(account) ?? 0) - clock.monotonic());
      await lane.keeper.claim((ms) => pauseFor(lane, ms));
      const abort = new AbortController();
      const stopTimer = clock.after(sendDeadlineMs[outgoing.kind], () =>
        abort.abort(new RetryableError("the platform did not answer in time")),
      );
      lane.sending = true;
      const stopParking = parkWhenLong(lane);
      try {
        const replyTo = part === 0 && entry.to.kind === "group" ? entry.answers.at(-1) : undefined;
        const sent = channel.send(outgoing, {
          to: entry.to,
          key,
          answers: entry.answers,
          ...(replyTo === undefined ? {} : { replyTo }),
          notice: entry.answer.notice !== undefined,
          ...(entry.answer.notice === undefined ? {} : { noticeKey: entry.answer.notice }),
          ...(entry.asks === undefined ? {} : { asks: entry.asks }),
          ...(entry.decides === undefined ? {} : { decides: entry.decides }),
          first: part === 0,
          last: part + 1 === parts,
          again,
          signal: abort.signal,
        });
        // A channel that does not heed its signal holds nobody up: what it still does may reach the platform, as `again` says.
        const taken = await untilAborted(sent, abort.signal);
        await options.sent.named(channel, key, taken.id);
        return taken;
      } catch (error) {
        const fate = fateOf(error);
        if (fate.kind === "retry" && fate.counts) tries++;
        const most = error instanceof RetryableError ? mostTries.retryable : mostTries.unknown;
        if (fate.kind === "terminal" || tries >= most) return { tries: Math.max(tries, 1), reason: reasonOf(error) };
        log.warn(
          { conversation: entry.to.conversation, seq: entry.seq, tries, reason: reasonOf(error) },
          "a send is tried again",
        );
        const waitMs = fate.afterMs ?? Math.min(backoff.firstMs * 2 ** Math.max(tries - 1, 0), backoff.mostMs);
        if (error instanceof RateLimitedError && error.scope === "account")
          quiet.set(account, clock.monotonic() + waitMs);
        again ||= fate.counts;
        await pauseFor(lane, waitMs);
      } finally {
        stopTimer();
        stopParking();
        lane.sending = lane.resting = false;
      }
    }
  }

  /** While a send takes long. The returned function ends it. */
  function parkWhenLong(lane: Lane): () => void {
    let cancel = clock.after(parkAfterMs, beat);
    function beat(): void {
      park(lane);
      cancel = clock.after(renewMs, beat);
    }
    return () => cancel();
  }

  /** Hands the events back to the bus as done: the agents' outboxes hold them, and this process goes on with them. */
  function park(lane: Lane): void {
    lane.parked = lane.resting = true;
    for (const item of lane.items.values()) handBack(item);
    lane.keeper.renew();
  }

  /** Whoever gave an answer keeps it until its agent is watched, which then says it again if this process dies. */
  function handBack(item: Item): void {
    if (runtime.actors.exclusive) return item.released.resolve(false);
    runtime.actors.call(item.entry.agent, "watch", {}).then(
      (reply) => {
        if (reply === "accepted") item.released.resolve(false);
        else refuse(item, new InfrastructureError("the agent has no watchdog yet"));
      },
      (error: unknown) => refuse(item, error),
    );
  }

  /** It stays where it came from and comes again, whether it is sent meanwhile or not. */
  function refuse(item: Item, error: unknown): void {
    item.released.reject(asInfrastructure(error));
    item.released = unsettled();
  }

  /** Waits; a long wait hands the events back to the bus as done first. */
  async function pauseFor(lane: Lane, ms: number): Promise<void> {
    if (ms > 0) {
      if (ms > parkAfterMs) park(lane);
      await rest(ms);
      lane.resting = false;
    }
    if (draining) throw new InfrastructureError("the gateway is stopping");
  }

  /** The decision is recorded before anybody hears of it: after a crash nothing is sent that a dead letter says was not. */
  async function giveUp(lane: Lane, item: Item, givenUp: GivenUp): Promise<void> {
    await lane.keeper.write({ part: lane.keeper.record.part, givenUp });
    await bury(lane, item, givenUp);
  }

  /** The others are told before the record goes past it: nothing is skipped that is not visible. */
  async function bury(lane: Lane, { entry }: Item, { tries, reason }: GivenUp): Promise<void> {
    const { to, seq } = entry;
    log.error({ conversation: to.conversation, seq, tries, reason }, "an answer is given up and kept as a dead letter");
    await tellGivenUp({ runtime, announce: options.announce }, entry, { tries, reason, at: clock.now() });
    await lane.keeper.write({ seq, part: 0 });
  }

  /** A wait that ends early when the gateway stops: nothing is under way in it. */
  async function rest(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stopTimer = clock.after(ms, resolve);
    resting.add(resolve);
    await promise;
    resting.delete(resolve);
    stopTimer();
  }

  /** @param held the giver has no hurry: while a lane rests, and only then, the agent's outbox alone holds the answer. */
  function enter(entry: OutboundEvent, held: boolean): Promise<boolean> {
    const lane = lanes.get(entry.to.conversation) ?? open(entry.to.conversation);
    const item = lane.items.get(entry.seq) ?? { entry, released: unsettled() };
    lane.items.set(entry.seq, item);
    if (lane.resting || !held) handBack(item);
    return item.released.promise;
  }

  return {
    async handle(event) {
      // A send may take its time: a bus that makes others wait for it does not hold the answer.
      await enter(readOutbound(event), runtime.bus.isolated);
    },
    take: (entry) => enter(entry, true),
    partsOf,
    async settled(conversation) {
      const read = await readRecord(records, conversation);
      if (!runtime.actors.exclusive && !lanes.has(conversation)) known.set(conversation, read);
      return read.record.seq;
    },
    async drain(graceMs) {
      draining = true;
      for (const wake of resting) wake();
      const until = clock.monotonic() + graceMs;
      const isBusy = () => beside.size > 0 || [...lanes.values()].some((lane) => lane.sending || !lane.resting);
      while (clock.monotonic() < until && isBusy()) await new Promise<void>((resolve) => clock.after(20, resolve));
    },
  };

  function open(conversation: ConversationId): Lane {
    const lane: Lane = {
      conversation,
      items: new Map(),
      keeper: keepRecord(conversation, {
        records,
        clock,
        log,
        instance,
        exclusive: runtime.actors.exclusive,
        known: known.get(conversation),
      }),
      parked: false,
      resting: false,
      sending: false,
    };
    lanes.set(conversation, lane);
    // After this tick, so that the caller's entry is in it.
    queueMicrotask(() => void run(lane));
    return lane;
  }
}

/** Its rejection is heard by whoever called; the lane itself may end before anybody listens. */
function unsettled(): PromiseWithResolvers<boolean> {
  const released = Promise.withResolvers<boolean>();
  released.promise.catch(() => undefined);
  return released;
}

function asInfrastructure(error: unknown): InfrastructureError {
  if (error instanceof InfrastructureError) return error;
  return new InfrastructureError("delivery was interrupted", { cause: error });
}
