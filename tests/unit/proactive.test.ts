import { describe, expect, it } from "vitest";
import type { AgentTraits } from "../../src/agent.ts";
import type { Channel, Target } from "../../src/channel.ts";
import { reduce } from "../../src/conversation.ts";
import { TerminalError } from "../../src/errors.ts";
import type { AgentEvent, Reply } from "../../src/events.ts";
import { agentIdOf, conversationId, messageId, participantId, type MessageId } from "../../src/ids.ts";
import type { Address, Answer, InboundEvent, InboundMessage } from "../../src/message.ts";
import { openPolicy, type Policy } from "../../src/policy.ts";
import { createProactive, type Recipient } from "../../src/proactive.ts";
import { batchOf } from "../../src/scheduling.ts";
import { isBusy, readState } from "../../src/state.ts";
import { testClock } from "./client-agent.fixture.ts";

const account = { tenant: "default", channel: "test", account: "main" };
const conversation = conversationId(account, "chat");
const participant = { id: participantId(account, "ann"), user: "ann", locale: "de" };
const agent = agentIdOf("direct", participant.id, conversation);
const to: Address = { ...account, conversation, kind: "direct", chat: "chat" };
const noon = 20_000 * 86_400_000 + 43_200_000;

const header = (name: string) => ({
  v: 1 as const,
  id: messageId(account, "chat", name),
  address: to,
  participant,
  receivedAt: noon,
});
const words = (text: string): Answer => ({ parts: [{ kind: "text", text, format: "markdown" }] });
const message = (text: string): InboundMessage => ({
  ...header(text),
  kind: "message",
  message: { parts: [{ kind: "text", text, format: "plain" }], addressed: true },
});
const note = (text: string): InboundMessage => ({ ...message(text), note: { topic: "reminder" } });
const said = (text: string, more: Partial<Answer> = {}, listed?: true): InboundEvent => ({
  ...header(`said ${text}`),
  kind: "said",
  answer: { ...words(text), ...more },
  ...(listed && { listed }),
});
const command = (name: string): InboundMessage => {
  const { message: content, ...rest } = message(`/${name}`);
  return { ...rest, message: { ...content, command: { name, args: "" } } };
};

/** One agent: what it is told, what its outbox has. */
function play(traits: Partial<AgentTraits> = {}) {
  const all: AgentTraits = { whileRunning: "queue", turnTimeoutMs: 60_000, historyItems: 4, ...traits };
  let state = readState(new Map());
  const tell = (event: Record<string, unknown> & { type: AgentEvent["type"] }): Reply => {
    const step = reduce(state, { agent, now: noon, instance: "here", ...event } as unknown as AgentEvent, all);
    state = step.state;
    return step.reply;
  };
  const thread = () => state.inbox.threads[conversation];
  const running = () => {
    const turn = thread()?.turn;
    if (turn === undefined) throw new Error("no turn is active");
    return { conversation, turn: turn.id, attempt: turn.attempt };
  };
  const taken = (): MessageId[] => {
    const current = thread();
    return current === undefined ? [] : batchOf(current).map(({ id }) => id);
  };
  return {
    tell,
    receive: (event: InboundEvent, more: object = {}) => tell({ type: "received", event, ...more }),
    finish: (text = "answer") => tell({ type: "finished", ...running(), messages: taken(), answer: words(text) }),
    fail: () => tell({ type: "failed", ...running(), messages: taken(), notice: "failed" }),
    running,
    taken,
    thread,
    state: () => state,
    outbox: () =>
      state.outbox.entries.map(({ seq, answers, requests, answer, locale }) => ({
        seq,
        answers,
        requests,
        says: answer.notice ?? answer.parts.map((part) => (part.kind === "text" ? part.text : "")).join(""),
        locale,
      })),
    history: () =>
      state.history.items.map(({ role, name, text }) => [role, ...(name === undefined ? [] : [name]), text]),
    aside: () => state.inbox.aside?.map(({ id, rule }) => [id, rule]),
  };
}

