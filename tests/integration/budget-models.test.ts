/** What models are asked for is reserved before, and settled by what their provider counts: streamed and not, and when it fails. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createModels, type ModelsSettings } from "../../adapters/models/index.ts";
import { BudgetError, type CallUsage, type Meter, type PlannedCall } from "../../src/budgets.ts";
import { InfrastructureError } from "../../src/errors.ts";
import { startOpenAiFake, type OpenAiFake } from "../fakes/openai.ts";
import { agentOn, hooks, rejection, testClock, turn } from "../unit/client-agent.fixture.ts";

const key = "sk-canary-0123456789";
const clock = testClock();
let fake: OpenAiFake;
beforeAll(async () => {
  fake = await startOpenAiFake({ apiKey: key, models: ["fake-model"] });
});
afterAll(() => fake.close());
afterEach(async () => {
  fake.script(undefined);
  await fake.clearLog();
});

interface Reserved extends PlannedCall {
  readonly who: string | undefined;
  settled: CallUsage | undefined;
  cancelled: boolean;
}

/** @param most of calls; then the budget has ended. */
function metering(most = Infinity) {
  const calls: Reserved[] = [];
  const meter: Meter = {
    async reserve({ person }, call) {
      if (calls.length >= most) throw new BudgetError({ scope: "person", window: "day", period: "2026-11-26" });
      const reserved: Reserved = { ...call, who: person, settled: undefined, cancelled: false };
      calls.push(reserved);
      const planned = { input: call.input, cached: 0, output: call.output ?? 1_000 };
      return {
        planned,
        settle: (used) => void (reserved.settled ??= used),
        cancel: () => void (reserved.cancelled ||= reserved.settled === undefined),
      };
    },
    count: async () => {},
  };
  return { meter, calls };
}

function agentFor(spec: string, meter: Meter, rest: ModelsSettings = {}, settings: Record<string, unknown> = {}) {
  const all = { openai: key, gemini: key, compatible: key };
  const baseURLs = { openai: fake.baseURL, gemini: fake.baseURL, compatible: fake.baseURL };
  const models = createModels({ apiKeys: all, baseURLs, timeoutMs: 300, maxRetries: 0, ...rest }, { clock, meter });
  return agentOn(models, { model: spec, ...settings }).agent;
}

const streamed = { name: "streamed", watch: () => hooks({ onText: () => {} }) };
const whole = { name: "whole", watch: () => hooks() };

describe.each(["openai:fake-model", "gemini:fake-model", "compatible:fake-model"])("%s", (spec) => {
  describe.each([whole, streamed])("$name", ({ watch }) => {
    it("each call is settled by the provider's count, which is no more than was reserved", async () => {
      fake.script(({ toolOutputs }) =>
        toolOutputs.length > 0
          ? { text: "It is 42." }
          : { toolCalls: [{ name: "calculate", arguments: { expression: "6*7" } }] },
      );
      const { meter, calls } = metering();
      const output = await agentFor(spec, meter, {}, { maxTokens: 300 }).run(turn(["what is 6*7?"]), watch());
      expect(calls).toHaveLength(2);
      expect(calls.reduce((sum, { settled }) => sum + (settled?.input ?? NaN), 0)).toBe(output.usage?.inputTokens);
      expect(calls.reduce((sum, { settled }) => sum + (settled?.output ?? NaN), 0)).toBe(output.usage?.outputTokens);
      for (const { input, output: most, settled, who, model } of calls) {
        expect(settled?.input).toBeLessThanOrEqual(input);
        expect(most).toBe(300);
        expect(model).toBe(spec);
        expect(who).not.toBeUndefined();
      }
    });

    it("nothing is asked once the budget has ended, in the middle of a run too", async () => {
      fake.script(() => ({ toolCalls: [{ name: "calculate", arguments: { expression: "6*7" } }] }));
      const { meter, calls } = metering(2);
      const failed = await rejection(agentFor(spec, meter).run(turn(["go on"]), watch()));
      expect(failed).toBeInstanceOf(BudgetError);
      expect(calls).toHaveLength(2);
      expect(fake.log).toHaveLength(2);
    });

    it("waits for a store that is away, and asks nothing meanwhile", async () => {
      const { meter, calls } = metering();
      let away = 3;
      const failing: Meter = {
        ...meter,
        async reserve(who, call) {
          expect(fake.log).toHaveLength(0);
          if (away-- > 0) throw new InfrastructureError("the store is away");
          return meter.reserve(who, call);
        },
      };
      await agentFor(spec, failing).run(turn(["hello"]), watch());
      expect(calls).toHaveLength(1);
    });

    it("what the provider refuses costs nothing", async () => {
      fake.script(() => ({ failure: { kind: "status", status: 500 } }));
      const { meter, calls } = metering();
      await rejection(agentFor(spec, meter, {}, { retries: 0 }).run(turn(["hello"]), watch()));
      expect(calls.map(({ cancelled }) => cancelled)).toEqual([true]);
    });

    it("what gave no answer in time counts as if it had", async () => {
      fake.script(() => ({ failure: { kind: "hang" } }));
      const { meter, calls } = metering();
      await rejection(agentFor(spec, meter, {}, { retries: 0, maxTokens: 40 }).run(turn(["hello"]), watch()));
      const [{ settled, input } = { settled: undefined, input: 0 }] = calls;
      expect(settled?.input).toBe(input);
      expect(settled?.output).toBe(40);
    });
  });

  it("of a stream that is broken off counts what came", async () => {
    fake.script(() => ({ text: "one two three four five six seven eight nine ten", tokensPerSecond: 20 }));
    const { meter, calls } = metering();
    const abort = new AbortController();
    const seen = hooks({
      signal: abort.signal,
      onText: (text) => text.includes("four") && abort.abort(new Error("stopped")),
    });
    const failed = await rejection(agentFor(spec, meter, { timeoutMs: 5_000 }).run(turn(["count"]), seen));
    expect(failed.message).toBe("stopped");
    await expect.poll(() => calls[0]?.settled?.output, { timeout: 5_000 }).toBeGreaterThan(4);
    expect(calls[0]?.settled?.output).toBeLessThan(15);
  });
});

it("recordings and vectors are counted by what their servers say", async () => {
  const { meter, calls } = metering();
  const other = { baseURL: fake.baseURL, apiKey: key, timeoutMs: 5_000 };
  const models = createModels(
    {
      transcription: { ...other, model: "openai:whisper-1", maxBytes: 1_000_000 },
      embedding: { ...other, model: "openai:vectors" },
    },
    { clock, meter },
  );
  const payer = { tenant: "t", person: "p" };
  await models.transcriber?.transcribe({ bytes: Buffer.alloc(3_000), type: "audio/ogg" }, payer);
  await models.embedder?.embed(["some words", "and more"], undefined, payer);
  expect(calls).toMatchObject([
    { model: "openai:whisper-1", seconds: 2, who: "p", settled: { input: 20 } },
    { model: "openai:vectors", who: "p" },
  ]);
  expect(calls[1]?.settled?.input).toBeGreaterThan(0);
});
