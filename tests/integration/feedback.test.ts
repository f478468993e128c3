/** Thumbs on answers of the real gateway, on every channel that has them, and the reviews that come of them. */
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Webhook } from "standardwebhooks";
import { describe, expect, onTestFinished, test } from "vitest";
import { listen, readBody } from "../fakes/http.ts";
import { token } from "../fakes/tokens.ts";
import { openDiscord, said as saidOnDiscord } from "./discord-stage.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { openPage } from "./page.ts";
import { eventually, openStage, runsOf, said, type Stage, type StageOptions } from "./stage.ts";
import { consoleOf } from "./takeover-stage.ts";
import { openWhatsAppStage, untilSaid } from "./whatsapp-stage.ts";

const ann = 7_200_001;
const team = -1_002_000_000_001;
const secret = `whsec_${randomBytes(32).toString("base64")}`;
const key = `bob-${randomBytes(12).toString("hex")}`;
const feedback = { enabled: true, asks: true };

interface Rated {
  readonly id: string;
  readonly up: number;
  readonly down: number;
  readonly agent: string;
  readonly model: string;
  readonly version: string;
  readonly voices: readonly { readonly who: string; readonly thumb: string; readonly words?: string }[];
}

async function ratings(gateway: Pick<GatewayProcess, "ascent">): Promise<Rated[]> {
  return JSON.parse((await gateway.ascent("feedback", "list", "--json")).out) as Rated[];
}

/** The one answer that is rated, once it has so many thumbs. */
async function counts(gateway: Pick<GatewayProcess, "ascent">, up: number, down: number): Promise<Rated> {
  let seen: unknown;
  return eventually(`${up} up, ${down} down`, async () => {
    const all = await ratings(gateway);
    seen = all;
    return all.length === 1 && all[0]?.up === up && all[0].down === down ? all[0] : undefined;
  }).catch((error: unknown) => {
    throw new Error(`seen: ${JSON.stringify(seen)}`, { cause: error });
  });
}

const open = (options: StageOptions = {}) =>
  openStage({ ...options, config: { feedback, operators: [{ name: "bob", key }], ...options.config } });

/** The platform's id of the bot's latest message in a chat. */
function lastMessage({ platform }: Stage, chat: number): number {
  return platform.log.calls.findLast((call) => call.chat === chat && call.method === "sendmessage")?.messageId ?? 0;
}

const sees = (stage: Stage, what: string, chat = ann) =>
  eventually(`chat ${chat} shows “${what}”`, () => said(stage, chat).some((text) => text.includes(what)), 30_000);

async function answeredOnce(stage: Stage): Promise<number> {
  await stage.platform.user(ann).sends(ann, `hello ${token(ann, 1)}`);
  await sees(stage, token(ann, 1));
  return lastMessage(stage, ann);
}

/** Files under the data that hold these bytes. */
function filesWith(folder: string, bytes: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && readFileSync(join(entry.parentPath, entry.name)).includes(bytes))
    .map(({ name }) => name);
}

/** What subscribers were told, by its id. */
async function receiver() {
  const told = new Map<string, { type: string; data: Record<string, unknown> }>();
  const server = await listen((request, response) => {
    void readBody(request).then((raw) => {
      const headers = request.headers as Record<string, string>;
      const body = new Webhook(secret).verify(String(raw), headers) as { type: string; data: Record<string, unknown> };
      told.set(headers["webhook-id"] ?? "", body);
      response.writeHead(204).end();
    });
  });
  onTestFinished(() => server.close());
  return { told, url: `${server.url}/hook` };
}

