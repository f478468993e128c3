/** The process itself: one per data, told to stop, out of disk. */
import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { needs } from "../needs.ts";
import { createGateway } from "./gateway-process.ts";
import { eventually, expectKept, openStage, runsOf, said, untilQuiet } from "./stage.ts";

const graceMs = 2_000;
/** What a busy machine may add. */
const lateMs = 1_500;

test("a second gateway on the same data is refused, naming the first, which goes on", async () => {
  const stage = await openStage();
  const { platform, gateway } = stage;
  const second = await createGateway({ env: () => ({ ASCENT_DATA: gateway.data, ASCENT_MODEL: "demo" }) });
  try {
    const exit = await second.ascent("start");
    expect(exit.code).toBe(1);
    expect(exit.err).toContain(`process ${gateway.pid} at ${gateway.url}`);
    expect(exit.err).toContain(gateway.data);
    await platform.user(7).sends(7, "hello m-7-1");
    await untilQuiet(stage);
    expectKept(stage);

    // The lock dies with its process, however it dies.
    await gateway.kill();
    await gateway.start();
    await platform.user(7).sends(7, "hello m-7-2");
    await untilQuiet(stage);
    expect(said(stage, 7)).toEqual(["answer to: hello m-7-1", "answer to: hello m-7-2"]);
  } finally {
    await second.close();
  }
});

test(
  "SIGTERM while a model hangs: it exits within its grace time, and the next life answers",
  { timeout: 30_000 },
  async () => {
    const stage = await openStage({ config: { server: { graceSeconds: graceMs / 1_000 } } });
    const { platform, model, gateway } = stage;
    await model.rule({ contains: "hang", times: 1, reply: { failure: { kind: "hang" } } });
    await platform.user(7).sends(7, "hang m-7-1");
    await eventually("the turn runs", () => model.log.length === 1);
    const exit = await gateway.terminate();
    expect(exit).toMatchObject({ code: 0, signal: null });
    expect(exit.ms).toBeLessThan(graceMs + lateMs);
    await gateway.start();
    await untilQuiet(stage);
    expect(said(stage, 7)).toEqual(["answer to: hang m-7-1"]);
    expectKept(stage);
  },
);

test(
  "SIGTERM while a platform makes us wait: it exits within its grace time, and the next life sends, once",
  { timeout: 30_000 },
  async () => {
    const stage = await openStage({ config: { server: { graceSeconds: graceMs / 1_000 } } });
    const { platform, gateway } = stage;
    await platform.fault({ method: "sendMessage", chat: 7, kind: "rate_limit", retryAfter: 4, times: 1 });
    await platform.fault({ method: "sendMessage", chat: 8, kind: "rate_limit", retryAfter: 30, times: 1 });
    await platform.user(7).sends(7, "hello m-7-1");
    await platform.user(8).sends(8, "hello m-8-1");
    await eventually("both were refused", () => platform.log.calls.filter(({ status }) => status === 429).length === 2);
    const exit = await gateway.terminate();
    expect(exit).toMatchObject({ code: 0, signal: null });
    expect(exit.ms).toBeLessThan(graceMs + lateMs);
    await gateway.start();
    await untilQuiet(stage);
    expect([...said(stage, 7), ...said(stage, 8)]).toEqual(["answer to: hello m-7-1", "answer to: hello m-8-1"]);
    expectKept(stage);
  },
);

