/** What an agent keeps beside its history: notes and what was before; step by step, and what it costs. */
import { describe, expect, it } from "vitest";
import type { AgentTraits, HistoryItem } from "../../src/agent.ts";
import { reduce } from "../../src/conversation.ts";
import type { AgentEvent, Reply } from "../../src/events.ts";
import { conversationId, messageId, type AgentId, type MessageId, type TurnId } from "../../src/ids.ts";
import type { Address, InboundEvent, InboundMessage } from "../../src/message.ts";
import {
  changeNotes,
  mergeNotes,
  mostNotes,
  notesFor,
  noteChars,
  type Note,
  type NoteChange,
} from "../../src/notes.ts";
import { mostPast, pastKey, pastKeys, rowsOf, searchPast, type PastRow } from "../../src/past.ts";
import { batchOf } from "../../src/scheduling.ts";
import { readPast, readState, type AgentState } from "../../src/state.ts";
import { testClock } from "./client-agent.fixture.ts";
import { directChat } from "./conversation.fixture.ts";
import { openShell } from "./shell.fixture.ts";

const noon = Date.UTC(2026, 5, 1, 12);
const { account, conversation, agent: id, to, typed: message } = directChat({ at: noon });
const traits: AgentTraits = { whileRunning: "queue", turnTimeoutMs: 60_000, historyItems: 4 };
const add = (text: string): NoteChange => ({ add: { text } });
const none = { notes: [], last: 0 };

/** An agent whose rows are as the shell writes and reads them. */
function play() {
  let state: AgentState = readState(new Map());
  const rows = new Map<string, unknown>();

  function tell(event: Record<string, unknown> & { type: AgentEvent["type"] }): Reply {
    const step = reduce(state, { agent: id, now: noon, instance: "here", ...event } as unknown as AgentEvent, traits);
    const stored = Object.entries({ inbox: step.state.inbox, history: step.state.history, outbox: step.state.outbox });
    for (const [key, value] of step.rows) {
      if (value === undefined) rows.delete(key);
      else rows.set(key, JSON.parse(JSON.stringify(value)));
    }
    const read = readState(new Map(JSON.parse(JSON.stringify(stored)) as [string, unknown][]));
    const past = [...rows].flatMap(([key, row]) => (key.startsWith("past:") ? [[key, readPast(row)] as const] : []));
    state = { ...step.state, ...read, seen: step.state.seen, past: Object.fromEntries(past) };
    return step.reply;
  }
  const turn = () => {
    const active = state.inbox.threads[conversation]?.turn;
    if (active === undefined) throw new Error("no turn is active");
    return { conversation, turn: active.id, attempt: active.attempt };
  };
  const taken = () => {
    const thread = state.inbox.threads[conversation];
    return thread === undefined ? [] : batchOf(thread).map((of) => of.id);
  };
  const receive = (event: InboundEvent) => tell({ type: "received", event });
  const finish = (notes: readonly NoteChange[] = [], of = turn()) =>
    tell({
      type: "finished",
      ...of,
      messages: taken(),
      answer: { parts: [{ kind: "text", text: "answer", format: "plain" }] },
      notes,
    });
  return {
    tell,
    turn,
    receive,
    finish,
    says: (text: string, notes: readonly NoteChange[] = []) => {
      receive(message(text));
      return finish(notes);
    },
    command(change: object, text = `/memory ${JSON.stringify(change)}`) {
      receive(message(text));
      const event = { type: "noted" as const, ...turn(), command: message(text).id, change };
      const reply = tell(event);
      return { reply, again: tell(event), notice: state.outbox.entries.at(-1)?.answer.notice };
    },
    state: () => state,
    notes: () => state.history.notes?.map(({ n, text }) => `${n} ${text}`) ?? [],
    past: () => [...rows].flatMap(([key, row]) => (key.startsWith("past:") ? (row as PastRow).items : [])),
    rows,
  };
}

