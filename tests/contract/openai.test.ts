import { expect, it } from "vitest";
import { OverloadedError, TerminalError } from "../../src/errors.ts";
import type { InboundMessage } from "../../src/message.ts";
import { probe, type Probe } from "./channel-deps.ts";
import { textIn } from "./channel-tools.ts";
import { channelContract } from "./channel.ts";
import { apiKey, contracts, makeOpenai, type OpenaiPlatform, otherKey } from "./openai.ts";

for (const contract of contracts) channelContract(contract);

const main = { tenant: "acme", channel: "openai", account: "main" };

async function opened(body: (platform: OpenaiPlatform, seen: Probe, channel: Channel) => Promise<void>) {
  const platform = await makeOpenai();
  const seen = probe(main);
  const { channel, stop } = await platform.start(seen.deps);
  try {
    await body(platform, seen, channel);
  } finally {
    await stop();
    await platform.close();
  }
}
type Channel = Awaited<ReturnType<OpenaiPlatform["start"]>>["channel"];

it("openai: what nobody can read, and what can never be accepted, is refused for good and blocks nothing", () =>
  opened(async (platform, seen) => {
    const unreadable = platform.post({ input: 7 });
    seen.refusals.push(new TerminalError("not for us"));
    const poison = platform.post({ input: "poison" });
    platform.post({ input: "still here" });
    await seen.waitFor("the next message", (events) => events.length === 1);
    expect(textIn(seen.accepted[0])).toBe("still here");
    expect([...platform.box.refused]).toEqual([
      [unreadable.id, 400],
      [poison.id, 422],
    ]);
  }));

it("openai: a file comes in with its bytes in the store; one of a private address does not", () =>
  opened(async (platform, seen) => {
    const bytes = Buffer.from(crypto.getRandomValues(new Uint8Array(50_000)));
    const file = (more: object) => ({ input: [{ role: "user", content: [{ type: "input_file", ...more }] }] });
    const data = `data:application/octet-stream;base64,${bytes.toString("base64")}`;
    platform.post(file({ filename: "data.bin", file_data: data }));
    await seen.waitFor("the file", (events) => events.length === 1);
    const [part] = (seen.accepted[0] as InboundMessage).message.parts;
    expect(part).toMatchObject({ kind: "file", name: "data.bin", size: 50_000, source: { from: "blob" } });
    const source = part !== undefined && "source" in part ? part.source : undefined;
    const kept = await seen.deps.blobs.get(source?.from === "blob" ? source.id : "");
    expect(Buffer.from(await new Response(kept?.body ?? null).arrayBuffer()).equals(bytes)).toBe(true);
    const refused = [
      file({ file_url: "http://169.254.169.254/latest/meta-data" }),
      file({ file_url: "file:///etc/passwd" }),
      file({ file_data: "data:text/plain;base64,no base64!" }),
      file({ file_id: "file-1" }),
    ].map((one) => platform.post(one));
    platform.post({ input: "the last" });
    await seen.waitFor("the next message", (events) => events.length === 2);
    expect(refused.map(({ id }) => platform.box.refused.get(id))).toEqual([400, 400, 400, 400]);
  }));

it("openai: a growing answer goes to the questions it answers, and only they show it", () =>
  opened(async (platform, seen, channel) => {
    const ask = async (key: string) => {
      const body = { conversation: "main", input: key };
      const response = await channel.handle?.(platform.request({ path: "responses", key, body }));
      return { text: response?.text(), id: seen.accepted.at(-1)?.id ?? "", to: seen.accepted.at(-1)?.address };
    };
    const [one, two] = [await ask("k-one"), await ask("k-two")];
    if (one.to === undefined) throw new Error("nothing came in");
    const shows = (answers: readonly string[], text: string) =>
      channel.preview?.(one.to as never, { turn: "t1", text, answers: answers as never });
    await shows([one.id], "Half an **ans");
    await shows([one.id], "Half an **answer** ");
    const context = { to: one.to, notice: false, first: true, last: true, again: false } as const;
    const signal = AbortSignal.timeout(5_000);
    for (const { id, text } of [
      { id: one.id, text: "Half an **answer**, all of it" },
      { id: two.id, text: "The other" },
    ]) {
      await channel.send({ kind: "text", text }, { ...context, key: `key of ${id}`, answers: [id], signal });
    }
    const deltas = async (stream: Promise<string> | undefined) =>
      [...((await stream) ?? "").matchAll(/"delta":"([^"]*)"/g)].map(([, delta]) => delta);
    expect((await deltas(one.text)).join("")).toBe("Half an **answer**, all of it");
    expect(await deltas(two.text)).toEqual(["The other"]);
  }));

it("openai: another key's answers and conversations are as good as absent", () =>
  opened(async (platform, seen, channel) => {
    platform.post({ input: "mine" });
    await seen.waitFor("the question", (events) => events.length === 1);
    const { id, address } = seen.accepted[0] as InboundMessage;
    const context = { to: address, key: "k", answers: [id], notice: false, first: true, last: true, again: false };
    await channel.send({ kind: "text", text: "yours" }, { ...context, signal: AbortSignal.timeout(5_000) });
    const call = id.split(":").at(-1) ?? "";
    const get = async (path: string, key: string) => {
      const headers = { authorization: `Bearer ${key}` };
      const response = await channel.handle?.(new Request(`http://127.0.0.1/v1/${path}`, { headers }));
      return { status: response?.status, text: await response?.text() };
    };
    expect((await get(`responses/resp_${call}`, apiKey)).text).toContain("yours");
    const theirs = await get(`responses/resp_${call}`, otherKey);
    expect(theirs).toEqual(await get("responses/resp_nothing", otherKey));
    expect(theirs.status).toBe(404);
    expect((await get("conversations/main/items", apiKey)).text).toContain("yours");
    expect((await get("conversations/main/items", otherKey)).text).not.toContain("yours");
    const previous = { path: "responses", body: { input: "go on", previous_response_id: `resp_${call}` } } as const;
    const other = platform.request({ ...previous, key: "k-other" }, { authorization: `Bearer ${otherKey}` });
    expect((await channel.handle?.(other))?.status).toBe(400);
    expect((await channel.handle?.(platform.request({ ...previous, key: "k-own" })))?.status).toBe(200);
    expect(seen.accepted.map((event) => event.address.conversation)).toEqual([
      address.conversation,
      address.conversation,
    ]);
  }));

it("openai: errors and the log show no secret and no text", () =>
  opened(async (platform, seen) => {
    seen.refusals.push(new OverloadedError("full"), new TerminalError("not for us"));
    platform.post({ input: "a secret sentence" });
    platform.post({ input: "the next" });
    await seen.waitFor("the next message", (events) => events.length === 1);
    expect(seen.lines).toHaveLength(2);
    const told = `${seen.lines.join("\n")}\n${[...seen.records.keys()].join("\n")}`;
    for (const secret of [...platform.secrets, "secret sentence"]) expect(told).not.toContain(secret);
  }));
