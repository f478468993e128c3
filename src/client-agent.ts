/**
 * The client agent's actor: the shell around the reducer. Load, reduce, one write, then the effects.
 *
 * Everything here runs under the actor's lock, and nothing here waits for a model or a platform.
 */
import type { AgentTraits, HistoryItem } from "./agent.ts";
import { answered, started, type Announce } from "./announce.ts";
import { changedRows, keysOf, readArchive, withDays, withPast, withSpilled, withThread } from "./agent-rows.ts";
import type { AgentCalls, CallAgent, Decided, TurnRunner } from "./agent-calls.ts";
import { askKey, readAsk } from "./ask-state.ts";
import { decisionOf, openAskOf } from "./asks.ts";
import { concernsAll, reduce } from "./conversation.ts";
import { outboundEnvelope } from "./envelope.ts";
import { InfrastructureError, reasonOf } from "./errors.ts";
import type { AgentEvent, Effect, Reply, Step, TurnRef } from "./events.ts";
import type { ConversationId, MessageId, TurnId } from "./ids.ts";
import { isOwn, type Address, type InboundEvent, type InboundMessage, type OutboundEvent } from "./message.ts";
import type { Actor, ActorContext, Clock, Log, Runtime, SetAside } from "./ports.ts";
import { later, type Later } from "./later.ts";
import { createLinking } from "./linking.ts";
import { gapMs } from "./order.ts";
import { notesFor } from "./notes.ts";
import { createOutgoing } from "./outgoing.ts";
import { searchPast } from "./past.ts";
import { stateOf } from "./questions.ts";
import { createRecent } from "./recent.ts";
import { batchOf } from "./scheduling.ts";
import {
  isBusy,
  nobody,
  readState,
  stateKeys,
  threadsOf,
  type AgentState,
  type StoppedTurn,
  type Thread,
} from "./state.ts";
import { createTaking } from "./taking.ts";
import { createWatch, watchdog } from "./watch.ts";

/** A runner of another process counts as dead after this long without a word. */
const silenceMs = 20_000;
/** Outbox entries from which on the settled ones are cleared with the next answer. */
const crowdedOutbox = 8;
/** Characters of history from which on the older part is folded, whatever the number of items. */
const foldChars = 48_000;
/** Characters that one fold takes, as far as each item counts: the rest is the next one's. */
const foldedChars = 32_000;
const foldedItem = 2_000;

