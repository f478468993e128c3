/** What happens to one tenant, and that another does not notice. Bounds of time are generous: without sharing they are passed by far. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { listen, readBody } from "../fakes/http.ts";
import type { Reply } from "../fakes/openai/types.ts";
import { tokensIn } from "../fakes/tokens.ts";
import { eventually, expectKept, saidOnce, untilQuiet } from "./stage.ts";
import { bots, globexGoesOn, openTenantsStage, type TenantsStage } from "./tenants-stage.ts";

/** For a turn of globex, whose model answers at once. */
const mostMs = 2_000;
const unauthorized = { kind: "error", code: 401, description: "Unauthorized", bot: bots.acme } as const;

const judged = (stage: TenantsStage) => ({ ...stage, platform: stage.telegram });

async function doctorOf({ gateway }: TenantsStage, name: string): Promise<string> {
  const { out } = await gateway.ascent("doctor");
  return out.split("\n").find((line) => line.slice(7).startsWith(`${name}: `)) ?? "";
}

describe("a token that is refused", () => {
  test("at the start: the others answer, and it is said which is off", { timeout: 60_000 }, async () => {
    const stage = await openTenantsStage();
    await stage.telegram.fault(unauthorized);
    await stage.start();
    expect(await globexGoesOn(stage, 20_000)).toBeLessThan(mostMs);
    await stage.bot("sales").user(7).sends(7, "hello m-7-1");
    await stage.sees("sales", 7, "m-7-1");
    expect(await stage.off()).toEqual(["telegram/acme"]);
    expect(await doctorOf(stage, "telegram/acme")).toMatch(/^WRONG .* was not accepted/);
    expect(await doctorOf(stage, "telegram/globex")).toMatch(/^ok /);
  });

  test(
    "mid-way: the others answer meanwhile, and with a new start what was written is answered",
    { timeout: 90_000 },
    async () => {
      const stage = await openTenantsStage({ account: { pollSeconds: 1 } });
      await stage.start();
      await stage.bot("acme").user(7).sends(7, "hello m-7-1");
      await stage.sees("acme", 7, "m-7-1");
      expect(await stage.off()).toEqual([]);

      await stage.telegram.fault(unauthorized);
      await eventually("it is off", async () => (await stage.off()).join() === "telegram/acme");
      await stage.bot("acme").user(7).sends(7, "still there? m-7-2");
      expect(await globexGoesOn(stage, 20_000)).toBeLessThan(mostMs);
      expect(await doctorOf(stage, "telegram/acme")).toMatch(/^WRONG /);

      await stage.telegram.clearFaults();
      await stage.gateway.terminate();
      await stage.gateway.start();
      expect(await stage.off()).toEqual([]);
      await stage.sees("acme", 7, "m-7-2");
      await untilQuiet(judged(stage));
      expectKept(judged(stage));
    },
  );
});

describe("a model of one tenant's that", () => {
  const troubles: readonly [string, Reply][] = [
    ["hangs", { failure: { kind: "hang" } }],
    ["says 500", { failure: { kind: "status", status: 500, retryAfter: 5 } }],
    ["says 429", { failure: { kind: "status", status: 429, retryAfter: 15 } }],
  ];
  test.each(troubles)("%s takes no place of the others' turns", { timeout: 60_000 }, async (_what, reply) => {
    const stage = await openTenantsStage({ config: { limits: { turns: 8, messagesPerMinute: { person: "off" } } } });
    await stage.start();
    await stage.model.rule({ model: "acme", reply });
    for (let chat = 100; chat < 130; chat++) await stage.bot("acme").user(chat).sends(chat, `hello m-${chat}-1`);
    await eventually("its turns run", () => stage.model.log.filter(({ model }) => model === "acme").length >= 4);
    expect(await globexGoesOn(stage, 20_000, { users: 3 })).toBeLessThan(mostMs);

    await stage.model.clearRules();
    await stage.gateway.kill();
    await stage.gateway.start();
    await untilQuiet(judged(stage), { mostMs: 30_000 });
    const answered = (chat: number) => saidOnce(judged(stage), chat).length;
    for (let chat = 100; chat < 130; chat++) expect.soft(answered(chat), `answers in chat ${chat}`).toBe(1);
  });
});

