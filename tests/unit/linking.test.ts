/** The reducer's part of links between agents, step by step; what the steps keep when anything dies is the simulation's. */
import { expect, it } from "vitest";
import type { AgentTraits } from "../../src/agent.ts";
import { reduce } from "../../src/conversation.ts";
import type { AgentEvent, Effect, Reply } from "../../src/events.ts";
import { digestOf, type AgentId, type ConversationId } from "../../src/ids.ts";
import type { InboundEvent } from "../../src/message.ts";
import { placeOf } from "../../src/link-state.ts";
import { createLinking, type Self } from "../../src/linking.ts";
import { batchOf } from "../../src/scheduling.ts";
import { isSeen } from "../../src/seen.ts";
import { isBusy, readState, type AgentState } from "../../src/state.ts";
import { directChat } from "./conversation.fixture.ts";

const noon = Date.UTC(2026, 5, 1, 12);
const traits: AgentTraits = { whileRunning: "interrupt", turnTimeoutMs: 60_000, historyItems: 4 };

/** A person on one channel, and the agent of that identity. */
function identity(channel: string) {
  const { conversation, agent: id, to, typed: message } = directChat({ at: noon, channel });
  let state: AgentState = readState(new Map());
  const effects: Effect[] = [];
  const beside = new Map<string, unknown>();

  function tell(event: Record<string, unknown> & { type: AgentEvent["type"] }): Reply {
    const step = reduce(state, { agent: id, now: noon, instance: "here", ...event } as unknown as AgentEvent, traits);
    // As the shell writes it and another process reads it.
    const rows = Object.entries({ inbox: step.state.inbox, history: step.state.history, outbox: step.state.outbox });
    state = {
      ...step.state,
      ...readState(new Map(JSON.parse(JSON.stringify(rows)) as [string, unknown][])),
      seen: step.state.seen,
    };
    effects.push(...step.effects);
    for (const [key, value] of step.rows) {
      if (value === undefined) beside.delete(key);
      else beside.set(key, value);
    }
    return step.reply;
  }
  const receive = (event: InboundEvent, more: object = {}) => tell({ type: "received", event, ...more });
  const serving = (of = conversation) => {
    const turn = state.inbox.threads[of]?.turn;
    if (turn === undefined) throw new Error("no turn is active");
    return { conversation: of, turn: turn.id, attempt: turn.attempt, command: turn.command };
  };
  return {
    id,
    to,
    conversation,
    tell,
    message,
    receive,
    serving,
    says: (text: string) => receive(message(text)),
    finish(of: ConversationId = conversation, text = "answer", more: object = {}) {
      const thread = state.inbox.threads[of];
      const messages = thread === undefined ? [] : batchOf(thread).map((one) => one.id);
      return tell({
        type: "finished",
        ...serving(of),
        messages,
        answer: { parts: [{ kind: "text", text, format: "plain" }] },
        ...more,
      });
    },
    state: () => state,
    rows: () => [...beside],
    thread: (of: ConversationId = conversation) => state.inbox.threads[of],
    pending: (of: ConversationId = conversation) => state.inbox.threads[of]?.pending.map(({ id: one }) => one),
    history: () => state.history.items.map(({ text }) => text),
    sent: () =>
      state.outbox.entries.map(({ to: { conversation: of }, seq, answer }) => [of, seq, answer.notice ?? "answer"]),
    effects: () => effects.splice(0).map(({ kind }) => kind),
  };
}
type Identity = ReturnType<typeof identity>;

const link = "link:1";

function joining(joiner: Identity, to: AgentId): Reply {
  return joiner.tell({ type: "joining", ...joiner.serving(), link, to });
}

/** What the shell sends to the person's agent. */
function importOf(joiner: Identity) {
  const { inbox, history } = joiner.state();
  const threads = Object.values(inbox.threads);
  const pending = threads.flatMap((thread) => thread.pending);
  const command = pending.find(({ id }) => id === inbox.forward?.joining);
  return {
    type: "linked" as const,
    link,
    from: joiner.id,
    items: history.items,
    media: history.media ?? [],
    places: threads.map(placeOf),
    messages: pending.filter((message) => message !== command),
    command,
  };
}