export interface ClientAgentOptions {
  readonly runtime: Pick<Runtime, "bus" | "actors" | "journal">;
  readonly clock: Clock;
  readonly log: Log;
  readonly instance: string;
  readonly turns: TurnRunner;
  readonly call: CallAgent;
  readonly traitsOf: (to: Address) => AgentTraits;
  /** The last sequence of a conversation that delivery is done with. */
  readonly settled: (conversation: ConversationId) => Promise<number>;
  /** This process starts no turns any more, and another one will have its agents. */
  readonly isStopping: () => boolean;
  readonly announce?: Announce;
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
  const activatedAt = clock.monotonic();
  const heard = new Map<TurnId, number>();
  let stored = readState(await context.load(stateKeys));
  /** What of `stored.inbox.aside` the journal has. */
  let journaled: readonly SetAside[] | undefined;
  /** What of `stored.inbox.stopped` was told. */
  let stopsTold: readonly StoppedTurn[] | undefined;
  const taken = new Map<TurnId, readonly MessageId[]>();
  const waits = new Set<MessageId>();
  /** When the bus was first asked to keep it, on this process's monotonic clock. */
  const early = createRecent<MessageId, number>(clock);
  let inherited = stored.outbox.entries.length > 0;
  let recovered = !runtime.actors.exclusive;
  stored = await withDays(context, stored, undefined, clock.now());
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
    return thread === undefined ? undefined : options.traitsOf(thread.to);
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
    if (journaled !== undefined) apply({ ...moment(), type: "journaled", entries: journaled });
    if (stopsTold !== undefined) apply({ ...moment(), type: "stopsTold", turns: stopsTold });
    for (const event of events) apply(event);
    const reply = steps.at(-1)?.reply ?? "stale";
    if (state === stored) {
      // An earlier life of the agent may have died before it told.
      await tellStops();
      return reply;
    }
    const effects = steps.flatMap((next) => next.effects);
    const turns = options.stopped === undefined ? [] : stoppedBy(effects);
    if (turns.length > 0) apply({ ...moment(), type: "stopped", turns });
    await write(state, effects, steps);
    stored = { ...state, quiet: {}, past: {} };
    carryOut(effects);
    await tellJournal();
    await tellStops();
    watch.rests();
    return reply;
  }

  /** One that starts again comes back to what it waits for. */
  function stoppedBy(effects: readonly Effect[]): readonly StoppedTurn[] {
    return effects.flatMap((effect) => {
      if (effect.kind !== "cancel") return [];
      const { conversation, turn } = effect;
      const again = effects.some((other) => other.kind === "start" && other.turn === turn);
      return again ? [] : [{ agent: id, conversation, turn }];
    });
  }

  /** As {@link tellJournal}. */
  async function tellStops(): Promise<void> {
    const owed = stored.inbox.stopped;
    if (owed === undefined || owed === stopsTold) return;
    try {
      for (const turn of owed) await options.stopped?.(turn);
      stopsTold = owed;
    } catch (error) {
      log.warn({ agent: id, reason: reasonOf(error) }, "what a stopped turn waited for goes on until that can be told");
    }
  }

  /** What is set aside is in the state already: a journal that cannot be written now is told by the watchdog. */
  async function tellJournal(): Promise<void> {
    const owed = stored.inbox.aside;
    if (owed === undefined || owed === journaled) return;
    try {
      await runtime.journal.setAside(owed);
      journaled = owed;
    } catch (error) {
      log.warn({ agent: id, reason: reasonOf(error) }, "the journal could not be written yet");
    }
  }

  async function write(state: AgentState, effects: readonly Effect[], steps: readonly Step[]): Promise<void> {
    const { put, remove } = changedRows(stored, state, steps);
    const answers = effects.flatMap((effect) => (effect.kind === "deliver" ? [effect.entry] : []));
    const publish = options.deliver === undefined ? answers : [];
    // Where it costs nothing; elsewhere see `watch.ts`.
    const arm = runtime.actors.exclusive && !watch.isArmed() && isBusy(state);
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
    const { aside, stopped, ...rest } = inbox;
    const owed = {
      ...(aside !== undefined && aside !== journaled && { aside }),
      ...(stopped !== undefined && stopped !== stopsTold && { stopped }),
    };
    const entries = outbox.entries.filter(outgoing.isOwed);
    return isBusy({ ...stored, inbox: { ...rest, ...owed }, outbox: { ...outbox, entries } });
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
          wait(effect.conversation, effect.missing);
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

  /** On this process's monotonic clock; an actor that moves waits anew. */
  function wait(conversation: ConversationId, missing: MessageId): void {
    if (waits.has(missing)) return;
    waits.add(missing);
    clock.after(gapMs, () => {
      waits.delete(missing);
      options.call(id, "waited", { conversation, missing }).catch((error: unknown) => {
        log.warn({ agent: id, reason: reasonOf(error) }, "a wait for a missing message is made again by the watchdog");
      });
    });
  }

  function waitForGaps(): void {
    for (const [conversation, { gaps = [] }] of threadsOf(stored.inbox)) {
      for (const { missing } of gaps) wait(conversation, missing);
    }
  }

  function begin(turn: TurnRef): void {
    const thread = stored.inbox.threads[turn.conversation];
    if (thread === undefined) return;
    heard.set(turn.turn, clock.monotonic());
    turns.start(id, thread.to, turn);
  }

  const activeTurns = (): (TurnRef & { readonly owner: string })[] =>
    threadsOf(stored.inbox).flatMap(([conversation, { turn }]) =>
      turn === undefined ? [] : [{ conversation, turn: turn.id, attempt: turn.attempt, owner: turn.owner }],
    );

  /** A turn of this process is dead when nothing runs it; one of another process when it has been silent for long. */
  function isSilent(turn: TurnRef & { readonly owner: string }): boolean {
    if (turns.isRunning(id, turn)) return false;
    if (turn.owner === nobody) return true;
    if (runtime.actors.exclusive || turn.owner === instance) return true;
    return clock.monotonic() - (heard.get(turn.turn) ?? activatedAt) >= silenceMs;
  }

  async function settledEvent(): Promise<AgentEvent> {
    const conversations = [...new Set(stored.outbox.entries.map((entry) => entry.to.conversation))];
    const upTo = await Promise.all(
      conversations.map(async (conversation) => ({ conversation, seq: await options.settled(conversation) })),
    );
    return announced(upTo);
  }

  /** The outbox forgets what is settled once it is announced. */
  async function announced(upTo: ReturnType<typeof outgoing.settled>): Promise<AgentEvent> {
    if (options.announce !== undefined) {
      const isSettled = ({ to, seq }: OutboundEvent) =>
        upTo.some((one) => one.conversation === to.conversation && seq <= one.seq);
      const facts = stored.outbox.entries.filter(isSettled).flatMap((entry) => answered(entry) ?? []);
      if (facts.length > 0) await options.announce(facts);
    }
    return { ...moment(), type: "settled", upTo };
  }

  async function look(): Promise<void> {
    await tellJournal();
    await tellStops();
    linking.tend();
    waitForGaps();
    stored = await withSpilled(
      context,
      stored,
      threadsOf(stored.inbox).map(([conversation]) => conversation),
    );
    const silent: AgentEvent = { ...moment(), type: "silent", turns: activeTurns().filter(isSilent) };
    const events = stored.outbox.entries.length === 0 ? [silent] : [await settledEvent(), silent];
    await step(events, traits(undefined));
    await outgoing.publishLate(stored.outbox.entries);
  }

  /** Forgets what no entry and no turn needs any more. */
  function tidy(): void {
    outgoing.keep(stored.outbox.entries);
    const running = new Set(activeTurns().map((turn) => turn.turn));
    for (const turn of heard.keys()) if (!running.has(turn)) heard.delete(turn);
    for (const turn of taken.keys()) if (!running.has(turn)) taken.delete(turn);
  }

  function fold(conversation: ConversationId): void {
    const { items, summary } = stored.history;
    const to = stored.inbox.threads[conversation]?.to;
    if (to === undefined) return;
    const { historyItems } = options.traitsOf(to);
    const long = items.length > 3 && items.reduce((sum, item) => sum + item.text.length, 0) > foldChars;
    if (items.length <= historyItems * 2 && !long) return;
    const mayGo = Math.max(items.length - (long ? Math.min(historyItems, items.length >> 1) : historyItems), 1);
    let room = foldedChars;
    const fits = items.findIndex(({ text }) => (room -= Math.min(text.length, foldedItem)) < 0);
    const last = items[Math.max(fits === -1 ? mayGo : Math.min(mayGo, fits), 1) - 1]?.turn;
    turns.fold(id, to, summary, items.slice(0, items.findLastIndex((item) => item.turn === last) + 1));
  }

  async function ended(event: AgentEvent & TurnRef): Promise<Reply> {
    stored = await withSpilled(context, stored, [event.conversation]);
    const crowded = stored.outbox.entries.length >= crowdedOutbox;
    const settled: AgentEvent = crowded ? await settledEvent() : await announced(outgoing.settled());
    const reply = await step([settled, event], traits(event.conversation));
    if (reply === "accepted") fold(event.conversation);
    tidy();
    return reply;
  }

  const current = (turn: TurnRef): boolean => {
    const active = stored.inbox.threads[turn.conversation]?.turn;
    return active?.id === turn.turn && active.attempt === turn.attempt;
  };

  /** It changes a message that neither waits nor stands in the history. */
  function isAboutPast(event: InboundEvent): boolean {
    const targets = event.kind === "deleted" ? event.targets : event.kind === "edited" ? [event.target] : [];
    const { pending = [] } = stored.inbox.threads[event.address.conversation] ?? {};
    const isHere = (target: MessageId) =>
      pending.some((one) => one.id === target) || stored.history.items.some((item) => item.message === target);
    return !targets.every(isHere);
  }

  const pastOf = async (): Promise<readonly HistoryItem[]> =>
    Object.values((await withPast(context, stored)).past).flatMap(({ items }) => items);

  const watched = (reply: Reply): Reply | Later =>
    watch.isArmed() || !isOwed() ? reply : later(watch.arm().then((armed) => (armed ? reply : "unwatched")));

  /** A turn that goes on with a run has that word alone. */
  async function decidedBy(thread: Thread, [message]: readonly InboundMessage[]): Promise<Decided | undefined> {
    const decision = message === undefined ? undefined : decisionOf(message);
    const ask = decision === undefined ? undefined : openAskOf(thread, decision.ask);
    if (decision === undefined || ask === undefined) return undefined;
    const key = askKey(ask.id);
    const rows = await context.load([key]);
    return { turn: ask.turn, state: readAsk(rows.get(key)).state, decision };
  }

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

  const methods: {
    [Method in keyof AgentCalls]: (
      data: Parameters<AgentCalls[Method]>[0],
    ) => Promise<ReturnType<AgentCalls[Method]> | Later>;
  } = {
    ...linking.methods,
    ...taking,
    async receive({ event, previous, earlier = [], via }) {
      // It would wait here for a turn that does not start any more: the bus brings it to where the agent goes.
      if (options.isStopping()) throw new InfrastructureError("the gateway is stopping", { retryAfterMs: 1_000 });
      const before = previous === undefined ? [] : [previous, ...earlier];
      stored = await withDays(context, stored, event, clock.now());
      stored = await withThread(context, stored, event.address.conversation);
      if (linking.heir() !== undefined) return linking.forward(event, before);
      linking.check(via);
      stored = await withSpilled(context, stored, [event.address.conversation], concernsAll(event));
      if (isAboutPast(event)) stored = await withPast(context, stored);
      const { [event.address.conversation]: thread } = { ...stored.quiet, ...stored.inbox.threads };
      // What the gateway tells somebody who is not let in starts none.
      const isFirst = !isOwn(event) && (thread === undefined || thread.unheard === true);
      if (isFirst) await options.announce?.([started(event)]);
      const turn = stored.inbox.threads[event.address.conversation]?.turn;
      const took = turn === undefined ? undefined : taken.get(turn.id);
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
      const reply = await step(events, options.traitsOf(event.address));
      if (inherited) await outgoing.publishLate(stored.outbox.entries);
      inherited = false;
      if (reply === "early" && early.get(event.id) === undefined) early.set(event.id, clock.monotonic());
      const { held } = stored.inbox.threads[event.address.conversation] ?? {};
      // However seldom the person answers, or the agent.
      if (reply === "accepted" && (event.kind === "said" || held !== undefined)) fold(event.address.conversation);
      return via === undefined ? watch.kept(reply) : watched(reply);
    },
    async take(turn) {
      const thread = stored.inbox.threads[turn.conversation];
      if (thread === undefined || !current(turn)) return "stale";
      // It may have waited for its place for longer than the watchdog waits.
      heard.set(turn.turn, clock.monotonic());
      const { summary, items, notes = [], notesOff } = stored.history;
      const messages = batchOf(thread);
      taken.set(
        turn.turn,
        messages.map((message) => message.id),
      );
      const decided = await decidedBy(thread, messages);
      return {
        to: thread.to,
        messages,
        history: items,
        ...(summary === undefined ? {} : { summary }),
        ...(notesOff === true ? {} : { notes: notesFor(notes, thread.to) }),
        ...(decided === undefined ? {} : { decided }),
      };
    },
    async expire(data) {
      stored = await withSpilled(context, stored, [data.conversation], true);
      return watch.kept(await step([{ ...moment(), ...data, type: "expired" }], traits(data.conversation)));
    },
    question: (data) => step([{ ...moment(), ...data, type: "questioned" }], traits(data.conversation)),
    replied: async ({ conversation, id: asked }) => stateOf(stored.inbox.threads[conversation], asked),
    unquestion: (data) => step([{ ...moment(), ...data, type: "unquestioned" }], traits(data.conversation)),
    finish: (data) => ended({ ...moment(), ...data, type: "finished" }),
    fail: (data) => ended({ ...moment(), ...data, type: "failed" }),
    async alive(turn) {
      if (!current(turn)) return "stale";
      heard.set(turn.turn, clock.monotonic());
      return "accepted";
    },
    async abandon(turn) {
      const { pending = [] } = stored.inbox.threads[turn.conversation] ?? {};
      const abandoned: AgentEvent = { ...moment(), ...turn, type: "abandoned" };
      // The agent may have moved before its runner stopped: then its turn starts again here and now.
      const again: AgentEvent[] = options.isStopping() ? [] : [{ ...moment(), type: "silent", turns: [turn] }];
      const reply = await step([abandoned, ...again], traits(turn.conversation));
      return reply === "accepted" && pending[0] !== undefined ? pending[0] : "stale";
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
    watch: async () => (!isBusy(stored) || (await watch.arm()) ? "accepted" : "unwatched"),
  };

  waitForGaps();
  return {
    async call(method, data) {
      linking.admit(method);
      if (!recovered) {
        recovered = true;
        if (activeTurns().some(isSilent)) await look();
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