describe("on Telegram", () => {
  test("a thumb is put on, changed and taken away, is told to subscribers, starts no turn, and lives through a kill", async () => {
    const { told, url } = await receiver();
    const subscribers = [{ url, secret, events: ["answer.rated"] }];
    const stage = await open({ config: { webhooks: { allowHosts: ["127.0.0.1"], subscribers } } });
    const { platform, gateway } = stage;
    const message = await answeredOnce(stage);
    const user = platform.user(ann);
    await user.reacts(ann, message, "👍🏽");
    const first = await counts(gateway, 1, 0);
    expect(first).toMatchObject({ agent: "assistant", model: "compatible:test" });
    expect(first.voices[0]?.who).not.toContain("7200001");
    await user.reacts(ann, message, "👎");
    await counts(gateway, 0, 1);
    await gateway.kill();
    await gateway.start();
    await counts(gateway, 0, 1);
    await user.reacts(ann, message, "❤");
    await counts(gateway, 0, 0);
    await eventually("three were told", () => told.size === 3);
    const thumbs = [...told.values()].map(({ data }) => String(data["thumb"]));
    expect(thumbs.toSorted()).toEqual(["down", "none", "up"]);
    expect([...told.values()][0]?.data).toMatchObject({ channel: "telegram", seq: 1, agent: "assistant" });
    expect(runsOf(stage, token(ann, 1))).toHaveLength(1);
    expect(stage.model.log).toHaveLength(1);
  }, 90_000);

  test("in a group each person counts once; their own and unknown messages are left alone", async () => {
    const stage = await open();
    const { platform, gateway } = stage;
    const asked = await platform.user(ann).sends(team, `@ascent_test_bot hello ${token(ann, 1)}`);
    await sees(stage, token(ann, 1), team);
    const message = lastMessage(stage, team);
    await platform.user(ann).reacts(team, asked.messageId, "👎");
    for (const id of [ann, 7_200_002, 7_200_003]) await platform.user(id).reacts(team, message, "👍");
    await platform.user(ann).reacts(team, message, "👍", "🔥");
    await counts(gateway, 3, 0);
    await platform.user(7_200_002).reacts(team, message);
    await counts(gateway, 2, 0);
  }, 60_000);

  test("where answers are not rated nothing is kept of them, and the commands say so", async () => {
    const stage = await openStage();
    const message = await answeredOnce(stage);
    await stage.platform.user(ann).reacts(ann, message, "👎");
    await eventually("the journal has it", async () => (await stage.gateway.ascent("journal")).out.includes("reacted"));
    expect(await stage.gateway.ascent("feedback", "list")).toMatchObject({
      code: 1,
      err: expect.stringContaining("feedback.enabled"),
    });
    await stage.gateway.terminate();
    expect(filesWith(stage.gateway.data, "rated-answer")).toEqual([]);
  }, 60_000);
});

test("on Discord reactions are thumbs, several of one person too", async () => {
  const { discord, gateway, ...rest } = await openDiscord({ config: { feedback } });
  const [one, other] = [discord.person("ann"), discord.person("bob")];
  const chat = one.direct();
  one.says(chat, "hello m-ann-1");
  const answer = await eventually("the answer", () => saidOnDiscord({ discord, ...rest }, chat)[0]);
  one.reacts(answer.id, "👍");
  await counts(gateway, 1, 0);
  one.reacts(answer.id, "👎");
  await counts(gateway, 0, 1);
  one.reacts(answer.id, "👎", false);
  await counts(gateway, 1, 0);
  other.reacts(chat, "👎");
  await counts(gateway, 1, 0);
}, 60_000);

test("on WhatsApp a reaction that is taken back or changed is no thumb any more", async () => {
  const stage = await openWhatsAppStage({ config: { feedback } });
  const { platform, gateway } = stage;
  const person = { phone: "16505551234", name: "Ann Lee" };
  platform.says(person, "hello m-ann-1");
  await untilSaid(stage, person.phone, 1);
  const id = platform.said(person.phone)[0]?.id ?? "";
  const reacts = (emoji: string) =>
    platform.says(person, { type: "reaction", reaction: { message_id: id, ...(emoji === "" ? {} : { emoji }) } });
  reacts("👍");
  await counts(gateway, 1, 0);
  reacts("");
  await counts(gateway, 0, 0);
  reacts("👎🏿");
  await counts(gateway, 0, 1);
  reacts("❤️");
  await counts(gateway, 0, 0);
}, 60_000);