function linkedPair() {
  const [person, joiner] = [identity("one"), identity("two")];
  person.says("my cat");
  person.finish();
  joiner.says("my dog");
  joiner.finish();
  joiner.says("/link CODE");
  joining(joiner, person.id);
  person.tell(importOf(joiner));
  joiner.tell({ type: "joined", link });
  return { person, joiner, via: { agent: joiner.id, link, seq: 1, known: [] } };
}

it("serves a command by a turn of its own, which nothing that the person does meanwhile touches", () => {
  const { says, receive, message, thread, effects, finish, history, pending } = identity("one");
  says("hello");
  says("/export");
  says("and then");
  finish();
  expect(batchOf(thread()!).map(({ id }) => id)).toEqual([message("/export").id]);
  const { turn } = thread()!;
  effects();
  says("more");
  receive({ ...message("edit"), kind: "edited", target: message("/export").id, message: message("else").message });
  receive({ ...message("edit 2"), kind: "edited", target: message("and then").id, message: message("better").message });
  const { message: _message, ...header } = message("deletion");
  receive({ ...header, kind: "deleted", targets: [message("/export").id, message("more").id] });
  says("/stop");
  expect(thread()!.turn).toEqual(turn);
  expect(effects()).toEqual([]);
  expect(pending()).toEqual([message("/export").id, message("/stop").id]);
  finish();
  expect(history()).toEqual(["hello", "answer"]);
});

it("joins when nothing else of the joiner runs, and not when others have joined it", () => {
  const { joiner, person } = linkedPair();
  person.says("/link OTHER");
  expect(joining(person, joiner.id)).toBe("refused");

  const busy = identity("three");
  busy.says("/link CODE");
  const { conversation } = busy.to;
  const topic = { ...busy.to, conversation: `${conversation}:t` as ConversationId, thread: "t" };
  busy.receive({ ...busy.message("in a topic"), address: topic });
  expect(joining(busy, person.id)).toBe("busy");
  busy.finish(topic.conversation);
  expect(busy.tell({ type: "joining", ...busy.serving(), attempt: 9, link, to: person.id })).toBe("stale");
  expect(joining(busy, person.id)).toBe("accepted");
  expect(joining(busy, person.id)).toBe("duplicate");
});

it("takes over the past and what waits, once, and counts on where the joiner stopped", () => {
  const [person, joiner] = [identity("one"), identity("two")];
  person.says("my cat");
  person.finish();
  joiner.says("my dog");
  joiner.finish();
  joiner.says("/link CODE");
  joiner.says("and now?");
  joining(joiner, person.id);
  const data = importOf(joiner);
  expect(person.tell(data)).toBe("accepted");
  expect(person.tell(data)).toBe("duplicate");
  expect(person.history()).toEqual(["my cat", "answer", "my dog", "answer"]);
  expect(new Set(person.state().history.items.map(({ turn }) => turn)).size).toBe(2);
  expect(person.sent()).toEqual([
    [person.conversation, 1, "answer"],
    [joiner.conversation, 2, "linked"],
  ]);
  expect(person.pending(joiner.conversation)).toEqual([joiner.message("and now?").id]);
  expect(joiner.tell({ type: "joined", link })).toBe("accepted");
  expect(joiner.history()).toEqual([]);
  expect(joiner.pending()).toEqual([]);
  expect(isSeen(joiner.state(), joiner.message("my dog").id)).toBe(true);
  person.finish(joiner.conversation);
  expect(person.sent().at(-1)).toEqual([joiner.conversation, 3, "answer"]);
});

it("refuses for good where it is on its way to another one itself", () => {
  const [person, joiner] = [identity("one"), identity("two")];
  person.says("/link CODE");
  joining(person, "person:third" as AgentId);
  joiner.says("/link CODE");
  joining(joiner, person.id);
  person.tell({ ...importOf(joiner), link: "link:2" });
  person.tell({ type: "declined", link });
  expect(person.tell({ ...importOf(joiner), link: "link:2" })).toBe("refused");
  expect(person.state().inbox.joiners).toBeUndefined();
});

