/** A provider that takes five requests a minute, and more conversations than that: everybody is answered in turn, nothing is lost. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { startOpenAiFake } from "../fakes/openai.ts";
import { tokensIn } from "../fakes/tokens.ts";
import { eventually, expectKept, leaks, openStage, outboundOf, untilQuiet, type Stage } from "./stage.ts";

const perMinute = 5;
/** A minute takes four seconds. */
const speed = 15;
const minuteMs = 60_000 / speed;
const limited = { models: { timeoutSeconds: 20, retries: 1, compatible: { requestsPerMinute: perMinute } } };
const chats = (count: number) => Array.from({ length: count }, (_, n) => 101 + n);

function openFast(config: Readonly<Record<string, unknown>> = limited): Promise<Stage> {
  return openStage({
    config,
    script: join(import.meta.dirname, "fast-gateway.fixture.ts"),
    args: [String(speed), String(Date.now())],
    limit: { requests: perMinute, windowMs: minuteMs, secondMs: 1_000 / speed },
  });
}

/** When each message was answered on the platform. */
function answeredAt(stage: Stage): ReadonlyMap<string, number> {
  const times = outboundOf(stage).flatMap(({ text, at }) => tokensIn(text).map((token) => [token, at] as const));
  return new Map(times.toReversed());
}

const refused = ({ model }: Stage) => model.log.filter(({ status }) => status === 429).length;

test(
  "40 conversations at 5 requests a minute: in turn, also where some ask again at once, and all within as many minutes as it takes",
  { timeout: 120_000 },
  async () => {
    const stage = await openFast();
    const { platform } = stage;
    const began = performance.now();
    for (const chat of chats(40)) await platform.user(chat).sends(chat, `question m-${chat}-1`);
    // Whoever has an answer asks the next question at once.
    const eager = chats(perMinute).map(async (chat) => {
      await platform.waitForReply(chat, undefined, { timeoutMs: 20_000 });
      await platform.user(chat).sends(chat, `another question m-${chat}-2`);
    });
    await Promise.all(eager);
    await untilQuiet(stage, { mostMs: 80_000 });
    const at = answeredAt(stage);
    const firsts = chats(40).map((chat) => at.get(`m-${chat}-1`) ?? Infinity);
    const seconds = chats(perMinute).map((chat) => at.get(`m-${chat}-2`) ?? 0);
    // Nine windows of five, the first at once; on a busy machine some more.
    expect(Math.max(...seconds) - began).toBeLessThan(15 * minuteMs);
    expect(Math.max(...firsts)).toBeLessThan(Math.min(...seconds));
    // Whoever came first is asked for first, but for those of one window and of the one beside it.
    const turns = firsts.map((time) => firsts.filter((other) => other < time).length);
    turns.forEach((turn, n) => expect(Math.abs(turn - n), `conversation ${n}`).toBeLessThan(2 * perMinute));
    firsts.forEach((time, n) => expect(time - began, `conversation ${n}`).toBeLessThan((n / perMinute + 7) * minuteMs));
    // So fast a clock leaves it 67 ms between two windows; in real minutes none is refused.
    expect(refused(stage)).toBeLessThan(15);
    expectKept(stage);
  },
);

test(
  "a kill -9 while most of them are in line: nobody is lost, and nobody starves after it",
  { timeout: 120_000 },
  async () => {
    const stage = await openFast();
    const { platform, gateway, model } = stage;
    for (const chat of chats(25)) await platform.user(chat).sends(chat, `question m-${chat}-1`);
    await expect.poll(() => model.log.length, { timeout: 20_000 }).toBeGreaterThan(6);
    await gateway.kill();
    await gateway.start();
    await untilQuiet(stage, { mostMs: 80_000 });
    const answers = answeredAt(stage);
    for (const chat of chats(25)) expect(answers.has(`m-${chat}-1`), `conversation ${chat}`).toBe(true);
    expectKept(stage);
  },
);

