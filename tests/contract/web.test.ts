import { expect, it } from "vitest";
import { web, webSettings } from "../../channels/web/index.ts";
import type { InboundEvent } from "../../src/message.ts";
import { fateOf, OverloadedError, TerminalError } from "../../src/errors.ts";
import { probe } from "./channel-deps.ts";
import { composed, send, textIn } from "./channel-tools.ts";
import { channelContract, replay } from "./channel.ts";
import { contracts, makeWeb, type WebPayload, type WebPlatform } from "./web.ts";

for (const contract of contracts) channelContract(contract);

const main = { tenant: "acme", channel: "web", account: "main" };

async function opened(body: (platform: WebPlatform, seen: ReturnType<typeof probe>) => Promise<void>) {
  const platform = await makeWeb();
  const seen = probe(main);
  const running = await platform.start(seen.deps);
  try {
    await body(platform, seen);
  } finally {
    await running.stop();
    await platform.close();
  }
}

for (const { name, payload } of replay("web")) {
  const { posted, row } = payload as WebPayload;
  if (posted === undefined) continue;
  it(`web: the recorded row of ${name} is what its request becomes`, () =>
    opened(async ({ requests }, seen) => {
      const channel = web(webSettings.parse({ pageDirectory: "/nowhere", agent: { name: "Ada" } }), seen.deps);
      const request = requests?.genuine(payload);
      request?.headers.set("accept-language", "en-GB,en;q=0.9");
      expect((await channel.handle(request ?? new Request("http://127.0.0.1"))).status).toBe(202);
      const conversation = seen.accepted[0]?.address.conversation;
      const kept = conversation && (await seen.deps.transcript.get(conversation, row.key));
      expect(kept && kept.entry).toEqual(row.entry);
    }));
}

it("web: what nobody can read, and what can never be accepted, is refused for good and blocks nothing", () =>
  opened(async (platform, seen) => {
    const unreadable = platform.post({ text: 7 });
    seen.refusals.push(new TerminalError("not for us"));
    const poison = platform.post({ text: "poison" });
    platform.post({ text: "still here" });
    await seen.waitFor("the next message", (events) => events.length === 1);
    expect(textIn(seen.accepted[0])).toBe("still here");
    expect([...platform.box.refused]).toEqual([
      [unreadable.id, 400],
      [poison.id, 422],
    ]);
  }));

it("web: a file comes in with its bytes in the store, and one that is too large does not", () =>
  opened(async (platform, seen) => {
    const bytes = crypto.getRandomValues(new Uint8Array(50_000));
    const uploaded = (await (await platform.upload(bytes, "data.bin")).json()) as { id: string };
    platform.post({ attachments: [{ id: uploaded.id }] });
    await seen.waitFor("the file", (events) => events.length === 1);
    const source = mediaIn(seen.accepted[0]);
    const kept = await seen.deps.blobs.get(source?.from === "blob" ? source.id : "");
    expect(Buffer.from(await new Response(kept?.body ?? null).arrayBuffer()).equals(bytes)).toBe(true);
    expect((await platform.upload(new Uint8Array(20 * 1024 * 1024 + 1), "large.bin")).status).toBe(413);
    const unknown = platform.post({ attachments: [{ id: "no-such-file" }] });
    await seen.waitFor("the refusal", () => platform.box.refused.get(unknown.id) === 404);
  }));

it("web: plain text is shown as it is, whatever markdown would make of it", () =>
  opened(async (platform, seen) => {
    const channel = web(webSettings.parse({ pageDirectory: "/nowhere", agent: { name: "Ada" } }), seen.deps);
    const text = "*a* _b_ `c` ~~d~~ [e](javascript:f) # g <i>h</i> &lt; | 1. j";
    for (const part of composed(channel, { parts: [{ kind: "text", text, format: "plain" }] })) {
      await send(channel, platform, part);
    }
    expect((await platform.shown()).map((one) => one.text)).toEqual([text]);
  }));

it("web: errors and the log show no secret and no text", () =>
  opened(async (platform, seen) => {
    seen.refusals.push(new OverloadedError("full"), new TerminalError("not for us"));
    platform.post({ text: "a secret sentence" });
    platform.post({ text: "the next" });
    await seen.waitFor("the next message", (events) => events.length === 1);
    const channel = web(webSettings.parse({ pageDirectory: "/nowhere", agent: { name: "Ada" } }), seen.deps);
    const media = { kind: "file", source: { from: "blob", id: "gone" }, type: "text/plain" } as const;
    const to = seen.accepted[0]?.address;
    if (to === undefined) throw new Error("nothing came in");
    const context = { to, key: "k", answers: [], notice: false, first: true, last: true, again: false } as const;
    const error: unknown = await channel
      .send({ kind: "media", media, caption: "a secret sentence" }, { ...context, signal: AbortSignal.timeout(5_000) })
      .catch((thrown: unknown) => thrown);
    expect(fateOf(error)).toEqual({ kind: "terminal" });
    const told = `${String(error)}\n${seen.lines.join("\n")}`;
    expect(seen.lines).not.toEqual([]);
    for (const secret of [...platform.secrets, "secret sentence"]) expect(told).not.toContain(secret);
  }));

function mediaIn(event: InboundEvent | undefined) {
  const part = event?.kind === "message" ? event.message.parts.find((one) => "source" in one) : undefined;
  return part !== undefined && "source" in part ? part.source : undefined;
}
