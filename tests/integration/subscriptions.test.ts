/** Webhooks to subscribers from the real gateway, which is killed meanwhile: what happened is told, at least once each. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Webhook } from "standardwebhooks";
import { expect, onTestFinished, test } from "vitest";
import { listen, readBody } from "../fakes/http.ts";
import { tokensIn } from "../fakes/tokens.ts";
import { streamsOf } from "../simulation/random.ts";
import { startCrowd } from "./crowd.ts";
import { eventually, expectKept, openStage, outboundOf, untilQuiet } from "./stage.ts";

const seed = Number(process.env["KILL_SEED"] ?? Math.floor(Math.random() * 1e9));
const kills = Number(process.env["KILLS"] ?? 6);
const secret = `whsec_${randomBytes(32).toString("base64")}`;

interface Told {
  readonly type: string;
  readonly data: { readonly conversation: string; readonly seq?: number; readonly text?: string };
}

/** Refuses what it is told to, each event once; keeps what it took by its id. */
async function receiver(refuses: () => boolean) {
  const told = new Map<string, Told>();
  const refused = new Set<string>();
  let requests = 0;
  const server = await listen((request, response) => {
    void readBody(request).then((raw) => {
      if (typeof raw === "string") return;
      requests += 1;
      const headers = request.headers as Record<string, string>;
      const body = new Webhook(secret).verify(String(raw), headers) as Told;
      const id = headers["webhook-id"] ?? "";
      if (!refused.has(id) && refuses()) {
        refused.add(id);
        return response.writeHead(503).end();
      }
      expect(told.get(id) ?? body).toEqual(body);
      told.set(id, body);
      return response.writeHead(204).end();
    });
  });
  onTestFinished(() => server.close());
  return { told, url: `${server.url}/hook`, requests: () => requests, of: (type: string) => ofType(told, type) };
}

const ofType = (told: ReadonlyMap<string, Told>, type: string) =>
  [...told.values()].flatMap((one) => (one.type === type ? [one.data] : []));

const subscribed = (url: string) => ({
  webhooks: {
    allowHosts: ["127.0.0.1"],
    subscribers: [{ url, secret, events: ["message.answered", "delivery.failed", "conversation.started"] }],
  },
});

test(`nothing that happened is untold, through ${kills} kills`, { timeout: 120_000 }, async () => {
  const random = streamsOf(seed)("subscriptions");
  const { told, url, of } = await receiver(() => random.int(0, 4) === 0);
  const stage = await openStage({ config: subscribed(url), seed });
  stage.note(`KILL_SEED=${seed}`);
  const crowd = startCrowd(stage, { seed, users: 16, pauseMs: 800 });
  for (let kill = 0; kill < kills; kill++) {
    await sleep(random.int(200, 1_500));
    await stage.gateway.kill();
    await stage.gateway.start();
  }
  await crowd.stop();
  await untilQuiet(stage);
  expectKept(stage);

  const shown = new Set(outboundOf(stage).flatMap(({ text }) => tokensIn(text)));
  const untold = () => {
    const known = new Set(of("message.answered").flatMap(({ text = "" }) => tokensIn(text)));
    return [...shown].filter((token) => !known.has(token));
  };
  await eventually("all answers are told", () => untold().length === 0, 40_000).catch(() => undefined);
  expect(untold()).toEqual([]);
  expect(shown.size).toBeGreaterThan(20);
  const places = of("message.answered").map(({ conversation, seq }) => `${conversation}#${seq}`);
  expect(new Set(places).size).toBe(places.length);
  const began = of("conversation.started").map(({ conversation }) => conversation);
  expect(new Set(began)).toEqual(new Set(places.map((place) => place.split("#")[0])));
  expect(began).toHaveLength(new Set(began).size);
  console.log(`KILL_SEED=${seed}: ${told.size} events, ${stage.gateway.kills.length} kills`);
});

test(
  "a conversation starts with its person's first words, not with what a stranger is told",
  { timeout: 60_000 },
  async () => {
    const { url, of } = await receiver(() => false);
    const { platform, gateway } = await openStage({ config: { ...subscribed(url), access: "pairing" } });
    const ann = platform.user(7_000_002);
    await ann.sends(ann.id, "hello?");
    const { text = "" } = await platform.waitForReply(ann.id);
    const [code = ""] = /\b[A-HJ-NP-Z2-9]{4}-[A-HJ-NP-Z2-9]{4}\b/.exec(text) ?? [];
    expect(await gateway.ascent("pairing", "approve", code)).toMatchObject({ code: 0 });
    await eventually("she is told", async () => (await platform.calls()).some((call) => call.text?.includes("let in")));
    await sleep(500);
    expect(of("conversation.started")).toEqual([]);
    await ann.sends(ann.id, "hello");
    await eventually("it is told", () => of("message.answered").length === 1, 20_000);
    await ann.sends(ann.id, "and again");
    await eventually("the next too", () => of("message.answered").length === 2, 20_000);
    expect(of("conversation.started")).toHaveLength(1);
  },
);

test("the log shows what became of them, and replay sends one again", { timeout: 60_000 }, async () => {
  let refuses = true;
  const { told, url, requests, of } = await receiver(() => refuses);
  const stage = await openStage({ config: subscribed(url) });
  const { platform, gateway } = stage;
  await platform.user(7_000_001).sends(7_000_001, "hello canary");
  await eventually("a first try", () => requests() >= 2);
  expect((await gateway.ascent("webhooks", "log")).out).toMatch(/evt_\S+\n {2}\S+ {2}conversation\.started {2}to 127/);
  refuses = false;
  await eventually("the next", () => told.size === 2, 20_000);
  const { out } = await gateway.ascent("webhooks", "log", "--limit", "10");
  expect(out.match(/delivered\n {4}\S+ {2}503\n {4}\S+ {2}204/g)).toHaveLength(2);
  expect(out).not.toContain("canary");

  const id = /evt_\S+/.exec(out)?.[0] ?? "";
  const before = requests();
  expect(await gateway.ascent("webhooks", "replay", id)).toMatchObject({ code: 0, out: `${id} is sent again.\n` });
  await eventually("it comes again", () => requests() === before + 1);
  expect(told.size).toBe(2);
  expect(await gateway.ascent("webhooks", "replay", "none")).toMatchObject({ code: 1 });

  await platform.fault({ method: "sendMessage", kind: "error", code: 403, description: "Forbidden: bot was blocked" });
  await platform.user(7_000_001).sends(7_000_001, "and another");
  const failed = await eventually("the failure", () => of("delivery.failed")[0]);
  expect(failed).toMatchObject({ channel: "telegram", seq: 2, reason: expect.stringContaining("403") as string });
  expect(of("message.answered")).toHaveLength(1);
});