test(
  "a flood of one tenant's: the other's p99 holds, memory is bounded, and what was acknowledged is answered",
  { timeout: 120_000 },
  async () => {
    const stage = await openTenantsStage({
      config: { limits: { turns: 40, messagesPerMinute: { person: "off" } }, agents: agents({ historyItems: 4 }) },
    });
    await stage.start();
    await stage.model.rule({ model: "acme", reply: { latencyMs: 400 } });
    const acme = stage.bot("acme");
    const flood = async (chat: number) => {
      for (let n = 1; n <= 5; n++) await acme.user(chat).sends(chat, `flood ${"x".repeat(500)} m-${chat}-${n}`);
    };
    await Promise.all(Array.from({ length: 600 }, (_, at) => flood(30_000 + at)));
    await eventually("the flood is being answered", () =>
      stage.telegram.log.calls.some(({ bot, method }) => bot === bots.acme && method === "sendmessage"),
    );
    const p99 = await globexGoesOn(stage, 20_000, { users: 5, turns: 6 });
    const left = stage.telegram.log.updates.length - answeredOf(stage).size;
    expect(left, "the flood is not over yet").toBeGreaterThan(500);
    expect(p99).toBeLessThan(mostMs);
    await untilQuiet(judged(stage), { mostMs: 90_000 });
    expectKept(judged(stage));
    expect(peakBytes(stage.gateway.pid)).toBeGreaterThan(100e6);
    expect(peakBytes(stage.gateway.pid)).toBeLessThan(700e6);
  },
);

test(
  "a rate of one tenant's own is over for all of its accounts, and for no other's",
  { timeout: 60_000 },
  async () => {
    const tenants = { acme: { limits: { messagesPerMinute: 5 } }, globex: {} };
    const stage = await openTenantsStage({ config: { tenants, limits: { messagesPerMinute: { person: "off" } } } });
    await stage.start();
    const body = (n: number) => ({ conversation: "c", participant: "p", text: `hello m-${n}-1` });
    for (let n = 1; n <= 5; n++) expect((await stage.posts(body(n))).status).toBe(200);
    const refused = await stage.posts(body(6));
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(5);
    await stage.bot("acme").user(7).sends(7, "hello m-7-1");
    await stage.sees("acme", 7, "more than I can take at once");
    expect((await stage.gateway.ascent("journal")).out.match(/too many messages/g)).toHaveLength(2);
    expect(await globexGoesOn(stage, 20_000)).toBeLessThan(mostMs);
    expect(stage.model.log.filter(({ model }) => model === "acme")).toHaveLength(5);
  },
);

describe("a platform that one tenant's answers go to", () => {
  const sends = (stage: TenantsStage) =>
    stage.telegram.log.calls.filter(({ bot, method }) => bot === bots.acme && method === "sendmessage");

  test("says 429 for a minute: others' sends go on, nothing is given up", { timeout: 60_000 }, async () => {
    const stage = await openTenantsStage();
    await stage.start();
    await stage.telegram.fault({ bot: bots.acme, method: "sendMessage", kind: "rate_limit", retryAfter: 60 });
    for (let chat = 100; chat < 150; chat++) await stage.bot("acme").user(chat).sends(chat, `hello m-${chat}-1`);
    await eventually("it was refused", () => sends(stage).length > 0);
    expect(await globexGoesOn(stage, 20_000)).toBeLessThan(mostMs);
    const letters = await stage.gateway.ascent("deadletters", "list", "--json");
    expect(JSON.parse(letters.out)).toEqual([]);
  });

  test("takes no send at all: others' sends go on, and its own when it is back", { timeout: 90_000 }, async () => {
    const stage = await openTenantsStage();
    await stage.start();
    await stage.telegram.fault({ bot: bots.acme, method: "sendMessage", kind: "hang" });
    await Promise.all(
      Array.from({ length: 600 }, (_, at) =>
        stage
          .bot("acme")
          .user(30_000 + at)
          .sends(30_000 + at, `hello m-${30_000 + at}-1`),
      ),
    );
    await eventually("hundreds of sends hang", () => sends(stage).length > 200, 20_000);
    expect(await globexGoesOn(stage, 20_000)).toBeLessThan(mostMs);
    await stage.telegram.clearFaults();
    await stage.gateway.kill();
    await stage.gateway.start();
    await untilQuiet(judged(stage), { mostMs: 60_000 });
    expectKept(judged(stage));
  });
});

