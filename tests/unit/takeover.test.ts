import { describe, expect, it } from "vitest";
import type { AgentTraits } from "../../src/agent.ts";
import { askIdOf, questionOf } from "../../src/asks.ts";
import { reduce } from "../../src/conversation.ts";
import type { AgentEvent, Effect, Reply } from "../../src/events.ts";
import type { InboundEvent } from "../../src/message.ts";
import { buttonOf } from "../../src/mission-buttons.ts";
import { noticeText } from "../../src/notices.ts";
import { isBusy, readState, type AgentState } from "../../src/state.ts";
import { activeTurn, batchOfThread, directChat, noon } from "./conversation.fixture.ts";

const { conversation, agent, to, id, message, command } = directChat({ at: noon, locale: "de" });
const rule = "held by an operator";
const note = (name: string) => message(name, { note: { topic: "reminder" } });

function play(traits: Partial<AgentTraits> = {}) {
  let state: AgentState = readState(new Map());
  let now = noon;
  const effects: Effect[] = [];
  const all: AgentTraits = { whileRunning: "queue", turnTimeoutMs: 60_000, historyItems: 20, ...traits };
  const thread = () => state.inbox.threads[conversation];
  function tell(event: Record<string, unknown> & { type: AgentEvent["type"] }): Reply {
    const step = reduce(state, { agent, now, instance: "here", ...event } as unknown as AgentEvent, all);
    // As it is read again by another process.
    state = {
      ...step.state,
      ...readState(new Map(Object.entries(JSON.parse(JSON.stringify(step.state))))),
      seen: step.state.seen,
    };
    state = { ...state, spilled: step.state.spilled };
    effects.push(...step.effects);
    return step.reply;
  }
  const running = () => activeTurn(conversation, thread());
  const batch = () => batchOfThread(thread());
  const finish = (more: object = {}, turn = running()) => {
    const answer = { parts: [{ kind: "text", text: "answer", format: "markdown" }] };
    return tell({ type: "finished", ...turn, messages: batch(), answer, ...more });
  };
  return {
    tell,
    running,
    batch,
    finish,
    receive: (event: InboundEvent, previous?: string) =>
      tell({ type: "received", event, ...(previous === undefined ? {} : { previous: [id(previous)] }) }),
    take: (by = "bob", more: object = {}) => tell({ type: "taken", to, id: `taken by ${by}`, by, ...more }),
    say: (text: string, by = "bob", more: object = {}) =>
      tell({
        type: "spoken",
        conversation,
        by,
        message: id(`said ${text}`),
        answer: { parts: [{ kind: "text", text, format: "markdown" }] },
        ...more,
      }),
    release: (by = "bob", more: object = {}) => tell({ type: "handedBack", conversation, by, ...more }),
    /** The turn that runs asks for a person. */
    ask: (waitMs = 60_000) => finish({ wanted: { id: "asked", until: now + waitMs } }),
    /** The job that was made for that time. */
    lapse: (of = "asked", until = thread()?.held?.until) => tell({ type: "lapsed", conversation, id: of, until }),
    later: (ms: number) => void (now += ms),
    isRunning: () => thread()?.turn !== undefined,
    held: () => thread()?.held,
    pending: () =>
      thread()?.pending.map((of) => of.message.parts.map((part) => part.kind === "text" && part.text).join()),
    aside: () => (state.inbox.aside ?? []).map((of) => [decodeURIComponent(of.id.split(":").at(-1) ?? ""), of.rule]),
    /** In their order: an answer by its words, a sentence by its key. */
    said: () =>
      state.outbox.entries.map(
        ({ answer }) => answer.notice ?? answer.parts.map((part) => "text" in part && part.text).join(),
      ),
    entries: () => state.outbox.entries,
    history: () =>
      state.history.items.map(({ role, name, text }) => `${role}${name === undefined ? "" : ` ${name}`}: ${text}`),
    state: () => state,
    drop: (kind: Effect["kind"]) => {
      const found = effects.filter((effect) => effect.kind === kind);
      effects.length = 0;
      return found;
    },
  };
}

