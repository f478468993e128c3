/**
 * The core put together over a runtime: the line that every message walks, from a channel's `inbound.accept` to its `send`.
 */
import { canonical, type AgentOf, type OfferedAt } from "./agent-choice.ts";
import { createSwitch } from "./agent-command.ts";
import type { Announce } from "./announce.ts";
import type { Budgets } from "./budget-meter.ts";
import type { Channel, Inbound } from "./channel.ts";
import { createAccess, type AccessOptions } from "./access.ts";
import { createBelongings } from "./belongings.ts";
import type { CallAgent } from "./agent-calls.ts";
import { createApprovals, type Approvals } from "./approvals.ts";
import { clientAgents } from "./client-agent.ts";
import { createDelivery } from "./delivery.ts";
import { beforeInbound, inboundEnvelope, readInbound, readOutbound, readReceipt, readUnreadable } from "./envelope.ts";
import { InfrastructureError, InputError, reasonOf } from "./errors.ts";
import type { Reply } from "./events.ts";
import { createFeedback, type Feedback, type FeedbackOptions } from "./feedback.ts";
import { createFeedbackRecords, forgetFeedback } from "./feedback-records.ts";
import type { StoppedTurn } from "./state.ts";
import type { SafeFetch } from "./fetch.ts";
import { agentIdOf, digestOf, type AccountRef, type AgentId, type ConversationId, type MessageId } from "./ids.ts";
import type { MissionOrder } from "./mission-order.ts";
import type { Missions } from "./missions.ts";
import { createEndings, type EndingsKeeper } from "./endings.ts";
import { createInbound } from "./inbound.ts";
import { createOperators, type Operators } from "./operators.ts";
import { noticeText } from "./notices.ts";
import { createPairing } from "./pairing.ts";
import { createReceipts, readMarks, type Marks } from "./receipts.ts";
import { createReviews, type Reviews } from "./reviews.ts";
import { createSentLog } from "./sent.ts";
import { openPolicy, type Policy } from "./policy.ts";
import type { Clock, Log, Runtime } from "./ports.ts";
import { createProactive, type Proactive } from "./proactive.ts";
import type { TaskCaller } from "./skilled.ts";
import { createServices } from "./services.ts";
import { createShares, unshared, type Shares } from "./shares.ts";
import { createTellAnswered } from "./tell-answered.ts";
import { createTakeovers, type TakeoverOptions, type Takeovers } from "./takeovers.ts";
import { createTurns } from "./turn.ts";
import type { LeftTurn } from "./turn-run.ts";

export interface CoreOptions {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly log: Log;
  /** Unique to this process's life: names the owner of the turns it runs. */
  readonly instance: string;
  /** The channel account an address belongs to; undefined when it is no longer configured. */
  readonly channelOf: (to: AccountRef) => Channel | undefined;
  /** Which agent answers there. */
  readonly agentOf: AgentOf;
  /** Whom people may talk to where they write, by /agent, or by a command of the agent's own; nobody else unless given. */
  readonly offered?: { readonly at: OfferedAt; readonly commands: ReadonlyMap<string, string> } | undefined;
  /** Who may write there; everybody unless given. `newCode` makes the codes of pairing: letters and digits, 40 bits or more. */
  readonly access?: {
    readonly policyOf: (to: AccountRef) => Policy;
    readonly newCode: () => string;
    readonly counts?: AccessOptions["counts"];
  };
  /** For media that people name by their address. */
  readonly safeFetch?: SafeFetch | undefined;
  /** Where the bytes of a blob can be fetched, for platforms that take a link only. */
  readonly blobUrl?: (id: string) => string | undefined;
  /** This process has the channels' connections, and sends; true unless given. */
  readonly delivers?: boolean;
  /** Where anybody has subscribed to what happens here. */
  readonly announce?: Announce | undefined;
  /** For turns that run at once in this process; 2,000 unless given, whosever they are. */
  readonly places?: Shares;
  /** What the composition keeps of these conversations is to go: they are forgotten, or over. May come again. */
  readonly erase?: ((conversations: readonly string[]) => Promise<void>) | undefined;
  /** Persons of the operator's instead of the agent; unless given nobody is asked for, and whoever takes a conversation keeps it. */
  readonly takeover?: Pick<TakeoverOptions, "waitMs" | "silentMs">;
  /** Answers are rated; absent: they are not, and nothing is kept for it. */
  readonly feedback?: Pick<FeedbackOptions, "emoji" | "asks" | "keptMs" | "pseudonymOf"> | undefined;
  /** Ten letters or digits that nobody can guess; random ones unless given. */
  readonly newCode?: () => string;
  readonly missions?: Pick<Missions, "forget" | "ordered" | "pressed"> | undefined;
  /** Where anybody has a budget. */
  readonly budgets?: Budgets | undefined;
  /** Who works for agents beside their turns. */
  readonly delegations?:
    | {
        /** May come again. */
        stopped(turn: StoppedTurn): Promise<void>;
        /** The person has all of these conversations forgotten. */
        forget(conversations: readonly string[], callers?: readonly TaskCaller[]): Promise<void>;
      }
    | undefined;
}