describe("the same ids in two tenants", () => {
  test("share no history, no answer and nothing that is forgotten", { timeout: 60_000 }, async () => {
    const stage = await openTenantsStage();
    await stage.start();
    const prompts = promptsOf(stage);
    await stage.bot("acme").user(7).sends(7, "the acme secret is plum m-7-1");
    await stage.sees("acme", 7, "m-7-1");
    await stage.bot("globex").user(7).sends(7, "and mine is pear m-7-2");
    await stage.sees("globex", 7, "m-7-2");
    await stage.bot("acme").user(7).sends(7, "again m-7-3");
    await stage.sees("acme", 7, "m-7-3");
    expect(prompts("globex").join()).not.toContain("plum");
    expect(prompts("acme").join()).not.toContain("pear");
    expect(prompts("acme").at(-1)).toContain("plum");

    for (const text of ["/forget", "/forget yes"]) {
      const before = stage.said("acme", 7).length;
      await stage.bot("acme").user(7).sends(7, text);
      await eventually(`${text} is answered`, () => stage.said("acme", 7).length > before);
    }
    await stage.bot("globex").user(7).sends(7, "what was mine? m-7-4");
    await stage.sees("globex", 7, "m-7-4");
    expect(prompts("globex").at(-1)).toContain("pear");
    await stage.bot("acme").user(7).sends(7, "what was it? m-7-5");
    await stage.sees("acme", 7, "m-7-5");
    expect(prompts("acme").at(-1)).not.toContain("plum");
  });

  test("/link joins accounts of one tenant, and never another's", { timeout: 60_000 }, async () => {
    const stage = await openTenantsStage();
    await stage.start();
    const prompts = promptsOf(stage);
    await stage.bot("acme").user(7).sends(7, "the acme secret is plum m-7-1");
    await stage.sees("acme", 7, "m-7-1");
    await stage.bot("acme").user(7).sends(7, "/link");
    const code = /\/link (\S+)/.exec(await stage.sees("acme", 7, "/link "))?.[1] ?? "";
    const heard = stage.said("acme", 7).length;

    await stage.bot("globex").user(7).sends(7, `/link ${code}`);
    const refused = await stage.sees("globex", 7, "not a code I know");
    await stage.bot("globex").user(7).sends(7, "/link ABCDE-FGHJK");
    await eventually("a code that nobody gave is told the same", () => stage.said("globex", 7).at(1) === refused);
    await stage.bot("globex").user(7).sends(7, "who am I? m-7-2");
    await stage.sees("globex", 7, "m-7-2");
    expect(prompts("globex").join()).not.toContain("plum");
    expect(stage.said("acme", 7), "who gave it hears nothing").toHaveLength(heard);

    await stage.bot("sales").user(8).sends(8, `/link ${code}`);
    await stage.sees("sales", 8, "one person");
    await stage.bot("sales").user(8).sends(8, "what was it? m-8-1");
    await stage.sees("sales", 8, "m-8-1");
    expect(prompts("acme").at(-1)).toContain("plum");
  });

  test("whom one lets in the other does not know", { timeout: 60_000 }, async () => {
    const stage = await openTenantsStage({ config: { access: "pairing" } });
    await stage.start();
    await stage.bot("acme").user(7).sends(7, "hello m-7-1");
    const words = await stage.sees("acme", 7, "-");
    const code = /\b[A-Z2-9]{4}-[A-Z2-9]{4}\b/.exec(words)?.[0] ?? "";
    expect((await stage.gateway.ascent("pairing", "approve", code)).code).toBe(0);
    await sleep(5_500);
    for (const name of ["acme", "globex", "sales"] as const) await stage.bot(name).user(7).sends(7, "hello m-7-2");
    await stage.sees("acme", 7, "m-7-2");
    for (const name of ["globex", "sales"] as const) {
      await eventually(`${name} asks for a code`, () => stage.said(name, 7).length > 0);
      expect(stage.said(name, 7).flatMap(tokensIn)).toEqual([]);
    }
  });
});

test("subscribers of one tenant's that hang hold up no other's", { timeout: 60_000 }, async () => {
  const secret = `whsec_${randomBytes(32).toString("base64")}`;
  const told: string[] = [];
  const hanging = await listen(() => undefined);
  const good = await listen((request, response) => {
    void readBody(request).then((raw) => {
      told.push(...tokensIn(String(raw)));
      response.writeHead(204).end();
    });
  });
  onTestFinished(async () => {
    await Promise.all([hanging.close(), good.close()]);
  });
  const events = ["message.answered"];
  const stage = await openTenantsStage({
    config: {
      webhooks: {
        allowHosts: ["127.0.0.1"],
        subscribers: [
          ...[1, 2, 3, 4, 5, 6].map((n) => ({
            url: `${hanging.url}/${n}`,
            secret,
            events,
            accounts: ["telegram/acme"],
          })),
          { url: good.url, secret, events, accounts: ["telegram/globex"] },
        ],
      },
    },
  });
  await stage.start();
  const report = await stage.bot("acme").drive({ users: 20, turns: 5, firstUser: 30_000, lingerMs: 0 });
  expect(report.unanswered).toEqual([]);
  await stage.bot("globex").user(7).sends(7, "hello m-7-1");
  await eventually("globex's subscriber is told", () => told.includes("m-7-1"), 5_000);
  expect(told).toEqual(["m-7-1"]);
});

function agents(context: object) {
  const of = (tenant: string) => ({ model: `compatible:${tenant}`, timeoutMs: 60_000, retries: 1, context });
  return { acme: of("acme"), globex: of("globex") };
}

/** Prompts so far of a tenant's model, as they came. */
function promptsOf(stage: TenantsStage): (tenant: string) => string[] {
  const seen: { readonly model: string; readonly text: string }[] = [];
  stage.model.script((prompt) => void seen.push({ model: prompt.model, text: JSON.stringify(prompt.body) }));
  return (tenant) => seen.flatMap(({ model, text }) => (model === tenant ? [text] : []));
}

function answeredOf({ telegram }: TenantsStage): Set<string> {
  return new Set(telegram.log.calls.flatMap(({ accepted, text = "" }) => (accepted ? tokensIn(text) : [])));
}

/** The most memory that the process had at once. */
function peakBytes(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1_024;
}
