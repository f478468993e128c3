/** WhatsApp Web: the real client in a real Chromium, on a page that does what WhatsApp's modules do. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { whatsappSettings, type WhatsAppSettings } from "../../channels/whatsapp/settings.ts";
import { whatsappWeb } from "../../channels/whatsapp/web/index.ts";
import { InfrastructureError, TerminalError } from "../../src/errors.ts";
import { conversationId } from "../../src/ids.ts";
import { createConsole } from "../../channels/console/index.ts";
import { operatorsSettings } from "../../channels/console/settings.ts";
import type { Channel, Connection, SendContext } from "../../src/channel.ts";
import { createConnections } from "../../src/connections.ts";
import { createConnecting } from "../../src/main/connecting.ts";
import { operationsOf, type Operated } from "../../src/operations.ts";
import { probe, type Probe } from "../contract/channel-deps.ts";
import { textIn } from "../contract/channel-tools.ts";
import { startWhatsAppWebFake, webText, type WebFakeOptions } from "../fakes/whatsapp-web.ts";
import { needs } from "../needs.ts";
import { serveChannels } from "../unit/web-deps.ts";
import { eventually } from "./stage.ts";

const account = { tenant: "acme", channel: "whatsapp", account: "main" };
const ann = "16505551234@c.us";
const chromium = needs("chromium");
const openssl = needs("openssl");
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function place(options: WebFakeOptions = {}) {
  const home = await mkdtemp(join(tmpdir(), "ascent-web-"));
  ends.push(() => rm(home, { recursive: true, force: true, maxRetries: 5 }));
  const whatsapp = await startWhatsAppWebFake(chromium.path, options);
  ends.push(whatsapp.close);
  return { home, whatsapp };
}

type Connecting = (channel: Channel, signal: AbortSignal) => Promise<Connection | undefined> | undefined;

/** A gateway's life with this channel. */
function open(
  { home, whatsapp }: Awaited<ReturnType<typeof place>>,
  seen: Probe,
  settings: Partial<WhatsAppSettings> = {},
  connect: Connecting = (channel, signal) => channel.connect?.(signal),
) {
  const printed: string[] = [];
  const options = whatsappSettings.parse({ web: "on", chromium: whatsapp.chromium, ...settings });
  const print = (text: string) => void printed.push(text);
  const channel = whatsappWeb(options, seen.deps, { directory: join(home, "session"), print });
  const end = new AbortController();
  const connected = connect(channel, end.signal);
  const stop = async () => {
    end.abort();
    await (
      await connected
    )?.closed;
  };
  ends.push(stop);
  return { channel, printed, connected, stop };
}

function context(more: Partial<SendContext> = {}): SendContext {
  const to = { ...account, conversation: conversationId(account, ann), kind: "direct" as const, chat: ann };
  const base = { to, key: "k", answers: [], notice: false, first: true, last: true, again: false };
  return { ...base, signal: AbortSignal.timeout(10_000), ...more };
}

const isReady = (of: unknown) => {
  const { state, link } = of as { state: string; link?: { state: string } };
  return state === "connected" && link?.state === "ready";
};