export interface Core {
  readonly inbound: Inbound;
  readonly operators: Operators;
  readonly approvals: Approvals;
  readonly takeovers: Takeovers;
  /** Where answers are rated. */
  readonly feedback: Feedback | undefined;
  readonly reviews: Reviews | undefined;
  /** How far the conversation's platform says that its answers got; empty where it says nothing. */
  marks(conversation: ConversationId): Promise<Marks>;
  readonly endings: EndingsKeeper;
  /** As a process without workflows asks for it. */
  orderMission(agent: AgentId, order: MissionOrder): Promise<unknown>;
  /** What nobody asked for: the agent writes first. */
  readonly proactive: Proactive;
  /**
   * A dead letter goes its way again: an answer through its agent's outbox, what could not be read through its channel,
   * anything else on its topic.
   * @returns false where there is none, or its agent knows the conversation no more; the letter is kept then.
   * @throws InputError where it still cannot be read; the letter is kept.
   */
  retry(id: string): Promise<boolean>;
  /** Stops taking turns and waits up to `graceMs` for the running ones; what is unfinished is resumed by the next process. */
  drain(graceMs: number): Promise<void>;
}

/** Replies on which the bus keeps the event, and how soon it is delivered again. */
const comeBack: Partial<Record<Reply, string>> = {
  full: "the conversation has too many messages waiting",
  unwatched: "the conversation has no watchdog yet",
  early: "something that was told before it is missing",
};
const comeBackMs = 1_000;
/** Beyond the grace time: to tell who goes on with what was not finished in it. */
const handOverMs = 2_000;

function comesBack(reply: Reply): void {
  const reason = comeBack[reply];
  if (reason !== undefined) throw new InfrastructureError(reason, { retryAfterMs: comeBackMs });
}

function nobodyPairs(): never {
  throw new TypeError("pairing needs a maker of codes");
}

