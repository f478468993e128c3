import { randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, test } from "vitest";
import { createSafeFetch } from "../../adapters/fetch/index.ts";
import { answered, failed, started, type AnnouncedKind } from "../../src/announce.ts";
import type { AgentId } from "../../src/ids.ts";
import type { Config } from "../../src/main/config.ts";
import { subscribersOf } from "../../src/main/subscribers.ts";
import type { OutboundEvent } from "../../src/message.ts";
import type { Clock, Jobs } from "../../src/ports.ts";
import { createSubscriptions } from "../../src/subscriptions.ts";
import { probe } from "../contract/channel-deps.ts";
import { listen, readBody, type Listening } from "../fakes/http.ts";
import { direct, message } from "./client-agent.fixture.ts";

const secret = `whsec_${randomBytes(32).toString("base64")}`;
const receivers: Listening[] = [];
afterEach(async () => void (await Promise.all(receivers.splice(0).map((one) => one.close()))));

type Status = number | [number, Record<string, string>] | "hang";
/** The other system: signatures are checked by the reference implementation. */
async function receiver(statuses: Status[] = [], otherwise = 204) {
  const got: { id: string; body: { type: string; timestamp: string; data: Record<string, unknown> } }[] = [];
  const server = await listen((request, response) => {
    void readBody(request).then((raw) => {
      const headers = request.headers as Record<string, string>;
      const id = headers["webhook-id"] ?? "";
      // By its own time, which the tests let pass.
      const at = new Date(Number(headers["webhook-timestamp"]) * 1_000);
      if (headers["webhook-signature"] !== new Webhook(secret).sign(id, at, String(raw))) return response.destroy();
      got.push({ id, body: JSON.parse(String(raw)) });
      const status = statuses.shift() ?? otherwise;
      return status === "hang" ? undefined : response.writeHead(...([status].flat() as [number])).end();
    });
  });
  receivers.push(server);
  return { got, url: `${server.url}/hook/CANARY?token=CANARY` };
}

interface Given {
  readonly urls: readonly string[];
  readonly events?: readonly AnnouncedKind[];
  readonly accounts?: readonly string[];
  readonly allowHosts?: readonly string[];
  readonly records?: Map<string, unknown>;
  readonly scheduler?: "down";
}

/** Jobs that run when the time is set to them. */
function stage({ urls, events = ["message.answered", "delivery.failed"], ...given }: Given) {
  const seen = probe({ tenant: "t", channel: "c", account: "a" }, given.records ? { records: given.records } : {});
  let now = Date.now();
  const due = new Map<string, { at: number; data: unknown }>();
  const timers: { at: number; task: () => void }[] = [];
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    after(ms, task) {
      timers.push({ at: now + ms, task });
      return () => undefined;
    },
  };
  const jobs: Pick<Jobs, "schedule"> = {
    async schedule(name, when, data) {
      if (given.scheduler === "down") throw new Error("no scheduler");
      due.set(name, { at: "dueAt" in when ? when.dueAt : 0, data });
    },
  };
  const config = {
    webhooks: {
      subscribers: urls.map((url) => ({ url, secret, events, accounts: given.accounts })),
      bindings: [],
      topics: [],
    },
  } as unknown as Config;
  const safeFetch = createSafeFetch({ allowHosts: given.allowHosts ?? ["127.0.0.1"] });
  const subscriptions = createSubscriptions({
    runtime: { records: seen.deps.records, jobs: jobs as Jobs },
    belongings: seen.deps.belongings,
    clock,
    log: seen.deps.log,
    subscribers: subscribersOf(config, { safeFetch, clock, bindings: undefined }),
  });
  /** @returns how long it waited, or undefined where nothing is due any more. */
  async function next(): Promise<number | undefined> {
    const [name, job] = [...due].toSorted(([, a], [, b]) => a.at - b.at)[0] ?? [];
    if (name === undefined || job === undefined) return undefined;
    due.delete(name);
    const waited = Math.max(job.at - now, 0);
    now += waited;
    await subscriptions.run(name, job.data);
    return waited;
  }
  const pass = async (ms: number) => {
    now += ms;
    for (const timer of timers.splice(0)) if (timer.at <= now) timer.task();
    await new Promise((resolve) => setTimeout(resolve, 200));
  };
  return { subscriptions, next, pass, due, lines: seen.lines, records: seen.records };
}

function entry(seq: number, more: Partial<OutboundEvent> = {}): OutboundEvent {
  const answer = { parts: [{ kind: "text" as const, text: `CANARY ${seq}`, format: "markdown" as const }] };
  return { v: 1, agent: "person:1" as AgentId, to: direct, seq, answers: [message("?").id], answer, at: 1, ...more };
}
const answer = (seq: number) => answered(entry(seq))!;