function taken(traits: Partial<AgentTraits> = {}) {
  const game = play(traits);
  game.receive(message("hello"));
  game.finish();
  expect(game.take()).toBe("accepted");
  return game;
}

describe("an operator takes a conversation", () => {
  it("and the agent is silent: what people say is remembered, set aside by the rule, and starts no turn", () => {
    const game = taken();
    for (const said of ["one", "two"]) expect(game.receive(message(said))).toBe("accepted");
    expect(game.isRunning()).toBe(false);
    expect(game.pending()).toEqual([]);
    expect(game.aside()).toEqual([
      ["one", rule],
      ["two", rule],
    ]);
    expect(game.history().slice(-2)).toEqual(["user: one", "user: two"]);
    expect(game.said()).toEqual(["answer", "personHere"]);
    expect(game.receive(message("one"))).toBe("duplicate");
    expect(
      isBusy({ ...game.state(), outbox: { v: 1, entries: [] }, inbox: { ...game.state().inbox, aside: [] } }),
    ).toBe(true);
  });

  it("while a turn runs: it is called off, its answer comes too late, and its messages are for the operator", () => {
    const game = play({ whileRunning: "interrupt" });
    game.receive(message("first"));
    const turn = game.running();
    const took = game.batch();
    game.drop("start");
    game.take();
    expect(game.drop("cancel")).toEqual([{ kind: "cancel", ...turn }]);
    const answer = { parts: [{ kind: "text", text: "too late", format: "markdown" }] };
    expect(game.tell({ type: "finished", ...turn, messages: took, answer })).toBe("stale");
    expect(game.tell({ type: "silent", turns: [turn] })).toBe("duplicate");
    expect(game.aside()).toEqual([["first", rule]]);
    expect(game.said()).toEqual(["personHere"]);
  });

  it("takes also what waits behind the inbox, in its order", () => {
    const game = play();
    const all = Array.from({ length: 150 }, (_, n) => `m${n}`);
    for (const one of all) game.receive(message(one));
    game.take();
    expect(game.aside().map(([of]) => of)).toEqual(all);
    expect(game.state().inbox.threads[conversation]?.spilled).toBeUndefined();
  });

  it("does not take what nobody has said anything in", () => {
    expect(play().take()).toBe("stale");
  });

  it("once: another one is refused, again by the same changes nothing, by force it is the other's", () => {
    const game = taken();
    expect(game.take("bob")).toBe("duplicate");
    expect(game.take("eve")).toBe("refused");
    expect(game.say("mine", "eve")).toBe("refused");
    expect(game.release("eve")).toBe("refused");
    expect(game.take("eve", { force: true })).toBe("accepted");
    expect(game.held()).toMatchObject({ id: "taken by bob", n: 2, by: "eve" });
    expect(game.say("mine", "bob")).toBe("refused");
    expect(game.say("mine", "eve", { n: 1 })).toBe("refused");
    expect(game.say("mine", "eve", { n: 2 })).toBe("accepted");
    expect(game.release("bob", { force: true })).toBe("accepted");
    expect(game.said().filter((one) => one === "personHere")).toHaveLength(1);
  });

  it("answers by the same outbox, once for each id, and it is remembered as the operator's", () => {
    const game = taken();
    expect(game.say("I can help")).toBe("accepted");
    expect(game.say("I can help")).toBe("duplicate");
    expect(game.said()).toEqual(["answer", "personHere", "I can help"]);
    expect(game.entries().at(-1)).toMatchObject({ seq: 3, answers: [], requests: [id("said I can help")] });
    expect(game.history().at(-1)).toBe("operator bob: I can help");
  });

  it("and what waited for somebody's word is over: a press is the operator's to read", () => {
    const game = play();
    game.receive(message("pay"));
    const ask = askIdOf(agent, game.running().turn, [id("pay")]);
    const pause = { state: "the run", calls: [{ tool: "pay", args: "{}" }], by: "person", forMs: 1_000 } as const;
    game.finish({ answer: questionOf([], ask, pause, undefined), asked: { id: ask, by: "person", state: "the run" } });
    game.take();
    expect(game.history().at(-1)).toContain("was not done");
    const press = { kind: "press", button: `approve:${ask}`, label: "Approve" } as const;
    game.receive(message("press", { message: { parts: [press], addressed: true } }));
    expect(game.aside()).toEqual([["press", rule]]);
    expect(game.tell({ type: "expired", conversation, ask })).toBe("stale");
    game.release();
    expect(game.isRunning()).toBe(false);
  });

  it("and an edit or a deletion changes what is remembered", () => {
    const game = taken();
    game.receive(message("one"));
    game.receive(message("two"));
    const parts = [{ kind: "text", text: "one, put better", format: "plain" } as const];
    game.receive({ ...message("edit"), kind: "edited", target: id("one"), message: { parts, addressed: true } });
    const { message: _message, ...header } = message("gone");
    game.receive({ ...header, kind: "deleted", targets: [id("two")] });
    expect(game.history().slice(-1)).toEqual(["user: one, put better"]);
    expect(game.isRunning()).toBe(false);
  });

  it("and what overtook another message waits for it, so that the past has its order", () => {
    const game = taken();
    game.receive(message("two", { sequence: 2 }), "one");
    expect(game.aside()).toEqual([]);
    game.receive(message("one", { sequence: 1 }));
    expect(game.aside().map(([of]) => of)).toEqual(["one", "two"]);
  });

  it("and notes wait for the release, however many: the watchdog has nothing to do with them", () => {
    const game = taken();
    for (let n = 0; n < 70; n++) game.receive(note(`note ${n}`));
    game.receive(message("behind them"));
    expect(game.isRunning()).toBe(false);
    expect(game.aside()).toEqual([["behind them", rule]]);
    const { outbox: _outbox, ...rest } = game.state();
    const { aside: _aside, ...inbox } = rest.inbox;
    expect(isBusy({ ...rest, inbox, outbox: { v: 1, entries: [] } })).toBe(false);
    game.release();
    expect(game.batch()[0]).toBe(id("note 0"));
  });
});