describe("words of the agent's own", () => {
  it("are the conversation's next entry, whatever runs there, and are remembered", () => {
    const game = play();
    game.receive(message("hello"));
    expect(game.receive(said("by the way"))).toBe("accepted");
    game.finish("hello you");
    const of = { requests: undefined, locale: "de" };
    expect(game.outbox()).toEqual([
      { ...of, seq: 1, answers: [], requests: [said("by the way").id], says: "by the way" },
      { ...of, seq: 2, answers: [message("hello").id], says: "hello you" },
    ]);
    expect(game.history()).toEqual([
      ["agent", "by the way"],
      ["user", "hello"],
      ["agent", "hello you"],
    ]);
  });

  it("are remembered as what may come of content from outside, where whoever says them tells so", () => {
    const game = play();
    game.receive({ ...said("so they say"), outside: true } as InboundEvent);
    game.receive(said("so I say"));
    expect(game.state().history.items.map(({ outside }) => outside)).toEqual([true, undefined]);
  });

  it("open a conversation that the agent does not know, and are said once", () => {
    const game = play();
    expect(game.receive(said("first"))).toBe("accepted");
    expect(game.receive(said("first"))).toBe("duplicate");
    expect(game.outbox()).toHaveLength(1);
    expect(isBusy(game.state())).toBe(true);
    expect(game.thread()?.turn).toBeUndefined();
    expect(game.thread()?.unheard).toBe(true);
    game.receive(message("who is there?"));
    expect(game.thread()?.unheard).toBeUndefined();
  });

  it("wait on the bus for what was told before them, and not for ever", () => {
    const game = play();
    const previous = [said("one").id];
    expect(game.receive(said("two"), { previous })).toBe("early");
    expect(game.state().inbox.threads).toEqual({});
    game.receive(said("one"));
    expect(game.receive(said("two"), { previous })).toBe("accepted");
    expect(game.outbox().map(({ says }) => says)).toEqual(["one", "two"]);
    const missing = messageId(account, "chat", "never came");
    expect(game.receive(said("three"), { previous: [missing], heldMs: 14_999 })).toBe("early");
    expect(game.receive(said("three"), { previous: [missing], heldMs: 15_000 })).toBe("accepted");
  });

  it("offer choices by number where the platform has no buttons", () => {
    const game = play();
    game.receive(said("tea?", { buttons: [{ id: "yes", label: "Yes" }] }, true));
    game.receive(message("1"));
    expect(game.thread()?.pending[0]?.message.parts).toEqual([{ kind: "press", button: "yes", label: "Yes" }]);
  });

  it("keep the history bounded however often nobody answers", () => {
    const game = play({ historyItems: 4 });
    for (let n = 1; n <= 40; n++) game.receive(said(`day ${n}`));
    expect(game.history().length).toBeLessThanOrEqual(24);
    expect(game.history().at(-1)).toEqual(["agent", "day 40"]);
  });

  it("that a fold is under way behind are not taken for a part of it", () => {
    const game = play();
    game.receive(message("hello"));
    const { turn } = game.running();
    game.finish();
    game.receive(said("meanwhile"));
    expect(game.tell({ type: "summarized", through: turn, summary: "greeted" })).toBe("accepted");
    expect(game.history()).toEqual([["agent", "meanwhile"]]);
  });

  it("that no platform takes are noted, and not excused for to a person who did not ask", () => {
    const game = play();
    game.receive(said("into the void"));
    const receipt = { v: 1, kind: "failed", agent, to, seq: 1, notice: false, unasked: true, reason: "403", at: noon };
    expect(game.tell({ type: "undelivered", receipt })).toBe("accepted");
    expect(game.outbox()).toHaveLength(1);
    expect(game.history().at(-1)).toEqual(["note", "(an answer could not be delivered)"]);
  });
});

