/** Lists of models on servers that fail, refuse and come back: which of them answers, why, and what the person sees. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createModels, type ModelsSettings } from "../../adapters/models/index.ts";
import { BusyError, reasonOf, TerminalError } from "../../src/errors.ts";
import type { Log } from "../../src/ports.ts";
import { startOpenAiFake, type OpenAiFake } from "../fakes/openai.ts";
import type { Failure, Prompt, Reply } from "../fakes/openai/types.ts";
import { agentOn, hooks, quiet, rejection, testClock, turn } from "../unit/client-agent.fixture.ts";

const key = "sk-canary-0123456789";
let first: OpenAiFake;
let second: OpenAiFake;
beforeAll(async () => {
  [first, second] = await Promise.all([startOpenAiFake({ apiKey: key }), startOpenAiFake({ apiKey: key })]);
});
afterAll(() => Promise.all([first.close(), second.close()]));
afterEach(async () => {
  for (const fake of [first, second]) {
    fake.script(undefined);
    fake.limit(undefined);
    await fake.clearLog();
  }
});

const list = "openai:fake-model, compatible:fake-model";

interface Told {
  readonly from?: string;
  readonly to?: string;
  readonly reason?: string;
  readonly line?: string;
  readonly turn?: string;
}

function opened(rest: ModelsSettings = {}, settings: Record<string, unknown> = {}, speed = 1) {
  const told: (Told & { words: string })[] = [];
  const tell: Log["warn"] = (fields, words) => void told.push({ ...(fields as Told), words });
  const log: Log = { ...quiet, warn: tell, info: tell };
  const clock = testClock({ speed });
  const models = createModels(
    {
      apiKeys: { openai: key, compatible: key },
      baseURLs: { openai: first.baseURL, compatible: second.baseURL },
      timeoutMs: 2_000,
      maxRetries: 1,
      ...rest,
    },
    { clock, log },
  );
  const { agent } = agentOn(models, { model: list, ...settings }, { clock });
  const run = async (text = "hi", watch = hooks()) => textOf(await agent.run(turn([text]), watch));
  const switches = () => told.filter(({ words }) => words === "another model is asked");
  return { agent, run, told, switches };
}
const textOf = (output: { answer: { parts: readonly unknown[] } }) => JSON.stringify(output.answer.parts);
const says = (text: string) => () => ({ text });
const fails = (failure: Failure) => (): Reply => ({ failure });
const ofStatus = (status: number, rest: { message?: string; retryAfter?: number } = {}): Failure => {
  return { kind: "status", status, ...rest };
};
const asked = () => [first.log.length, second.log.length];

describe("the next model of the list answers", () => {
  it.each<[string, Failure, number, RegExp]>([
    ["fails", ofStatus(500, { retryAfter: 0.01 }), 2, /is failing \(HTTP 500/],
    ["is overloaded", ofStatus(529, { retryAfter: 0.01 }), 2, /is failing \(HTTP 529/],
    ["closes its connections", { kind: "close" }, 2, /no connection to/],
    ["does not answer", { kind: "hang" }, 1, /did not answer within/],
    ["is not there", ofStatus(404), 1, /no such model/],
    ["takes no key", ofStatus(401), 1, /refused the key/],
    ["babbles", { kind: "garbage" }, 1, /cannot be read/],
    ["breaks off", { kind: "half" }, 2, /no connection to/],
    ["refuses for long", ofStatus(429, { retryAfter: 60 }), 1, /allows no more requests/],
    ["takes no prompt of this length", ofStatus(400, { message: "maximum context length is 8" }), 1, /HTTP 400/],
  ])("where the first %s, and the log says why", async (_, failure, requests, reason) => {
    first.script(fails(failure));
    second.script(says("All is well."));
    const { run, switches } = opened({ timeoutMs: 300 });
    expect(await run()).toContain("All is well.");
    expect(asked()).toEqual([requests, 1]);
    const from = "openai:fake-model";
    expect(switches()).toEqual([
      expect.objectContaining({ from, to: "compatible:fake-model", line: "t:telegram:a:1", turn: "turn-1" }),
    ]);
    expect(switches()[0]?.reason).toMatch(reason);
    expect(JSON.stringify(switches())).not.toContain(key);
  });

  it("but not where the request or its content is refused: all would refuse it", async () => {
    first.script(fails(ofStatus(400)));
    const { run } = opened();
    const error = await rejection(run());
    expect(error).toBeInstanceOf(TerminalError);
    expect(error.message).toContain("does not take the request");
    expect(asked()).toEqual([1, 0]);
  });

  it("and where none can be had it is the last one's failure", async () => {
    first.script(fails(ofStatus(404)));
    second.script(fails(ofStatus(401)));
    const error = await rejection(opened().run());
    expect(error.message).toContain("compatible:fake-model");
    expect(reasonOf(error)).toContain("refused the key");
  });
});

describe("a run", () => {
  const calls = { toolCalls: [{ name: "calculate", arguments: { expression: "6*7" } }] };
  const computes = ({ toolOutputs }: Prompt): Reply => {
    return toolOutputs.length === 0 ? calls : { text: `It is ${toolOutputs.join()}.` };
  };

  it("goes on with the next model where its own dies, with what its tools have said, and the next run asks the first again", async () => {
    first.script(({ toolOutputs }) =>
      toolOutputs.length === 0 ? calls : { failure: ofStatus(503, { retryAfter: 0 }) },
    );
    second.script(computes);
    const { run, switches } = opened();
    expect(await run()).toContain("It is 42.");
    expect(asked()).toEqual([3, 1]);
    // Nothing of the first one's own stands in what the second is asked.
    expect(switches()[0]?.reason).toContain("HTTP 503");
    first.script(computes);
    expect(await run()).toContain("It is 42.");
    expect(asked()).toEqual([5, 1]);
  });

  it("takes nothing to another model that only its own understands", async () => {
    second.script(({ toolOutputs }) => (toolOutputs.length === 0 ? calls : { failure: ofStatus(404) }));
    const bodies: unknown[] = [];
    first.script((prompt) => {
      bodies.push(prompt.body["input"]);
      return computes(prompt);
    });
    const { run } = opened({}, { model: "compatible:fake-model, openai:fake-model" });
    expect(await run()).toContain("It is 42.");
    const [items] = bodies as [readonly Record<string, unknown>[]];
    expect(items.map(({ type }) => type)).toEqual(expect.arrayContaining(["function_call", "function_call_output"]));
    for (const item of items) expect(Object.keys(item)).not.toContain("id");
  });

  it("keeps the model that answered it, also where the first is well again", async () => {
    let failures = 2;
    first.script((prompt) => (failures-- > 0 ? { failure: ofStatus(500, { retryAfter: 0 }) } : computes(prompt)));
    second.script(computes);
    expect(await opened().run()).toContain("It is 42.");
    expect(asked()).toEqual([2, 2]);
  });

  it("shows nothing of an answer that broke off once another model writes it", async () => {
    first.script(() => ({ text: "wrong wrong wrong wrong wrong wrong", failure: { kind: "half" } }));
    second.script(says("All is well."));
    const shown: string[] = [];
    const { run } = opened({}, { retries: 0 });
    expect(await run("hi", hooks({ onText: (text) => shown.push(text) }))).toContain("All is well.");
    expect(shown.some((text) => text.startsWith("wrong"))).toBe(true);
    expect(shown.at(-1)).toBe("All is well.");
    for (const text of shown) expect(/wrong.*All|All.*wrong/.test(text)).toBe(false);
  });
});

describe("a model that fails again and again", () => {
  it("is left alone, tried with one request after a while, and asked as before when it answers", async () => {
    first.script(fails(ofStatus(500, { retryAfter: 0 })));
    second.script(says("second"));
    // Half a minute takes 300 ms.
    const { run, told } = opened({ maxRetries: 0 }, {}, 100);
    for (let n = 0; n < 3; n++) expect(await run()).toContain("second");
    expect(asked()).toEqual([3, 3]);
    for (let n = 0; n < 5; n++) expect(await run()).toContain("second");
    expect(asked()).toEqual([3, 8]);
    expect(told.map(({ words }) => words)).toContain("the model is left alone for a while");
    first.script(says("first"));
    await expect.poll(() => run(), { timeout: 5_000, interval: 50 }).toContain("first");
    expect(first.log.length).toBe(4);
    expect(await run()).toContain("first");
    expect(told.map(({ words }) => words)).toContain("the model answers again");
  });
});

describe("a provider's limit", () => {
  it("is kept: requests wait in line", async () => {
    first.limit({ requests: 5, windowMs: 1_500, secondMs: 25 });
    const limits = { openai: { requestsPerMinute: 5 } };
    // A minute takes 1.5 s, and what is a moment early comes early indeed.
    const { run } = opened({ limits }, { model: "openai:fake-model" }, 40);
    const waits: (number | undefined)[] = [];
    const watch = hooks({ onWait: (wait) => void waits.push(wait?.expectedMs) });
    const answers = await Promise.all(Array.from({ length: 15 }, (_, n) => run(`question ${n}`, watch)));
    expect(answers.every((text, n) => text.includes(`answer to: question ${n}`))).toBe(true);
    expect(first.log.filter(({ status }) => status === 429).length).toBeLessThan(10);
    expect(Math.max(...waits.map((ms) => ms ?? 0))).toBeGreaterThan(60_000);
    expect(waits.filter((ms) => ms === undefined).length).toBeGreaterThanOrEqual(10);
  });

  it("that nobody told is kept as the provider says it: all are answered, after few refusals", async () => {
    first.limit({ requests: 5, windowMs: 1_500, secondMs: 25 });
    const { run } = opened({}, { model: "openai:fake-model" }, 40);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => run(`question ${n}`)));
    expect(answers).toHaveLength(20);
    const refused = first.log.filter(({ status }) => status === 429).length;
    // Fifteen came before anything was known; then each window is tried with a few.
    expect(refused).toBeGreaterThanOrEqual(15);
    expect(refused).toBeLessThan(15 + 20);
  });

  it("sends on to the next model who would wait for long, and only them", async () => {
    const limits = { openai: { requestsPerMinute: 2 } };
    const { run, switches } = opened({ limits });
    await Promise.all(Array.from({ length: 5 }, () => run()));
    expect(asked()).toEqual([2, 3]);
    expect(switches()).toHaveLength(3);
    for (const { reason } of switches()) expect(reason).toMatch(/its turn would come in \d+ s/);
  });

  it("is waited for in the middle of a run, which keeps its model", async () => {
    first.script(({ toolOutputs }) => {
      if (toolOutputs.length > 0) return { text: `It is ${toolOutputs.join()}.` };
      return { toolCalls: [{ name: "calculate", arguments: { expression: "6*7" } }] };
    });
    // A minute takes 600 ms.
    const { run, switches } = opened({ limits: { openai: { requestsPerMinute: 1 } } }, {}, 100);
    expect(await run()).toContain("It is 42.");
    expect(asked()).toEqual([2, 0]);
    expect(switches()).toEqual([]);
  });

  it("that keeps somebody waiting for too long is said", async () => {
    const limits = { openai: { requestsPerMinute: 1 } };
    const { run } = opened({ limits, waitMs: 10_000 }, { model: "openai:fake-model" });
    await run();
    const error = await rejection(run());
    expect(error).toBeInstanceOf(BusyError);
    expect(error.message).toMatch(/no model has room: it would wait \d+ s in line/);
  });

  it("lets go at once who is called off in line", async () => {
    const limits = { openai: { requestsPerMinute: 1 } };
    const { run } = opened({ limits }, { model: "openai:fake-model" });
    await run();
    const abort = new AbortController();
    const reason = new Error("stopped");
    const waiting = rejection(run("hi", hooks({ signal: abort.signal })));
    const began = performance.now();
    setTimeout(() => abort.abort(reason), 50);
    expect(await waiting).toBe(reason);
    expect(performance.now() - began).toBeLessThan(500);
    expect(first.log).toHaveLength(1);
  });
});
