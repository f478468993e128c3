import { describe, expect, it, vi } from "vitest";
import { createAsk } from "../../src/asking.ts";
import type { CallAgent } from "../../src/agent-calls.ts";
import type { Channel } from "../../src/channel.ts";
import { reduce } from "../../src/conversation.ts";
import type { AgentEvent, Reply } from "../../src/events.ts";
import type { AgentId, ConversationId, MessageId, TurnId } from "../../src/ids.ts";
import type { InboundMessage, Message, Participant } from "../../src/message.ts";
import type { Asking } from "../../src/question-state.ts";
import { stateOf } from "../../src/questions.ts";
import { batchOf } from "../../src/scheduling.ts";
import { readState } from "../../src/state.ts";
import { ann, direct, message, quiet, testClock } from "./client-agent.fixture.ts";

const conversation = direct.conversation;
const agent = "person:1" as AgentId;
const bob: Participant = { ...ann, id: "t:telegram:a:8" as Participant["id"], user: "8" };
const asking: Asking = { id: "q".repeat(16), from: "shop", text: "How many?", of: [ann.id], locale: "de" };
const choosing: Asking = {
  ...asking,
  id: "c".repeat(16),
  options: [
    { id: "in", label: "Inside" },
    { id: "out", label: "Outside" },
  ],
};

const text = (words: string): Partial<Message> => ({ parts: [{ kind: "text", text: words, format: "plain" }] });
const press = (button: string): Partial<Message> => ({ parts: [{ kind: "press", button }] });
const command = (name: string): Partial<Message> => ({ ...text(`/${name}`), command: { name, args: "" } });

function play(whileRunning: "queue" | "interrupt" = "queue") {
  let state = readState(new Map());
  let woken = 0;
  const traits = { whileRunning, turnTimeoutMs: 60_000, historyItems: 20 };
  function tell(event: Record<string, unknown> & { type: AgentEvent["type"] }): Reply {
    const step = reduce(state, { agent, now: 1_000, instance: "here", ...event } as unknown as AgentEvent, traits);
    // As it is stored and read again.
    woken += step.effects.filter(({ kind }) => kind === "wake").length;
    const stored = JSON.parse(JSON.stringify(step.state)) as Record<string, unknown>;
    const { seen, spilled } = step.state;
    state = { ...step.state, ...readState(new Map(Object.entries(stored))), seen, spilled };
    return step.reply;
  }
  const thread = () => state.inbox.threads[conversation];
  const turn = () => ({ conversation, turn: thread()?.turn?.id as TurnId, attempt: thread()?.turn?.attempt ?? 0 });
  function receive(of: Partial<Message>, from = ann): MessageId {
    const event: InboundMessage = message(of, from);
    tell({ type: "received", event });
    return event.id;
  }
  return {
    tell,
    receive,
    turn,
    thread,
    ask: (of = asking, more: object = {}) => tell({ type: "questioned", ...turn(), asking: of, ...more }),
    close: (of = asking) => tell({ type: "unquestioned", ...turn(), id: of.id }),
    /** How often its runner was told that something came of a question. */
    woken: () => woken,
    state: (of = asking) => stateOf(thread(), of.id),
    batch: () => batchOf(thread() ?? { pending: [], to: direct, seq: 0 }).map(({ id }) => id),
    finish: (messages: readonly MessageId[], heard?: readonly string[]) =>
      tell({
        type: "finished",
        ...turn(),
        messages,
        ...(heard && { heard }),
        answer: { parts: [{ kind: "text", text: "done", format: "plain" }] },
      }),
    said: () => state.outbox.entries.map(({ answer, answers }) => [answer.notice ?? "answer", answers]),
    buttons: () => state.outbox.entries.at(-1)?.answer.buttons,
    history: () => state.history.items.map(({ role, text: words }) => `${role}: ${words}`),
    aside: () => state.inbox.aside?.map(({ id, rule }) => [id, rule]),
  };
}

