/** What people type where the platform shows buttons as a numbered list. */
import { describe, expect, it } from "vitest";
import type { ReadPart } from "../../src/agent.ts";
import type { AgentEvent, TurnRef } from "../../src/events.ts";
import { compose, listsButtons } from "../../src/format.ts";
import { reduce } from "../../src/conversation.ts";
import { agentIdOf, conversationId, messageId, participantId } from "../../src/ids.ts";
import type { Address, Answer, InboundEvent, Message } from "../../src/message.ts";
import { batchOf } from "../../src/scheduling.ts";
import { readQuiet, readState } from "../../src/state.ts";
import type { Traits } from "../../src/channel.ts";

const account = { tenant: "default", channel: "test", account: "main" };
const conversation = conversationId(account, "chat");
const ann = { id: participantId(account, "ann"), user: "ann" };
const bob = { id: participantId(account, "bob"), user: "bob" };
const traits = { whileRunning: "queue", turnTimeoutMs: 60_000, historyItems: 8 } as const;
const offer: Answer = {
  parts: [{ kind: "text", text: "Which?", format: "markdown" }],
  buttons: [
    { id: "tea", label: "Green tea" },
    { id: "", label: "Our menu", url: "https://example.org" },
    { id: "cake", label: "Cake" },
  ],
};
const plain: Answer = { parts: [{ kind: "text", text: "Fine.", format: "markdown" }] };

function play(kind: Address["kind"] = "direct") {
  const to: Address = { ...account, conversation, kind, chat: "chat" };
  const agent = agentIdOf(kind, ann.id, conversation);
  let state = readState(new Map());
  let count = 0;
  const tell = (event: object) => {
    const step = reduce(state, { agent, now: 1_000_000, instance: "here", ...event } as AgentEvent, traits);
    // As it is stored and read again.
    state = {
      ...step.state,
      inbox: readState(new Map([["inbox", JSON.parse(JSON.stringify(step.state.inbox))]])).inbox,
    };
  };
  const thread = () => state.inbox.threads[conversation];
  const of = (text: string): Message => ({ parts: [{ kind: "text", text, format: "plain" }], addressed: true });
  const header = (from: typeof ann) => {
    const id = messageId(account, "chat", `m${(count += 1)}`);
    return { v: 1 as const, id, address: to, participant: from, receivedAt: 1_000_000 };
  };
  return {
    says(text: string, from = ann, more: Partial<Message> = {}) {
      const event: InboundEvent = { ...header(from), kind: "message", message: { ...of(text), ...more } };
      tell({ type: "received", event });
      return event.id;
    },
    edits(target: string, to: string | Message["parts"]) {
      const message = typeof to === "string" ? of(to) : { parts: to, addressed: true };
      tell({ type: "received", event: { ...header(ann), kind: "edited", target, message } });
    },
    answers(answer: Answer, listed: boolean, read?: readonly ReadPart[]) {
      const turn: TurnRef = { conversation, turn: thread()?.turn?.id as never, attempt: thread()?.turn?.attempt ?? 0 };
      const messages = batchOf(thread() as never).map(({ id }) => id);
      tell({ type: "finished", ...turn, messages, answer, ...(listed ? { listed } : {}), ...(read && { read }) });
    },
    fails() {
      const turn = { conversation, turn: thread()?.turn?.id, attempt: thread()?.turn?.attempt };
      const messages = batchOf(thread() as never).map(({ id }) => id);
      tell({ type: "failed", ...turn, messages, notice: "failed" });
    },
    /** What the agent gets of the last message. */
    waiting: () => thread()?.pending.at(-1)?.message.parts[0],
    history: () => state.history.items.map(({ text }) => text),
    thread,
  };
}

function offered(kind: Address["kind"] = "direct", listed = true) {
  const game = play(kind);
  game.says("hi");
  game.answers(offer, listed);
  return game;
}