describe("a release", () => {
  it("hands the conversation back with all that was said, once, and the next message is the agent's", () => {
    const game = taken();
    game.receive(message("is it open?"));
    game.say("until six");
    expect(game.release("bob", { note: "she wants a refund" })).toBe("accepted");
    expect(game.drop("handBack")).toEqual([{ kind: "handBack", to, id: "taken by bob", by: "bob" }]);
    expect(game.release()).toBe("stale");
    expect(game.say("more")).toBe("refused");
    expect(game.isRunning()).toBe(false);
    game.receive(message("thanks"));
    expect(game.batch()).toEqual([id("thanks")]);
    expect(game.history()).toEqual([
      "user: hello",
      "agent: answer",
      expect.stringContaining("note: (bob, a person, answers here"),
      "user: is it open?",
      "operator bob: until six",
      "note bob hands back: she wants a refund",
      "note: (the conversation is yours again)",
    ]);
    expect(game.said().slice(1)).toEqual(["personHere", "until six", "personGone"]);
  });

  it("comes by itself where the operator says nothing for long: each word begins the time anew", () => {
    const game = play();
    game.receive(message("hello"));
    game.take("bob", { silentMs: 1_000 });
    const first = game.held()?.until;
    game.later(900);
    game.say("wait");
    expect(game.lapse("taken by bob", first)).toBe("busy");
    expect(game.lapse("another")).toBe("stale");
    expect(game.lapse("taken by bob")).toBe("accepted");
    expect(game.drop("handBack")).toMatchObject([{ by: "nobody" }]);
    expect(game.said().at(-1)).toBe("personGone");
  });
});

