import { deepEqual, equal, ok } from "node:assert/strict";
import { InfrastructureError, InputError, RateLimitedError, RetryableError, TerminalError } from "../../src/errors.ts";
import type { CloudEvent, DeadLetter } from "../../src/ports.ts";
import { numberOf, recorder, type Stage, type Check } from "./runtime-stage.ts";

async function lettersOf(stage: Stage, subject: string): Promise<DeadLetter[]> {
  const all = await stage.runtime.deadLetters.list(100);
  return all.flatMap(({ n: _n, ...letter }) => (letter.event.subject === subject ? [letter] : []));
}

/** Fails this test's event number 1 as `fail` says, counting its deliveries; all else, other tests' leftovers too, succeeds. */
function failing(stage: Stage, fail: (delivery: number, event: CloudEvent) => Error | undefined) {
  let deliveries = 0;
  return recorder(stage.runtime, "inbound", async (event) => {
    if (numberOf(event) !== 1 || !event.subject.endsWith(stage.unique(""))) return;
    const error = fail((deliveries += 1), event);
    if (error !== undefined) throw error;
  });
}

export function failureContract(check: Check): void {
  check("delivers a failed event again; its subject waits for it and others do not", async (stage) => {
    const { event, unique, until } = stage;
    const { of } = failing(stage, (delivery) => (delivery <= 2 ? new Error("not yet") : undefined));
    await stage.runtime.start();
    await stage.runtime.bus.publish("inbound", [event("fails", 1), event("fails", 2), event("well", 2)]);
    await until(() => of(unique("well")).length > 0, "the other subject");
    if (stage.runtime.bus.isolated)
      ok(of(unique("fails")).filter((n) => n === 1).length < 3, "the other subject did not wait");
    await until(() => of(unique("fails")).filter((n) => n === 1).length === 3, "the third delivery");
    await until(() => of(unique("fails")).includes(2), "the one behind it");
    if (stage.runtime.bus.ordered) deepEqual(of(unique("fails")), [1, 1, 1, 2]);
    deepEqual(await lettersOf(stage, unique("fails")), []);
  });

  check("five failures make a dead letter, and the subject goes on", async (stage) => {
    const { event, unique, until } = stage;
    const { of } = failing(stage, () => new RetryableError("poison", { retryAfterMs: 20 }));
    await stage.runtime.start();
    const poison = event("poison", 1);
    await stage.runtime.bus.publish("inbound", [poison, event("poison", 2)]);
    await until(async () => (await lettersOf(stage, unique("poison"))).length > 0, "the dead letter");
    const [letter] = await lettersOf(stage, unique("poison"));
    deepEqual(letter?.event, poison);
    equal(letter?.topic, "inbound");
    equal(letter?.attempts, 5);
    ok(letter?.reason.includes("RetryableError: poison"), letter?.reason);
    ok(Math.abs((letter?.at ?? 0) - Date.now()) < 60_000);
    await until(() => of(unique("poison")).includes(2), "the one behind it");
    if (stage.runtime.bus.ordered) deepEqual(of(unique("poison")), [1, 1, 1, 1, 1, 2]);
  });

  for (const [kind, error] of [
    ["a terminal error", new TerminalError("the chat is gone")],
    ["invalid input", new InputError("no such thing")],
  ] as const) {
    check(`${kind} makes a dead letter at once`, async (stage) => {
      const { event, unique, until, quiet } = stage;
      const { of } = failing(stage, () => error);
      await stage.runtime.start();
      await stage.runtime.bus.publish("inbound", [event("terminal", 1), event("terminal", 2)]);
      await until(async () => (await lettersOf(stage, unique("terminal"))).length > 0, "the dead letter");
      await until(() => of(unique("terminal")).includes(2), "the one behind it");
      await quiet(300);
      equal(of(unique("terminal")).filter((n) => n === 1).length, 1);
      equal((await lettersOf(stage, unique("terminal")))[0]?.attempts, 1);
    });
  }

  for (const [kind, make] of [
    ["a rate limit", () => new RateLimitedError("slow down", { retryAfterMs: 20 })],
    ["broken infrastructure", () => new InfrastructureError("store is down", { retryAfterMs: 20 })],
  ] as const) {
    check(`${kind} is tried again and never counted`, async (stage) => {
      const { event, unique, until } = stage;
      const { of } = failing(stage, (delivery) => (delivery <= 12 ? make() : undefined));
      await stage.runtime.start();
      await stage.runtime.bus.publish("inbound", [event("limited", 1), event("limited", 2)]);
      await until(() => of(unique("limited")).filter((n) => n === 1).length === 13, "the thirteenth delivery");
      await until(() => of(unique("limited")).includes(2), "the one behind it");
      deepEqual(await lettersOf(stage, unique("limited")), []);
    });
  }

  check("waits as long as the error says", async (stage) => {
    const times: number[] = [];
    failing(stage, (delivery) => {
      times.push(performance.now());
      return delivery === 1 ? new RetryableError("later", { retryAfterMs: 700 }) : undefined;
    });
    await stage.runtime.start();
    await stage.runtime.bus.publish("inbound", [stage.event("later", 1)]);
    await stage.until(() => times.length === 2, "the second delivery");
    const waited = (times[1] ?? 0) - (times[0] ?? 0);
    ok(waited > 650, `waited ${waited} ms`);
    ok(waited < 2000 * stage.slowness, `waited ${waited} ms`);
  });

  check("waits a little longer after each failure", async (stage) => {
    const times: number[] = [];
    failing(stage, () => {
      times.push(performance.now());
      return times.length < 4 ? new Error("not yet") : undefined;
    });
    await stage.runtime.start();
    await stage.runtime.bus.publish("inbound", [stage.event("backoff", 1)]);
    await stage.until(() => times.length === 4, "the fourth delivery");
    const waits = times.slice(1).map((at, before) => at - (times[before] ?? 0));
    ok((waits[0] ?? 0) > 150, String(waits));
    ok((waits[1] ?? 0) > (waits[0] ?? 0) && (waits[2] ?? 0) > (waits[1] ?? 0), String(waits));
  });

  check("counts attempts across a restart", async (stage) => {
    const { event, unique, until, quiet } = stage;
    const subject = unique("counted");
    const fail = () => new RetryableError("poison", { retryAfterMs: first.of(subject).length < 3 ? 10 : 60_000 });
    const first = failing(stage, fail);
    await stage.runtime.start();
    await stage.runtime.bus.publish("inbound", [event("counted", 1)]);
    await until(() => first.of(subject).length === 3, "three deliveries");
    await quiet(200);

    await stage.restart();
    const second = failing(stage, () => new RetryableError("poison", { retryAfterMs: 10 }));
    await stage.runtime.start();
    await until(async () => (await lettersOf(stage, subject)).length > 0, "the dead letter");
    equal(second.of(subject).length, 2);
    equal((await lettersOf(stage, subject))[0]?.attempts, 5);
  });

  check("a dead letter is published again or dropped, once", async (stage) => {
    const { event, unique, until } = stage;
    const subject = unique("dead");
    let well = false;
    const { of } = recorder(stage.runtime, "inbound", async () => {
      if (!well) throw new TerminalError("broken");
    });
    await stage.runtime.start();
    await stage.runtime.bus.publish("inbound", [event("dead", 1), event("dead", 2)]);
    await until(async () => (await lettersOf(stage, subject)).length === 2, "both dead letters");
    const [newest, oldest] = await lettersOf(stage, subject);
    if (stage.runtime.bus.ordered)
      deepEqual(
        [newest, oldest].map((letter) => letter && numberOf(letter.event)),
        [2, 1],
      );

    well = true;
    equal(await stage.runtime.deadLetters.retry(oldest?.id ?? ""), true);
    await until(() => of(subject).length === 3, "its delivery");
    equal(await stage.runtime.deadLetters.drop(newest?.id ?? ""), true);
    deepEqual(await lettersOf(stage, subject), []);
    equal(await stage.runtime.deadLetters.retry(oldest?.id ?? ""), false);
    equal(await stage.runtime.deadLetters.drop(newest?.id ?? ""), false);
  });

  check("dead letters are listed page by page, also when those of the last page are gone", async (stage) => {
    const { deadLetters } = stage.runtime;
    await stage.runtime.start();
    const ids = Array.from({ length: 5 }, (_, at) => stage.unique(`page-${at}`));
    for (const [at, id] of ids.entries()) {
      const letter = { topic: "outbound", event: stage.event("pages", at), reason: "gone", attempts: 1, at } as const;
      await deadLetters.add({ id, ...letter });
    }
    const seen: string[] = [];
    for (let before: number | undefined; ;) {
      const page = await deadLetters.list(2, before);
      before = page.at(-1)?.n;
      seen.push(...page.map(({ id }) => id).filter((id) => ids.includes(id)));
      if (page.length === 0) break;
      ok(page.length <= 2);
      for (const { id } of page) if (ids.includes(id)) await deadLetters.drop(id);
    }
    deepEqual(seen, ids.toReversed());
  });

  check("keeps the dead letters that the core adds, over a restart", async (stage) => {
    const subject = stage.unique("added");
    const letter: DeadLetter = {
      id: stage.unique("letter"),
      topic: "outbound",
      event: stage.event("added", 7),
      reason: "the chat is gone",
      attempts: 3,
      at: 1_700_000_000_000,
    };
    await stage.runtime.deadLetters.add(letter);
    await stage.restart();
    deepEqual(await lettersOf(stage, subject), [letter]);
    const { of } = recorder(stage.runtime, "outbound");
    await stage.runtime.start();
    equal((await stage.runtime.deadLetters.get(letter.id))?.reason, letter.reason);
    equal(await stage.runtime.deadLetters.retry(letter.id), true);
    await stage.until(() => of(subject).includes(7), "its delivery on its own topic");
  });
}