test(
  "in real minutes: eight conversations, five answered at once and three a minute later",
  { timeout: 150_000 },
  async () => {
    const stage = await openStage({ config: limited, limit: { requests: perMinute } });
    const { platform } = stage;
    const began = performance.now();
    for (const chat of chats(8)) await platform.user(chat).sends(chat, `question m-${chat}-1`);
    await untilQuiet(stage, { mostMs: 100_000 });
    const times = chats(8).map((chat) => (answeredAt(stage).get(`m-${chat}-1`) ?? Infinity) - began);
    expect(times.filter((ms) => ms < 10_000)).toHaveLength(5);
    expect(times.filter((ms) => ms > 55_000 && ms < 75_000)).toHaveLength(3);
    expect(refused(stage)).toBe(0);
    expectKept(stage);
  },
);

test(
  "what is called off in line is never asked, and who would wait for too long is told at once",
  { timeout: 60_000 },
  async () => {
    const compatible = { requestsPerMinute: 1 };
    const stage = await openStage({ config: { models: { timeoutSeconds: 20, queueSeconds: 100, compatible } } });
    const { platform, model } = stage;
    await platform.user(101).sends(101, "question m-101-1");
    await expect.poll(() => model.log.length, { timeout: 10_000 }).toBe(1);
    await platform.user(102).sends(102, "question m-102-1");
    await eventually("it is seen in line", () =>
      platform.log.calls.some(({ text }) => text?.includes("you are in line, about 1 min") === true),
    );
    await platform.user(103).sends(103, "question m-103-1");
    const told = await platform.waitForReply(103, undefined, { timeoutMs: 10_000 });
    expect(told.text).toMatch(/^Sorry, too many are asking me at once/);
    await platform.user(102).sends(102, "/stop");
    await platform.waitForReply(102, ({ text }) => text === "Stopped.", { timeoutMs: 10_000 });
    const excused = new Map([103, 102].map((chat) => [`m-${chat}-1`, "was told why not"]));
    await untilQuiet(stage, { excused });
    expect(model.log).toHaveLength(1);
    expectKept(stage, { excused });
  },
);

test(
  "the first provider dies in the middle of a run and comes back: the second goes on, the log says why, then the first is asked again",
  { timeout: 90_000 },
  async () => {
    const key = "gemini-canary-0123456789";
    const spare = await startOpenAiFake({ apiKey: key, models: ["spare"] });
    onTestFinished(() => spare.close());
    const stage = await openStage({
      config: { models: { timeoutSeconds: 20, retries: 1 } },
      env: { ASCENT_MODEL: "compatible:test, gemini:spare", GEMINI_API_KEY: key, GEMINI_BASE_URL: spare.baseURL },
    });
    const { platform, model, gateway } = stage;
    const call = { toolCalls: [{ name: "calculate", arguments: { expression: "6*7" } }] };
    let dead = false;
    model.script(({ toolOutputs, toSummarize }) => {
      if (toSummarize !== undefined) return undefined;
      // It dies with the first call of a tool.
      if (dead || toolOutputs.length > 0) {
        dead = true;
        return { failure: { kind: "close" } };
      }
      return call;
    });
    for (const chat of chats(3)) {
      await platform.user(chat).sends(chat, `compute m-${chat}-1`);
      await platform.waitForReply(chat, undefined, { timeoutMs: 15_000 });
    }
    expect(spare.log.length).toBe(3);
    expect(gateway.output()).toMatch(/compatible:test: no connection to .*another model is asked/);
    model.script(undefined);
    // It is left alone for half a minute, and nobody waits for that.
    let n = 1;
    await eventually(
      "the first model answers again",
      async () => {
        const before = model.log.filter(({ outcome }) => outcome === "answered").length;
        n += 1;
        await platform.user(101).sends(101, `once more m-101-${n}`);
        await platform.waitForReply(101, undefined, { timeoutMs: 15_000 });
        await sleep(500);
        return model.log.filter(({ outcome }) => outcome === "answered").length > before;
      },
      60_000,
    );
    await untilQuiet(stage);
    expectKept(stage);
    expect(leaks(stage)).toEqual([]);
    expect(gateway.output()).not.toContain(key);
  },
);