describe("who asks for a person", () => {
  it("is told so with the agent's answer, and what they write waits", () => {
    const game = play();
    game.receive(message("a person, please"));
    game.ask();
    expect(game.said()).toEqual(["answer", "personAsked"]);
    expect(noticeText("personAsked", game.entries()[1]?.locale, game.entries()[1]?.answer.values)).toContain("1 Min.");
    game.receive(message("are you there?"));
    game.receive(note("a reminder"));
    expect(game.isRunning()).toBe(false);
    expect(game.aside()).toEqual([]);
    game.take();
    expect(game.aside()).toEqual([["are you there?", rule]]);
    expect(game.held()).toMatchObject({ id: "asked", n: 1, by: "bob" });
    game.release();
    expect(game.batch()).toEqual([id("a reminder")]);
  });

  it("is answered by the agent once nobody has come in time", () => {
    const game = play();
    game.receive(message("a person, please"));
    game.ask(1_000);
    game.receive(message("are you there?"));
    expect(game.lapse()).toBe("accepted");
    expect(game.said().at(-1)).toBe("nobodyCame");
    expect(game.batch()).toEqual([id("are you there?")]);
    expect(game.lapse()).toBe("stale");
  });

  it("is waited for though the time seems over before the turn that asks has ended", () => {
    const game = play();
    game.receive(message("a person, please"));
    const { turn } = game.running();
    const lapse = { type: "lapsed", conversation, id: "asked", until: noon + 1_000, turn } as const;
    expect(game.tell(lapse)).toBe("early");
    game.ask(1_000);
    expect(game.tell(lapse)).toBe("accepted");
    expect(game.tell(lapse)).toBe("stale");
  });

  it("may be told by an operator that nobody can come", () => {
    const game = play();
    game.receive(message("a person, please"));
    game.ask();
    expect(game.say("too early")).toBe("refused");
    expect(game.release("eve")).toBe("accepted");
    expect(game.said().at(-1)).toBe("nobodyCame");
  });

  it("takes it back by /stop, which sets aside what waits", () => {
    const game = play();
    game.receive(message("a person, please"));
    game.ask();
    game.receive(message("hm"));
    game.receive(command("stop"));
    expect(game.held()).toBeUndefined();
    expect(game.drop("handBack")).toMatchObject([{ id: "asked", by: "person" }]);
    expect(game.aside()).toEqual([["hm", "stopped"]]);
    game.receive(message("go on"));
    expect(game.isRunning()).toBe(true);
  });
});

describe("the gateway's own commands while an operator has the conversation", () => {
  it.each([
    ["help", "help"],
    ["stop", "stopped"],
    ["reset", "reset"],
  ])("/%s is answered, and the operator keeps it", (name, notice) => {
    const game = taken();
    game.receive(note("a reminder"));
    game.receive(command(name));
    expect(game.said().at(-1)).toBe(notice);
    expect(game.held()?.by).toBe("bob");
    expect(game.history().length > 0).toBe(name !== "reset");
    game.receive(message("still there?"));
    expect(game.aside().at(-1)).toEqual(["still there?", rule]);
  });

  it.each([
    ["has it", (game: ReturnType<typeof play>) => void game.take()],
    ["is asked for", (game: ReturnType<typeof play>) => void game.ask()],
  ])("so are presses of what a mission asks, also while one %s", (_, held) => {
    const game = play();
    game.receive(message("hello"));
    if (_ === "has it") game.finish();
    held(game);
    const part = {
      kind: "press",
      button: buttonOf({ mission: "abcdefghijk", step: 0, asked: "plan", option: 1 }),
    } as const;
    game.receive(message("press", { message: { parts: [part], addressed: true } }));
    expect(game.batch()).toEqual([id("press")]);
    game.finish();
    expect(game.said().at(-1)).toBe("answer");
    expect(game.aside()).toEqual([]);
    expect(game.held()).toBeDefined();
  });

  it("/person is for the one who is there", () => {
    const game = taken();
    game.receive(command("person"));
    expect(game.aside()).toEqual([["/person", rule]]);
  });

  it("/forget ends it, without a word of what was said", () => {
    const game = taken();
    game.receive(message("my secret"));
    game.say("noted");
    game.receive(note("a reminder"));
    game.receive(command("forget"));
    const { turn, attempt } = game.running();
    game.drop("start");
    expect(game.tell({ type: "forgotten", conversation, turn, attempt, command: id("/forget") })).toBe("accepted");
    expect(game.held()).toBeUndefined();
    expect(game.history()).toEqual([]);
    expect(game.said()).toEqual(["forgotten", "personHere", "forgotten", "forgotten"]);
    expect(game.drop("handBack")).toMatchObject([{ id: "taken by bob", by: "person" }]);
    game.receive(message("hello again"));
    expect(game.isRunning()).toBe(true);
  });
});
