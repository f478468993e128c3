import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { webhookCallback } from "grammy";
import { describe, expect, onTestFinished, test } from "vitest";
import type { TelegramFake } from "./telegram.ts";
import { botFor, poll, start } from "./telegram/testing.ts";

const ANN = 7001;
const GROUP = -1_001_000_000_042;

async function raw(
  fake: TelegramFake,
  method: string,
  params: object,
): Promise<{ ok: boolean; [field: string]: unknown }> {
  const response = await fetch(`${fake.url}/bot${fake.token}/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(params),
  });
  return (await response.json()) as { ok: boolean };
}

describe("polling", () => {
  test("a message is answered through grammY and confirmed by the next offset", async () => {
    const fake = await start();
    const bot = botFor(fake);
    bot.on("message:text", (ctx) => ctx.reply(`you said ${ctx.message.text}`));
    poll(bot);
    await fake.user(ANN).sends(ANN, "m-7001-1");
    const answer = await fake.waitForReply(ANN);
    expect(answer).toMatchObject({ method: "sendmessage", text: "you said m-7001-1", accepted: true, status: 200 });
    await expect.poll(() => fake.log.updates[0]?.confirmedAt).toBeGreaterThan(0);
    expect(fake.log.updates[0]?.deliveredAt).toHaveLength(1);
  });

  test("an update is delivered again until a higher offset forgets it", async () => {
    const fake = await start();
    await fake.user(ANN).sends(ANN, "one");
    await fake.user(ANN).sends(ANN, "two");
    const first = (await raw(fake, "getUpdates", { limit: 1 }))["result"] as { update_id: number }[];
    const again = (await raw(fake, "getUpdates", {}))["result"] as { update_id: number }[];
    expect(again.map((update) => update.update_id)).toEqual([first[0]!.update_id, first[0]!.update_id + 1]);
    expect(fake.log.updates.map((update) => update.confirmedAt)).toEqual([undefined, undefined]);
    const rest = (await raw(fake, "getUpdates", { offset: first[0]!.update_id + 1 }))["result"] as unknown[];
    expect(rest).toHaveLength(1);
    expect(fake.log.updates.map((update) => update.confirmedAt !== undefined)).toEqual([true, false]);
    expect(fake.log.updates.map((update) => update.deliveredAt.length)).toEqual([2, 2]);
  });

  test("a negative offset forgets all but the last updates", async () => {
    const fake = await start();
    for (const text of ["one", "two", "three"]) await fake.user(ANN).sends(ANN, text);
    const kept = (await raw(fake, "getUpdates", { offset: -1 }))["result"] as { message: { text: string } }[];
    expect(kept.map((update) => update.message.text)).toEqual(["three"]);
  });

  test("a second getUpdates ends the first with 409, and so does a webhook", async () => {
    const fake = await start();
    const first = raw(fake, "getUpdates", { timeout: 30 });
    await expect.poll(() => fake.log.calls.length).toBe(1);
    const second = raw(fake, "getUpdates", { timeout: 30 });
    expect(await first).toEqual({
      ok: false,
      error_code: 409,
      description: "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
    });
    await raw(fake, "setWebhook", { url: "http://127.0.0.1:9/" });
    expect(await second).toMatchObject({ error_code: 409, description: "Conflict: terminated by setWebhook request" });
    expect(await raw(fake, "getUpdates", {})).toMatchObject({ error_code: 409 });
  });

  test("only the kinds asked for arrive; reactions only when named", async () => {
    const fake = await start();
    const ann = fake.user(ANN);
    const { messageId } = await ann.sends(ANN, "hello");
    await ann.reacts(ANN, messageId, "👍");
    await raw(fake, "getUpdates", { allowed_updates: ["message_reaction"], offset: -1 });
    await ann.sends(ANN, "not asked for");
    await ann.reacts(ANN, messageId, "❤");
    expect(fake.log.updates.map((update) => update.dropped ?? false)).toEqual([false, true, true, false]);
  });
});

describe("webhook", () => {
  async function webhookServer(handler: Parameters<typeof createServer>[1]) {
    const server = createServer(handler).listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close().closeAllConnections());
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  }

  test("grammY's callback gets updates with the secret and answers them", async () => {
    const fake = await start();
    const bot = botFor(fake);
    bot.on("message:text", (ctx) => ctx.reply(ctx.message.text.toUpperCase()));
    const handle = webhookCallback(bot, "http", { secretToken: "s3cret" });
    const url = await webhookServer((request, response) => void handle(request, response));
    await bot.api.setWebhook(url, { secret_token: "s3cret", max_connections: 2 });
    await fake.user(ANN).sends(ANN, "hello");
    expect((await fake.waitForReply(ANN)).text).toBe("HELLO");
    await expect.poll(() => fake.log.updates[0]?.confirmedAt).toBeGreaterThan(0);
    expect(await bot.api.getWebhookInfo()).toMatchObject({ url, max_connections: 2, pending_update_count: 0 });
  });

  test("a refused update is posted again, and keeps its chat's order while other chats go on", async () => {
    const fake = await start();
    const seen: string[] = [];
    let refusals = 3;
    const url = await webhookServer((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        const { text } = (JSON.parse(body) as { message: { text: string } }).message;
        const refuse = text === "first" && refusals-- > 0;
        if (!refuse) seen.push(text);
        response.writeHead(refuse ? 503 : 200).end();
      });
    });
    await fake.user(ANN).sends(ANN, "first");
    await fake.user(ANN).sends(ANN, "second");
    await fake.user(7002).sends(7002, "other");
    await botFor(fake).api.setWebhook(url);
    await expect.poll(() => seen).toEqual(["other", "first", "second"]);
    expect(fake.log.updates.map((update) => update.deliveredAt.length)).toEqual([4, 1, 1]);
    expect(await botFor(fake).api.getWebhookInfo()).toMatchObject({
      last_error_message: "Wrong response from the webhook: 503",
    });
    expect(await fake.redeliver(fake.log.updates[0]!.updateId, 10)).toEqual(Array.from({ length: 10 }, () => 200));
  });

  test("what a webhook does not answer, or was taken away from, is delivered again", async () => {
    const fake = await start({ webhookTimeoutMs: 40 });
    const { api } = botFor(fake);
    let silent = true;
    const url = await webhookServer((_request, response) => void (silent || response.end()));
    await api.setWebhook(url);
    await fake.user(ANN).sends(ANN, "hello");
    await expect.poll(() => fake.log.updates[0]?.deliveredAt.length).toBeGreaterThan(1);
    await api.deleteWebhook();
    expect(fake.log.updates[0]?.confirmedAt).toBeUndefined();
    silent = false;
    await api.setWebhook(url);
    await expect.poll(() => fake.log.updates[0]?.confirmedAt).toBeGreaterThan(0);
    await api.setWebhook("http://127.0.0.1:9/nobody-listens", { drop_pending_updates: true });
    await fake.user(ANN).sends(ANN, "kept");
    await expect.poll(async () => (await api.getWebhookInfo()).last_error_message).toContain("ECONNREFUSED");
    await api.setWebhook(url);
    await expect.poll(() => fake.log.updates[1]?.confirmedAt).toBeGreaterThan(0);
  });

  test("a method in the webhook's answer is carried out", async () => {
    const fake = await start();
    const url = await webhookServer((_request, response) => {
      const answer = { method: "sendMessage", chat_id: ANN, text: "from the answer" };
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
    });
    await botFor(fake).api.setWebhook(url);
    await fake.user(ANN).sends(ANN, "hello");
    expect((await fake.waitForReply(ANN)).text).toBe("from the answer");
  });
});

describe("users", () => {
  test("groups, topics, replies, commands and mentions are marked as Telegram marks them", async () => {
    const fake = await start({ bots: [{ token: "1:a", username: "my_bot", readsAllGroupMessages: false }] });
    await fake.defineChat({ id: GROUP, type: "supergroup", title: "Team", is_forum: true });
    const ann = fake.user(ANN);
    const topic = await ann.opensTopic(GROUP, "news");
    await ann.sends(GROUP, "unaddressed");
    await ann.sends(GROUP, "/start@my_bot now", { thread: topic.messageId });
    await ann.sends(GROUP, "hey @my_bot see https://x.org");
    await ann.sendsAlbum(ANN, [{ kind: "photo" }, { kind: "photo", caption: "two" }]);
    await ann.edits(GROUP, 3, "/stop");
    const updates = await botFor(fake, "1:a").api.getUpdates();
    const messages = updates.map((update) => update.message ?? update.edited_message);
    expect(messages.map((message) => message?.text)).toEqual([
      undefined,
      "/start@my_bot now",
      "hey @my_bot see https://x.org",
      undefined,
      undefined,
      "/stop",
    ]);
    expect(messages[1]).toMatchObject({
      is_topic_message: true,
      message_thread_id: topic.messageId,
      reply_to_message: { forum_topic_created: { name: "news" } },
      entities: [{ type: "bot_command", offset: 0, length: 13 }],
    });
    expect(messages[2]?.entities?.map(({ type }) => type)).toEqual(["mention", "url"]);
    expect(messages[3]?.media_group_id).toBe(messages[4]?.media_group_id);
  });

  test("channels, business chats, places, contacts, membership and a stopped draft arrive as their own kinds", async () => {
    const fake = await start();
    const channel = -1_001_000_000_077;
    const ann = fake.user(ANN);
    await fake.posts(channel, "news");
    await ann.sends(ANN, "order", { businessConnection: "shop" });
    await ann.sends(ANN, { kind: "location", latitude: 59.9, longitude: 10.7 });
    await ann.sends(ANN, { kind: "contact", phone_number: "+4712345678", first_name: "Bo" });
    await ann.stopsDraft(5);
    await ann.setsBot(ANN, "kicked");
    await expect(ann.sends(ANN, "unheard")).rejects.toThrow("the bot is not in chat");
    const updates = await botFor(fake).api.getUpdates();
    expect(updates).toMatchObject([
      { channel_post: { text: "news", chat: { type: "channel" } } },
      { business_message: { text: "order", business_connection_id: "shop" } },
      { message: { location: { latitude: 59.9 } } },
      { message: { contact: { first_name: "Bo" } } },
      { stopped_message_generation: { draft_id: 5, chat: { id: ANN } } },
      { my_chat_member: { old_chat_member: { status: "member" }, new_chat_member: { status: "kicked" } } },
    ]);
  });
});
