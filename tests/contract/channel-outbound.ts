/** The channel contract: what goes out. */
import { inspect } from "node:util";
import { describe, expect } from "vitest";
import type { Channel, Outgoing } from "../../src/channel.ts";
import { fateOf, InfrastructureError, RateLimitedError, reasonOf, TerminalError } from "../../src/errors.ts";
import { messageId } from "../../src/ids.ts";
import type { MediaKind } from "../../src/message.ts";
import type { Platform } from "./channel-platform.ts";
import { composed, directTo, send, until, type Setup } from "./channel-tools.ts";

export function outboundChecks({ main, connected }: Setup): void {
  describe("what goes out", () => {
    connected("is taken by the platform at the limit and over it, with nothing lost", async ({ platform, channel }) => {
      const { max } = channel.traits.text;
      const words = (length: number) => `${"word ".repeat(length / 5 + 1).slice(0, length - 1)}x`;
      const code = `# Title\n\n\`\`\`ts\n${Array.from({ length: max / 20 }, (_, n) => `const a${n} = ${n} < 1;`).join("\n")}\n\`\`\`\n\n**end** & <done>`;
      for (const text of [words(max), words(max + 1), code, "😀".repeat(max)]) {
        const parts = composed(channel, { parts: [{ kind: "text", text, format: "markdown" }] });
        const before = (await platform.shown()).length;
        for (const [index, part] of parts.entries()) await send(channel, platform, part, { first: index === 0 });
        const shown = (await platform.shown()).slice(before);
        expect(shown).toHaveLength(parts.length);
        for (const one of shown) expect(one.text).not.toBe("");
        const squeezed = shown
          .map((one) => one.text)
          .join("")
          .replace(/\s/g, "");
        for (const word of text.match(/\w+/g) ?? []) if (word !== "ts") expect(squeezed).toContain(word);
        if (text.startsWith("😀")) expect(squeezed).toBe(text);
      }
    });
    connected("shows formatting, and hostile text as text", async ({ platform, channel }) => {
      const hostile = `<script>alert(1)</script> </b></pre> &lt; & " ' \\ \` * _ ~ [x](javascript:alert(1)) @everyone \u202e`;
      for (const format of ["plain", "markdown"] as const) {
        for (const part of composed(channel, { parts: [{ kind: "text", text: hostile, format }] }))
          await send(channel, platform, part);
      }
      const shown = await platform.shown();
      expect(shown).toHaveLength(2);
      expect(shown[0]?.text).toContain("<script>alert(1)</script>");
      expect(shown[1]?.text).toContain("alert(1)");
    });
    connected("has buttons whose press comes back with the same id", async ({ platform, probe: seen, channel }) => {
      const limits = channel.traits.buttons;
      if (limits === undefined || platform.presses === undefined) throw new Error("no buttons: name a deviation");
      const id = "é".repeat(Math.floor(limits.id / 2));
      const buttons = [
        { id, label: "L".repeat(limits.label) },
        { id: "b:2|x", label: "No" },
        { id: "", label: "Site", url: "https://example.org/" },
      ];
      const [part] = composed(channel, { parts: [{ kind: "text", text: "Sure?", format: "plain" }], buttons });
      if (part === undefined) throw new Error("nothing composed");
      const sent = await send(channel, platform, part);
      const shown = (await platform.shown()).at(-1);
      expect(shown?.buttons.map(({ label }) => label)).toEqual(buttons.map(({ label }) => label));
      for (const button of [id, "b:2|x"]) await platform.presses(sent.id ?? shown?.id ?? "", button);
      await seen.waitFor("both presses", (events) => events.length === 2);
      const presses = seen.accepted.flatMap((event) => (event.kind === "message" ? event.message.parts : []));
      expect(presses).toMatchObject([
        { kind: "press", button: id },
        { kind: "press", button: "b:2|x" },
      ]);
      expect(new Set(seen.accepted.map((event) => event.id)).size).toBe(2);
    });
    connected("takes as many buttons as declared, and a list beyond that", async ({ platform, channel }) => {
      const many = (count: number) => Array.from({ length: count }, (_, n) => ({ id: `b${n}`, label: `Choice ${n}` }));
      const max = channel.traits.buttons?.max ?? 0;
      for (const count of max === 0 ? [3] : [max, max + 1]) {
        const parts = composed(channel, {
          parts: [{ kind: "text", text: "Choose", format: "plain" }],
          buttons: many(count),
        });
        for (const part of parts) await send(channel, platform, part);
        const shown = await platform.shown();
        if (count <= max) expect(shown.at(-1)?.buttons).toHaveLength(count);
        else
          expect(
            shown
              .slice(-parts.length)
              .map((one) => one.text)
              .join("\n"),
          ).toContain(`${count}. Choice ${count - 1}`);
      }
    });
    connected(
      "is every kind of medium that is declared, with the longest caption",
      async ({ platform, probe: seen, channel }) => {
        const caption = "c".repeat(channel.traits.caption.max);
        const bytes = crypto.getRandomValues(new Uint8Array(3_000));
        for (const kind of Object.keys(channel.traits.media) as MediaKind[]) {
          const blob = await seen.deps.blobs.put(new Response(bytes).body ?? new ReadableStream(), {
            type: types[kind],
            name: "a.bin",
            maxBytes: 10_000,
          });
          const media = {
            kind,
            source: { from: "blob" as const, id: blob.id },
            type: blob.type,
            name: "a.bin",
            size: blob.size,
          };
          const words = caption === "" || kind === "sticker" ? {} : { caption };
          await send(channel, platform, { kind: "media", media, ...words });
          const shown = (await platform.shown()).at(-1);
          expect(shown).toMatchObject({ media: kind, size: 3_000, text: words.caption ?? "" });
        }
        const lost = {
          kind: "media",
          media: { kind: "file", source: { from: "blob", id: "gone" }, type: "text/plain" },
        } as const;
        if (Object.keys(channel.traits.media).length > 0)
          await expect(send(channel, platform, lost)).rejects.toBeInstanceOf(TerminalError);
      },
    );
    connected("is a location, itself or as a link", async ({ platform, channel }) => {
      for (const part of composed(channel, { parts: [{ kind: "location", latitude: 52.5, longitude: 13.4 }] })) {
        await send(channel, platform, part);
      }
      const shown = (await platform.shown()).at(-1);
      if (channel.traits.location) expect(shown?.location).toEqual({ latitude: 52.5, longitude: 13.4 });
      else expect(shown?.text).toContain("52.5");
    });
    connected(
      "is a reply where that is declared, and goes out without the message it replied to",
      async ({ platform, probe: seen, channel }) => {
        await platform.says("question");
        await seen.waitFor("the question", (events) => events.length === 1);
        const question = seen.accepted[0];
        await send(channel, platform, { kind: "text", text: "answer" }, { replyTo: question?.id ?? "" });
        const shown = (await platform.shown()).at(-1);
        expect(shown?.replyTo === undefined).toBe(!channel.traits.replies);
        const gone = messageId(main, platform.chat, "m987654321");
        await send(channel, platform, { kind: "text", text: "late answer" }, { replyTo: gone });
        await send(
          channel,
          platform,
          { kind: "text", text: "to another" },
          { replyTo: messageId(main, "other", "callback", "1") },
        );
        expect((await platform.shown()).map(({ text }) => text)).toEqual(["answer", "late answer", "to another"]);
      },
    );
  });

  describe("what the platform took", () => {
    connected("reports delivery", async ({ platform, channel, probe: seen }) => {
      if (channel.traits.receipts === false || platform.reports === undefined)
        throw new Error("no receipts: name a deviation");
      const key = `${directTo(platform, main).conversation}#1.0`;
      const of = async (text: string) => (await send(channel, platform, { kind: "text", text }, { key })).id ?? "";
      const marksOf = (id: string) => seen.marks.filter((mark) => mark.id === id);
      const good = await of("it arrives");
      expect(good).not.toBe("");
      for (const what of ["delivered", "read"] as const) {
        await platform.reports(good, what);
        await until(what, () => marksOf(good).some(({ kind }) => kind === what));
      }
      const bad = await of("it is lost");
      seen.refusals.push(new InfrastructureError("disk full", { retryAfterMs: 50 }));
      seen.unknown = true;
      await platform.reports(bad, "failed");
      await until("it is told again until it is durable", () => marksOf(bad).some(({ kind }) => kind === "failed"));
      await until("what nobody knows is kept", () => seen.aside.length === 1);
      const byKey = channel.traits.receipts === "key";
      for (const mark of seen.marks) {
        expect(mark.key).toBe(byKey ? key : undefined);
        expect(Math.abs(Date.now() - mark.at)).toBeLessThan(60_000);
        if (mark.kind === "failed") expect(mark.reason).toMatch(new RegExp(`^${main.channel}\\b.*\\w{3}`));
      }
      expect(JSON.stringify([seen.aside, seen.lines])).not.toContain("it is lost");
    });
  });

  describe("failures", () => {
    const text: Outgoing = { kind: "text", text: "a secret sentence of the person" };
    const failing = async (platform: Platform, channel: Channel, how: "rate" | "outage" | "hang up" | "gone") => {
      await platform.refuses(how);
      return send(channel, platform, text).then(
        () => expect.fail(`${how}: the send succeeded`),
        (error: unknown) => error,
      );
    };
    connected("say when to come back if the platform asked to slow down", async ({ platform, channel }) => {
      const error = await failing(platform, channel, "rate");
      expect(error).toBeInstanceOf(RateLimitedError);
      expect(fateOf(error)).toEqual({ kind: "retry", counts: false, afterMs: 7_000 });
      await send(channel, platform, text);
    });
    connected("of the platform or the network are tried again", async ({ platform, channel }) => {
      for (const how of ["outage", "hang up"] as const) {
        expect(fateOf(await failing(platform, channel, how))).toMatchObject({ kind: "retry", counts: true });
      }
    });
    connected("that no retry helps are terminal", async ({ platform, channel }) => {
      expect(fateOf(await failing(platform, channel, "gone"))).toEqual({ kind: "terminal" });
    });
    connected("show no secret and no text, in errors and in the log", async ({ platform, channel, probe: seen }) => {
      const errors: unknown[] = [];
      for (const how of ["rate", "outage", "hang up", "gone"] as const)
        errors.push(await failing(platform, channel, how));
      const told =
        errors.map((error) => `${inspect(error, { depth: 20, showHidden: true })} ${reasonOf(error)}`).join("\n") +
        seen.lines.join("\n");
      for (const secret of [...platform.secrets, "secret sentence"]) expect(told).not.toContain(secret);
      for (const error of errors) expect(reasonOf(error)).toContain(main.channel);
    });
    connected("end a send when its signal does", async ({ platform, channel }) => {
      const started = performance.now();
      const sending = send(channel, platform, text, { signal: AbortSignal.abort(new Error("no longer wanted")) });
      await expect(sending).rejects.toThrow();
      expect(performance.now() - started).toBeLessThan(2_000);
    });
  });

  describe("signs of life", () => {
    connected("are there when declared, and only then", async ({ platform, channel }) => {
      const to = directTo(platform, main);
      expect(channel.typing === undefined).toBe(channel.traits.typingMs === undefined);
      await channel.typing?.(to, true);
      await channel.typing?.(to, false);
      expect((await platform.signs()).typing > 0).toBe(channel.traits.typingMs !== undefined);
      expect(channel.preview === undefined).toBe(channel.traits.preview === undefined);
      await channel.preview?.(to, { turn: "t1", text: "Half an **ans" });
      await channel.preview?.(to, { turn: "t1", text: "x".repeat(channel.traits.text.max * 2) });
      expect((await platform.signs()).previews).toHaveLength(
        channel.traits.preview?.in.includes("direct") === true ? 2 : 0,
      );
      expect(await platform.shown(), "a preview is no message").toEqual([]);
    });
    connected("are not shown where they are not declared, and never fail", async ({ platform, channel }) => {
      if (channel.traits.preview === undefined || channel.traits.preview.in.includes("group")) return;
      const group = { ...directTo(platform, main), kind: "group" as const, chat: platform.group ?? "1" };
      await channel.preview?.(group, { turn: "t2", text: "Half" });
      expect((await platform.signs()).previews).toEqual([]);
    });
  });
}

const types: Record<MediaKind, string> = {
  image: "image/png",
  video: "video/mp4",
  audio: "audio/mpeg",
  voice: "audio/ogg",
  file: "application/octet-stream",
  sticker: "image/webp",
};
