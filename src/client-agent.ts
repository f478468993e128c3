/**
 * The client agent's actor: the shell around the reducer. Load, reduce, one write, then the effects.
 *
 * Everything here runs under the actor's lock, and nothing here waits for a model or a platform.
 */
import type { AgentTraits, HistoryItem } from "./agent.ts";
import type { Who } from "./agent-choice.ts";
import { started, type Announce } from "./announce.ts";
import { changedRows, keysOf, readArchive, withDays, withPast, withSpilled, withThread } from "./agent-rows.ts";
import type { AgentCalls, CallAgent, TurnRunner } from "./agent-calls.ts";
import { concernsAll, reduce } from "./conversation.ts";
import { createDebts, stoppedBy } from "./debts.ts";
import { outboundEnvelope } from "./envelope.ts";
import { InfrastructureError } from "./errors.ts";
import type { AgentEvent, Effect, Reply, Step, TurnRef } from "./events.ts";
import { foldable } from "./folding.ts";
import { createGapWaits } from "./gap-waits.ts";
import type { ConversationId, MessageId } from "./ids.ts";
import { isOwn, type Address, type OutboundEvent } from "./message.ts";
import type { Actor, ActorContext, Clock, Log, Runtime } from "./ports.ts";
import { later, type Later } from "./later.ts";
import { createLinking } from "./linking.ts";
import type { MissionOrder } from "./mission-order.ts";
import { createLiveness } from "./liveness.ts";
import { concernsPast } from "./memory.ts";
import { createOutgoing } from "./outgoing.ts";
import { searchPast } from "./past.ts";
import { createRecent } from "./recent.ts";
import { isBusy, readState, stateKeys, threadsOf, type AgentState, type StoppedTurn, type Thread } from "./state.ts";
import { createTaking } from "./taking.ts";
import type { TellAnswered } from "./tell-answered.ts";
import { createTurnCalls } from "./turn-calls.ts";
import { createWatch, watchdog } from "./watch.ts";

/** Outbox entries from which on the settled ones are cleared with the next answer. */
const crowdedOutbox = 8;

export interface ClientAgentOptions {
  readonly runtime: Pick<Runtime, "bus" | "actors" | "journal">;
  readonly clock: Clock;
  readonly log: Log;
  readonly instance: string;
  readonly turns: TurnRunner;
  readonly call: CallAgent;
  readonly traitsOf: (to: Address, who?: Who) => AgentTraits;
  /** The last sequence of a conversation that delivery is done with. */
  readonly settled: (conversation: ConversationId) => Promise<number>;
  /** This process starts no turns any more, and another one will have its agents. */
  readonly isStopping: () => boolean;
  /** Missions are where agents are hosted. */
  readonly missionOrdered?: (order: MissionOrder) => Promise<unknown>;
  readonly announce?: Announce;
  readonly tellAnswered?: TellAnswered | undefined;
  /** Told at least once. */
  readonly stopped?: ((turn: StoppedTurn) => Promise<void>) | undefined;
  /** The takeover of that id is over. */
  readonly handedBack?: (to: Address, id: string, by: string) => void;
  /** The delivery of this process, where answers need not go by their topic: see `delivery.ts`. */
  readonly deliver?: (entry: OutboundEvent) => Promise<boolean>;
}

export function clientAgents(options: ClientAgentOptions): (context: ActorContext) => Promise<Actor> {
  return (context) => activate(options, context);
}