describe("a question of a tool", () => {
  it("is put in the conversation's next place; the next words are its answer, and part of what the turn answers", () => {
    const game = play();
    const first = game.receive(text("a table"));
    expect(game.ask()).toBe("accepted");
    expect(game.state()).toBe("open");
    expect(game.buttons()).toEqual([{ id: `reply:${asking.id}:skip`, label: "Lieber nicht" }]);
    const reply = game.receive(text("@bot 4"));
    expect([game.state(), game.woken()]).toEqual([{ text: "4" }, 1]);
    const later = game.receive(text("and hurry"));
    expect(game.batch()).toEqual([first, later]);
    game.finish([first]);
    expect(game.said()).toEqual([
      ["toolAsks", []],
      ["answer", [first, reply]],
    ]);
    expect(game.history()).toEqual(["user: a table", "agent: How many?", "user: @bot 4", "agent: done"]);
    // What is no answer has its own turn.
    expect(game.batch()).toEqual([later]);
    expect(game.state()).toBe("stale");
  });

  it("is answered once by what had no room among all that waits", () => {
    const game = play();
    const first = game.receive(text("a table"));
    game.ask(choosing);
    for (let n = 0; n < 100; n++) game.receive(text("well"));
    const reply = game.receive(text("outside"));
    expect(game.state(choosing)).toEqual({ option: "out" });
    game.finish([first]);
    for (let turns = 0; turns < 20 && game.batch().length > 0; turns++) game.finish(game.batch());
    const answers = game.said().map(([, of]) => of as readonly MessageId[]);
    expect(answers[1]).toEqual([first, reply]);
    expect(answers.flat().filter((of) => of === reply)).toHaveLength(1);
    expect(answers.flat()).toHaveLength(102);
  });

  it("with choices is answered by a button, a label or a number, and by nothing else", () => {
    const said = [press(`reply:${choosing.id}:1`), text("outside"), text("2")].map((of) => {
      const game = play();
      game.receive(text("a table"));
      game.ask(choosing);
      game.receive(text("hm, let me see"));
      expect(game.state(choosing)).toBe("open");
      game.receive(of);
      return game.state(choosing);
    });
    expect(said).toEqual([{ option: "out" }, { option: "out" }, { option: "out" }]);
  });

  it("is declined by its button, and by nobody's whose it is not", () => {
    const game = play();
    game.receive(text("a table"));
    game.ask();
    game.receive(text("9"), bob);
    const forged = game.receive(press(`reply:${asking.id}:skip`), bob);
    expect(game.state()).toBe("open");
    expect(game.aside()).toEqual([[forged, "the question is over"]]);
    game.receive(press(`reply:${asking.id}:skip`));
    expect(game.state()).toEqual({});
  });

  it("is asked once by a turn that runs again, and keeps its answer; one at a time is open", () => {
    const game = play();
    game.receive(text("a table"));
    game.ask();
    expect(game.ask(choosing)).toBe("busy");
    game.tell({ type: "silent", turns: [game.turn()] });
    expect(game.ask()).toBe("accepted");
    expect(game.ask(choosing)).toBe("busy");
    expect(game.said()).toHaveLength(1);
    game.receive(text("4"));
    game.tell({ type: "silent", turns: [game.turn()] });
    expect(game.ask()).toBe("duplicate");
    expect(game.state()).toEqual({ text: "4" });
    expect(game.ask(choosing)).toBe("accepted");
    expect(game.said()).toHaveLength(2);
  });

  it("of a dead attempt gives way to what the next one asks", () => {
    const game = play();
    game.receive(text("a table"));
    game.ask();
    game.tell({ type: "silent", turns: [game.turn()] });
    expect(game.ask(choosing)).toBe("accepted");
    game.receive(text("4"));
    expect(game.state()).toBe("open");
    expect(game.state(choosing)).toBe("open");
  });

  it("whose answer comes does not interrupt the turn; other words do, where they may", () => {
    const game = play("interrupt");
    game.receive(text("a table"));
    game.ask();
    game.receive(text("4"));
    expect(game.turn().attempt).toBe(1);
    game.receive(text("no, wait"));
    expect(game.turn().attempt).toBe(2);
  });

  it("is over with /stop, with its turn and when nobody waits: what comes then is a message like any other", () => {
    const stopped = play();
    stopped.receive(text("a table"));
    stopped.ask();
    const reply = stopped.receive(text("4"));
    stopped.receive(command("stop"));
    expect(stopped.aside()?.map(([id]) => id)).toContain(reply);
    expect(stopped.thread()?.questions).toBeUndefined();
    const late = play();
    const first = late.receive(text("a table"));
    late.ask();
    late.close();
    expect(late.woken()).toBe(1);
    const words = late.receive(text("4"));
    expect(late.batch()).toEqual([first, words]);
    expect(late.tell({ type: "questioned", ...late.turn(), attempt: 7, asking })).toBe("stale");
  });

  it("whose answer came when nobody waited any more leaves it to the next turn; a press of that kind is nothing", () => {
    const game = play();
    const first = game.receive(text("a table"));
    game.ask();
    const words = game.receive(text("4"));
    game.finish([first], []);
    expect(game.said().at(-1)).toEqual(["answer", [first]]);
    expect(game.batch()).toEqual([words]);
    const pressed = play();
    const other = pressed.receive(text("a table"));
    pressed.ask();
    const press = pressed.receive({ parts: [{ kind: "press", button: `reply:${asking.id}:skip`, label: "no" }] });
    pressed.finish([other], []);
    expect(pressed.aside()).toEqual([[press, "the question is over"]]);
    const again = play();
    const third = again.receive(text("a table"));
    again.ask();
    const heard = again.receive(text("4"));
    again.tell({ type: "silent", turns: [again.turn()] });
    // The call has its result, and is not made again.
    again.finish([third], []);
    expect(again.said().at(-1)).toEqual(["answer", [third, heard]]);
  });
});

