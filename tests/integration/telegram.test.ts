/** The Telegram channel against a Bot API on loopback: what is its own beyond the channel contract. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { telegram } from "../../channels/telegram/index.ts";
import type { TelegramSettings } from "../../channels/telegram/settings.ts";
import type { Channel, Outgoing, SendContext } from "../../src/channel.ts";
import { languages, offered, type Language } from "../../src/commands.ts";
import { TerminalError } from "../../src/errors.ts";
import { conversationId, messageId } from "../../src/ids.ts";
import type { Address } from "../../src/message.ts";
import { probe, type Probe } from "../contract/channel-deps.ts";
import { startTelegramFake, type TelegramFake, type TelegramFakeOptions } from "../fakes/telegram.ts";

const account = { tenant: "acme", channel: "telegram", account: "main" };
const person = 7_200_001;
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function connected(
  settings: Partial<TelegramSettings> = {},
  options: TelegramFakeOptions = {},
): Promise<{ fake: TelegramFake; channel: Channel; seen: Probe; stop: () => Promise<void> }> {
  const fake = await startTelegramFake(options);
  ends.push(() => fake.close());
  await fake.user(person).sends(person, "/start");
  const seen = probe(account);
  const channel = telegram({ token: fake.token, apiRoot: fake.url, pollSeconds: 5, ...settings }, seen.deps);
  const end = new AbortController();
  const connection = await channel.connect?.(end.signal);
  const stop = async () => {
    end.abort();
    await connection?.closed;
  };
  ends.push(stop);
  return { fake, channel, seen, stop };
}

function to(chat: number, more: Partial<Address> = {}): Address {
  return {
    ...account,
    conversation: conversationId(account, String(chat)),
    kind: "direct",
    chat: String(chat),
    ...more,
  };
}

function context(more: Partial<SendContext> = {}): SendContext {
  const base = { to: to(person), key: "k", answers: [], notice: false, first: true, last: true, again: false };
  return { ...base, signal: AbortSignal.timeout(5_000), ...more };
}

const sent = async (fake: TelegramFake, method: string) =>
  (await fake.calls()).filter((call) => call.method === method.toLowerCase());

describe("an update that was set aside", () => {
  it("comes in as it would have, once it can be read; until then it is refused", async () => {
    const { channel, seen } = await connected();
    await seen.waitFor("the first message", (events) => events.length === 1);
    const from = { id: person, is_bot: false, first_name: "Ada" };
    const message = { message_id: 2, date: 1_790_000_000, chat: { id: person, type: "private" }, from, text: "hello" };
    await channel.reread?.({ update_id: 7, message });
    expect(seen.accepted[1]).toMatchObject({
      address: { chat: String(person) },
      message: { parts: [{ text: "hello" }] },
    });
    const unreadable = channel.reread?.({ update_id: 8, message: { message_id: 3, text: "garbage" } });
    await expect(unreadable).rejects.toThrow("update 8 still cannot be read");
  });
});

describe("polling", () => {
  it("registers the commands, removes a webhook and asks for the kinds of updates it reads", async () => {
    const { fake } = await connected();
    const menus = (await sent(fake, "setMyCommands")).map(({ params }) => params);
    expect(menus.map(({ language_code: language = "all" }) => language)).toEqual(["all", ...languages]);
    for (const { commands } of menus) expect(commands).toMatchObject(offered.map(({ name }) => ({ command: name })));
    const described = menus.map(
      ({ commands }) => (commands as { command: string; description: string }[])[0]?.description,
    );
    expect(described).toEqual(["en", ...languages].map((language) => offered[0]?.words[language as Language]));
    expect(await sent(fake, "deleteWebhook")).toHaveLength(1);
    await expect.poll(() => sent(fake, "getUpdates")).not.toEqual([]);
    expect((await sent(fake, "getUpdates"))[0]?.params["allowed_updates"]).toContain("message_reaction");
  });

  it("hands a whole batch over in one call and confirms it at the end", async () => {
    const { fake, seen, stop } = await connected();
    await seen.waitFor("the first message", (events) => events.length === 1);
    const gate = Promise.withResolvers<void>();
    seen.gate = gate.promise;
    const user = fake.user(person);
    await user.sends(person, "a");
    await expect.poll(() => seen.begun).toBe(2);
    for (const text of ["b", "c", "d"]) await user.sends(person, text);
    gate.resolve();
    await seen.waitFor("all", (events) => events.length === 5);
    expect(seen.begun).toBe(3);
    await stop();
    expect(
      (await fake.updates()).every(
        ({ confirmedAt, deliveredAt }) => confirmedAt !== undefined && deliveredAt.length === 1,
      ),
    ).toBe(true);
  });

  it("removes a webhook that somebody else set, and goes on", async () => {
    const { fake, seen } = await connected({}, { webhookRetryUnitMs: 60_000 });
    await seen.waitFor("the first message", (events) => events.length === 1);
    await fetch(`${fake.url}/bot${fake.token}/setWebhook?url=${encodeURIComponent("http://127.0.0.1:9/none")}`);
    await fake.user(person).sends(person, "still?");
    await seen.waitFor("the next message", (events) => events.length === 2, 8_000);
    expect(seen.lines.some((line) => line.includes("removing it"))).toBe(true);
  });

  it("says in words that another program polls with the token", async () => {
    const { fake, seen } = await connected();
    await seen.waitFor("the first message", (events) => events.length === 1);
    await expect.poll(async () => (await sent(fake, "getUpdates")).length).toBeGreaterThan(1);
    await fetch(`${fake.url}/bot${fake.token}/getUpdates?timeout=0`);
    await expect.poll(() => seen.lines.some((line) => line.includes("another program polls"))).toBe(true);
  });

  it("goes on after outages and obeys a 429", async () => {
    const { fake, seen } = await connected();
    await seen.waitFor("the first message", (events) => events.length === 1);
    await fake.fault({ kind: "error", code: 502, method: "getUpdates", times: 1 });
    await fake.fault({ kind: "rate_limit", retryAfter: 1, method: "getUpdates", times: 1 });
    await fake.user(person).sends(person, "after");
    await seen.waitFor("the next message", (events) => events.length === 2, 8_000);
  });

  it("rejects when the token is wrong, and ends for good when it is withdrawn", async () => {
    const fake = await startTelegramFake();
    ends.push(() => fake.close());
    const seen = probe(account);
    const wrong = telegram({ token: "5:wrong", apiRoot: fake.url }, seen.deps);
    await expect(wrong.connect?.(new AbortController().signal)).rejects.toThrow(/@BotFather/);

    await fake.fault({ kind: "error", code: 401, description: "Unauthorized", method: "getUpdates" });
    const right = telegram({ token: fake.token, apiRoot: fake.url }, seen.deps);
    const connection = await right.connect?.(new AbortController().signal);
    await expect(connection?.closed).rejects.toBeInstanceOf(TerminalError);
    expect(seen.lines.some((line) => line.includes("polling ended for good"))).toBe(true);
  });

  it("connects as soon as Telegram is there", async () => {
    const seen = probe(account);
    const fake = await startTelegramFake();
    ends.push(() => fake.close());
    await fake.fault({ kind: "close", method: "getMe", times: 1 });
    const channel = telegram({ token: fake.token, apiRoot: fake.url, pollSeconds: 1 }, seen.deps);
    const end = new AbortController();
    const connection = await channel.connect?.(end.signal);
    expect(seen.lines.some((line) => line.includes("trying again"))).toBe(true);
    end.abort();
    await connection?.closed;
  });

  it("answers a press without making the hand-over wait for it", async () => {
    const { fake, channel, seen } = await connected();
    const button: Outgoing = { kind: "text", text: "?", buttons: [{ id: "b", label: "B" }] };
    const { id } = await channel.send(button, context());
    await fake.fault({ kind: "hang", method: "answerCallbackQuery", times: 1 });
    await fake.user(person).presses(person, Number(id), "b");
    await fake.user(person).sends(person, "next");
    await seen.waitFor("press and message", (events) => events.length === 3);
    expect(await sent(fake, "answerCallbackQuery")).toHaveLength(1);
  });
});

describe("a pressed button", () => {
  const choices = [
    { id: "y", label: "Yes" },
    { id: "n", label: "No" },
  ];
  const text = (words: string): Outgoing => ({ kind: "text", text: words, buttons: choices });

  it("is shown in place of the buttons, with the words as they were", async () => {
    const { fake, channel, seen } = await connected();
    const { id } = await channel.send(text("<b>Shall</b> I?"), context());
    await fake.user(person).presses(person, Number(id), "y");
    await expect.poll(() => sent(fake, "editMessageText")).toHaveLength(1);
    const [edit] = await sent(fake, "editMessageText");
    expect(edit?.params).toMatchObject({
      text: "Shall I?\n\n✓ Yes",
      entities: [{ type: "bold", offset: 0, length: 5 }],
    });
    expect(edit?.params).not.toHaveProperty("reply_markup");
    await seen.waitFor("the press", (events) => events.length >= 2);
    expect(seen.accepted[1]).toMatchObject({ message: { parts: [{ kind: "press", button: "y", label: "Yes" }] } });
  });

  it("stays as it was when somebody pressed who may not write", async () => {
    const { fake, channel, seen } = await connected();
    const { id } = await channel.send(text("Shall I?"), context());
    seen.deps.inbound.hears = async () => false;
    await fake.user(person).presses(person, Number(id), "y");
    await expect.poll(() => sent(fake, "answerCallbackQuery")).toHaveLength(1);
    seen.deps.inbound.hears = async () => true;
    await fake.user(person).presses(person, Number(id), "n");
    await expect.poll(() => sent(fake, "editMessageText")).toHaveLength(1);
    expect((await sent(fake, "editMessageText"))[0]?.params).toMatchObject({ text: "Shall I?\n\n✓ No" });
  });

  it("loses its buttons alone where the words leave no room, and in a group nothing", async () => {
    const { fake, channel, seen } = await connected();
    const { id } = await channel.send(text("x".repeat(4_096)), context());
    await fake.user(person).presses(person, Number(id), "n");
    await expect.poll(() => sent(fake, "editMessageReplyMarkup")).toHaveLength(1);
    const group = -100_200_300;
    await fake.defineChat({ id: group, type: "supergroup", title: "G" });
    const shown = await channel.send(text("Who?"), context({ to: to(group, { kind: "group" }) }));
    await fake.user(person).presses(group, Number(shown.id), "n");
    await seen.waitFor("both presses", (events) => events.length === 3);
    await expect.poll(() => sent(fake, "answerCallbackQuery")).toHaveLength(2);
    expect(await sent(fake, "editMessageText")).toEqual([]);
    expect(await sent(fake, "editMessageReplyMarkup")).toHaveLength(1);
  });
});

describe("what nobody wrote to the agent", () => {
  it.each(["channel-post", "business"])("(%s) is no message, and the log says so without its words", async (name) => {
    const { channel, seen, fake } = await connected();
    const recorded = readFileSync(join(import.meta.dirname, `../contract/payloads/telegram/${name}.json`), "utf8");
    const { payload } = JSON.parse(recorded) as { payload: { update_id: number } };
    const hooked = telegram(
      { token: fake.token, apiRoot: fake.url, webhookUrl: "http://127.0.0.1:9/", webhookSecret: "0123456789abcdef" },
      seen.deps,
    );
    const headers = { "x-telegram-bot-api-secret-token": "0123456789abcdef" };
    const post = new Request("https://x.example/", { method: "POST", headers, body: JSON.stringify(payload) });
    expect((await hooked.handle?.(post))?.status).toBe(200);
    expect(seen.accepted.filter(({ sequence }) => sequence === payload.update_id)).toEqual([]);
    expect(seen.lines.filter((line) => line.includes(`"updateId":${payload.update_id}`))).toHaveLength(1);
    expect(channel.channel).toBe("telegram");
  });
});

describe("sending", () => {
  it("shows a text without its markup where Telegram does not take the markup", async () => {
    const { fake, channel } = await connected();
    await channel.send({ kind: "text", text: "<b>bold</b> &amp; <nonsense>x</nonsense>" }, context());
    const calls = await sent(fake, "sendMessage");
    expect(calls.map(({ accepted, text }) => [accepted, text])).toEqual([
      [false, "<b>bold</b> &amp; <nonsense>x</nonsense>"],
      [true, "bold & x"],
    ]);
  });

  it("follows a group that became a supergroup", async () => {
    const { fake, channel } = await connected();
    await fake.defineChat({ id: -4400, type: "group", title: "Old" });
    await fake.defineChat({ id: -1_004_400, type: "supergroup", title: "New" });
    const description = "Bad Request: group chat was upgraded to a supergroup chat";
    await fake.fault({
      kind: "error",
      code: 400,
      description,
      parameters: { migrate_to_chat_id: -1_004_400 },
      chat: -4400,
    });
    const group = to(-4400, { kind: "group" });
    await channel.send({ kind: "text", text: "one" }, context({ to: group }));
    await channel.send({ kind: "text", text: "two" }, context({ to: group }));
    expect(
      (await sent(fake, "sendMessage")).filter(({ accepted }) => accepted).map(({ chat, text }) => [chat, text]),
    ).toEqual([
      [-1_004_400, "one"],
      [-1_004_400, "two"],
    ]);
    expect(await sent(fake, "sendMessage")).toHaveLength(3);
  });

  it("sends a picture that Telegram refuses as a file, and an address that leads nowhere as a link", async () => {
    const { fake, channel, seen } = await connected();
    const blob = await seen.deps.blobs.put(new Response("not a picture").body ?? new ReadableStream(), {
      type: "image/png",
      maxBytes: 99,
    });
    await fake.fault({
      kind: "error",
      code: 400,
      description: "Bad Request: PHOTO_INVALID_DIMENSIONS",
      method: "sendPhoto",
    });
    const image = {
      kind: "image",
      source: { from: "blob", id: blob.id },
      type: "image/png",
      name: "tall.png",
    } as const;
    await channel.send({ kind: "media", media: image, caption: "<b>see</b>" }, context());
    expect((await sent(fake, "sendDocument"))[0]).toMatchObject({
      accepted: true,
      text: "see",
      files: [{ name: "tall.png", size: 13 }],
    });

    const description = "Bad Request: failed to get HTTP URL content";
    await fake.fault({ kind: "error", code: 400, description, method: "sendDocument" });
    const far = {
      kind: "file",
      source: { from: "url", url: "https://example.org/a.zip" },
      type: "application/zip",
    } as const;
    await channel.send({ kind: "media", media: far }, context());
    expect((await sent(fake, "sendMessage")).at(-1)).toMatchObject({
      accepted: true,
      text: "https://example.org/a.zip",
    });
  });

  it("answers in the topic and replies to the message", async () => {
    const { fake, channel, seen } = await connected();
    await fake.defineChat({ id: -1_005, type: "supergroup", title: "Forum", is_forum: true });
    const user = fake.user(person);
    const topic = await user.opensTopic(-1_005, "T");
    const done = await user.sends(-1_005, "@ascent_test_bot hi", { thread: topic.messageId });
    await seen.waitFor("the mention", (events) => events.length === 2);
    const event = seen.accepted[1];
    expect(event?.address.thread).toBe(String(topic.messageId));
    expect(event?.kind === "message" && event.message).toMatchObject({ addressed: true });
    if (event === undefined) return;
    await channel.send({ kind: "text", text: "hello" }, context({ to: event.address, replyTo: event.id }));
    const call = (await sent(fake, "sendMessage"))[0];
    expect(call?.params).toMatchObject({
      message_thread_id: topic.messageId,
      reply_parameters: { message_id: done.messageId },
    });
  });

  it("does not reply to a message of another chat", async () => {
    const { fake, channel } = await connected();
    await channel.send({ kind: "text", text: "x" }, context({ replyTo: messageId(account, "99", "m1") }));
    expect((await sent(fake, "sendMessage"))[0]?.params).not.toHaveProperty("reply_parameters");
  });

  it("gives up a medium over the limit before and while it is downloaded", async () => {
    const { fake, channel, seen } = await connected({ mediaMaxBytes: 1_000 });
    const bytes = Buffer.alloc(5_000, 1).toString("base64");
    await fake.user(person).sends(person, { kind: "document", data: bytes, name: "big.bin" });
    await seen.waitFor("the file", (events) => events.length === 2);
    const event = seen.accepted[1];
    const part = event?.kind === "message" ? event.message.parts[0] : undefined;
    if (part?.kind !== "file" || part.source.from !== "platform") throw new Error("no file");
    await expect(channel.fetchMedia?.(part.source.ref, AbortSignal.timeout(2_000))).rejects.toThrow(
      /more than 1000 bytes/,
    );
  });

  it("ends previews for good trouble quietly, and says so once", async () => {
    const { fake, channel, seen } = await connected();
    await fake.fault({
      kind: "error",
      code: 400,
      description: "Bad Request: TEXTDRAFT_PEER_INVALID",
      method: "sendMessageDraft",
    });
    for (const text of ["a", "ab", "abc"]) await channel.preview?.(to(person), { turn: "t", text });
    expect(seen.lines.filter((line) => line.includes("no preview"))).toHaveLength(1);
    const ids = (await sent(fake, "sendMessageDraft")).map(({ params }) => Number(params["draft_id"]));
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toBeGreaterThan(0);
  });
});

describe("the doctor", () => {
  it("tells a good token from a bad one, and a webhook from polling", async () => {
    const { fake, channel } = await connected();
    const signal = AbortSignal.timeout(2_000);
    expect((await channel.check?.(signal))?.map(({ ok }) => ok)).toEqual([true, true]);
    const bad = telegram({ token: "5:wrong", apiRoot: fake.url }, probe(account).deps);
    expect((await bad.check?.(signal))?.[0]).toMatchObject({ ok: false });
    const hooked = {
      token: fake.token,
      apiRoot: fake.url,
      webhookUrl: "https://example.org/webhooks/telegram",
      webhookSecret: "0123456789abcdef",
    };
    expect((await telegram(hooked, probe(account).deps).check?.(signal))?.[1]).toMatchObject({ ok: false });
  });

  it("says what another program changed of the webhook, and that a start sets it again", async () => {
    const fake = await startTelegramFake();
    ends.push(() => fake.close());
    const webhookUrl = "http://127.0.0.1:9/webhooks/telegram";
    const settings = { token: fake.token, apiRoot: fake.url, webhookUrl, webhookSecret: "0123456789abcdef" };
    const channel = telegram(settings, probe(account).deps);
    const finding = async () => (await channel.check?.(AbortSignal.timeout(2_000)))?.[1];
    const connect = async () => {
      const end = new AbortController();
      ends.push(async () => end.abort());
      await channel.connect?.(end.signal);
    };
    const change = (query: string) => fetch(`${fake.url}/bot${fake.token}/setWebhook?${query}`);
    expect(await finding()).toMatchObject({ ok: false, text: expect.stringContaining("not set") as string });
    await connect();
    expect(await finding()).toMatchObject({ ok: true });
    await change(`url=${encodeURIComponent(webhookUrl)}&allowed_updates=${encodeURIComponent('["message"]')}`);
    expect(await finding()).toMatchObject({ ok: false, text: expect.stringContaining("callback_query") as string });
    await connect();
    expect(await finding()).toMatchObject({ ok: true });
    await change(`url=${encodeURIComponent("http://127.0.0.1:9/other")}`);
    expect(await finding()).toMatchObject({ ok: false, text: expect.stringContaining("another address") as string });
  });
});

describe("many accounts", () => {
  it("have their own paths", () => {
    const at = (name: string) => {
      const settings = { token: "5:x", webhookUrl: "https://example.org/", webhookSecret: "0123456789abcdef" };
      return telegram(settings, probe({ ...account, account: name }).deps).paths;
    };
    expect(at("main")).toEqual(["/webhooks/telegram"]);
    expect(at("sales/2")).toEqual(["/webhooks/telegram/sales%2F2"]);
  });
});

describe("the webhook", () => {
  it("registers its address, secret and kinds, and hands nothing over once it was told to end", async () => {
    const fake = await startTelegramFake();
    ends.push(() => fake.close());
    const seen = probe(account);
    const secret = "0123456789abcdef";
    const channel = telegram(
      {
        token: fake.token,
        apiRoot: fake.url,
        webhookUrl: "http://127.0.0.1:9/webhooks/telegram",
        webhookSecret: secret,
      },
      seen.deps,
    );
    const end = new AbortController();
    const connection = await channel.connect?.(end.signal);
    expect((await sent(fake, "setWebhook"))[0]?.params).toMatchObject({
      url: "http://127.0.0.1:9/webhooks/telegram",
      secret_token: secret,
      max_connections: 40,
    });
    const gate = Promise.withResolvers<void>();
    seen.gate = gate.promise;
    const post = () => {
      const update = {
        update_id: 1,
        message: {
          message_id: 1,
          date: 1,
          chat: { id: 1, type: "private", first_name: "A" },
          from: { id: 1, is_bot: false, first_name: "A" },
          text: "x",
        },
      };
      const headers = { "x-telegram-bot-api-secret-token": secret };
      return channel.handle?.(
        new Request("https://example.org/", { method: "POST", headers, body: JSON.stringify(update) }),
      );
    };
    const under = post();
    await expect.poll(() => seen.begun).toBe(1);
    end.abort();
    const closed = connection?.closed.then(() => "closed");
    expect(await Promise.race([closed, sleep(100).then(() => "open")])).toBe("open");
    expect((await post())?.status).toBe(503);
    gate.resolve();
    expect((await under)?.status).toBe(200);
    expect(await closed).toBe("closed");
    expect(seen.begun).toBe(1);
  });
});