/** Subscribes to the bus and registers the actors; {@link Runtime.start} then sets it going. */
export function createCore(options: CoreOptions): Core {
  const { runtime, clock, log, instance, channelOf, agentOf, delegations } = options;
  const { bus, journal, deadLetters } = runtime;
  const delivers = options.delivers !== false;
  let stopping = false;
  const call = runtime.actors.call.bind(runtime.actors) as CallAgent;
  const belongings = createBelongings(runtime, clock);
  const forget = async (conversations: readonly string[], callers: readonly TaskCaller[] = []) => {
    await options.missions?.forget(conversations, callers);
    await delegations?.forget(conversations, callers);
    await takeovers.forget(conversations);
    await forgetFeedback(runtime, conversations);
    await options.erase?.(conversations);
  };
  const announces = options.announce === undefined ? {} : { announce: options.announce };
  const sent = createSentLog(runtime.records, log);
  const { records, transcript, jobs } = runtime;
  const { keptMs = 0 } = options.feedback ?? {};
  const noted = createFeedbackRecords(runtime, clock, keptMs);
  const reviews = options.feedback && createReviews({ records, transcript, noted, clock, call, keptMs });
  const feedback =
    options.feedback && reviews
      ? createFeedback({
          ...options.feedback,
          records,
          transcript,
          noted,
          clock,
          log,
          channelOf,
          reviews,
          ...announces,
        })
      : undefined;
  const tellAnswered = createTellAnswered({ announce: options.announce, reviews });
  const delivery = createDelivery({
    runtime,
    clock,
    log,
    instance,
    channelOf,
    notice: noticeText,
    sent,
    feedback,
    tellAnswered,
    ...announces,
    ...(options.blobUrl === undefined ? {} : { blobUrl: options.blobUrl }),
  });
  const { policyOf, newCode } = options.access ?? { policyOf: () => openPolicy, newCode: nobodyPairs };
  const pairing = createPairing({ records: runtime.records, clock, newCode });
  const access = createAccess({ policyOf, pairing, clock, log, counts: options.access?.counts });
  const receipts = createReceipts({
    runtime,
    log,
    sent,
    announce: options.announce,
    partsOf(entry) {
      const channel = channelOf(entry.to);
      return channel && delivery.partsOf(channel, entry);
    },
  });
  const ingress = digestOf(instance);
  const inbound = createInbound({ bus, journal, deadLetters, clock, ingress, access, channelOf, receipts });
  const approvals = createApprovals({ records, jobs, inbound, call, clock, ...announces });
  const { waitMs = 0, silentMs } = options.takeover ?? {};
  const takes = { records, jobs, call, clock, channelOf, approvals, waitMs, silentMs, ...announces };
  const takeovers = createTakeovers(takes);
  const turns = createTurns({
    call,
    clock,
    log,
    blobs: runtime.blobs,
    safeFetch: options.safeFetch,
    agentOf,
    channelOf,
    approvals,
    takeovers,
    serve: createServices({
      runtime,
      call,
      clock,
      belongings,
      newCode: options.newCode,
      budgets: options.budgets,
      mayHandOver: takeovers.mayAsk,
      forget,
      ratingsOf: feedback?.held,
      missionPressed: options.missions?.pressed,
    }),
    switchAgent: createSwitch(agentOf, options.offered?.at ?? (() => [])),
    tellAlive: !runtime.actors.exclusive,
    places: options.places ?? createShares(2_000, unshared),
  });

  runtime.actors.register(
    clientAgents({
      runtime,
      clock,
      log,
      instance,
      turns,
      call,
      traitsOf: (to, who) => agentOf(to, who).traits,
      settled: (conversation) => delivery.settled(conversation),
      handedBack(to, id, by) {
        takeovers.over(to, id, by).catch((error: unknown) => {
          log.warn({ conversation: to.conversation, reason: reasonOf(error) }, "operators are still shown a takeover");
        });
      },
      missionOrdered: async (order) => {
        if (options.missions === undefined) throw new InfrastructureError("this process has no missions");
        return options.missions.ordered(order);
      },
      stopped: delegations && ((turn) => delegations.stopped(turn)),
      isStopping: () => stopping && !runtime.actors.exclusive,
      tellAnswered,
      ...announces,
      // One process's bus is its own: there the topic costs nothing.
      ...(delivers && !runtime.actors.exclusive ? { deliver: (entry) => delivery.take(entry) } : {}),
    }),
  );
  bus.subscribe("inbound", async (envelope) => {
    const read = readInbound(envelope);
    const commands = options.offered?.commands;
    const event = commands === undefined ? read : canonical(read, commands);
    const { kind, conversation } = event.address;
    const id = agentIdOf(kind, event.participant.id, conversation);
    const reply = await call(id, "receive", { event, ...beforeInbound(envelope) });
    comesBack(reply);
    if (event.kind === "reacted") await feedback?.reacted(event);
  });
  if (delivers) bus.subscribe("outbound", async (envelope) => delivery.handle(envelope));
  bus.subscribe("receipts", async (envelope) => {
    const receipt = readReceipt(envelope);
    comesBack(await call(receipt.agent, "undelivered", receipt));
  });

  /** One of a turn's messages, said again, wakes its agent in the process that has it next: the turn starts there at once. */
  async function handOver(left: readonly LeftTurn[]): Promise<void> {
    const told = left.map(async ({ agent, turn }) => {
      const message = await call(agent, "abandon", turn);
      if (message !== "stale") await bus.publish("inbound", [inboundEnvelope(message, [])]);
    });
    const enough = new Promise<void>((resolve) => clock.after(handOverMs, resolve));
    const failed = Promise.allSettled(told).then((all) => all.filter(({ status }) => status === "rejected").length);
    const count = await Promise.race([failed, enough]);
    if (count !== 0) log.warn({ turns: left.length, failed: count }, "turns are left to their agents' watchdogs");
  }

  return {
    approvals,
    takeovers,
    feedback,
    reviews,
    inbound,
    endings: createEndings({ runtime, call, belongings, forget, clock, log }),
    operators: createOperators({ pairing, inbound, clock, channelOf, policyOf }),
    marks: (conversation) => readMarks(runtime.records, conversation),
    orderMission: (agent, order) => call(agent, "mission", order),
    proactive: createProactive({ inbound, clock, channelOf, policyOf }),
    async retry(id) {
      const letter = await deadLetters.get(id);
      if (letter === undefined) return false;
      const unreadable = readUnreadable(letter.event);
      if (unreadable !== undefined) {
        const { account, raw } = unreadable;
        const channel = channelOf(account);
        if (channel?.reread === undefined)
          throw new InputError(`no account "${account.channel}/${account.account}" is configured`, { status: 409 });
        await channel.reread(raw);
        return deadLetters.drop(id);
      }
      if (letter.topic !== "outbound") return deadLetters.retry(id);
      const entry = readOutbound(letter.event);
      const reply = await call(entry.agent, "resend", { id: `${id}:${letter.at}` as MessageId, entry });
      return reply !== "stale" && deadLetters.drop(id);
    },
    async drain(graceMs) {
      const until = clock.monotonic() + graceMs;
      stopping = true;
      const left = await turns.drain(graceMs);
      if (!runtime.actors.exclusive) await handOver(left);
      await delivery.drain(Math.max(0, until - clock.monotonic()));
    },
  };
}