test("by the page's API, by the OpenAI API and by a signed request", async () => {
  const apiKey = `sk-canary-${randomBytes(12).toString("hex")}`;
  const stage = await open({ web: true, webhooks: true, env: { ASCENT_API_KEYS: apiKey } });
  const { gateway } = stage;
  const page = await openPage(stage);
  const session = (await (await page.request("/api/session", { method: "POST", body: "{}" })).json()) as object;
  expect(session).toMatchObject({ feedback: { asks: true } });
  await page.sends("hello m-ann-1");
  await page.sees("m-ann-1");
  const shown = async () => (await page.shown()).at(-1) as unknown as { id: string; rated?: string };
  const path = `/api/messages/${(await shown()).id}/feedback`;
  const rate = (body: object, to = path) => page.request(to, { method: "POST", body: JSON.stringify(body) });
  expect((await rate({ thumb: "down", words: "too short" })).status).toBe(200);
  expect((await shown()).rated).toBe("down");
  expect((await counts(gateway, 0, 1)).voices[0]).toMatchObject({ thumb: "down", words: "too short" });
  expect((await rate({ thumb: null })).status).toBe(200);
  expect((await shown()).rated).toBeUndefined();
  expect((await rate({ thumb: "sideways" })).status).toBe(400);
  expect((await rate({ thumb: "up" }, "/api/messages/a-nobody/feedback")).status).toBe(404);
  const stranger = await openPage(stage);
  expect((await stranger.request(path, { method: "POST", body: '{"thumb":"up"}' })).status).toBe(404);

  const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
  const post = async (where: string, body: object) => {
    const response = await fetch(`${gateway.url}/v1${where}`, { method: "POST", headers, body: JSON.stringify(body) });
    return { status: response.status, body: (await response.json()) as { id: string } };
  };
  const response = await post("/responses", { model: "ascent", input: "hello m-ann-2" });
  expect((await post(`/responses/${response.body.id}/feedback`, { thumb: "up" })).status).toBe(200);
  const messages = [{ role: "user", content: "hello m-ann-3" }];
  const completion = await post("/chat/completions", { model: "ascent", messages });
  const down = { thumb: "down", words: "wrong" };
  expect((await post(`/chat/completions/${completion.body.id}/feedback`, down)).status).toBe(200);
  expect((await post("/responses/resp_none/feedback", { thumb: "up" })).status).toBe(404);
  expect((await post(`/responses/${response.body.id}/feedback`, { thumb: 1 })).status).toBe(400);

  const signed = async (where: string, id: string, given: object, by = stage.secrets.webhook) => {
    const body = JSON.stringify(given);
    const at = new Date();
    const stamp = String(Math.floor(at.getTime() / 1_000));
    const signature = new Webhook(by).sign(id, at, body);
    const own = { "webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": signature };
    return (await fetch(`${gateway.url}${where}`, { method: "POST", headers: own, body })).status;
  };
  const asked = { conversation: "c", participant: "zoe", text: "hello m-ann-4", wait: 20 };
  expect(await signed("/webhooks/in", "msg_1", asked)).toBe(200);
  const thumb = { message: "msg_1", participant: "zoe", thumb: "up" };
  expect(await signed("/webhooks/feedback", "r1", thumb, secret)).toBe(401);
  expect(await signed("/webhooks/feedback", "r2", thumb)).toBe(200);
  expect(await signed("/webhooks/feedback", "r3", { ...thumb, message: "msg_9" })).toBe(404);
  const all = (await ratings(gateway)).map(({ up, down: no }) => `${up}/${no}`);
  expect(all.toSorted()).toEqual(["0/0", "0/1", "1/0", "1/0"]);
}, 90_000);

describe("reviews", () => {
  test("collect what is rated low and what its agent doubts, go out in batches, and become cases", async () => {
    const agents = { assistant: { reportsDoubts: true } };
    const stage = await open({ config: { agents } });
    const { platform, gateway, model } = stage;
    const bob = consoleOf(gateway.url, key);
    const doubt = { toolCalls: [{ name: "report_doubt", arguments: { about: "the price" } }] };
    await model.rule({ contains: "price", reply: doubt });
    const message = await answeredOnce(stage);
    await platform.user(ann).reacts(ann, message, "👎");
    await counts(gateway, 0, 1);
    await platform.user(ann).sends(ann, `the price ${token(ann, 2)}`);
    await sees(stage, token(ann, 2));
    const listed = await eventually("two reviews", async () => {
      const { body } = await bob("GET /reviews?done=false");
      const { reviews } = body as {
        reviews: { id: string; reasons: string[]; items: { text: string; answer?: true }[] }[];
      };
      return reviews.length === 2 ? reviews : undefined;
    });
    expect(listed.map(({ reasons }) => reasons.join(" ")).toSorted()).toEqual(["thumbs-down", "unsure"]);
    const low = listed.find(({ reasons }) => reasons.includes("thumbs-down"));
    expect(low?.items.map(({ answer }) => answer === true)).toEqual([false, true]);
    expect(low?.items[0]?.text).toContain(token(ann, 1));

    const both = await Promise.all([
      gateway.ascent("review", "next", "--count", "1", "--as", "eve", "--json"),
      gateway.ascent("review", "next", "--count", "1", "--as", "zoe", "--json"),
    ]);
    const ids = both.flatMap(({ out }) => (JSON.parse(out) as { id: string }[]).map(({ id }) => id));
    expect(new Set(ids).size).toBe(2);
    const [mine = "", theirs = ""] = ids;
    const refused = await gateway.ascent("review", "done", theirs, "--verdict", "good", "--as", "eve");
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("zoe has it") });
    const note = ["--note", "names no hours", "--expected", "open until six"];
    const said = await gateway.ascent("review", "done", mine, "--verdict", "bad", ...note, "--as", "eve");
    expect(said).toMatchObject({ code: 0 });
    expect((await bob(`POST /reviews/${mine}`, { verdict: "good" })).status).toBe(409);
    expect((await bob("POST /reviews/ans_none", { verdict: "good" })).status).toBe(404);
    const cases = (await gateway.ascent("review", "export")).out.trim().split("\n");
    expect(cases).toHaveLength(1);
    expect(JSON.parse(cases[0] ?? "")).toMatchObject({ id: mine, rubric: expect.stringContaining("open until six") });
    expect((await gateway.ascent("review", "list")).out).toContain(theirs);

    await platform.user(ann).reacts(ann, message);
    await counts(gateway, 0, 0);
  }, 90_000);

  test("of another tenant are not there", async () => {
    const zoe = { name: "zoe", key: `zoe-${randomBytes(12).toString("hex")}`, tenant: "acme" };
    const channels = { web: { main: { enabled: false } }, webhook: { main: { tenant: "acme" } } };
    const stage = await open({ webhooks: true, config: { channels, operators: [{ name: "bob", key }, zoe] } });
    const message = await answeredOnce(stage);
    await stage.platform.user(ann).reacts(ann, message, "👎");
    await counts(stage.gateway, 0, 1);
    const [bob, asZoe] = [key, zoe.key].map((own) => consoleOf(stage.gateway.url, own));
    if (bob === undefined || asZoe === undefined) throw new Error("no operators");
    const { reviews } = (await bob("POST /reviews/next", {})).body as { reviews: { id: string }[] };
    expect(reviews).toHaveLength(1);
    expect((await asZoe("GET /feedback")).body).toEqual({ ratings: [] });
    expect((await asZoe("GET /reviews")).body).toEqual({ reviews: [] });
    expect((await asZoe(`POST /reviews/${reviews[0]?.id}`, { verdict: "good" })).status).toBe(404);
  }, 60_000);
});