describe("after an answer whose buttons are a numbered list", () => {
  it.each(["1", "1.", "1)", " 1 ", "green TEA", "Green tea"])("%j is the press of the first", (text) => {
    const game = offered();
    game.says(text);
    expect(game.waiting()).toEqual({ kind: "press", button: "tea", label: "Green tea" });
    game.answers(plain, false);
    expect(game.history()).toContain('[pressed the button "Green tea"]');
  });

  it("numbers count as the list does, with the links that cannot be pressed", () => {
    const game = offered();
    game.says("3");
    expect(game.waiting()).toMatchObject({ kind: "press", button: "cake" });
    for (const text of ["2", "4", "0", "Our menu", "tea", "1 please", "1.5", "10", "-1"]) {
      const other = offered();
      other.says(text);
      expect(other.waiting()).toMatchObject({ kind: "text", text });
    }
  });

  it("counts only while those are the latest answer's", () => {
    const game = offered();
    game.says("what is in the cake?");
    game.answers(plain, false);
    game.says("1");
    expect(game.waiting()).toMatchObject({ kind: "text", text: "1" });
    expect(game.thread()).not.toHaveProperty("choices");
  });

  it("still counts after the gateway said that something went wrong", () => {
    const game = offered();
    game.says("1");
    game.fails();
    game.says("1");
    expect(game.waiting()).toMatchObject({ kind: "press", button: "tea" });
  });

  it("an edit of a typed choice is another choice", () => {
    const game = offered();
    const id = game.says("1");
    game.edits(id, "3");
    expect(game.waiting()).toMatchObject({ kind: "press", button: "cake" });
    game.edits(id, "neither");
    expect(game.waiting()).toMatchObject({ kind: "text", text: "neither" });
  });

  it("a command, or a number with a picture, is no press", () => {
    const game = offered();
    game.says("1", ann, { command: { name: "x", args: "" } });
    expect(game.waiting()).toMatchObject({ kind: "text" });
    const source = { from: "blob", id: "b" } as const;
    game.says("1", ann, {
      parts: [
        { kind: "text", text: "1", format: "plain" },
        { kind: "image", source, type: "image/png" },
      ],
    });
    expect(game.waiting()).toMatchObject({ kind: "text" });
  });

  it("in a group it is that person's, with the bot named before it", () => {
    for (const text of ["@ascent_bot 3", "<@!123> 3", "@Ascent: cake"]) {
      const game = offered("group");
      game.says(text);
      expect(game.waiting()).toMatchObject({ kind: "press", button: "cake" });
    }
    const game = offered("group");
    game.says("@ascent_bot 3", bob);
    expect(game.waiting()).toMatchObject({ kind: "text" });
  });
});

describe("where the platform has buttons", () => {
  it("a number is a number", () => {
    const game = offered("direct", false);
    game.says("1");
    expect(game.waiting()).toMatchObject({ kind: "text", text: "1" });
  });

  it("the list that people see and the one that is understood are the same", () => {
    const bare = { text: { max: 1_000 }, caption: { max: 0 }, media: {}, location: false } as unknown as Traits;
    const dialect = {
      render: (text: string) => text,
      escape: (text: string) => text,
      measure: (text: string) => text.length,
    };
    const shown = { ...bare, buttons: { max: 5, label: 20, id: 20 } };
    const pressable = { ...offer, buttons: [{ id: "tea", label: "Green tea" }] };
    for (const [answer, traits, listed] of [
      [offer, bare, true],
      [pressable, shown, false],
      [{ ...offer, buttons: Array.from({ length: 6 }, (_, n) => ({ id: `${n}`, label: `${n}` })) }, shown, true],
      [plain, bare, false],
    ] as const) {
      expect(listsButtons(answer, { traits })).toBe(listed);
      const parts = compose(answer, { traits, dialect }, { notice: () => "" });
      expect(parts.some((part) => part.kind === "text" && /^1\. /m.test(part.text))).toBe(listed);
    }
  });
});

describe("what was heard in a message", () => {
  it("stands in the history, also when its caption is edited afterwards", () => {
    const game = play();
    const voice = { kind: "voice", source: { from: "platform", ref: "r" }, type: "audio/ogg" } as const;
    const caption = (text: string) => ({ kind: "text", text, format: "plain" }) as const;
    const id = game.says("", ann, { parts: [voice, caption("lisen")] });
    const read = [{ message: id, part: 0, text: "[voice 0:03] buy tea" }];
    game.answers(plain, false, read);
    expect(game.history()[0]).toBe("[voice 0:03] buy tea\nlisen");
    game.edits(id, [voice, caption("listen")]);
    expect(game.history()[0]).toBe("[voice 0:03] buy tea\nlisten");
  });
});

describe("a stored row", () => {
  it("of an earlier version, without choices, still reads, and one that was put away keeps them", () => {
    const to = { ...account, conversation, kind: "direct", chat: "chat" };
    expect(readQuiet({ to, seq: 3 })).toEqual({ to, seq: 3 });
    const choices = { buttons: [{ id: "a", label: "A" }], to: [ann.id] };
    expect(readQuiet({ to, seq: 3, choices })).toEqual({ to, seq: 3, choices });
  });
});