describe("notes", () => {
  it("are as many and as long as their bounds, each once, and their numbers are never given again", () => {
    const many = Array.from({ length: mostNotes + 5 }, (_, n) => add(`fact ${n}`));
    const { notes, last } = changeNotes(
      none,
      [add("Tea\n please "), add("tea please"), add("x".repeat(999))],
      to,
      noon,
    );
    expect(notes.map(({ n, text }) => [n, text.length])).toEqual([
      [1, "Tea please".length],
      [2, noteChars],
    ]);
    const without = changeNotes({ notes, last }, [{ forget: 2 }, add("milk")], to, noon);
    expect(without.notes.map(({ n }) => n)).toEqual([1, 3]);
    expect(changeNotes(none, many, to, noon).notes).toHaveLength(mostNotes);
  });

  it("are kept with the answer of the attempt that counts, and by no other", () => {
    const agent = play();
    agent.receive(message("I like tea"));
    const first = agent.turn();
    agent.tell({ type: "silent", turns: [first] });
    expect(agent.finish([add("likes coffee")], first)).toBe("stale");
    expect(agent.finish([add("likes tea")])).toBe("accepted");
    expect(agent.finish([add("likes tea")], first)).toBe("stale");
    expect(agent.notes()).toEqual(["1 likes tea"]);
    agent.receive(message("broken"));
    agent.tell({ type: "failed", ...agent.turn(), messages: [], notice: "failed" });
    expect(agent.notes()).toEqual(["1 likes tea"]);
  });

  it("are deleted by the number that people saw, once however often the command is served", () => {
    const agent = play();
    agent.says("hello", [add("one"), add("two"), add("three")]);
    expect(agent.command({ kind: "delete", n: 2 })).toEqual({
      reply: "accepted",
      again: "stale",
      notice: "memoryDeleted",
    });
    expect(agent.notes()).toEqual(["1 one", "3 three"]);
    expect(agent.command({ kind: "delete", n: 2 }, "/memory again").notice).toBe("memoryUnknown");
    expect(agent.command({ kind: "clear" }).notice).toBe("memoryCleared");
    agent.says("more", [add("four")]);
    expect(agent.notes()).toEqual(["4 four"]);
    // Nothing of a command is in the history.
    expect(agent.state().history.items.map(({ text }) => text)).toEqual(["hello", "answer", "more", "answer"]);
  });

  it("are taken no more once the person says so, until they say otherwise; that outlives /forget", () => {
    const agent = play();
    agent.says("hello", [add("one")]);
    agent.receive(message("and"));
    agent.tell({ type: "noted", ...agent.turn(), command: "none", change: { kind: "off" } });
    agent.finish();
    expect(agent.command({ kind: "off" }).notice).toBe("memoryOff");
    agent.says("more", [add("two")]);
    expect(agent.notes()).toEqual(["1 one"]);
    agent.receive(message("/forget yes"));
    agent.tell({ type: "forgotten", ...agent.turn(), command: message("/forget yes").id });
    expect(agent.state().history).toEqual({ v: 1, items: [], notesOff: true });
    expect(agent.command({ kind: "on" }).notice).toBe("memoryOn");
    agent.says("again", [add("three")]);
    expect(agent.notes()).toEqual(["1 three"]);
  });

  it("of a joined identity come behind the person's own; who wanted none there wants none", () => {
    const agent = play();
    agent.says("hello", [add("likes tea"), add("has a cat")]);
    const theirs = changeNotes(none, [add("Likes tea"), add("has a dog")], to, noon).notes;
    const command = { ...message("/link X"), address: { ...to, conversation: conversationId(account, "other") } };
    const of = {
      link: "link:1",
      from: "person:other" as AgentId,
      items: [],
      media: [],
      places: [],
      messages: [],
      command,
    };
    const past: HistoryItem[] = [{ role: "user", text: "long ago", at: 1, turn: "t1" as TurnId }];
    expect(agent.tell({ type: "linked", ...of, notes: theirs, past })).toBe("accepted");
    expect(agent.notes()).toEqual(["1 likes tea", "2 has a cat", "3 has a dog"]);
    expect(agent.past()).toEqual(past);
    expect(agent.state().history.notesOff).toBeUndefined();
    agent.tell({ type: "linked", ...of, link: "link:2", from: "person:third" as AgentId, notesOff: true });
    expect(agent.state().history.notesOff).toBe(true);
    const crowd = Array.from({ length: 300 }, (_, n): Note => ({ ...theirs[0]!, n, text: `fact ${n}` }));
    expect(mergeNotes(none, crowd).notes).toHaveLength(200);
  });

  it("of one place are not for another: a person's never for a group, a group's for that group alone", () => {
    const group = (chat: string): Address => ({ ...to, kind: "group", conversation: conversationId(account, chat) });
    const all = [to, group("one"), group("two")].flatMap(
      (place, n) => changeNotes(none, [add(`${n}`)], place, noon).notes,
    );
    const texts = (place: Address) => notesFor(all, place).map(({ text }) => text);
    expect([texts(to), texts(group("one")), texts(group("two")), texts(group("three"))]).toEqual([
      ["0"],
      ["1"],
      ["2"],
      [],
    ]);
  });
});

