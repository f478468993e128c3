import { expect, it } from "vitest";
import type { WhatsAppSettings } from "../../channels/whatsapp/settings.ts";
import { compose } from "../../src/format.ts";
import type { Channel } from "../../src/channel.ts";
import type { Answer } from "../../src/message.ts";
import { probe, type Probe } from "./channel-deps.ts";
import { directTo, send, until } from "./channel-tools.ts";
import { channelContract } from "./channel.ts";
import { contracts, makeWhatsApp, type WhatsAppPlatform } from "./whatsapp.ts";

for (const contract of contracts) channelContract(contract);

const main = { tenant: "acme", channel: "whatsapp", account: "main" };

interface Use {
  readonly platform: WhatsAppPlatform;
  readonly seen: Probe;
  readonly channel: Channel;
}

async function opened(body: (use: Use) => Promise<void>, more: Partial<WhatsAppSettings> = {}) {
  const platform = await makeWhatsApp(more);
  const seen = probe(main);
  const running = await platform.start(seen.deps);
  try {
    await body({ platform, seen, channel: running.channel });
  } finally {
    await running.stop();
    await platform.close();
  }
}

const composed = (channel: Channel, answer: Answer) => compose(answer, channel, { notice: (key) => key });
const text = (words: string) => ({ kind: "text", text: words, format: "plain" }) as const;

it("whatsapp: choices are buttons or a list, a link among them stands in the text, and presses come back with their id", () =>
  opened(async ({ platform, seen, channel }) => {
    const limits = channel.traits.buttons;
    const id = "é".repeat((limits?.id ?? 0) / 2);
    const buttons = [
      { id, label: "L".repeat(limits?.label ?? 0) },
      { id: "b:2|x", label: "No" },
      { id: "", label: "Site", url: "https://example.org/" },
    ];
    for (const part of composed(channel, { parts: [text("Sure?")], buttons })) await send(channel, platform, part);
    const [shown] = await platform.shown();
    expect(shown?.buttons.map(({ label }) => label)).toEqual([buttons[0]?.label, "No"]);
    expect(shown?.text).toBe("Sure?\n\nSite: https://example.org/");
    for (const button of [id, "b:2|x"]) await platform.presses?.(shown?.id ?? "", button);
    await seen.waitFor("both presses", (events) => events.length === 2);
    expect(seen.accepted.flatMap((event) => (event.kind === "message" ? event.message.parts : []))).toMatchObject([
      { kind: "press", button: id },
      { kind: "press", button: "b:2|x" },
    ]);

    const few = [1, 2, 3].map((n) => ({ id: `b${n}`, label: `Choice ${n}` }));
    for (const part of composed(channel, { parts: [text("Which?")], buttons: few }))
      await send(channel, platform, part);
    expect(platform.fake.said(platform.chat).at(-1)?.body["interactive"]).toMatchObject({ type: "button" });
    await platform.presses?.((await platform.shown()).at(-1)?.id ?? "", "b3");
    await seen.waitFor("the third press", (events) => events.length === 3);
  }));

it("whatsapp: one link alone is a button that opens it", () =>
  opened(async ({ platform, channel }) => {
    const buttons = [{ id: "", label: "Open", url: "https://example.org/" }];
    for (const part of composed(channel, { parts: [text("Here")], buttons })) await send(channel, platform, part);
    expect(await platform.shown()).toMatchObject([
      { text: "Here", buttons: [{ label: "Open", url: "https://example.org/" }] },
    ]);
  }));

it.each([
  ["image", "image/png", 1],
  ["video", "video/mp4", 1],
  ["file", "application/octet-stream", 1],
  ["sticker", "image/webp", 2],
  ["audio", "audio/mpeg", 2],
  ["voice", "audio/ogg", 2],
] as const)(
  "whatsapp: %s goes out with the longest caption, under it or as a message of its own",
  (kind, type, count) =>
    opened(async ({ platform, seen, channel }) => {
      const bytes = crypto.getRandomValues(new Uint8Array(3_000));
      const body = new Response(bytes).body ?? new ReadableStream();
      const blob = await seen.deps.blobs.put(body, { type, name: "a.bin", maxBytes: 10_000 });
      const media = { kind, source: { from: "blob" as const, id: blob.id }, type, name: "a.bin", size: blob.size };
      const caption = "c".repeat(channel.traits.caption.max);
      await send(channel, platform, { kind: "media", media, caption });
      const shown = await platform.shown();
      expect(shown).toHaveLength(count);
      expect(shown[0]).toMatchObject({ media: kind, size: 3_000 });
      expect(shown.at(-1)?.text).toBe(caption);
    }),
);

it("whatsapp: typing is shown under the message that came in, marks it as read, and is refused nowhere", () =>
  opened(async ({ platform, seen, channel }) => {
    await channel.typing?.(directTo(platform, main), true);
    expect((await platform.signs()).typing).toBe(0);
    const { id } = await platform.says("hello");
    await seen.waitFor("the message", (events) => events.length === 1);
    await channel.typing?.(directTo(platform, main), true);
    await channel.typing?.(directTo(platform, main), false);
    const reads = platform.fake.calls.filter(({ operation }) => operation === "read");
    expect(reads.map(({ body, status }) => [body["message_id"], status])).toEqual([[id, 200]]);
    expect(await platform.shown()).toEqual([]);
  }));

it("whatsapp: the doctor tells the app's secret from another's", () =>
  opened(
    async ({ channel }) => {
      const findings = await channel.check?.(AbortSignal.timeout(5_000));
      expect(findings?.map(({ ok }) => ok)).toEqual([true, false, true]);
      expect(findings?.[1]).toMatchObject({ text: expect.stringContaining("WHATSAPP_APP_SECRET") as string });
    },
    { appSecret: "ffffffffffffffffffffffffffffffff" },
  ));

it("whatsapp: a message to another number of the same app is kept as a dead letter that says so, its statuses are not", () =>
  opened(async ({ platform, seen }) => {
    const metadata = { display_phone_number: "15550000000", phone_number_id: "999" };
    const messages = [
      { from: "1", id: "wamid.other", timestamp: "1795430000", type: "text", text: { body: "for another" } },
    ];
    const statuses = [{ id: "wamid.sent", status: "sent", timestamp: "1795430000" }];
    platform.fake.posts({ metadata, messages, statuses });
    await until("it is set aside", () => seen.aside.length === 1);
    expect(seen.aside[0]?.reason).toMatch(/another number \(id 999\)/);
    expect(seen.accepted).toEqual([]);
  }));

it("whatsapp: the address of a medium is asked for anew when it ran out", () =>
  opened(async ({ platform, seen, channel }) => {
    await platform.sendsFile?.(new Uint8Array([1, 2, 3]), "a.pdf");
    await seen.waitFor("the file", (events) => events.length === 1);
    const [event] = seen.accepted;
    const part = event?.kind === "message" ? event.message.parts[0] : undefined;
    const ref = part?.kind === "file" && part.source.from === "platform" ? part.source.ref : "";
    platform.fake.fault({ kind: "error", code: 404, status: 404, operation: "download", times: 1 });
    await expect(channel.fetchMedia?.(ref, AbortSignal.timeout(5_000))).rejects.toMatchObject({
      name: "RetryableError",
    });
    const again = await channel.fetchMedia?.(ref, AbortSignal.timeout(5_000));
    expect([...new Uint8Array(await new Response(again?.body ?? null).arrayBuffer())]).toEqual([1, 2, 3]);
    expect(platform.fake.calls.filter(({ operation }) => operation === "media")).toHaveLength(2);
  }));
