import { describe, expect, it } from "vitest";
import { createBreaker } from "../../../adapters/models/breaker.ts";
import { handClock } from "../hand-clock.ts";

describe("a model that fails", () => {
  it("is left alone after three failures in a row, then tried with one request, and asked again once that is answered", async () => {
    const clock = handClock();
    const breaker = createBreaker(clock);
    for (const _ of [1, 2]) breaker.failed(1, "HTTP 500");
    breaker.succeeded();
    for (const _ of [1, 2]) expect(breaker.failed(1, "HTTP 500")).toBeUndefined();
    expect(breaker.admits()).toBe(true);
    expect(breaker.failed(1, "HTTP 500")).toBe(30_000);
    expect([breaker.admits(), breaker.why]).toEqual([false, "HTTP 500"]);
    await clock.pass(29_999);
    expect(breaker.admits()).toBe(false);
    await clock.pass(1);
    expect(breaker.admits()).toBe(true);
    breaker.begin();
    expect(breaker.admits()).toBe(false);
    expect(breaker.succeeded()).toBe(true);
    expect(breaker.admits()).toBe(true);
  });

  it("is left alone for longer each time that the trial fails, up to five minutes", async () => {
    const clock = handClock();
    const breaker = createBreaker(clock);
    const times: (number | undefined)[] = [breaker.failed(3, "HTTP 401")];
    for (let n = 0; n < 5; n++) {
      await clock.pass(times.at(-1) ?? 0);
      breaker.begin();
      times.push(breaker.failed(1, "HTTP 401"));
    }
    expect(times).toEqual([30_000, 60_000, 120_000, 240_000, 300_000, 300_000]);
  });

  it("is tried by another where the trial was called off", async () => {
    const clock = handClock();
    const breaker = createBreaker(clock);
    breaker.failed(3, "timeout");
    await clock.pass(30_000);
    breaker.begin();
    breaker.left();
    expect(breaker.admits()).toBe(true);
  });

  it("is not left alone for longer by what was under way when it was found out", () => {
    const breaker = createBreaker(handClock());
    expect(breaker.failed(3, "HTTP 500")).toBe(30_000);
    expect(breaker.failed(3, "HTTP 500")).toBeUndefined();
  });
});