describe("what the history has no place for", () => {
  it("is kept where a fold took it, and where no fold came in time, so that nothing is lost", () => {
    const agent = play();
    for (let n = 1; n <= 5; n++) agent.says(`word ${n}`);
    agent.tell({ type: "summarized", through: "t3", summary: "three words" });
    expect(agent.past().map(({ text }) => text)).toEqual(["word 1", "answer", "word 2", "answer", "word 3", "answer"]);
    for (let n = 6; n <= 60; n++) agent.says(`word ${n}`);
    const items = agent.state().history.items;
    expect(items.length).toBeLessThanOrEqual(24);
    const all = [...agent.past(), ...items].filter(({ role }) => role === "user").map(({ text }) => text);
    expect(all).toEqual(Array.from({ length: 60 }, (_, n) => `word ${n + 1}`));
  });

  it("is bounded: the oldest rows go, and a row takes no more than its share", () => {
    const agent = play();
    const item = (n: number): HistoryItem => ({
      role: "user",
      text: `${n} ${"x".repeat(9_000)}`,
      at: n,
      turn: "t" as TurnId,
    });
    expect(rowsOf(Array.from({ length: 30 }, (_, n) => item(n))).map(({ items }) => items.length)).toEqual([
      10, 10, 10,
    ]);
    for (let n = 1; n <= 400; n++) agent.says(`word ${n} ${"x".repeat(2_000)}`);
    const keys = [...agent.rows.keys()].filter((key) => key.startsWith("past:"));
    expect(keys).toHaveLength(mostPast);
    expect(keys).not.toContain(pastKey(0));
  });

  it("of two that come together is one, by its time: what is oldest in either goes first", () => {
    const agent = play();
    for (let n = 1; n <= 400; n++) agent.says(`word ${n} ${"x".repeat(2_000)}`);
    const own = agent.past();
    const theirs = Array.from({ length: 480 }, (_, n): HistoryItem => {
      const at = n < 460 ? noon - 1_000 + n : noon + n;
      return { role: "user", text: `theirs ${n} ${"y".repeat(1_900)}`, at, turn: "t" as TurnId };
    });
    const command = { ...message("/link X"), address: { ...to, conversation: conversationId(account, "other") } };
    const of = { link: "link:1", from: "person:other" as AgentId, items: [], media: [], places: [], messages: [] };
    agent.tell({ type: "linked", ...of, command, past: theirs });
    const words = (items: readonly HistoryItem[]) => items.map(({ text }) => text.split(" ", 2).join(" "));
    const all = words([...theirs.slice(0, 460), ...own, ...theirs.slice(460)]);
    const past = words(agent.past());
    expect(past).toEqual(all.slice(-past.length));
    expect(past.length).toBeGreaterThan(own.length + 20);
    expect(past.length).toBeLessThan(all.length);
    expect([...agent.rows.keys()].filter((key) => key.startsWith("past:"))).toHaveLength(mostPast);
  });

  it("is gone with /reset, which keeps notes, and with /forget, which keeps nothing", () => {
    const agent = play();
    for (let n = 1; n <= 60; n++) agent.says(`word ${n}`, n === 1 ? [add("one")] : []);
    expect(agent.past().length).toBeGreaterThan(0);
    agent.receive(message("/reset"));
    expect(agent.past()).toEqual([]);
    expect(agent.notes()).toEqual(["1 one"]);
    for (let n = 61; n <= 120; n++) agent.says(`word ${n}`);
    expect(agent.past().length).toBeGreaterThan(0);
    agent.receive(message("/forget yes"));
    agent.tell({ type: "forgotten", ...agent.turn(), command: message("/forget yes").id });
    expect([agent.past(), agent.notes()]).toEqual([[], []]);
  });

  it("follows what people do to their messages later", () => {
    const agent = play();
    for (let n = 1; n <= 60; n++) agent.says(`word ${n}`);
    const { message: _message, ...header } = message("later");
    agent.receive({ ...header, kind: "deleted", targets: [messageId(account, "chat", "word 2")] });
    const changed = {
      parts: [{ kind: "text" as const, text: "another word", format: "plain" as const }],
      addressed: true,
    };
    const edited = { ...message("changed"), kind: "edited" as const, message: changed };
    agent.receive({ ...edited, target: messageId(account, "chat", "word 3") });
    const texts = agent.past().map(({ text }) => text);
    expect(texts).not.toContain("word 2");
    expect(texts).not.toContain("word 3");
    expect(texts).toContain("another word");
  });

  it("loses all that is deleted at once, also where it stands together", () => {
    const agent = play();
    for (let n = 1; n <= 5; n++) agent.says(`word ${n}`);
    agent.tell({ type: "summarized", through: "t3", summary: "three words" });
    const { message: _message, ...header } = message("later");
    const targets = ["word 1", "word 2"].map((text) => messageId(account, "chat", text));
    agent.receive({ ...header, kind: "deleted", targets });
    expect(agent.past().map(({ text }) => text)).toEqual(["answer", "answer", "word 3", "answer"]);
  });

  it("is found by its words, the rarest first, with dates, and in bounded answers", () => {
    const items = [
      "the invoice is paid",
      "the boat leaves at noon",
      `${"much ado ".repeat(200)} the harbour master has the boat's invoices ${"and more ".repeat(200)}`,
      ...Array.from({ length: 40 }, (_, n) => `the boat ${n}`),
    ].map((text, at): HistoryItem => ({ role: "user", text, at, turn: "t" as TurnId }));
    const found = searchPast(items, "Where is the INVOICE of the boat?");
    expect(found).toHaveLength(8);
    expect(found[0]?.text).toContain("harbour master has the boat's invoices");
    expect(found[1]).toEqual({ at: 0, who: "user", text: "the invoice is paid" });
    expect(Math.max(...found.map(({ text }) => text.length))).toBeLessThanOrEqual(601);
    expect(searchPast(items, "submarine")).toEqual([]);
    expect(searchPast(items, "?!")).toEqual([]);
  });
});