it("an edit of what the joiner has seen is no new message", () => {
  const { person, joiner, via } = linkedPair();
  const target = joiner.message("my dog").id;
  const edit = {
    ...joiner.message("edit"),
    kind: "edited" as const,
    target,
    message: joiner.message("my old dog").message,
  };
  person.receive(edit, { via: { ...via, known: [target] } });
  expect(person.thread(joiner.conversation)?.early).toBeUndefined();
  expect(person.history()).toContain("my old dog");
});

it("gives up what waits for a word in the joiner's conversation when it gives that back", () => {
  const { person, joiner, via } = linkedPair();
  person.receive(joiner.message("pay"), { via });
  const { command: _none, ...turn } = person.serving(joiner.conversation);
  const messages = person.pending(joiner.conversation);
  const asked = { id: "a".repeat(16), by: "person", state: "the run" };
  person.tell({ type: "finished", ...turn, messages, answer: { parts: [] }, asked });
  expect(person.rows()).toEqual([[`ask:${asked.id}`, { v: 1, state: "the run" }]]);
  person.receive(joiner.message("/unlink"), { via });
  expect(person.tell({ type: "unlinked", ...person.serving(joiner.conversation) })).toBe("accepted");
  expect(person.rows()).toEqual([]);
});

it("gives back the joiner's conversation with what waits in it, once, and neither answers it twice", () => {
  const { person, joiner, via } = linkedPair();
  person.receive(joiner.message("/unlink"), { via });
  person.receive(joiner.message("now apart"), { via });
  expect(person.tell({ type: "unlinked", ...person.serving(joiner.conversation) })).toBe("accepted");
  expect(person.effects()).toContain("release");
  expect(isBusy(person.state())).toBe(true);
  expect(person.thread(joiner.conversation)).toBeUndefined();
  const [leaving] = person.state().inbox.leaving ?? [];
  const latest = [joiner.message("/unlink").id, joiner.message("now apart").id];
  expect(leaving).toMatchObject({ to: joiner.id, link, latest, places: [{ seq: 3 }] });
  expect(joiner.tell({ type: "left", ...leaving })).toBe("accepted");
  expect(joiner.tell({ type: "left", ...leaving })).toBe("duplicate");
  expect(joiner.says("now apart")).toBe("duplicate");
  joiner.finish();
  expect(joiner.sent().at(-1)).toEqual([joiner.conversation, 4, "answer"]);
  expect(joiner.history()).toEqual(["now apart", "answer"]);
  expect(person.history()).toContain("my dog");
  expect(person.tell({ type: "released", link })).toBe("accepted");
  expect(person.tell({ type: "released", link })).toBe("duplicate");
  expect(person.state().inbox.leaving).toBeUndefined();
});

it("the joiner knows again what it forwarded, although it never heard that the other has it", () => {
  const { person, joiner, via } = linkedPair();
  person.receive(joiner.message("overtaken"), { via });
  person.receive(joiner.message("/unlink"), { via });
  person.tell({ type: "unlinked", ...person.serving(joiner.conversation) });
  joiner.tell({ type: "left", ...person.state().inbox.leaving?.[0] });
  expect(joiner.says("/unlink")).toBe("duplicate");
  expect(joiner.says("overtaken")).toBe("duplicate");
});

it("the first channel's /unlink parts all; without a link it is refused", () => {
  const { person } = linkedPair();
  person.says("/unlink");
  expect(person.tell({ type: "unlinked", ...person.serving() })).toBe("accepted");
  expect(person.state().inbox.joiners).toBeUndefined();
  person.says("/unlink again");
  expect(person.tell({ type: "unlinked", ...person.serving() })).toBe("refused");
});