describe("the runner that asks", () => {
  const question = {
    id: asking.id,
    from: "shop",
    text: "How many?",
    forMs: 60_000,
    signal: new AbortController().signal,
  };
  const channel = { traits: { buttons: { max: 8, label: 20, id: 64 } }, reach: () => undefined } as unknown as Channel;

  function asker(replies: readonly unknown[], { speed = 100 } = {}) {
    const left = [...replies];
    const calls: string[] = [];
    const heard: string[] = [];
    const call = (async (_id: AgentId, method: string) => {
      calls.push(method);
      return method === "unquestion" ? "accepted" : left.shift();
    }) as unknown as CallAgent;
    const turn = { conversation: conversation as ConversationId, turn: "t1" as TurnId, attempt: 1 };
    const signal = new AbortController().signal;
    const clock = testClock({ speed });
    const asking = new Set<() => void>();
    const ask = createAsk({
      call,
      clock,
      log: quiet,
      agent,
      turn,
      signal,
      asking,
      channel,
      messages: [message("x")],
      onHeard: (id) => heard.push(id),
    });
    return { ask, calls, heard, asking };
  }

  it("waits for its place and for the answer, and tells where nobody waits any more", async () => {
    const { ask, calls, heard } = asker(["busy", "accepted", "open", { text: "4" }]);
    expect(await ask?.(question)).toEqual({ kind: "said", text: "4" });
    expect(calls).toEqual(["question", "question", "replied", "replied"]);
    expect(heard).toEqual([asking.id]);
    const silent = asker(["accepted", ...Array.from({ length: 5_000 }, () => "open")]);
    expect(await silent.ask?.({ ...question, forMs: 2_000 })).toEqual({ kind: "silent" });
    expect(silent.calls.at(-1)).toBe("unquestion");
    expect(silent.heard).toEqual([]);
    expect(await asker(["stale"]).ask?.(question)).toEqual({ kind: "silent" });
    expect(await asker(["accepted", {}]).ask?.(question)).toEqual({ kind: "declined" });
  });

  it("looks at once when it is told that something has come, also while it was looking", async () => {
    const { ask, calls, asking } = asker(["busy", "accepted", "open", "open", { text: "4" }], { speed: 1 });
    const began = performance.now();
    const answered = ask?.({ ...question, forMs: 3_600_000 });
    for (let n = 0; n < 3; n++) {
      await vi.waitFor(() => expect(calls.length).toBeGreaterThan(n));
      for (const wake of asking) wake();
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const wake of asking) wake();
    expect(await answered).toEqual({ kind: "said", text: "4" });
    expect(performance.now() - began).toBeLessThan(2_000);
    expect(asking.size).toBe(0);
  });

  it("asks nobody where nobody could answer", () => {
    const { reach: _reach, ...deaf } = channel;
    expect(createAsk({ ...({} as Parameters<typeof createAsk>[0]), channel: deaf as Channel })).toBeUndefined();
  });
});