describe("a note", () => {
  it("wakes the agent, is remembered as a note, and its answer replies to nobody", () => {
    const game = play();
    game.receive(note("water the plants"));
    expect(game.taken()).toEqual([note("water the plants").id]);
    game.finish("your plants are thirsty");
    expect(game.outbox()).toMatchObject([{ answers: [], requests: [note("water the plants").id] }]);
    expect(game.history()).toEqual([
      ["note", "reminder", "water the plants"],
      ["agent", "your plants are thirsty"],
    ]);
    expect(game.receive(note("water the plants"))).toBe("duplicate");
  });

  it("has its place among what the person writes, and one turn answers both", () => {
    const game = play();
    game.receive(message("one"));
    game.receive(note("due"));
    game.receive(message("two"));
    game.finish();
    expect(game.outbox()).toMatchObject([
      { answers: [message("one").id, message("two").id], requests: [note("due").id] },
    ]);
  });

  it("calls no turn off, although what people write does", () => {
    const game = play({ whileRunning: "interrupt" });
    game.receive(message("one"));
    const before = game.running();
    game.receive(note("due"));
    expect(game.running()).toEqual(before);
    game.receive(message("two"));
    expect(game.running().attempt).toBe(before.attempt + 1);
  });

  it("is no press of a button, whatever it says", () => {
    const game = play();
    game.receive(said("tea?", { buttons: [{ id: "yes", label: "Yes" }] }, true));
    game.receive(note("1"));
    expect(game.thread()?.pending[0]?.message.parts).toMatchObject([{ kind: "text", text: "1" }]);
  });

  it.each([
    ["stop", "stopped"],
    ["reset", "reset"],
  ])("is set aside by /%s", (name, rule) => {
    const game = play();
    game.receive(note("due"));
    game.receive(command(name));
    expect(game.aside()).toEqual([[note("due").id, rule]]);
  });

  it("that waits in another conversation of a person who is forgotten is set aside", () => {
    const game = play();
    const other = { ...to, chat: "other", conversation: conversationId(account, "other") };
    game.receive({ ...note("due"), address: other });
    game.receive(command("forget"));
    game.tell({ type: "forgotten", ...game.running(), command: command("forget").id });
    expect(game.aside()?.slice(0, 1)).toEqual([[note("due").id, "forgotten"]]);
    expect(game.state().history.items).toEqual([]);
  });

  it("whose turn fails is told to the person in other words than an answer that fails", () => {
    const game = play();
    game.receive(note("due"));
    game.fail();
    game.receive(message("one"));
    game.receive(note("due too"));
    game.fail();
    expect(game.outbox().map(({ says }) => says)).toEqual(["unsaid", "failed"]);
    expect(game.history()[0]).toEqual(["note", "reminder", "due"]);
  });
});

describe("a request", () => {
  const told: InboundEvent[] = [];
  const policy: Policy = { ...openPolicy, access: "allowlist", block: new Set(["eve"]) };
  const reach = ({ kind, id }: Target) => {
    if (id === "nobody") throw new TerminalError("test: there is no such person");
    const of = { ...to, kind, chat: id, conversation: conversationId(account, id) };
    return { to: of, participant: { id: participantId(account, id), user: id } };
  };
  const traits = { text: { max: 1_000 }, media: {}, order: "arrival" } as unknown as Channel["traits"];
  const channels: Readonly<Record<string, Partial<Channel>>> = { main: { traits, reach }, mute: { traits } };
  const proactive = createProactive({
    inbound: { tell: async (event) => void told.push(event) },
    clock: testClock({ now: noon }),
    channelOf: ({ account: name }) => channels[name] as Channel | undefined,
    policyOf: () => policy,
  });
  const by = (id: string, name = "main"): Recipient => ({ account: { ...account, account: name }, kind: "direct", id });

  it("has the same id whenever it is made, and another one for another conversation", async () => {
    const one = await proactive.say(by("ann"), "daily", words("hello"));
    expect(await proactive.say(by("ann"), "daily", words("hello"))).toEqual(one);
    const address = { ...to, chat: "ann", conversation: conversationId(account, "ann") };
    const known = await proactive.prompt({ to: address, participant }, "daily", { topic: "reminder", text: "due" });
    expect(known).toEqual(one);
    expect((await proactive.say(by("bo"), "daily", words("hello"))).id).not.toBe(one.id);
    expect(told.at(-2)).toMatchObject({ kind: "message", id: one.id, note: { topic: "reminder" }, participant });
  });

  it.each([
    ["to an account that is not there", by("ann", "gone"), "x", "hi", /no account "test\/gone" is configured/],
    ["to a channel where nobody listens", by("ann", "mute"), "x", "hi", /cannot be written to first/],
    ["to a person who is blocked", by("eve"), "x", "hi", /blocks eve.*`block`/],
    ["to nobody", by("nobody"), "x", "hi", /there is no such person/],
    ["without words", by("ann"), "x", "  ", /has to have words/],
    ["without an id", by("ann"), "", "hi", /1 to 200 characters/],
  ])("%s is refused with the reason, and nothing is kept", async (_what, whom, id, text, reason) => {
    const before = told.length;
    await expect(proactive.say(whom, id, words(text))).rejects.toThrow(reason);
    await expect(proactive.prompt(whom, id, { topic: "t", text })).rejects.toThrow(reason);
    expect(told).toHaveLength(before);
  });
});