test("/export has a person's thumbs, /forget erases them with what was to be reviewed, and old messages are not rated after it", async () => {
  const canary = `canary${randomBytes(8).toString("hex")}`;
  const stage = await open({ web: true });
  const { gateway } = stage;
  const page = await openPage(stage);
  await page.sends(`hello ${canary}`);
  await page.sees(canary);
  const { id } = (await page.shown()).at(-1) as unknown as { id: string };
  const rate = (thumb: string) =>
    page.request(`/api/messages/${id}/feedback`, { method: "POST", body: JSON.stringify({ thumb, words: canary }) });
  expect((await rate("down")).status).toBe(200);
  await counts(gateway, 0, 1);
  await page.sends("/export");
  const file = await eventually("the file", async () => (await page.shown()).at(-1)?.attachments[0]);
  const exported = (await (await page.request(file.url)).json()) as { ratings: object[] };
  expect(exported.ratings).toEqual([expect.objectContaining({ thumb: "down", words: canary, channel: "web" })]);
  await page.sends("/forget");
  await page.sees("/forget yes");
  await page.sends("/forget yes");
  await page.sees("I have erased");
  expect((await rate("down")).status).toBe(404);
  expect(await ratings(gateway)).toEqual([]);
  expect((await gateway.ascent("review", "list")).out).toContain("nothing to review");
  await gateway.terminate();
  expect(filesWith(gateway.data, canary)).toEqual([]);
}, 90_000);

test("/forget erases them also where answers are not rated any more; what commands answer never is", async () => {
  const canary = `canary${randomBytes(8).toString("hex")}`;
  const stage = await open({ web: true });
  const { gateway } = stage;
  const page = await openPage(stage);
  const rate = async (words: string) => {
    const { id } = (await page.shown()).at(-1) as unknown as { id: string };
    const body = JSON.stringify({ thumb: "down", words });
    return (await page.request(`/api/messages/${id}/feedback`, { method: "POST", body })).status;
  };
  await page.sends(`hello ${canary}`);
  await page.sees(canary);
  expect(await rate(canary)).toBe(200);
  await page.sends("/memory");
  await page.sees("I have noted nothing");
  expect(await rate("a command")).toBe(404);
  await counts(gateway, 0, 1);
  await gateway.terminate();
  const file = join(dirname(gateway.data), "ascent.yaml");
  const config = JSON.parse(readFileSync(file, "utf8")) as object;
  writeFileSync(file, JSON.stringify({ ...config, feedback: { enabled: false } }));
  await gateway.start();
  await page.sends("/forget");
  await page.sees("/forget yes");
  await page.sends("/forget yes");
  await page.sees("I have erased");
  await gateway.terminate();
  expect(filesWith(gateway.data, canary)).toEqual([]);
}, 90_000);
