/** Which skilled agents a gateway on Dapr knows, as they say that they run, and stop saying it. */
import { expect, test } from "vitest";
import type { Config } from "../../src/main/config.ts";
import { createDelegates } from "../../src/main/delegates.ts";
import { settings } from "../../src/main/settings.ts";
import { InfrastructureError, RetryableError } from "../../src/errors.ts";
import { createRegistry } from "../../src/registry.ts";
import { clock as realClock } from "../integration/embedded-fixture.ts";
import { memoryRecords, quiet } from "./client-agent.fixture.ts";

const caller = { tenant: "t", id: "c" };

function open() {
  let passedMs = 0;
  const clock = { ...realClock, monotonic: () => realClock.monotonic() + passedMs };
  const stored = memoryRecords();
  let away = false;
  const get: typeof stored.get = async (key) => {
    if (away) throw new InfrastructureError("the store is away");
    return stored.get(key);
  };
  const records = { ...stored, get };
  const config = settings.parse({ runtime: "dapr" }) as unknown as Config;
  const server = { handle: () => Promise.reject(new Error("not here")) };
  const peers = createDelegates({
    config,
    local: [],
    known: ["researcher"],
    server,
    secret: "s".repeat(43),
    records,
    clock,
    log: quiet,
  });
  const register = () =>
    createRegistry({ records, clock, log: quiet }).register({ name: "researcher", address: "http://127.0.0.1:9" });
  const names = async () => (await peers.all()).map(({ name }) => name);
  return {
    peers,
    register,
    names,
    passes: (ms: number) => void (passedMs += ms),
    storeIsAway: () => void (away = true),
  };
}

test("an agent that has said that it runs is there, also while nobody can read where it is", async () => {
  const { passes, register, names, storeIsAway } = open();
  expect(await names()).toEqual([]);
  passes(6_000);
  register();
  expect(await names()).toEqual(["researcher"]);
  storeIsAway();
  passes(6_000);
  expect(await names()).toEqual(["researcher"]);
});

test("one that runs nowhere is not offered, and keeps its tasks: they cannot be asked for now", async () => {
  const { passes, peers, register, names } = open();
  const leave = register();
  expect(await names()).toEqual(["researcher"]);
  await leave();
  passes(6_000);
  expect(await names()).toEqual([]);
  const peer = await peers.of("researcher");
  await expect(peer?.get(caller, "t1", AbortSignal.timeout(5_000))).rejects.toThrow(RetryableError);
  await expect(peer?.cancel(caller, "t1", AbortSignal.timeout(5_000))).rejects.toThrow(RetryableError);
  expect(await peers.of("nobody")).toBeUndefined();
});