async function activate(options: ClientAgentOptions, context: ActorContext): Promise<Actor> {
  const { runtime, clock, log, instance, turns } = options;
  const { id } = context;
  const { exclusive } = runtime.actors;
  const liveness = createLiveness({ agent: id, clock, instance, runner: turns, exclusive });
  let stored = readState(await context.load(stateKeys));
  /** When the bus was first asked to keep it, on this process's monotonic clock. */
  const early = createRecent<MessageId, number>(clock);
  let inherited = stored.outbox.entries.length > 0;
  let recovered = !exclusive;
  stored = await withDays(context, stored, undefined, clock.now());
  const debts = createDebts({ agent: id, journal: runtime.journal, log, stopped: options.stopped });
  const gapWaits = createGapWaits({ agent: id, clock, log, call: options.call });
  const watch = createWatch({ context, bus: runtime.bus, clock, isOwed });
  const outgoing = createOutgoing({
    bus: runtime.bus,
    clock,
    log,
    deliver: options.deliver,
    inherited: stored.outbox.entries,
    onHeld: (held) => (held ? watch.rests() : void watch.arm()),
  });

  const moment = () => ({ agent: id, now: clock.now(), instance });
  const traits = (conversation: ConversationId | undefined) => {
    const threads = stored.inbox.threads;
    const thread = (conversation === undefined ? undefined : threads[conversation]) ?? Object.values(threads)[0];
    return thread === undefined ? undefined : options.traitsOf(thread.to, whoIn(thread));
  };

  /** Reduces the events one after the other and writes what changed, once. @returns the last event's reply. */
  async function step(events: readonly AgentEvent[], of: AgentTraits | undefined): Promise<Reply> {
    if (of === undefined) return "stale";
    const steps: Step[] = [];
    let state = stored;
    const apply = (event: AgentEvent): void => {
      const next = reduce(state, event, of);
      steps.push(next);
      state = next.state;
    };
    for (const event of debts.told(stored.inbox, moment())) apply(event);
    for (const event of events) apply(event);
    const reply = steps.at(-1)?.reply ?? "stale";
    if (state === stored) {
      // An earlier life of the agent may have died before it told.
      await debts.tellStops(stored.inbox);
      return reply;
    }
    const effects = steps.flatMap((next) => next.effects);
    const turns = options.stopped === undefined ? [] : stoppedBy(id, effects);
    if (turns.length > 0) apply({ ...moment(), type: "stopped", turns });
    await write(state, effects, steps);
    stored = { ...state, quiet: {}, past: {} };
    carryOut(effects);
    await debts.tellJournal(stored.inbox);
    await debts.tellStops(stored.inbox);
    watch.rests();
    return reply;
  }

  async function write(state: AgentState, effects: readonly Effect[], steps: readonly Step[]): Promise<void> {
    const { put, remove } = changedRows(stored, state, steps);
    const answers = effects.flatMap((effect) => (effect.kind === "deliver" ? [effect.entry] : []));
    const publish = options.deliver === undefined ? answers : [];
    // Where it costs nothing; elsewhere see `watch.ts`.
    const arm = exclusive && !watch.isArmed() && isBusy(state);
    const done = await context.commit({
      put,
      ...(remove.length === 0 ? {} : { remove }),
      ...(arm ? { arm: watchdog } : {}),
      publish: publish.map((entry) => ({ topic: "outbound", event: outboundEnvelope(entry) })),
    });
    if (arm && done.armed) watch.isArmed(true);
    outgoing.follow(answers, done.published);
  }

  /** Something is owed that no bus holds and nobody else knows of. */
  function isOwed(): boolean {
    const { inbox, outbox } = stored;
    const entries = outbox.entries.filter(outgoing.isOwed);
    return isBusy({ ...stored, inbox: debts.left(inbox), outbox: { ...outbox, entries } });
  }

  function carryOut(effects: readonly Effect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case "start":
          begin(effect);
          break;
        case "cancel":
          turns.cancel(id, effect);
          break;
        case "wake":
          turns.wake(id, effect);
          break;
        case "wait":
          gapWaits.start(effect.conversation, effect.missing);
          break;
        case "release":
          linking.tend();
          break;
        case "handBack":
          options.handedBack?.(effect.to, effect.id, effect.by);
          break;
        case "deliver":
          break;
      }
    }
  }

  function begin(turn: TurnRef): void {
    const thread = stored.inbox.threads[turn.conversation];
    if (thread === undefined) return;
    liveness.hear(turn.turn);
    turns.start(id, thread.to, turn);
  }

  async function settledEvent(): Promise<AgentEvent> {
    const conversations = [...new Set(stored.outbox.entries.map((entry) => entry.to.conversation))];
    const upTo = await Promise.all(
      conversations.map(async (conversation) => ({ conversation, seq: await options.settled(conversation) })),
    );
    return told(upTo);
  }

  /** The outbox forgets what is settled once it is told. */
  async function told(upTo: ReturnType<typeof outgoing.settled>): Promise<AgentEvent> {
    const isSettled = ({ to, seq }: OutboundEvent) =>
      upTo.some((one) => one.conversation === to.conversation && seq <= one.seq);
    const entries = options.tellAnswered === undefined ? [] : stored.outbox.entries.filter(isSettled);
    if (entries.length > 0) await options.tellAnswered?.(entries, (conversation) => taking.overheard({ conversation }));
    return { ...moment(), type: "settled", upTo };
  }

  async function look(): Promise<void> {
    await debts.tellJournal(stored.inbox);
    await debts.tellStops(stored.inbox);
    linking.tend();
    gapWaits.startAll(stored.inbox);
    stored = await withSpilled(
      context,
      stored,
      threadsOf(stored.inbox).map(([conversation]) => conversation),
    );
    const silent: AgentEvent = { ...moment(), type: "silent", turns: liveness.silent(stored.inbox) };
    const events = stored.outbox.entries.length === 0 ? [silent] : [await settledEvent(), silent];
    await step(events, traits(undefined));
    await outgoing.publishLate(stored.outbox.entries);
  }

  /** Forgets what no entry and no turn needs any more. */
  function tidy(): void {
    outgoing.keep(stored.outbox.entries);
    liveness.tidy(stored.inbox);
  }

  /** @param known who was heard there: what is answered does not wait there any more. */
  function fold(conversation: ConversationId, known: Who = {}): void {
    const { to, choice } = stored.inbox.threads[conversation] ?? {};
    if (to === undefined) return;
    const who: Who = { ...known, choice };
    const items = foldable(stored.history.items, options.traitsOf(to, who).historyItems);
    if (items.length > 0) turns.fold(id, to, who, stored.history.summary, items);
  }

  async function ended(event: AgentEvent & TurnRef): Promise<Reply> {
    stored = await withSpilled(context, stored, [event.conversation]);
    const crowded = stored.outbox.entries.length >= crowdedOutbox;
    const settled: AgentEvent = crowded ? await settledEvent() : await told(outgoing.settled());
    const thread = stored.inbox.threads[event.conversation];
    const who = thread === undefined ? {} : whoIn(thread);
    const reply = await step([settled, event], traits(event.conversation));
    if (reply === "accepted") fold(event.conversation, who);
    tidy();
    return reply;
  }

  const pastOf = async (): Promise<readonly HistoryItem[]> =>
    Object.values((await withPast(context, stored)).past).flatMap(({ items }) => items);

  const watched = (reply: Reply): Reply | Later =>
    watch.isArmed() || !isOwed() ? reply : later(watch.arm().then((armed) => (armed ? reply : "unwatched")));

  const linking = createLinking({
    id,
    call: options.call,
    log,
    moment,
    state: () => stored,
    step,
    traitsOf: options.traitsOf,
    async load(event, conversations) {
      stored = await withSpilled(context, await withDays(context, stored, event, clock.now()), conversations, true);
    },
    watched,
    settled: settledEvent,
    archive: () => readArchive(context, stored),
    past: pastOf,
    async loadPast() {
      stored = await withPast(context, stored);
    },
    async loadAway() {
      stored = { ...stored, quiet: { ...stored.quiet, ...(await readArchive(context, stored)).quiet } };
    },
  });

  const taking = createTaking({
    call: options.call,
    moment,
    state: () => stored,
    step: (event, of) => step([event], of),
    traitsOf: traits,
    async load(conversation) {
      stored = await withDays(context, stored, {}, clock.now());
      stored = await withSpilled(context, await withThread(context, stored, conversation), [conversation], true);
    },
    heir(conversation) {
      const [agent, via] = [linking.heir(), linking.via(conversation, [])];
      return agent === undefined || via === undefined ? undefined : { agent, via };
    },
    check: (via) => linking.check(via),
    kept: watch.kept,
    said: fold,
  });

  const turnCalls = createTurnCalls({
    context,
    liveness,
    moment,
    state: () => stored,
    step,
    traitsOf: traits,
    isStopping: options.isStopping,
    ended,
  });

  const methods: {
    [Method in keyof AgentCalls]: (
      data: Parameters<AgentCalls[Method]>[0],
    ) => Promise<ReturnType<AgentCalls[Method]> | Later>;
  } = {
    ...linking.methods,
    ...taking,
    ...turnCalls,
    async receive({ event, previous, earlier = [], via }) {
      // It would wait here for a turn that does not start any more: the bus brings it to where the agent goes.
      if (options.isStopping()) throw new InfrastructureError("the gateway is stopping", { retryAfterMs: 1_000 });
      const before = previous === undefined ? [] : [previous, ...earlier];
      stored = await withDays(context, stored, event, clock.now());
      stored = await withThread(context, stored, event.address.conversation);
      if (linking.heir() !== undefined) return linking.forward(event, before);
      linking.check(via);
      stored = await withSpilled(context, stored, [event.address.conversation], concernsAll(event));
      if (concernsPast(stored, event)) stored = await withPast(context, stored);
      const { [event.address.conversation]: thread } = { ...stored.quiet, ...stored.inbox.threads };
      // What the gateway tells somebody who is not let in starts none.
      const isFirst = !isOwn(event) && (thread === undefined || thread.unheard === true);
      if (isFirst) await options.announce?.([started(event)]);
      const turn = stored.inbox.threads[event.address.conversation]?.turn;
      const took = turn === undefined ? undefined : liveness.takenBy(turn.id);
      const received: AgentEvent = {
        ...moment(),
        type: "received",
        event,
        previous: before,
        ...(event.kind === "said" ? { heldMs: clock.monotonic() - (early.get(event.id) ?? clock.monotonic()) } : {}),
        ...(took === undefined ? {} : { taken: took }),
        ...(via === undefined ? {} : { via }),
      };
      // Mostly sent long ago: what an earlier life left is cleared on the next occasion, and said again where it was not sent.
      const events = inherited ? [await settledEvent(), received] : [received];
      const { participant } = event;
      const who = { participant, choice: thread?.choice };
      const reply = await step(events, options.traitsOf(event.address, who));
      if (inherited) await outgoing.publishLate(stored.outbox.entries);
      inherited = false;
      if (reply === "early" && early.get(event.id) === undefined) early.set(event.id, clock.monotonic());
      const { held } = stored.inbox.threads[event.address.conversation] ?? {};
      // However seldom the person answers, or the agent.
      if (reply === "accepted" && (event.kind === "said" || held !== undefined)) fold(event.address.conversation, who);
      return via === undefined ? watch.kept(reply) : watched(reply);
    },
    async expire(data) {
      stored = await withSpilled(context, stored, [data.conversation], true);
      return watch.kept(await step([{ ...moment(), ...data, type: "expired" }], traits(data.conversation)));
    },
    async waited(data) {
      stored = await withSpilled(context, stored, [data.conversation]);
      return step([{ ...moment(), ...data, type: "waited" }], traits(data.conversation));
    },
    note: (data) => step([{ ...moment(), ...data, type: "noted" }], traits(data.conversation)),
    async search({ query }) {
      const before = await pastOf();
      return searchPast([...before, ...stored.history.items], query);
    },
    summarized: (data) => step([{ ...moment(), ...data, type: "summarized" }], traits(undefined)),
    async resend(data) {
      const heir = linking.heir();
      if (heir !== undefined) return options.call(heir, "resend", { ...data, entry: { ...data.entry, agent: heir } });
      stored = await withThread(context, stored, data.entry.to.conversation);
      return watch.kept(await step([{ ...moment(), ...data, type: "resend" }], options.traitsOf(data.entry.to)));
    },
    async undelivered(receipt) {
      const heir = linking.heir();
      if (heir !== undefined) return options.call(heir, "undelivered", { ...receipt, agent: heir });
      stored = await withThread(context, stored, receipt.to.conversation);
      return watch.kept(await step([{ ...moment(), type: "undelivered", receipt }], options.traitsOf(receipt.to)));
    },
    async end({ after }) {
      await step([await settledEvent()], traits(undefined));
      const { forward, joiners, seen } = stored.inbox;
      if (forward !== undefined || joiners !== undefined) return "refused";
      if (Object.keys(seen).some((day) => Number(day) > after)) return "refused";
      const isHeld = threadsOf(stored.inbox).some(([, { held }]) => held !== undefined);
      if (isHeld || isBusy(stored)) return "busy";
      await context.commit({ remove: await keysOf(context, stored) });
      stored = readState(new Map());
      return "accepted";
    },
    mission: async (data) => later(Promise.resolve(options.missionOrdered?.(data))),
    watch: async () => (!isBusy(stored) || (await watch.arm()) ? "accepted" : "unwatched"),
  };

  gapWaits.startAll(stored.inbox);
  return {
    async call(method, data) {
      linking.admit(method);
      if (!recovered) {
        recovered = true;
        if (liveness.silent(stored.inbox).length > 0) await look();
      }
      if (!Object.hasOwn(methods, method)) throw new TypeError(`a client agent has no method ${method}`);
      return methods[method as keyof AgentCalls](data as never);
    },
    async remind(name) {
      if (name !== watchdog.name) return context.disarm(name);
      recovered = true;
      await look();
      tidy();
      await watch.settled();
      if (isBusy(stored)) return;
      await context.disarm(watchdog.name);
      watch.isArmed(false);
    },
  };
}

/** Who the conversation's next turn is for. */
function whoIn({ pending, choice }: Thread): Who {
  return { participant: pending.at(-1)?.participant, choice };
}