test(
  "SIGTERM while a platform does not answer at all: it exits within its grace time",
  { timeout: 30_000 },
  async () => {
    const stage = await openStage({ config: { server: { graceSeconds: graceMs / 1_000 } } });
    const { platform, model, gateway } = stage;
    await platform.user(7).sends(7, "hello m-7-1");
    await untilQuiet(stage);
    await model.rule({ contains: "slow", reply: { latencyMs: 500 } });
    await platform.user(7).sends(7, "slow m-7-2");
    await eventually("the turn runs", () => model.log.length === 2);
    await platform.fault({ kind: "hang" });
    await eventually(
      "a send hangs",
      () => platform.log.calls.filter(({ method }) => method === "sendmessage").length === 2,
    );
    const exit = await gateway.terminate();
    expect(exit).toMatchObject({ code: 0, signal: null });
    expect(exit.ms).toBeLessThan(graceMs + lateMs);
    await platform.clearFaults();
    await gateway.start();
    await untilQuiet(stage);
    expect(said(stage, 7)).toEqual(["answer to: hello m-7-1", "answer to: slow m-7-2"]);
    expectKept(stage);
  },
);

test("a second signal ends it at once, and nothing is lost by that", { timeout: 30_000 }, async () => {
  const stage = await openStage({ config: { server: { graceSeconds: 20 } } });
  const { platform, model, gateway } = stage;
  await model.rule({ contains: "hang", times: 1, reply: { failure: { kind: "hang" } } });
  await platform.user(7).sends(7, "hang m-7-1");
  await eventually("the turn runs", () => model.log.length === 1);
  const began = performance.now();
  const ended = gateway.terminate();
  await sleep(300);
  process.kill(gateway.pid, "SIGTERM");
  expect(await ended).toMatchObject({ code: 1 });
  expect(performance.now() - began).toBeLessThan(1_500);
  await gateway.start();
  await untilQuiet(stage);
  expectKept(stage);
});

test("the gateway is ready when its channels are connected, and without one whose platform does not answer", async () => {
  const { platform, gateway } = await openStage({ by: "webhook" });
  const readyz = async () => {
    const response = await fetch(`${gateway.url}/readyz`).catch(() => undefined);
    return response && { status: response.status, text: await response.text() };
  };
  const connecting = { status: 503, text: expect.stringContaining("Still connecting: telegram/main.") as string };
  for (const fault of [{ kind: "delay", ms: 1_500 }, { kind: "hang" }] as const) {
    await gateway.kill();
    await platform.fault({ method: "getMe", times: 1, ...fault });
    gateway.launch();
    await eventually("it listens", readyz);
    await eventually("it connects", async () => (await readyz())?.text.includes("connecting"));
    expect(await readyz()).toEqual(connecting);
    const began = performance.now();
    await gateway.ready();
    const waited = performance.now() - began > 4_000;
    expect(waited).toBe(fault.kind === "hang");
    expect(gateway.output().includes('"channels":["telegram/main"]')).toBe(fault.kind === "hang");
  }
});

const prlimit = needs("prlimit");
describe.skipIf(prlimit.missing)("a disk that takes nothing more", () => {
  test(
    "nothing is acknowledged and lost; when there is room again all is answered without repair",
    { timeout: 60_000 },
    async () => {
      const stage = await openStage({ by: "webhook" });
      const { platform, gateway } = stage;
      const limit = (bytes: string) => execFileSync(prlimit.path, ["--pid", String(gateway.pid), `--fsize=${bytes}`]);
      await platform.user(7).sends(7, "hello m-7-1");
      await untilQuiet(stage);
      limit("4096:unlimited");
      await platform.user(7).sends(7, "hello m-7-2");
      await platform.user(8).sends(8, "hello m-8-1");
      await eventually(
        "the gateway says that it is not ready",
        async () => (await fetch(`${gateway.url}/readyz`)).status === 503,
      );
      await sleep(500);
      const unconfirmed = platform.log.updates.filter(({ confirmedAt }) => confirmedAt === undefined);
      expect(unconfirmed.map(({ text }) => text)).toEqual(["hello m-7-2", "hello m-8-1"]);
      expect(runsOf(stage, "m-7-2")).toEqual([]);
      limit("unlimited:unlimited");
      await gateway.ready(10_000);
      await untilQuiet(stage);
      expectKept(stage);
      expect(said(stage, 7)).toEqual(["answer to: hello m-7-1", "answer to: hello m-7-2"]);
    },
  );
});
