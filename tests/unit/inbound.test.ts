/** What the way in tells of the order in which things came, where the bus keeps none. */
import { expect, it } from "vitest";
import type { MessageId } from "../../src/ids.ts";
import { createTime, openDoor, says } from "./access.fixture.ts";

const message = says();
const named = (name: string) => ({ ...message, id: name as MessageId });

function door() {
  const time = createTime();
  const opened = openDoor({}, { time, ordered: false });
  return {
    time,
    fails(error: Error | undefined) {
      opened.outage = error;
    },
    hangs(until: Promise<void> | undefined) {
      opened.held = until;
    },
    arrivals: () => opened.published.map(({ arrival }) => arrival?.n),
    async takes(name: string): Promise<string[]> {
      await opened.inbound.accept([named(name)]);
      const { previous, earlier } = opened.envelopes.at(-1) ?? {};
      return [previous, ...(earlier?.split(" ") ?? [])].filter((id) => id !== undefined);
    },
  };
}

it("an event names the one before it, and those of the last 15 seconds", async () => {
  const { time, takes } = door();
  expect(await takes("m1")).toEqual([]);
  time.pass(10_000);
  expect(await takes("m2")).toEqual(["m1"]);
  time.pass(10_000);
  expect(await takes("m3")).toEqual(["m2"]);
  expect(await takes("m4")).toEqual(["m3", "m2"]);
  time.pass(20_000);
  expect(await takes("m5")).toEqual(["m4"]);
});

it("a late copy of what another process took hides nothing from the next event", async () => {
  const { takes } = door();
  await takes("m2");
  await takes("copy of m1");
  expect(await takes("m3")).toEqual(["copy of m1", "m2"]);
});

it("an event that comes twice names the same ones both times, and stands once before the next", async () => {
  const { takes } = door();
  await takes("m1");
  await takes("m2");
  expect(await takes("m1")).toEqual([]);
  expect(await takes("m3")).toEqual(["m2", "m1"]);
});

it("an event that comes twice has its first place both times", async () => {
  const { takes, arrivals } = door();
  for (const name of ["m1", "m2", "m1", "m3"]) await takes(name);
  expect(arrivals()).toEqual([1, 2, 1, 3]);
});

it("what was not published is not waited for", async () => {
  const { takes, fails } = door();
  await takes("m1");
  fails(new Error("the bus is away"));
  await expect(takes("m2")).rejects.toThrow("away");
  fails(undefined);
  expect(await takes("m3")).toEqual(["m1"]);
});

it("what was published by a second call is waited for, though the first one fails late", async () => {
  const { takes, hangs } = door();
  const { promise, reject } = Promise.withResolvers<void>();
  hangs(promise);
  const slow = takes("m1");
  await new Promise(setImmediate);
  hangs(undefined);
  await takes("m1");
  reject(new Error("the bus is away"));
  await expect(slow).rejects.toThrow("away");
  expect(await takes("m2")).toEqual(["m1"]);
});

it("a conversation in which nothing has come for a while names nothing", async () => {
  const { time, takes } = door();
  await takes("m1");
  for (let n = 0; n < 4; n++) time.pass(30_000);
  expect(await takes("m2")).toEqual([]);
});
