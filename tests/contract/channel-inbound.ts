/** The channel contract: what comes in. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect } from "vitest";
import { InfrastructureError, OverloadedError, TerminalError } from "../../src/errors.ts";
import { textIn, until, type Setup } from "./channel-tools.ts";

export function inboundChecks({ contract, main, connected }: Setup): void {
  describe("what comes in", () => {
    connected("is handed over once, as it was written", async ({ platform, probe: seen }) => {
      const done = await platform.says("Hello <b>there</b> & *you*");
      await seen.waitFor("one message", (events) => events.length === 1);
      expect(textIn(seen.accepted[0])).toBe("Hello <b>there</b> & *you*");
      expect(seen.accepted[0]?.address.chat).toBe(platform.chat);
      await until("acknowledged", () => platform.acknowledged(done));
      await sleep(50);
      expect(seen.accepted).toHaveLength(1);
    });
    connected("keeps its order", async ({ platform, probe: seen }) => {
      const texts = Array.from({ length: 20 }, (_, n) => `message ${n}`);
      for (const text of texts) await platform.says(text);
      await seen.waitFor("twenty messages", (events) => events.length >= 20);
      expect(seen.accepted.map(textIn)).toEqual(texts);
      const sequence = seen.accepted.map((event) => event.sequence ?? event.sentAt ?? 0);
      expect(sequence.toSorted((a, b) => a - b)).toEqual(sequence);
    });
    connected("is acknowledged only after inbound has it", async ({ platform, probe: seen }) => {
      const gate = Promise.withResolvers<void>();
      seen.gate = gate.promise;
      const done = await platform.says("wait for me");
      await until("a hand-over", () => seen.begun > 0);
      await sleep(200);
      expect(await platform.acknowledged(done)).toBe(false);
      gate.resolve();
      await until("acknowledged", () => platform.acknowledged(done));
      expect(seen.accepted).toHaveLength(1);
    });
    connected(
      "is not acknowledged when inbound refuses, and comes again with the same id",
      async ({ platform, probe: seen }) => {
        seen.refusals.push(new OverloadedError("full", { retryAfterMs: 50 }), new InfrastructureError("disk full"));
        const done = await platform.says("again");
        await seen.waitFor("the redelivery", (events) => events.length === 1, 15_000);
        await until("acknowledged", () => platform.acknowledged(done));
        expect(seen.begun).toBe(3);
        expect(new Set(seen.offered.map(({ id }) => id)).size).toBe(1);
      },
    );
    connected("has the same id when the platform delivers it again", async ({ platform, probe: seen }) => {
      const done = await platform.says("twice");
      await seen.waitFor("the message", (events) => events.length === 1);
      if (platform.redelivers === undefined) throw new Error("the platform's fake cannot redeliver: name a deviation");
      await platform.redelivers(done);
      await seen.waitFor("the redelivery", (events) => events.length === 2);
      expect(seen.accepted[1]).toMatchObject({ id: seen.accepted[0]?.id, address: seen.accepted[0]?.address });
    });
    connected(
      "is taken over by the next process when this one ends before it is durable",
      async ({ platform, probe: seen, running, later: again }) => {
        seen.refusals.push(...Array.from({ length: 50 }, () => new InfrastructureError("disk full")));
        await platform.says("one");
        await until("a hand-over", () => seen.begun > 0);
        await running.stop();
        const begun = seen.begun;
        await platform.says("two").catch(() => undefined);
        const later = again();
        const next = await platform.start(later.deps);
        try {
          await later.waitFor("both messages", (events) => events.length >= 2, 15_000);
          expect(later.accepted.map(textIn)).toEqual(["one", "two"]);
          expect(later.accepted[0]?.id).toBe(seen.offered[0]?.id);
          expect(seen.begun, "handed over after its end").toBe(begun);
        } finally {
          await next.stop();
        }
      },
    );
    connected("does not come again after an orderly end", async ({ platform, probe: seen, running, later: again }) => {
      await platform.says("done");
      await seen.waitFor("the message", (events) => events.length === 1);
      await running.stop();
      const later = again();
      const next = await platform.start(later.deps);
      try {
        await platform.says("new");
        await later.waitFor("the next message", (events) => events.length >= 1);
        expect(later.accepted.map(textIn)).toEqual(["new"]);
      } finally {
        await next.stop();
      }
    });
    connected("that nobody can read is set aside visibly and blocks nothing", async ({ platform, probe: seen }) => {
      if (platform.sendsGarbage === undefined)
        throw new Error("the platform's fake sends no garbage: name a deviation");
      await platform.sendsGarbage();
      await platform.says("still here");
      await seen.waitFor("the next message", (events) => events.length === 1);
      expect(seen.lines.filter((line) => line.includes('"level":"error"'))).not.toEqual([]);
      expect(seen.aside).toHaveLength(1);
      expect(seen.aside[0]).toMatchObject({ account: main, raw: expect.any(Object) as object });
    });
    connected(
      "and can never be accepted is set aside visibly and blocks nothing",
      async ({ platform, probe: seen }) => {
        seen.refusals.push(...Array.from({ length: 2 }, () => new TerminalError("not for us")));
        await platform.says("poison");
        await until("it is set aside", () => seen.aside.length === 1);
        seen.refusals.length = 0;
        await platform.says("still here");
        await seen.waitFor("the next message", (events) => events.length === 1);
        expect(textIn(seen.accepted[0])).toBe("still here");
      },
    );
    connected(
      "can be a file, whose bytes can be fetched and are bounded",
      async ({ platform, probe: seen, channel }) => {
        if (platform.sendsFile === undefined || channel.fetchMedia === undefined)
          throw new Error("no media come in: name a deviation");
        const bytes = crypto.getRandomValues(new Uint8Array(50_000));
        await platform.sendsFile(bytes, "data.bin");
        await seen.waitFor("the file", (events) => events.length === 1);
        const event = seen.accepted[0];
        const part = event?.kind === "message" ? event.message.parts.find((one) => one.kind === "file") : undefined;
        if (part?.kind !== "file" || part.source.from !== "platform") throw new Error("no file part");
        const fetched = await channel.fetchMedia(part.source.ref, AbortSignal.timeout(5_000));
        expect(Buffer.from(await new Response(fetched.body).arrayBuffer()).equals(bytes)).toBe(true);
        const gone = channel.fetchMedia("no-such-file", AbortSignal.timeout(5_000));
        await expect(gone).rejects.toBeInstanceOf(TerminalError);
      },
    );
  });

  describe("requests", () => {
    connected(
      "without the platform's signature are refused and nothing comes in",
      async ({ platform, probe: seen, channel }) => {
        const payload = contract.genuine.find(({ tags }) => tags.includes("text"))?.payload;
        if (platform.requests === undefined || channel.handle === undefined)
          throw new Error("no requests: name a deviation");
        const forged = Object.entries(platform.requests.forged(payload));
        expect(forged).not.toEqual([]);
        for (const [wrong, request] of forged) {
          const response = await channel.handle(request);
          expect([wrong, response.status]).toEqual([wrong, 401]);
        }
        expect(seen.begun).toBe(0);
        expect((await channel.handle(platform.requests.genuine(payload))).ok).toBe(true);
        expect(seen.accepted).toHaveLength(1);
      },
    );
    connected(
      "that are no events are refused for good; those that come too soon may come back",
      async ({ platform, probe: seen, channel }) => {
        const payload = contract.genuine.find(({ tags }) => tags.includes("text"))?.payload;
        if (platform.requests === undefined || channel.handle === undefined)
          throw new Error("no requests: name a deviation");
        expect((await channel.handle(platform.requests.genuine("garbage"))).status).toBe(400);
        seen.refusals.push(new OverloadedError("full", { retryAfterMs: 3_000 }));
        const response = await channel.handle(platform.requests.genuine(payload));
        expect(response.status).toBe(503);
        expect(response.headers.get("retry-after")).toBe("3");
      },
    );
  });
}
