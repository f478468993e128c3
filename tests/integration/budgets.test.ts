/** Budgets of the real gateway: who reaches the end of one is told once, nothing more is asked for them, and operators see why. */
import { randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { describe, expect, onTestFinished, test } from "vitest";
import { listen, readBody } from "../fakes/http.ts";
import type { Reply } from "../fakes/openai/types.ts";
import { isAnswer } from "../fakes/telegram/log.ts";
import type { UsageReport } from "../../src/usage.ts";
import { eventually, leaks, openStage, said, type Stage } from "./stage.ts";

const ann = 7_610_001;
const bob = 7_610_002;
const robot = 7_610_099;
const team = -1_002_000_000_061;
const ended = /^That is all for today/;
const reply = { timeoutMs: 15_000 };
const usually = { models: { timeoutSeconds: 20, retries: 0 } };

async function json<Result>({ gateway }: Stage, ...args: readonly string[]): Promise<Result> {
  const { code, out, err } = await gateway.ascent(...args, "--json");
  expect(err).toBe("");
  expect(code).toBe(0);
  return JSON.parse(out) as Result;
}

const usage = (stage: Stage, ...args: readonly string[]) => json<UsageReport>(stage, "usage", ...args);
/** The journal may be told twice of a message that was in flight at a kill. */
async function rulesOf(stage: Stage): Promise<readonly string[]> {
  const entries = await json<readonly { readonly id: string; readonly rule: string }[]>(stage, "journal");
  return [...new Map(entries.map(({ id, rule }) => [id, rule])).values()];
}

const endings = (stage: Stage, chat: number) => said(stage, chat).filter((text) => ended.test(text));

/** Of all calls, as they are written some time after their answers. */
const settledUsage = (stage: Stage, ...args: readonly string[]) =>
  eventually("all calls are settled", async () => {
    const report = await usage(stage, ...args);
    return report.rows.some(({ name }) => name === "not settled") ? undefined : report;
  });

describe("a person's budget", () => {
  test("ends: they are told once and in their language, what they write then is set aside by name, others go on, and a restart changes nothing", async () => {
    const stage = await openStage({ config: { ...usually, budgets: { person: { day: { calls: 2 } }, gateway: {} } } });
    const { platform, model, gateway } = stage;
    for (const n of [1, 2]) {
      await platform.user(ann).sends(ann, `question m-${ann}-${n}`);
      await platform.waitForReply(ann, ({ text }) => text?.includes(`m-${ann}-${n}`) === true, reply);
    }
    await platform.user(ann).sends(ann, `and m-${ann}-3`);
    await platform.waitForReply(ann, ({ text }) => ended.test(text ?? ""), reply);
    await platform.user(ann).sends(ann, `and m-${ann}-4`);
    await platform.user(ann).sends(ann, `and m-${ann}-5`);
    await eventually("both are set aside", async () => (await rulesOf(stage)).length === 2 || undefined);
    expect(await rulesOf(stage)).toEqual(["budget used up", "budget used up"]);
    expect(endings(stage, ann)).toHaveLength(1);
    await platform.user(bob).sends(bob, `question m-${bob}-1`);
    await platform.waitForReply(bob, ({ text }) => text?.includes(`m-${bob}-1`) === true, reply);
    await gateway.kill();
    await gateway.start();
    await platform.user(ann).sends(ann, `again m-${ann}-6`);
    await eventually("it is set aside", async () => (await rulesOf(stage)).length === 3 || undefined);
    expect(endings(stage, ann)).toHaveLength(1);
    expect(model.log).toHaveLength(3);
    // Commands cost nothing.
    await platform.user(ann).sends(ann, "/usage");
    const own = await platform.waitForReply(ann, ({ text }) => text?.startsWith("Today:") === true, reply);
    expect(own.text).toMatch(/^Today: [\d,]+ tokens, 2 of 2 calls/);

    const mine = await usage(stage, "--scope", "person", "--of", `telegram/main/${ann}`);
    expect(mine.windows).toMatchObject([{ window: "day", used: { calls: 2 }, limits: { calls: 2 } }]);
    const all = await settledUsage(stage);
    expect(all).toMatchObject({ scope: "gateway", rows: [{ name: "compatible:test", calls: 3 }] });
    expect(all.rows[0]?.output).toBeGreaterThan(0);
    const refused = await gateway.ascent("usage", "--scope", "tenant");
    expect(refused.err).toContain("there is no budgets.tenant");
    expect(leaks(stage)).toEqual([]);
  }, 90_000);

  test("counts what died between reservation and settlement in full, also after kill -9", async () => {
    const stage = await openStage({
      config: {
        ...usually,
        budgets: { person: { day: { calls: 2 } }, gateway: {} },
        agents: { assistant: { maxTokens: 77 } },
      },
    });
    const { platform, model, gateway } = stage;
    let first = true;
    model.script(() => {
      if (!first) return undefined;
      first = false;
      return { failure: { kind: "hang" } };
    });
    await platform.user(ann).sends(ann, `question m-${ann}-1`);
    await eventually("the model is asked", () => model.log.length === 1 || undefined);
    await gateway.kill();
    await gateway.start();
    // The turn that runs again has a reservation of its own.
    await platform.waitForReply(ann, ({ text }) => text?.includes(`m-${ann}-1`) === true, reply);
    await platform.user(ann).sends(ann, `question m-${ann}-2`);
    await platform.waitForReply(ann, ({ text }) => ended.test(text ?? ""), reply);
    expect(model.log).toHaveLength(2);
    const { rows } = await eventually("the second is settled", async () => {
      const report = await usage(stage);
      return report.rows.find(({ name, calls }) => name === "compatible:test" && calls === 1) && report;
    });
    const lost = rows.find(({ name }) => name === "not settled");
    expect(lost?.calls).toBe(1);
    expect(lost?.input).toBeGreaterThan(77);
  }, 90_000);

  test("ends in the middle of a run: no further call, and they are told so", async () => {
    const stage = await openStage({ config: { ...usually, budgets: { person: { day: { calls: 3 } } } } });
    const { platform, model } = stage;
    model.script((): Reply => ({ toolCalls: [{ name: "calculate", arguments: { expression: "6*7" } }] }));
    await platform.user(ann).sends(ann, "go on and on");
    await platform.waitForReply(ann, ({ text }) => ended.test(text ?? ""), reply);
    expect(model.log).toHaveLength(3);
  }, 60_000);

  test("counts what a guardrail's model judges, and ends there too", async () => {
    const judge = { check: "judge", policy: "no rudeness", action: "refuse" };
    const stage = await openStage({
      config: {
        ...usually,
        agents: { assistant: { guardrails: { input: [judge] } } },
        budgets: { person: { day: { calls: 2 } } },
      },
    });
    const { platform, model } = stage;
    model.script(({ body }) => (JSON.stringify(body).includes("policy") ? { text: '{"violates":false}' } : undefined));
    await platform.user(ann).sends(ann, `question m-${ann}-1`);
    await platform.waitForReply(ann, ({ text }) => text?.includes(`m-${ann}-1`) === true, reply);
    await platform.user(ann).sends(ann, `question m-${ann}-2`);
    await platform.waitForReply(ann, ({ text }) => ended.test(text ?? ""), reply);
    expect(model.log).toHaveLength(2);
  }, 60_000);

  test("counts what their agent has others do: agents that keep asking one another come to its end, and it is said", async () => {
    const stage = await openStage({
      config: {
        ...usually,
        budgets: { person: { day: { calls: 9 } }, gateway: {} },
        delegation: { inlineSeconds: 30 },
      },
    });
    const { platform, model } = stage;
    model.script(({ tools }): Reply => {
      if (tools.includes("run_javascript")) return { text: "ask me once more" };
      return { toolCalls: [{ name: "agent__analyst", arguments: { task: "how much is it?" } }] };
    });
    await platform.user(ann).sends(ann, "go round and round");
    await platform.waitForReply(ann, ({ text }) => ended.test(text ?? ""), { timeoutMs: 40_000 });
    const { rows } = await usage(stage, "--scope", "person", "--of", `telegram/main/${ann}`);
    const calls = new Map(rows.map(({ name, calls: count }) => [name, count]));
    // One round: the assistant's model, the call of the analyst, the analyst's model.
    expect(calls.get("tool agent__analyst")).toBe(3);
    expect(model.log).toHaveLength(6);
  }, 90_000);
});

test("two bots that answer each other come to the end of their conversation's budget, and it is said once", async () => {
  const stage = await openStage({
    config: {
      ...usually,
      channels: { web: { main: { enabled: false } }, telegram: { main: { bots: true } } },
      budgets: { conversation: { day: { calls: 4 } } },
    },
  });
  const { platform, model } = stage;
  await platform.user(ann).sends(team, "@ascent_test_bot hello");
  const own = () => platform.log.calls.filter((call) => call.chat === team && isAnswer(call));
  for (let heard = 0; ; heard++) {
    const answer = await eventually("ours has answered", () => own()[heard], 4_000).catch(() => undefined);
    if (answer === undefined) break;
    await platform.user(robot).sends(team, `beep ${heard}`, { replyTo: answer.messageId ?? 0, fromBot: true });
  }
  expect(model.log).toHaveLength(4);
  expect(endings(stage, team)).toHaveLength(1);
  expect(own()).toHaveLength(5);
  expect(await rulesOf(stage)).toEqual(["budget used up"]);
}, 60_000);

test("one user's flood ends at a budget of money that all share; subscribers are warned and told, once each", async () => {
  const secret = `whsec_${randomBytes(32).toString("base64")}`;
  const told = new Map<string, { readonly type: string; readonly data: Readonly<Record<string, unknown>> }>();
  const receiver = await listen((request, response) => {
    void readBody(request).then((raw) => {
      const headers = request.headers as Record<string, string>;
      if (typeof raw !== "string")
        told.set(headers["webhook-id"] ?? "", new Webhook(secret).verify(String(raw), headers) as never);
      return response.writeHead(204).end();
    });
  });
  onTestFinished(() => receiver.close());
  const stage = await openStage({
    config: {
      ...usually,
      agents: { assistant: { maxTokens: 20 } },
      budgets: { tenant: { day: { money: 0.5 } }, currency: "EUR" },
      prices: { models: { "compatible:test": { input: 100, output: 100 } } },
      webhooks: {
        allowHosts: ["127.0.0.1"],
        subscribers: [{ url: `${receiver.url}/hook`, secret, events: ["budget.warned", "budget.ended"] }],
      },
    },
  });
  const { platform, model } = stage;
  for (let n = 1; n <= 40 && endings(stage, ann).length === 0; n++) {
    const before = said(stage, ann).length;
    await platform.user(ann).sends(ann, `flood m-${ann}-${n}`);
    await eventually("an answer", () => said(stage, ann).length > before || undefined);
  }
  expect(endings(stage, ann)).toHaveLength(1);
  const asked = model.log.length;
  await platform.user(bob).sends(bob, `question m-${bob}-1`);
  await platform.waitForReply(bob, ({ text }) => ended.test(text ?? ""), reply);
  expect(model.log).toHaveLength(asked);
  await eventually("both are told", () => told.size === 2 || undefined);
  expect([...told.values()].map(({ type, data }) => `${type} ${String(data["scope"])}`).toSorted()).toEqual([
    "budget.ended tenant",
    "budget.warned tenant",
  ]);
  const { windows, currency } = await settledUsage(stage, "--scope", "tenant");
  expect(currency).toBe("EUR");
  const spent = windows[0]?.used.money ?? 0;
  expect(spent).toBeGreaterThanOrEqual(0.5);
  expect(spent).toBeLessThan(0.6);
}, 90_000);

test("a budget of money whose model has no price is an error that says what to do", async () => {
  await expect(openStage({ config: { budgets: { person: { day: { money: 1 } } } } })).rejects.toThrow(
    /prices\.models: compatible:test has no price, and budgets\.person\.day\.money needs one: add/,
  );
}, 60_000);

test("/forget erases what was used, and the rest of the day stays as it is bounded", async () => {
  const stage = await openStage({ config: { ...usually, budgets: { person: { day: { calls: 2 } } } } });
  const { platform } = stage;
  await platform.user(ann).sends(ann, `question m-${ann}-1`);
  await platform.waitForReply(ann, ({ text }) => text?.includes(`m-${ann}-1`) === true, reply);
  await platform.user(ann).sends(ann, "/forget");
  await platform.waitForReply(ann, ({ text }) => text?.startsWith("This erases") === true, reply);
  await platform.user(ann).sends(ann, "/forget yes");
  await platform.waitForReply(ann, ({ text }) => text?.startsWith("Done:") === true, reply);
  const { rows } = await usage(stage, "--scope", "person", "--of", `telegram/main/${ann}`);
  expect(rows).toMatchObject([{ name: "forgotten", calls: 1 }]);
  await platform.user(ann).sends(ann, `question m-${ann}-2`);
  await platform.waitForReply(ann, ({ text }) => text?.includes(`m-${ann}-2`) === true, reply);
  await platform.user(ann).sends(ann, `question m-${ann}-3`);
  await platform.waitForReply(ann, ({ text }) => ended.test(text ?? ""), reply);
}, 60_000);
