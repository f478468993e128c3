import { describe, expect, it } from "vitest";
import type { ConversationId } from "../../src/ids.ts";
import type { InboundEvent, InboundMessage } from "../../src/message.ts";
import { batchOf } from "../../src/scheduling.ts";
import { mostThreads, readState } from "../../src/state.ts";
import {
  agent,
  command,
  conversation,
  deletion,
  edit,
  id,
  message,
  noon,
  participant,
  play,
  to,
} from "./conversation.fixture.ts";

/** An edit that makes it this one. */
const editTo = (target: string, { message: content }: InboundMessage): InboundEvent => ({
  ...message(`${target} edited`),
  kind: "edited",
  target: id(target),
  message: content,
});

/** "/agent <args>", with these words as its text. */
const agentCommand = (name: string, args: string) =>
  message(name, {
    message: {
      parts: [{ kind: "text", text: `/agent ${args}`, format: "plain" }],
      addressed: true,
      command: { name: "agent", args },
    },
  });

describe("several agents", () => {
  const by = (name: string, more: object = {}) => ({ name, title: `The ${name}`, at: name, ...more });
  const note = (name: string, agentName: string) =>
    message(name, { note: { topic: "a task", agent: agentName }, participant });

  it("keep who answers with the write that ends the turn, in the history and the answer too", () => {
    const { receive, tell, state, running } = play();
    receive(message("one"));
    const turn = running();
    const choice = { handed: { to: "support", from: "triage" } };
    const answer = { parts: [{ kind: "text", text: "hello", format: "plain" }] };
    tell({ type: "finished", ...turn, messages: [id("one")], answer, by: by("support", { choice }) });
    expect(state().inbox.threads[conversation]).toMatchObject({ choice, at: "support" });
    expect(state().history.items.at(-1)).toMatchObject({ role: "agent", name: "The support" });
    expect(state().outbox.entries.at(-1)?.by).toEqual({ name: "support", title: "The support" });
    expect(readState(new Map(Object.entries(JSON.parse(JSON.stringify(state()))))).inbox).toEqual(state().inbox);
    receive(command("reset"));
    const { choice: kept, at } = state().inbox.threads[conversation] ?? {};
    expect([kept, at]).toEqual([undefined, undefined]);
  });

  it("have what is told to another one than the one at work in a turn of its own", () => {
    const { receive, tell, state, running } = play();
    const batch = () => {
      const thread = state().inbox.threads[conversation];
      return thread === undefined
        ? []
        : batchOf(thread)
            .map((of) => of.message.parts[0])
            .map((part) => part?.kind === "text" && part.text);
    };
    receive(message("one"));
    const turn = running();
    for (const next of [
      message("two"),
      note("own", "sales"),
      note("other", "support"),
      note("more", "support"),
      message("three"),
    ])
      receive({ ...next, sentAt: noon + 1 });
    const finish = (of: object, messages: readonly string[]) =>
      tell({ type: "finished", ...of, messages: messages.map(id), answer: { parts: [] }, by: by("sales") });
    finish(turn, ["one"]);
    expect(batch()).toEqual(["two", "own"]);
    finish(running(), ["two", "own"]);
    expect(batch()).toEqual(["other", "more"]);
    finish(running(), ["other", "more"]);
    expect(batch()).toEqual(["three"]);
  });

  it("do not answer what a command went on to say once it is stopped, though the command itself is not", () => {
    const { receive, take } = play();
    receive(agentCommand("only", "support"));
    receive({ ...command("stop"), sentAt: noon + 1 });
    expect(take("cancel")).toEqual([]);
    const other = play();
    other.receive(agentCommand("more", "support my order"));
    other.receive({ ...command("stop"), sentAt: noon + 1 });
    expect(other.take("cancel")).toHaveLength(1);
  });
});