describe("what it costs", () => {
  /** The shell over rows in memory: how often it reads. */
  async function shell(rows: Map<string, unknown>) {
    let reads = 0;
    const options = { traitsOf: () => traits, clock: testClock({ now: noon }) };
    const actor = await openShell(id, rows, options, () => void (reads += 1));
    let turns = 0;
    return {
      actor,
      reads: () => reads,
      async turn(notes: readonly NoteChange[] = []) {
        turns += 1;
        await actor.call("receive", { event: message(`hello ${turns} ${rows.size}`) });
        const inbox = rows.get("inbox") as AgentState["inbox"];
        const active = inbox.threads[conversation]?.turn;
        const of = { conversation, turn: active?.id, attempt: active?.attempt };
        const taken = (await actor.call("take", of)) as { messages: InboundMessage[]; notes?: Note[] };
        const messages: MessageId[] = taken.messages.map((one) => one.id);
        await actor.call("finish", { ...of, messages, answer: { parts: [] }, ...(notes.length > 0 && { notes }) });
        return taken.notes?.map(({ text }) => text);
      },
    };
  }

  it("is no read in any turn, and none more when the agent comes back", async () => {
    const rows = new Map<string, unknown>();
    const first = await shell(rows);
    await first.turn();
    const before = first.reads();
    await first.turn([add("one"), add("two")]);
    expect(await first.turn()).toEqual(["one", "two"]);
    expect(first.reads()).toBe(before);
    for (let n = 0; n < 30; n++) await first.turn();
    expect(first.reads()).toBe(before);
    const again = await shell(rows);
    const withNotes = again.reads();
    expect(await again.turn()).toEqual(["one", "two"]);
    expect(again.reads()).toBe(withNotes);
    expect(withNotes).toBe((await shell(new Map(rows).set("history", { v: 1, items: [] }))).reads());
    expect([...rows.keys()].some((key) => key.startsWith("past:"))).toBe(true);
    expect(await again.actor.call("search", { query: "hello" })).toHaveLength(8);
    expect(await again.actor.call("end", { after: 1e6 })).toBe("accepted");
    expect([...rows.keys()]).toEqual([]);
  });

  it("is a read where a joined identity brings a past, which comes to the one that is there", async () => {
    const rows = new Map<string, unknown>();
    const { actor, turn } = await shell(rows);
    for (let n = 0; n < 30; n++) await turn();
    const command = { ...message("/link X"), address: { ...to, conversation: conversationId(account, "other") } };
    const past: HistoryItem[] = [{ role: "user", text: "a boat", at: 1, turn: "t1" as TurnId }];
    const of = { link: "link:1", from: "person:other" as AgentId, items: [], media: [], places: [], messages: [] };
    const own = await actor.call("search", { query: "hello" });
    expect(await actor.call("import", { ...of, command, past })).toBe("accepted");
    expect(await actor.call("search", { query: "boat" })).toHaveLength(1);
    expect(await actor.call("search", { query: "hello" })).toEqual(own);
    const range = (rows.get("history") as AgentState["history"]).past;
    expect([...rows.keys()].filter((key) => key.startsWith("past:"))).toEqual(pastKeys(range));
  });
});