it("forgets the past and the links; knows the ids, and tells the journal who and when", () => {
  const { person, joiner, via } = linkedPair();
  person.receive(joiner.message("a question"), { via });
  person.says("/forget yes");
  person.says("what comes after");
  expect(person.tell({ type: "forgotten", ...person.serving() })).toBe("accepted");
  expect(person.history()).toEqual([]);
  expect(person.says("my cat")).toBe("duplicate");
  expect(person.pending()).toEqual([person.message("what comes after").id]);
  expect(person.state().inbox.leaving).toMatchObject([{ to: joiner.id, messages: [] }]);
  expect(person.state().inbox.aside).toEqual([
    { id: joiner.message("a question").id, conversation: joiner.conversation, rule: "forgotten", at: noon },
    {
      id: `forgotten:${digestOf(person.id)}`,
      conversation: digestOf(person.id),
      rule: "forgotten by the person",
      at: noon,
    },
  ]);
});

it("a fold that was under way when the past of another came keeps that", () => {
  const [person, joiner] = [identity("one"), identity("two")];
  person.says("my cat");
  person.finish();
  const through = person.state().history.items.at(-1)?.turn;
  joiner.says("my dog");
  joiner.finish();
  joiner.says("/link CODE");
  joining(joiner, person.id);
  person.tell({ ...importOf(joiner), summary: "likes tea" });
  person.tell({ type: "summarized", through, summary: "has a cat" });
  expect(person.history()).toEqual(["likes tea", "my dog", "answer"]);
  expect(person.state().history.summary).toBe("has a cat");
});

it("remembers the blobs that messages brought, for /forget", () => {
  const { message, receive, state } = identity("one");
  const image = { kind: "image", source: { from: "blob", id: "b1" }, type: "image/png" } as const;
  receive({ ...message("look"), message: { parts: [image], addressed: true } });
  expect(state().history.media).toEqual(["b1"]);
});

it("the agent that somebody chose in a conversation goes along when that joins, and back with it", () => {
  const [person, joiner] = [identity("one"), identity("two")];
  const by = (name: string) => ({ name, title: name, at: name, choice: { picked: name } });
  person.says("hello");
  person.finish(person.conversation, "answer", { by: by("sales") });
  joiner.says("hello");
  joiner.finish(joiner.conversation, "answer", { by: by("support") });
  joiner.says("/link CODE");
  joining(joiner, person.id);
  person.tell(importOf(joiner));
  joiner.tell({ type: "joined", link });
  expect(person.thread(joiner.conversation)).toMatchObject({ choice: { picked: "support" }, at: "support" });
  expect(person.thread()).toMatchObject({ choice: { picked: "sales" } });
  expect(joiner.thread()).not.toHaveProperty("choice");

  const via = { agent: joiner.id, link, seq: 1, known: [] };
  person.receive(joiner.message("another one"), { via });
  person.finish(joiner.conversation, "answer", { by: by("boss") });
  person.receive(joiner.message("/unlink"), { via });
  person.tell({ type: "unlinked", ...person.serving(joiner.conversation) });
  joiner.tell({ type: "left", ...person.state().inbox.leaving?.[0] });
  expect(joiner.thread()).toMatchObject({ choice: { picked: "boss" }, at: "boss" });
});

it("and where the conversation had been put away, it comes with what is said there next", () => {
  const { person, joiner } = linkedPair();
  const topic = { ...joiner.to, conversation: `${joiner.conversation}:t` as ConversationId, thread: "t" };
  const away = { to: topic, seq: 7, choice: { picked: "support" }, at: "support" };
  const state = { ...joiner.state(), quiet: { [topic.conversation]: away } };
  const via = createLinking({ id: joiner.id, state: () => state } as unknown as Self).via(topic.conversation, []);
  person.receive({ ...joiner.message("in a topic"), address: topic }, { via });
  expect(person.thread(topic.conversation)).toMatchObject({ choice: { picked: "support" }, at: "support", seq: 7 });
  person.finish(topic.conversation, "answer", { by: { name: "a", title: "A", at: "a", choice: {} } });
  person.receive({ ...joiner.message("again"), address: topic }, { via });
  expect(person.thread(topic.conversation)).not.toHaveProperty("choice");
});
