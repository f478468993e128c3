/** That the fake is as strict as Discord: what the channel's tests rely on. */
import { afterEach, expect, it } from "vitest";
import { startDiscordFake, type DiscordFake, type DiscordFakeOptions } from "./discord.ts";

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function start(options: DiscordFakeOptions = {}) {
  const fake = await startDiscordFake(options);
  ends.push(fake.close);
  const call = async (method: string, path: string, body?: object, token = fake.token) => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const headers = { authorization: `Bot ${token}`, "content-type": "application/json" };
    const response = await fetch(`${fake.apiRoot}/v10${path}`, { method, headers, ...sent });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: (text === "" ? {} : JSON.parse(text)) as Record<string, never>,
    };
  };
  return { fake, call };
}

/** A client that speaks the gateway by hand. */
async function client(fake: DiscordFake, hello: { op: number; d: object }) {
  const socket = new WebSocket(`${fake.apiRoot.replace("http", "ws").replace("/api", "/gateway")}?v=10&encoding=json`);
  const got: { op: number; t: string | null; s: number | null; d: never }[] = [];
  const closed = Promise.withResolvers<number>();
  socket.onmessage = ({ data }) => void got.push(JSON.parse(String(data)) as never);
  socket.onclose = ({ code }) => closed.resolve(code);
  await expect.poll(() => got[0]?.op).toBe(10);
  socket.send(JSON.stringify(hello));
  ends.push(async () => socket.close());
  return { got, socket, closed: closed.promise, kinds: () => got.map(({ t }) => t) };
}

it("notifies whoever a message names, unless it says otherwise", async () => {
  const { fake, call } = await start();
  const ann = fake.person("ann");
  const at = `/channels/${ann.direct()}/messages`;
  const content = `<@${ann.id}> @everyone`;
  await call("POST", at, { content });
  await call("POST", at, { content, allowed_mentions: { parse: [] } });
  expect(fake.messages(ann.direct()).map(({ pinged }) => pinged)).toEqual([[ann.id, "everyone"], []]);
});

it("makes a message with an enforced nonce once, and keeps no nonce in the history", async () => {
  const { fake, call } = await start();
  const chat = fake.person("ann").direct();
  const once = { content: "hello", nonce: "n1", enforce_nonce: true };
  const first = await call("POST", `/channels/${chat}/messages`, once);
  const second = await call("POST", `/channels/${chat}/messages`, once);
  expect(second.body["id"]).toBe(first.body["id"]);
  await call("POST", `/channels/${chat}/messages`, { content: "hello", nonce: "n1" });
  expect(fake.messages(chat)).toHaveLength(2);
  expect(JSON.stringify((await call("GET", `/channels/${chat}/messages`)).body)).not.toContain("n1");
});

it("refuses what Discord refuses: another token, too much, a bucket that is empty, an interaction after three seconds", async () => {
  const { fake, call } = await start({ perFiveSeconds: 1 });
  const ann = fake.person("ann");
  const at = `/channels/${ann.direct()}/messages`;
  expect((await call("POST", at, { content: "x" }, "other")).status).toBe(401);
  expect((await call("POST", at, { content: "x".repeat(2_001) })).status).toBe(400);
  expect((await call("POST", "/channels/1/messages", { content: "x" })).status).toBe(404);
  const limited = await call("POST", at, { content: "x" });
  expect(limited.status).toBe(429);
  expect(Number(limited.headers.get("retry-after"))).toBeGreaterThan(0);
  const { id, token } = await ann.command(ann.direct(), "ask");
  expect((await call("PATCH", `/webhooks/1/${token}/messages/@original`, { content: "early" })).status).toBe(404);
  const [entry] = fake.interactions();
  Object.assign(entry ?? {}, { at: performance.now() - 3_001 });
  expect((await call("POST", `/interactions/${id}/${token}/callback`, { type: 5 })).status).toBe(404);
});

it("replays to who resumes what came after the sequence, and refuses a session it does not know", async () => {
  const { fake } = await start();
  const ann = fake.person("ann");
  const identify = { op: 2, d: { token: fake.token, intents: 1 | (1 << 12) } };
  const first = await client(fake, identify);
  await expect.poll(first.kinds).toContain("GUILD_CREATE");
  const ready = first.got.find(({ t }) => t === "READY")?.d as { session_id: string } | undefined;
  fake.gateway.disconnect();
  for (const words of ["one", "two"]) ann.says(ann.direct(), words);
  const again = await client(fake, { op: 6, d: { token: fake.token, session_id: ready?.session_id, seq: 3 } });
  await expect.poll(again.kinds).toEqual([null, "MESSAGE_CREATE", "MESSAGE_CREATE", "RESUMED"]);
  const unknown = await client(fake, { op: 6, d: { token: fake.token, session_id: "other", seq: 1 } });
  await expect.poll(() => unknown.got.at(-1)).toMatchObject({ op: 9, d: false });
});

it("shows the text of a server's messages to who may see it, and refuses who asks and may not", async () => {
  const { fake } = await start({ contentAllowed: false });
  const channel = fake.channel("general");
  const ann = fake.person("ann");
  const { got, kinds } = await client(fake, { op: 2, d: { token: fake.token, intents: 1 | (1 << 9) } });
  await expect.poll(kinds).toContain("GUILD_CREATE");
  ann.says(channel, "among us");
  ann.says(channel, `<@${fake.me}> for you`);
  ann.says(ann.direct(), "not asked for");
  await expect
    .poll(() => got.flatMap(({ t, d }) => (t === "MESSAGE_CREATE" ? [(d as { content: string }).content] : [])))
    .toEqual(["", `<@${fake.me}> for you`]);
  const greedy = await client(fake, { op: 2, d: { token: fake.token, intents: 1 << 15 } });
  expect(await greedy.closed).toBe(4014);
  const stranger = await client(fake, { op: 2, d: { token: "other", intents: 0 } });
  expect(await stranger.closed).toBe(4004);
});
