/** What WhatsApp Web does in its own way; the contract is in `channels-on-runtimes.test.ts`, on each runtime. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "./channel.ts";
import { needs } from "../needs.ts";
import { probe, type Probe } from "./channel-deps.ts";
import { send, textIn } from "./channel-tools.ts";
import { makeWhatsAppWeb, type WhatsAppWebPlatform } from "./whatsapp-web.ts";

const chromium = needs("chromium");
const openssl = needs("openssl");

describe.skipIf(chromium.missing || openssl.missing)("in a browser", () => {
  describe("what WhatsApp Web does in its own way", () => {
    const main = { tenant: "acme", channel: "whatsapp", account: "main" };
    let platform: WhatsAppWebPlatform;
    let seen: Probe;
    let running: Running;
    beforeAll(async () => {
      platform = await makeWhatsAppWeb(chromium.path);
      seen = probe(main);
      running = await platform.start(seen.deps);
    });
    afterAll(async () => {
      await running?.stop();
      await platform?.close();
    });

    it.each([
      ["image", "image/png", 1],
      ["video", "video/mp4", 1],
      ["file", "application/octet-stream", 1],
      ["sticker", "image/webp", 2],
      ["audio", "audio/mpeg", 2],
      ["voice", "audio/ogg", 2],
    ] as const)(
      "%s goes out with the longest caption, under it or as a message of its own",
      async (kind, type, count) => {
        const bytes = crypto.getRandomValues(new Uint8Array(3_000));
        const body = new Response(bytes).body ?? new ReadableStream();
        const blob = await seen.deps.blobs.put(body, { type, name: "a.bin", maxBytes: 10_000 });
        const media = { kind, source: { from: "blob" as const, id: blob.id }, type, name: "a.bin", size: blob.size };
        const caption = "c".repeat(running.channel.traits.caption.max);
        const before = (await platform.shown()).length;
        await send(running.channel, platform, { kind: "media", media, caption });
        const shown = (await platform.shown()).slice(before);
        expect(shown).toHaveLength(count);
        expect(shown[0]).toMatchObject({ media: kind, size: 3_000 });
        expect(shown.at(-1)?.text).toBe(caption);
        expect(platform.fake.sent[before]?.content).toBe(Buffer.from(bytes).toString("base64"));
      },
    );

    it("an edit comes in as one, and what is told ten times has one id", async () => {
      const { id } = await platform.says("teh cat");
      await Promise.all(Array.from({ length: 9 }, () => platform.fake.repeats(id)));
      await platform.fake.edits(id, "the cat");
      await seen.waitFor("all of it", (events) => events.length === 11);
      const [first, ...others] = seen.accepted;
      expect(new Set(seen.accepted.slice(0, 10).map((event) => event.id)).size).toBe(1);
      expect(others.at(-1)).toMatchObject({
        kind: "edited",
        target: first?.id,
        message: { parts: [{ text: "the cat" }] },
      });
    });

    it("what came in the last hour is read again by the next process, under the same ids", async () => {
      const ids = seen.accepted.map((event) => event.id);
      await running.stop();
      await platform.says("meanwhile");
      const later = probe(main, { records: seen.records });
      running = await platform.start(later.deps);
      await later.waitFor("what came meanwhile", (events) => events.some((event) => textIn(event) === "meanwhile"));
      expect(later.accepted.slice(0, -1).every(({ id }) => ids.includes(id))).toBe(true);
    });
  });
});