describe.skipIf(chromium.missing || openssl.missing)("whatsapp web", { timeout: 60_000 }, () => {
  it("shows a code to scan, then takes and answers messages, and keeps its session for the next process", async () => {
    const at = await place({ code: "scan-me", linked: false });
    const { whatsapp } = at;
    const records = new Map<string, unknown>();
    const seen = probe(account, { records });
    const first = open(at, seen);
    await eventually("a code is printed", () => first.printed.length > 0, 30_000);
    expect(first.printed[0]).toMatch(/█▀|▄█/);
    const waiting = await first.channel.check?.(AbortSignal.timeout(1_000));
    expect(waiting).toMatchObject([{ ok: false, text: expect.stringContaining("waits for a scan") as string }]);
    await expect(first.channel.send({ kind: "text", text: "too early" }, context())).rejects.toBeInstanceOf(
      InfrastructureError,
    );

    await whatsapp.scan();
    await first.connected;
    expect(await first.channel.check?.(AbortSignal.timeout(1_000))).toMatchObject([{ ok: true }]);
    await whatsapp.says(webText(ann, "hello *there*"));
    await seen.waitFor("the message", (events) => events.length === 1);
    const [event] = seen.accepted;
    expect(event).toMatchObject({ address: { chat: ann, kind: "direct" }, participant: { user: ann, name: "Ann" } });
    expect(textIn(event)).toBe("hello *there*");
    await first.channel.typing?.(context().to, true);
    const { id } = await first.channel.send({ kind: "text", text: "hi" }, context());
    await first.channel.send({ kind: "location", latitude: 52.5, longitude: 13.4 }, context());
    expect(whatsapp.sent).toMatchObject([
      { chat: ann, id, body: "hi", type: "chat" },
      { type: "location", lat: 52.5 },
    ]);
    expect(whatsapp.signs).toContainEqual(["typing", ann]);
    expect(seen.lines.join("\n")).not.toContain("there*");
    expect(seen.lines.join("\n")).toContain("may ban");

    await whatsapp.says(webText(ann, "unheard"), false);
    await first.stop();
    const later = probe(account, { records });
    const second = open(at, later);
    await second.connected;
    expect(second.printed).toEqual([]);
    await later.waitFor("what came meanwhile", (events) => events.map(textIn).includes("unheard"));
    expect(later.accepted.map(textIn)).toEqual(["hello *there*", "unheard"]);
    expect(later.accepted[0]?.id).toBe(event?.id);
  });

  it("shows the code to an operator, at the replica that holds the number and at another, until it is scanned", async () => {
    const at = await place({ code: "scan-me,canary", linked: false });
    const seen = probe(account);
    const { records, log, clock } = seen.deps;
    const connectionsOf = (instance: string) => createConnections({ records, clock, log, instance, shared: true });
    const [own, others] = [connectionsOf("one"), connectionsOf("two")];
    const first = open(at, seen, {}, (channel, signal) => {
      own.watch(channel);
      const lease = { records, clock, log, instance: "one", leaseMs: 4_000 };
      return createConnecting({ ...lease, exclusive: false, connections: own, isOff() {}, signal })(channel);
    });
    const key = "op-a-key-of-these-tests";
    const servers = [own, others].map((connections) => {
      const operated = { channels: [first.channel], connections, runtime: {}, log } as unknown as Operated;
      const handler = createConsole({
        operators: operatorsSettings.parse([key]),
        operationsOf: (operator) => operationsOf(operated, operator),
        examine: async () => [],
        clock,
        log,
      });
      return serveChannels([handler], log);
    });
    for (const { server } of await Promise.all(servers)) ends.push(() => server.drain(0));
    const ask = async (path: string) => {
      const headers = { authorization: `Bearer ${key}` };
      const all = await Promise.all(servers);
      return Promise.all(
        all.map(({ url }) => fetch(`${url}/api/console/v1/channels/whatsapp/main${path}`, { headers })),
      );
    };
    const bodies = async (path: string) => Promise.all((await ask(path)).map((response) => response.json()));

    await eventually("a code is printed", () => first.printed.length > 0, 30_000);
    await eventually("both know", async () => (await bodies("/link")).every((one) => "code" in (one as object)), 5_000);
    for (const link of await bodies("/link")) {
      expect(link).toMatchObject({
        state: "waiting for a scan",
        code: expect.stringContaining("@scan-me,canary") as string,
      });
      const { drawn, until } = link as { drawn: string; until: string };
      expect(first.printed[0]).toContain(drawn);
      expect(Date.parse(until)).toBeGreaterThan(Date.now());
    }
    for (const image of await ask("/link.svg")) {
      expect(image.status).toBe(200);
      expect(image.headers.get("content-type")).toBe("image/svg+xml");
      expect(Date.parse(image.headers.get("expires") ?? "")).toBeGreaterThan(Date.now());
      expect(await image.text()).toMatch(/^<svg .*<path d="M4 4h1v1h-1z/);
    }
    const [here, there] = await bodies("");
    expect(here).toMatchObject({ state: "connecting", here: true, link: { state: "waiting for a scan" } });
    expect(there).toEqual({ ...(here as object), here: false });
    expect(JSON.stringify([here, there])).not.toContain("canary");

    await at.whatsapp.scan();
    await first.connected;
    await eventually("both know", async () => (await bodies("")).every((one) => isReady(one)), 20_000);
    expect((await ask("/link.svg")).map(({ status }) => status)).toEqual([409, 409]);
    for (const link of await bodies("/link")) expect(link).toEqual({ state: "ready" });
    await first.stop();
    expect(seen.lines.join("\n")).not.toContain("canary");
  });

  it("starts the browser anew when it never gets ready, and after another device took over", async () => {
    const at = await place({ stuckLaunches: 1 });
    const { whatsapp } = at;
    const seen = probe(account);
    const { connected } = open(at, seen, { webReadySeconds: 4 });
    await connected;
    expect(whatsapp.launches()).toBe(2);
    expect(seen.lines.join("\n")).toContain("never got ready");
    await whatsapp.conflict();
    await eventually("another browser", () => whatsapp.launches() === 3, 30_000);
    const readies = () => seen.lines.filter((line) => line.includes("whatsapp web: ready")).length;
    await eventually("it is ready again", () => readies() === 2, 30_000);
  });

  it("makes a message durable before the next, and asks again where that fails", async () => {
    const at = await place();
    const { whatsapp } = at;
    const seen = probe(account);
    const { connected } = open(at, seen);
    await connected;
    seen.refusals.push(new InfrastructureError("disk full", { retryAfterMs: 100 }), new TerminalError("not for us"));
    for (const text of ["one", "two", "three"]) await whatsapp.says(webText(ann, text));
    await whatsapp.says(webText(ann, "?", { type: "hologram" }));
    await whatsapp.says(webText(ann, "four"));
    await seen.waitFor("the others", (events) => events.length === 3);
    expect(seen.accepted.map(textIn)).toEqual(["two", "three", "four"]);
    expect(seen.aside.map(({ reason }) => reason)).toEqual([
      expect.stringContaining("not for us"),
      expect.stringContaining('"hologram"'),
    ]);
  });

  it("carries media both ways, and says when a file is gone", async () => {
    const at = await place();
    const { whatsapp } = at;
    const seen = probe(account);
    const { connected, channel } = open(at, seen);
    await connected;
    const medium = {
      type: "document",
      mimetype: "application/pdf",
      filename: "a.pdf",
      directPath: whatsapp.keep(new Uint8Array([1, 2, 3])),
      size: 3,
    };
    await whatsapp.says(webText(ann, "", medium));
    await seen.waitFor("the file", (events) => events.length === 1);
    const [event] = seen.accepted;
    const part = event?.kind === "message" ? event.message.parts[0] : undefined;
    const ref = part?.kind === "file" && part.source.from === "platform" ? part.source.ref : "";
    const fetched = await channel.fetchMedia?.(ref, AbortSignal.timeout(5_000));
    expect(fetched).toMatchObject({ type: "application/pdf", size: 3 });
    expect([...new Uint8Array(await new Response(fetched?.body ?? null).arrayBuffer())]).toEqual([1, 2, 3]);
    const gone = channel.fetchMedia?.(`false_${ann}_3A0`, AbortSignal.timeout(5_000));
    await expect(gone).rejects.toBeInstanceOf(TerminalError);

    const body = () => new Response("12345").body ?? new ReadableStream<Uint8Array>();
    for (const [kind, type] of [
      ["image", "image/png"],
      ["file", "text/csv"],
      ["voice", "audio/ogg"],
    ] as const) {
      const { id } = await seen.deps.blobs.put(body(), { type, name: "b.bin", maxBytes: 9 });
      await channel.send(
        { kind: "media", media: { kind, source: { from: "blob", id }, type }, caption: "see" },
        context(),
      );
    }
    expect(whatsapp.sent).toMatchObject([
      { chat: ann, type: "image", caption: "see", size: 5, mimetype: "image/png" },
      { type: "document", caption: "see", size: 5 },
      { type: "ptt", size: 5 },
      { type: "chat", body: "see" },
    ]);
  });

  it("stays off where there is no browser, and says so", async () => {
    const { home } = await place();
    const channel = whatsappWeb(
      whatsappSettings.parse({ web: true, chromium: "/no/such/browser" }),
      probe(account).deps,
      { directory: home },
    );
    await expect(channel.connect?.(new AbortController().signal)).rejects.toThrow(/CHROMIUM_PATH/);
    expect(await channel.check?.(AbortSignal.timeout(1_000))).toMatchObject([
      { ok: false, next: expect.stringContaining("CHROMIUM_PATH") as string },
    ]);
  });
});
