/** The way of a request through lines that take minutes: by a clock that is moved by hand. */
import type { ModelRequest, ModelResponse } from "@openai/agents";
import { describe, expect, it } from "vitest";
import { createBreaker } from "../../../adapters/models/breaker.ts";
import { UnavailableError } from "../../../adapters/models/failures.ts";
import { createGate } from "../../../adapters/models/gate.ts";
import { routed } from "../../../adapters/models/route.ts";
import type { Candidate, Candidates } from "../../../adapters/models/search.ts";
import { createWindow } from "../../../adapters/models/window.ts";
import { BudgetError, type Meter } from "../../../src/budgets.ts";
import type { MinuteLimits } from "../../../src/model-line.ts";
import { quiet, rejection } from "../client-agent.fixture.ts";
import { handClock } from "../hand-clock.ts";

const minute = 61_000;
const request = { input: "hi", modelSettings: {}, tools: [] } as unknown as ModelRequest;
const failing = (retryAfterMs?: number) =>
  new UnavailableError("it is failing", { trouble: "failing", ...(retryAfterMs !== undefined && { retryAfterMs }) });

/** Two models; the first fails so often, and both tell when they were asked. */
function opened(limits: MinuteLimits, failures: readonly Error[] = [], meter?: Meter) {
  const clock = handClock();
  const asked: [spec: string, at: number][] = [];
  const left = [...failures];
  const candidate = (spec: string, limited: MinuteLimits): Candidate => {
    const gate = createGate({ clock, window: createWindow(limited, clock) });
    const getResponse = async (): Promise<ModelResponse> => {
      asked.push([spec, clock.monotonic()]);
      const failure = spec === "first" ? left.shift() : undefined;
      if (failure !== undefined) throw failure;
      return { output: [], usage: { totalTokens: 1 } } as unknown as ModelResponse;
    };
    const never = () => {
      throw new Error("it is not streamed here");
    };
    const model = { getResponse, getStreamedResponse: never };
    return { spec, model, gate, breaker: createBreaker(clock), countsTokens: false };
  };
  const [first, second] = [candidate("first", limits), candidate("second", {})];
  const options = { clock, log: quiet, retries: 2, waitMs: 900_000, fallbackMs: 20_000, meter };
  const run = async (list: Candidates = [first, second]) =>
    routed(list, options, { tenant: "t", line: "a" }).getResponse(request);
  return { clock, asked, run, alone: () => run([first]) };
}

describe("a model that failed", () => {
  it("is not stood in line for as long as another would not be", async () => {
    const { clock, asked, run } = opened({ requestsPerMinute: 1 }, [failing()]);
    void run();
    await clock.pass(2 * minute);
    expect(asked).toEqual([
      ["first", 0],
      ["second", 500],
    ]);
  });

  it("is, where there is no other", async () => {
    const { clock, asked, alone } = opened({ requestsPerMinute: 1 }, [failing()]);
    void alone();
    await clock.pass(2 * minute);
    expect(asked).toEqual([
      ["first", 0],
      ["first", minute],
    ]);
  });

  it("and wants to be asked in a while is left for another, and is waited for where there is none", async () => {
    const { clock, asked, run } = opened({}, [failing(55_000)]);
    void run();
    await clock.pass(minute);
    expect(asked).toEqual([
      ["first", 0],
      ["second", 0],
    ]);
    const single = opened({}, [failing(55_000)]);
    void single.alone();
    await single.clock.pass(minute);
    expect(single.asked).toEqual([
      ["first", 0],
      ["first", 55_000],
    ]);
  });
});

it("a request that a budget refuses takes no place of the provider's minute", async () => {
  let ended = true;
  const meter: Meter = {
    async reserve() {
      if (ended) throw new BudgetError({ scope: "person", window: "day", period: "2026-11-26" });
      return { planned: { input: 1, cached: 0, output: 1 }, settle: () => {}, cancel: () => {} };
    },
    count: async () => {},
  };
  const { clock, asked, alone } = opened({ requestsPerMinute: 1 }, [], meter);
  expect(await rejection(alone())).toBeInstanceOf(BudgetError);
  ended = false;
  void alone();
  await clock.pass(1_000);
  expect(asked).toEqual([["first", 0]]);
});