describe("a command that goes on to say something to the agent it chooses", () => {
  const words = { parts: [{ kind: "text", text: "my order", format: "plain" }], addressed: true } as const;
  const choice = { picked: "support" };
  const by = { name: "support", title: "The support", at: "support", choice };
  const asked = agentCommand("more", "support my order");
  const taken = { type: "taken", to, id: "taken by bob", by: "bob" } as const;

  it("has a turn of its own, in its place among what people say", () => {
    const { receive, running, finish, state } = play({ whileRunning: "interrupt" });
    const batch = () => batchOf(state().inbox.threads[conversation]!).map((of) => of.id);
    receive(message("before", { sequence: 1 }));
    receive({ ...asked, sequence: 3 });
    receive(message("after", { sequence: 4 }));
    expect(batch()).toEqual([id("before")]);
    finish(running());
    expect(batch()).toEqual([id("more")]);
    const first = running();
    receive(message("after that", { sequence: 5 }));
    receive(message("late", { sequence: 2 }));
    expect(batch()).toEqual([id("more")]);
    expect(running()).toEqual(first);
    finish(first);
    expect(batch()).toEqual([id("late"), id("after"), id("after that")]);
  });

  it("is answered by nobody but the operator who has the conversation", () => {
    const { receive, tell, finish, running, take, aside, history, answers } = play({ historyItems: 20 });
    receive(message("hello"));
    finish(running());
    tell(taken);
    take("start");
    receive(asked);
    expect(take("start")).toEqual([]);
    expect(aside()).toEqual([[id("more"), "held by an operator"]]);
    expect(history().at(-1)).toBe("user: /agent support my order");
    expect(answers().map(({ notice }) => notice)).toEqual([undefined, "personHere"]);
    receive(agentCommand("only", "support"));
    expect(take("start")).toHaveLength(1);
  });

  it("is called off when an operator takes the conversation, who hears it", () => {
    const { receive, tell, take, aside } = play();
    receive(asked);
    take("start");
    tell(taken);
    expect(take("cancel")).toHaveLength(1);
    expect(aside()).toEqual([[id("more"), "held by an operator"]]);
  });

  it("waits while an operator is asked for, and is answered once nobody has come", () => {
    const { receive, tell, running, pending, take } = play();
    receive(message("a person, please"));
    const wanted = { id: "asked", until: noon + 1_000 };
    tell({ type: "finished", ...running(), messages: [id("a person, please")], answer: { parts: [] }, wanted });
    take("start");
    receive(asked);
    expect(take("start")).toEqual([]);
    expect(pending()).toEqual([id("more")]);
    tell({ type: "lapsed", conversation, id: "asked", until: wanted.until });
    expect(take("start")).toHaveLength(1);
  });

  it("is called off where it is deleted, and taken anew where it is edited", () => {
    const { receive, take, pending, aside } = play();
    receive(asked);
    take("start");
    receive(deletion("more"));
    expect(take("cancel")).toHaveLength(1);
    expect(pending()).toEqual([]);
    expect(aside()).toEqual([[id("more"), "deleted"]]);

    const other = play();
    other.receive(asked);
    const { turn } = other.running();
    other.receive(editTo("more", agentCommand("again", "sales my order")));
    expect(other.running()).toMatchObject({ turn, attempt: 2 });
    other.receive({ ...edit("more", "nothing any more"), id: id("edited again") });
    expect(other.running()).toMatchObject({ turn, attempt: 3 });
  });

  it("is remembered by its words, as the agent was told them; where there was nobody to tell, it is not", () => {
    const { receive, tell, running, history, state } = play();
    receive(asked);
    const answer = { parts: [{ kind: "text", text: "it is late", format: "plain" }] };
    tell({ type: "finished", ...running(), messages: [id("more")], answer, by, words });
    expect(history()).toEqual(["user: my order", "agent: it is late"]);
    expect(state().inbox.threads[conversation]).toMatchObject({ choice, at: "support" });
    receive(agentCommand("unknown", "nobody there"));
    tell({ type: "finished", ...running(), messages: [id("unknown")], answer: { parts: [], notice: "agentUnknown" } });
    expect(history()).toHaveLength(2);
  });

  it("keeps the choice and the words where the turn fails, also where the budget is used up", () => {
    const { receive, tell, running, history, state, answers } = play();
    receive(asked);
    tell({ type: "failed", ...running(), messages: [id("more")], notice: "failed", by, words });
    expect(state().inbox.threads[conversation]).toMatchObject({ choice, at: "support" });
    expect(history()).toEqual(["user: my order", "agent: (no answer: the model failed)"]);
    expect(answers().at(-1)).toMatchObject({ answers: [id("more")], notice: "failed" });
    const once = { period: "day 1", rule: "budget used up" };
    for (const [name, picked] of [
      ["one", "sales"],
      ["two", "triage"],
    ] as const) {
      receive(agentCommand(name, `${picked} my order`));
      const chosen = { ...by, at: picked, choice: { picked } };
      tell({ type: "failed", ...running(), messages: [id(name)], notice: "budgetDay", once, by: chosen, words });
      expect(state().inbox.threads[conversation]).toMatchObject({ choice: { picked }, at: picked });
    }
  });
});

it("an edit that makes a command of a message leaves what was said after it to a turn of its own", () => {
  const { receive, state, running, pending } = play({ whileRunning: "interrupt" });
  const batch = () => batchOf(state().inbox.threads[conversation]!).map((of) => of.id);
  for (const name of ["one", "two", "three"]) receive(message(name));
  expect(batch()).toEqual([id("one"), id("two"), id("three")]);
  receive(editTo("two", command("export")));
  expect(batch()).toEqual([id("one")]);
  receive(editTo("one", command("usage")));
  expect(batch()).toEqual([id("one")]);
  expect(state().inbox.threads[conversation]?.turn).toMatchObject({ id: running().turn, command: id("one") });
  expect(pending()).toHaveLength(3);
});

it("/forget leaves no choice, also where the conversation was put away", () => {
  const { receive, tell, finish, running, state, away, know } = play();
  const choice = { picked: "support" };
  const other = (n: number) => `${conversation}:${n}` as ConversationId;
  const at = (n: number) => message(`in ${n}`, { address: { ...to, conversation: other(n) } });
  const turnIn = (of: ConversationId) => {
    const { id: turn, attempt } = state().inbox.threads[of]?.turn ?? {};
    return { conversation: of, turn, attempt };
  };
  for (let n = 0; n <= mostThreads; n++) {
    receive(at(n));
    const by = { name: "support", title: "The support", at: "support", choice };
    tell({ type: "finished", ...turnIn(other(n)), messages: [id(`in ${n}`)], answer: { parts: [] }, by });
  }
  expect(away()).toEqual([other(0)]);
  expect(state().quiet[other(0)]).toMatchObject({ choice, at: "support" });
  know(other(0), JSON.parse(JSON.stringify(state().quiet[other(0)])));
  receive(message("hello"));
  finish(running());
  away();
  receive(command("forget"));
  expect(tell({ type: "forgotten", ...running(), command: id("/forget"), agent })).toBe("accepted");
  expect(away()).toContain(other(0));
  for (const of of [...Object.values(state().inbox.threads), ...Object.values(state().quiet)]) {
    expect(of).not.toHaveProperty("choice");
    expect(of).not.toHaveProperty("at");
  }
});
