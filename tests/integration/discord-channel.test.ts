/** The Discord channel against a Discord on loopback: what is its own beyond the channel contract. */
import { afterEach, describe, expect, it } from "vitest";
import { discord } from "../../channels/discord/index.ts";
import { cursor } from "../../channels/discord/drafts.ts";
import type { DiscordSettings } from "../../channels/discord/settings.ts";
import type { Channel, Outgoing, SendContext } from "../../src/channel.ts";
import { offered } from "../../src/commands.ts";
import { RefusedError, TerminalError } from "../../src/errors.ts";
import { conversationId, messageId } from "../../src/ids.ts";
import type { Address } from "../../src/message.ts";
import { probe, type Probe } from "../contract/channel-deps.ts";
import { componentsOf } from "../fakes/discord/people.ts";
import { startDiscordFake, type DiscordFake, type DiscordFakeOptions } from "../fakes/discord.ts";

const account = { tenant: "acme", channel: "discord", account: "main" };
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Connected {
  readonly fake: DiscordFake;
  readonly channel: Channel;
  readonly seen: Probe;
  readonly closed: Promise<void>;
}

async function fakeOf(options: DiscordFakeOptions = {}): Promise<DiscordFake> {
  const fake = await startDiscordFake(options);
  ends.push(fake.close);
  return fake;
}

async function connect(
  fake: DiscordFake,
  settings: Partial<DiscordSettings> = {},
  records?: Map<string, unknown>,
): Promise<Connected> {
  const seen = probe(account, records === undefined ? {} : { records });
  const channel = discord({ token: fake.token, apiRoot: fake.apiRoot, ...settings }, seen.deps);
  const end = new AbortController();
  const connection = await channel.connect?.(end.signal);
  const closed = connection?.closed ?? Promise.resolve();
  ends.push(async () => {
    end.abort();
    await closed.catch(() => undefined);
  });
  return { fake, channel, seen, closed };
}

function to(chat: string, kind: Address["kind"] = "direct"): Address {
  return { ...account, conversation: conversationId(account, chat), kind, chat };
}

let keys = 0;
function context(chat: string, more: Partial<SendContext> = {}): SendContext {
  keys += 1;
  const base = { to: to(chat), key: `k${keys}`, answers: [], notice: false, first: true, last: true, again: false };
  return { ...base, signal: AbortSignal.timeout(5_000), ...more };
}
const text = (words: string): Outgoing => ({ kind: "text", text: words });
const contents = (fake: DiscordFake, chat: string) => fake.messages(chat).map(({ content }) => content);

describe("an answer's draft", () => {
  it("becomes the answer, and nothing of its turn is shown afterwards", async () => {
    const { fake, channel } = await connect(await fakeOf());
    const chat = fake.person("ann").direct();
    for (const words of ["one", "one two"]) await channel.preview?.(to(chat), { turn: "t1", text: words });
    const late = channel.preview?.(to(chat), { turn: "t1", text: "one two three" });
    await channel.send(text("one two three."), context(chat));
    await late;
    await channel.preview?.(to(chat), { turn: "t1", text: "one two three four" });
    expect(contents(fake, chat)).toEqual(["one two three."]);
    await channel.preview?.(to(chat), { turn: "t2", text: "next" });
    expect(contents(fake, chat)).toEqual(["one two three.", `next${cursor}`]);
  });

  it("goes where it stands before the message it answers, another process began it, or a file is the answer", async () => {
    const records = new Map<string, unknown>();
    const { fake, channel } = await connect(await fakeOf(), {}, records);
    const ann = fake.person("ann");
    const chat = ann.direct();
    const draft = (of: Channel, turn: string) => of.preview?.(to(chat), { turn, text: "draft" });
    await draft(channel, "t1");
    const asked = ann.says(chat, "wait");
    await channel.send(text("first"), context(chat, { answers: [messageId(account, chat, `m${asked.id}`)] }));
    expect(contents(fake, chat)).toEqual(["wait", "first"]);

    await draft(channel, "t2");
    const next = await connect(fake, {}, records);
    await next.channel.send(text("second"), context(chat));
    expect(contents(fake, chat)).toEqual(["wait", "first", "second"]);

    await draft(next.channel, "t3");
    const third = await connect(fake, {}, records);
    await draft(third.channel, "t3");
    const body = new Response("bytes").body ?? new ReadableStream<Uint8Array>();
    const { id } = await third.seen.deps.blobs.put(body, { type: "text/plain", maxBytes: 100 });
    await third.channel.send(
      { kind: "media", media: { kind: "file", source: { from: "blob", id }, type: "text/plain" } },
      context(chat),
    );
    expect(fake.messages(chat).map(({ content, attachments }) => content + attachments.length)).toEqual([
      "wait0",
      "first0",
      "second0",
      "1",
    ]);
  });
});

