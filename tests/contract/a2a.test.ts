import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { InfrastructureError, TerminalError } from "../../src/errors.ts";
import type { InboundMessage } from "../../src/message.ts";
import { contracts, makeA2a, type A2aPlatform } from "./a2a.ts";
import { probe, type Probe } from "./channel-deps.ts";
import { textIn, until } from "./channel-tools.ts";
import { channelContract } from "./channel.ts";

for (const contract of contracts) channelContract(contract);

const main = { tenant: "acme", channel: "a2a", account: "main" };

async function opened(body: (platform: A2aPlatform, seen: Probe, stop: () => Promise<void>) => Promise<void>) {
  const platform = await makeA2a();
  const seen = probe(main);
  const { stop } = await platform.start(seen.deps);
  try {
    await body(platform, seen, stop);
  } finally {
    await stop();
    await platform.close();
  }
}

it("a2a: the caller is told when the task is durable; the next process hands it over, with the same id", () =>
  opened(async (platform, seen, stop) => {
    seen.gate = new Promise(() => undefined);
    const done = await platform.says("one");
    await until("a hand-over", () => seen.begun > 0);
    expect(await platform.acknowledged(done)).toBe(true);
    await stop();
    const later = probe(main);
    const next = await platform.start(later.deps);
    await later.waitFor("the message", (events) => events.length === 1, 15_000);
    expect(later.accepted[0]?.id).toBe(seen.offered[0]?.id);
    await next.stop();
  }));

it("a2a: one that has to be tried again is, and holds up no other task", () =>
  opened(async (platform, seen) => {
    seen.refusals.push(new InfrastructureError("disk full", { retryAfterMs: 500 }));
    await platform.says("one");
    await until("a hand-over", () => seen.begun > 0);
    await platform.says("two");
    await seen.waitFor("both", (events) => events.length === 2, 15_000);
    expect(seen.accepted.map(textIn).toSorted()).toEqual(["one", "two"]);
    expect(new Set(seen.offered.map(({ id }) => id)).size).toBe(2);
  }));

it("a2a: the same message again is the same task, and is handed over once", () =>
  opened(async (platform, seen) => {
    const done = await platform.says("twice");
    await seen.waitFor("the message", (events) => events.length === 1);
    await platform.redelivers?.(done);
    await sleep(500);
    expect(seen.accepted).toHaveLength(1);
    expect(await platform.all()).toHaveLength(1);
  }));

it("a2a: what can never be accepted fails its task, which tells nothing of why, and blocks nothing", () =>
  opened(async (platform, seen) => {
    seen.refusals.push(new TerminalError("CANARY of the core"));
    await platform.says("poison");
    await until("it has failed", async () => (await platform.all())[0]?.state === "failed");
    await platform.says("still here");
    await seen.waitFor("the next message", (events) => events.length === 1);
    expect(textIn(seen.accepted[0])).toBe("still here");
    expect(JSON.stringify(await platform.all())).not.toContain("CANARY");
  }));

it("a2a: a file comes in with its bytes in the store", () =>
  opened(async (platform, seen) => {
    const bytes = crypto.getRandomValues(new Uint8Array(50_000));
    await platform.sendsFile?.(bytes, "cat.png");
    await seen.waitFor("the file", (events) => events.length === 1);
    const [part] = (seen.accepted[0] as InboundMessage).message.parts;
    expect(part).toMatchObject({ kind: "image", name: "cat.png", size: 50_000, source: { from: "blob" } });
    const source = part !== undefined && "source" in part ? part.source : undefined;
    const kept = await seen.deps.blobs.get(source?.from === "blob" ? source.id : "");
    expect(Buffer.from(await new Response(kept?.body ?? null).arrayBuffer()).equals(bytes)).toBe(true);
  }));