describe("an announcement", () => {
  test("comes signed, with what happened, to all who want its kind and account", async () => {
    const [one, two] = [await receiver(), await receiver()];
    const { subscriptions, next } = stage({ urls: [one.url, two.url], events: ["message.answered"] });
    await subscriptions.announce([answer(1), started(message("hi"))]);
    while ((await next()) !== undefined);
    expect(one.got).toEqual(two.got);
    expect(one.got).toHaveLength(1);
    expect(one.got[0]?.body).toMatchObject({
      type: "message.answered",
      timestamp: "1970-01-01T00:00:00.001Z",
      data: { channel: "telegram", account: "a", conversation: direct.conversation, seq: 1, text: "CANARY 1" },
    });
    const other = stage({ urls: [one.url], accounts: ["telegram/other"] });
    await other.subscriptions.announce([answer(1)]);
    expect(await other.next()).toBeUndefined();
  });

  test("that is told again is the same one, and a failure stays one", async () => {
    const { got, url } = await receiver();
    const { subscriptions, next } = stage({ urls: [url], events: ["message.answered"] });
    await Promise.all([1, 2, 3].map(() => subscriptions.announce([answer(1)])));
    while ((await next()) !== undefined);
    await subscriptions.announce([answer(1)]);
    await subscriptions.announce([failed(entry(2), "gone", 2), answer(2)]);
    while ((await next()) !== undefined);
    expect(got.map(({ body }) => body.data["seq"])).toEqual([1]);
    expect(await subscriptions.log(10)).toHaveLength(1);
  });

  test("what nobody asked for is none", () => {
    expect(answered(entry(1, { answers: [] }))).toBeUndefined();
  });
});

describe("a receiver that does not take it", () => {
  test("is asked for a day, under one id, and then it is given up and can be replayed", async () => {
    const { got, url } = await receiver([], 500);
    const { subscriptions, next, lines } = stage({ urls: [url] });
    await subscriptions.announce([answer(1)]);
    const waits: number[] = [];
    for (let wait = await next(); wait !== undefined; wait = await next()) waits.push(wait / 1_000);
    expect(new Set(got.map(({ id }) => id)).size).toBe(1);
    [0, 5, 300, 1_800, 7_200, 18_000, 36_000, 23_095].forEach((seconds, at) => {
      expect(waits[at]).toBeGreaterThanOrEqual(seconds * 0.9);
      expect(waits[at]).toBeLessThanOrEqual(seconds);
    });
    expect(waits).toHaveLength(8);
    const [logged] = await subscriptions.log(10);
    expect(logged).toMatchObject({ state: "given up", name: new URL(url).host });
    expect(logged?.tries.map(({ status }) => status)).toEqual(Array(8).fill(500));
    expect(JSON.stringify([logged, ...lines])).not.toContain("CANARY");
    expect(lines.filter((line) => line.includes('"level":"error"'))).toHaveLength(1);

    expect(await subscriptions.replay(logged?.id ?? "")).toBe(true);
    expect(await subscriptions.replay("none")).toBe(false);
    expect(await next()).toBe(0);
    expect(got).toHaveLength(9);
    expect(got[8]).toEqual(got[0]);
  });

  test("decides with its answer: later, never, or now", async () => {
    const { url } = await receiver([[503, { "retry-after": "120" }], 410]);
    const { subscriptions, next } = stage({ urls: [url] });
    await subscriptions.announce([answer(1)]);
    expect([await next(), await next(), await next()]).toEqual([0, 120_000, undefined]);
    await subscriptions.announce([answer(2)]);
    await next();
    const states = (await subscriptions.log(10)).map(({ state, tries }) => [state, tries.map(({ status }) => status)]);
    expect(states).toEqual([
      ["delivered", [204]],
      ["given up", [503, 410]],
    ]);
  });

  test("in a private network is refused, unless the operator allows its host", async () => {
    const { got, url } = await receiver();
    const { subscriptions, next } = stage({ urls: [url], allowHosts: [] });
    await subscriptions.announce([answer(1)]);
    await next();
    expect(got).toEqual([]);
    expect((await subscriptions.log(1))[0]?.tries[0]?.reason).toContain("not public");
  });

  test("and is slow holds up no other", async () => {
    const [slow, quick] = [await receiver(Array(20).fill("hang")), await receiver()];
    const { subscriptions, due } = stage({ urls: [slow.url, quick.url] });
    for (let seq = 1; seq <= 10; seq++) await subscriptions.announce([answer(seq)]);
    const ran = [...due].map(([name, { data }]) => subscriptions.run(name, data));
    await expect.poll(() => [slow.got.length, quick.got.length]).toEqual([4, expect.any(Number)]);
    // Over the bound of each the rest comes a little later, which is no failure.
    expect(quick.got.length).toBeGreaterThanOrEqual(4);
    await receivers[0]?.close();
    receivers.shift();
    await Promise.all(ran);
    expect(slow.got).toHaveLength(4);
  });
});

describe("without a scheduler", () => {
  test("the process sends by itself, and what waits is taken up by the next start", async () => {
    const { got, url } = await receiver([503]);
    const first = stage({ urls: [url], scheduler: "down" });
    await first.subscriptions.announce([answer(1)]);
    await first.pass(2_000);
    expect(got).toHaveLength(1);
    const second = stage({ urls: [url], records: first.records });
    await second.subscriptions.resume();
    await second.next();
    expect(got.map(({ id }) => id)).toEqual([got[0]?.id, got[0]?.id]);
    await second.subscriptions.resume();
    expect(await second.next()).toBeUndefined();
  });

  test("a subscriber that is configured no more gets nothing", async () => {
    const { got, url } = await receiver();
    const first = stage({ urls: [url] });
    await first.subscriptions.announce([answer(1)]);
    const { subscriptions } = stage({ urls: [], records: first.records });
    for (const [name, { data }] of first.due) await subscriptions.run(name, data);
    expect(got).toEqual([]);
    const [logged] = await subscriptions.log(1);
    expect(logged?.state).toBe("given up");
    await expect(subscriptions.replay(logged?.id ?? "")).rejects.toThrow("not among webhooks.subscribers");
  });
});