describe("an earlier attempt", () => {
  it("is found by its words behind what was answered, and never in another part's message", async () => {
    const { fake, channel } = await connect(await fakeOf({ nonceMs: 0 }));
    const ann = fake.person("ann");
    const chat = ann.direct();
    const answers = [messageId(account, chat, `m${ann.says(chat, "twice").id}`)];
    await channel.send(text("OK"), context(chat, { answers }));
    const second = context(chat, { answers, again: true });
    await channel.send(text("OK"), second);
    expect(contents(fake, chat)).toEqual(["twice", "OK", "OK"]);
    await channel.send(text("OK"), second);
    expect(contents(fake, chat)).toEqual(["twice", "OK", "OK"]);
    ann.says(chat, "thrice");
    await channel.send(text("thrice"), context(chat, { again: true }));
    expect(contents(fake, chat).slice(3), "a person's own words are none of ours").toEqual(["thrice", "thrice"]);
  });

  it("within the nonce's life is made once by Discord itself", async () => {
    const { fake, channel } = await connect(await fakeOf());
    const chat = fake.person("ann").direct();
    fake.fault({ kind: "accepted then close", method: "POST", path: "/messages" });
    const once = context(chat);
    await expect(channel.send(text("hello"), once)).rejects.toThrow();
    await channel.send(text("hello"), once);
    expect(contents(fake, chat)).toEqual(["hello"]);
  });
});

describe("an interaction", () => {
  it("that was never deferred, or is too old, is answered by a message", async () => {
    const { fake, channel, seen } = await connect(await fakeOf());
    const chat = fake.person("ann").direct();
    fake.fault({ kind: "error", status: 500, method: "POST", path: "/callback" });
    await fake.person("bob").command(chat, "ask", { message: "hello" });
    await seen.waitFor("the command", (events) => events.length === 1);
    await channel.send(text("here"), context(chat, { answers: [seen.accepted[0]?.id ?? ""] }));
    expect(contents(fake, chat)).toEqual(["here"]);
  });

  it("that shares its answer with a later one stops showing that the bot is thinking", async () => {
    const { fake, channel, seen } = await connect(await fakeOf());
    const ann = fake.person("ann");
    const chat = ann.direct();
    for (const message of ["one", "two"]) await ann.command(chat, "ask", { message });
    await seen.waitFor("both", (events) => events.length === 2);
    await expect.poll(() => fake.messages(chat).length).toBe(2);
    const answers = seen.accepted.map(({ id }) => id);
    await channel.preview?.(to(chat), { turn: "t", text: "both", answers });
    expect(contents(fake, chat)).toEqual(["", `both${cursor}`]);
    await channel.send(text("both."), context(chat, { answers }));
    expect(contents(fake, chat)).toEqual(["both."]);
  });

  it("that nobody answers any more goes with the gateway's answer to /stop; one that was answered or refused stays", async () => {
    const { fake, channel, seen } = await connect(await fakeOf());
    const ann = fake.person("ann");
    const chat = ann.direct();
    const admit = seen.deps.inbound.admit;
    seen.deps.inbound.admit = () => Promise.reject(new RefusedError("not you", { rule: "blocked" }));
    const refused = await ann.command(chat, "ask", { message: "refused" });
    await expect.poll(() => refused.response).toBe(4);
    seen.deps.inbound.admit = admit;
    const ask = async (message: string) => {
      const { length } = seen.accepted;
      await ann.command(chat, "ask", { message });
      await seen.waitFor(message, (events) => events.length > length);
      return seen.accepted.at(-1)?.id ?? "";
    };
    await channel.send(text("answer"), context(chat, { answers: [await ask("one")] }));
    await ask("two");
    await expect.poll(() => contents(fake, chat)).toEqual(["answer", ""]);
    const stop = messageId(account, chat, `m${ann.says(chat, "/stop").id}`);
    await ask("three");
    await channel.send(text("Stopped."), context(chat, { answers: [stop], notice: true }));
    await expect.poll(() => contents(fake, chat)).toEqual(["answer", "/stop", "", "Stopped."]);
    const gone = fake.requests.filter(({ method }) => method === "DELETE");
    expect(gone).toHaveLength(1);
    expect(gone[0]?.path).not.toContain(refused.token);
  });

  it("keeps its token from the record and the bus", async () => {
    const { fake, seen } = await connect(await fakeOf());
    const ann = fake.person("ann");
    const { token } = await ann.command(ann.direct(), "ask", { message: "hello" });
    await seen.waitFor("the command", (events) => events.length === 1);
    expect(JSON.stringify(seen.accepted)).not.toContain(token);
  });
});

describe("what Discord refuses", () => {
  it("goes out plainer: a list for buttons, no reference, an address for a picture", async () => {
    const { fake, channel } = await connect(await fakeOf(), { preview: false });
    const ann = fake.person("ann");
    const chat = ann.direct();
    const twice = [
      { id: "a", label: "A" },
      { id: "a", label: "B" },
    ];
    await channel.send({ kind: "text", text: "Which?", buttons: twice }, context(chat));
    fake.fault({ kind: "error", status: 400, code: 160_002, method: "POST", path: "/messages" });
    const replyTo = messageId(account, chat, `m${ann.says(chat, "question").id}`);
    await channel.send(text("answer"), context(chat, { replyTo }));
    const url = "https://example.org/cat.png";
    const media = { kind: "image", source: { from: "url", url }, type: "image/png" } as const;
    await channel.send({ kind: "media", media, caption: "a cat" }, context(chat));
    expect(contents(fake, chat)).toEqual(["Which?\n\n1. A\n2. B", "question", "answer", "a cat"]);
    expect(fake.messages(chat).at(-1)?.embeds).toEqual([{ image: { url } }]);
  });

  it("shows more than fifteen choices as a list to choose from, whose choice comes back", async () => {
    const { fake, channel, seen } = await connect(await fakeOf());
    const ann = fake.person("ann");
    const chat = ann.direct();
    const buttons = Array.from({ length: 25 }, (_, n) => ({ id: `c${n}`, label: `Choice ${n}` }));
    const { id = "" } = await channel.send({ kind: "text", text: "Which?", buttons }, context(chat));
    const [message] = fake.messages(chat);
    expect(message === undefined ? [] : componentsOf(message)).toHaveLength(1);
    await ann.presses(id, "c7");
    await seen.waitFor("the choice", (events) => events.length === 1);
    expect(seen.accepted[0]).toMatchObject({
      message: { parts: [{ kind: "press", button: "c7", label: "Choice 7" }] },
    });
  });
});

describe("the connection", () => {
  it("registers what commands are missing once, and leaves others alone", async () => {
    const fake = await fakeOf();
    const register = {
      method: "POST",
      headers: { authorization: `Bot ${fake.token}`, "content-type": "application/json" },
    };
    const application = `${fake.apiRoot}/v10/applications/1/commands`;
    await fetch(application, { ...register, body: JSON.stringify({ name: "order", description: "theirs" }) });
    await connect(fake);
    await expect
      .poll(() => fake.commands().map(({ name }) => name))
      .toEqual(["order", "ask", ...offered.map(({ name }) => name)]);
    const posted = () =>
      fake.requests.filter(({ method, path }) => method === "POST" && path.endsWith("/commands")).length;
    const before = posted();
    await connect(fake);
    await expect
      .poll(() => fake.requests.filter(({ path, method }) => method === "GET" && path.endsWith("/commands")).length)
      .toBe(2);
    expect(posted()).toBe(before);
  });

  it("rejects where Discord refuses the token or the intents, and ends when it does later", async () => {
    const fake = await fakeOf({ contentAllowed: false });
    await expect(connect(fake, { token: "a.wrong.token" })).rejects.toThrow("does not know the bot's token");
    await expect(connect(fake, { messageContent: true })).rejects.toThrow("Message Content Intent");
    const { closed } = await connect(fake);
    fake.gateway.disconnect(4004);
    await expect(closed).rejects.toBeInstanceOf(TerminalError);
  });

  it("goes on in a channel whose history it may not read, and says so", async () => {
    const { fake, seen } = await connect(await fakeOf());
    const ann = fake.person("ann");
    fake.fault({ kind: "error", status: 403, code: 50_013, method: "GET", path: "/messages" });
    ann.says(ann.direct(), "hello");
    await seen.waitFor("the message", (events) => events.length === 1);
    expect(seen.lines.some((line) => line.includes("Read Message History"))).toBe(true);
  });

  it("goes on after a refused token of a call: discord.js forgets it, the channel does not", async () => {
    const { fake, channel } = await connect(await fakeOf());
    const chat = fake.person("ann").direct();
    fake.fault({ kind: "error", status: 401, method: "POST", path: "/messages" });
    await expect(channel.send(text("one"), context(chat))).rejects.toBeInstanceOf(TerminalError);
    await channel.send(text("two"), context(chat));
    expect(contents(fake, chat)).toEqual(["two"]);
  });
});

describe("a dispatch that was set aside", () => {
  it("comes in as it would have, once it can be read; until then it is refused", async () => {
    const { channel, seen } = await connect(await fakeOf());
    const author = { id: "1290000000000000100", username: "ann" };
    const message = {
      id: "1310000000000000001",
      channel_id: "1290000000000000200",
      type: 0,
      author,
      content: "hello",
      mentions: [],
      attachments: [],
    };
    await channel.reread?.({ t: "MESSAGE_CREATE", s: 1, d: message });
    expect(seen.accepted[0]).toMatchObject({ message: { parts: [{ text: "hello" }] } });
    const { author: _none, ...rest } = message;
    await expect(channel.reread?.({ t: "MESSAGE_CREATE", s: 1, d: rest })).rejects.toThrow("still cannot be read");
  });
});
