import { describe, expect, it } from "vitest";
import type { Announcement } from "../../src/announce.ts";
import type { Channel, DeliveryMark, Traits } from "../../src/channel.ts";
import { InfrastructureError } from "../../src/errors.ts";
import type { AgentId, ConversationId } from "../../src/ids.ts";
import type { OutboundEvent } from "../../src/message.ts";
import type { CloudEvent, DeadLetter } from "../../src/ports.ts";
import { createReceipts, forgetMarks, readMarks } from "../../src/receipts.ts";
import { createSentLog, forgetSent, placeOf } from "../../src/sent.ts";
import { probe } from "../contract/channel-deps.ts";
import { direct, message } from "./client-agent.fixture.ts";

const account = { tenant: "t", channel: "telegram", account: "a" };
const { conversation } = direct;

function entry(seq: number): OutboundEvent {
  const answer = { parts: [{ kind: "text" as const, text: `answer ${seq}`, format: "plain" as const }] };
  return { v: 1, agent: "person:1" as AgentId, to: direct, seq, answers: [message("?").id], answer, at: 1 };
}

/** Answers 1 to `sent` went out; `fail` decides what of the runtime fails at its next call. */
async function stage(receipts: Traits["receipts"] = "key", sent = 9) {
  const seen = probe(account);
  const letters = new Map<string, DeadLetter>();
  const published: CloudEvent[] = [];
  const announced: Announcement[] = [];
  const down = new Set<"letters" | "bus" | "webhooks">();
  const check = (what: "letters" | "bus" | "webhooks") => {
    if (down.has(what)) throw new InfrastructureError(`${what} are down`);
  };
  const { log } = seen.deps;
  let writes = 0;
  const records: typeof seen.deps.records = {
    ...seen.deps.records,
    put: (...given) => ((writes += 1), seen.deps.records.put(...given)),
  };
  const sentLog = createSentLog(records, log);
  const channel = { ...account, traits: { receipts } } as unknown as Channel;
  for (let seq = 1; seq <= sent; seq += 1) {
    await sentLog.keep(channel, entry(seq));
    await sentLog.named(channel, `${conversation}#${seq}.0`, `m${seq}`);
  }
  const marksIn = createReceipts({
    runtime: {
      records,
      deadLetters: {
        add: async (letter: DeadLetter) => (check("letters"), void letters.set(letter.id, letter)),
      } as never,
      bus: {
        publish: async (_topic: string, events: readonly CloudEvent[]) => (
          check("bus"),
          void published.push(...events)
        ),
      } as never,
    },
    log,
    sent: sentLog,
    announce: async (all) => (check("webhooks"), void announced.push(...all)),
    partsOf: ({ answer: { parts } }) =>
      parts.flatMap((part) => (part.kind === "text" ? [{ kind: "text" as const, text: part.text }] : [])),
  });
  return {
    marks: (...marks: readonly DeliveryMark[]) => marksIn.marks(account, marks),
    sent: (key: string) => marksIn.sent(account, key),
    read: () => readMarks(records, conversation),
    sentLog,
    channel,
    records,
    kept: seen.records,
    letters,
    published,
    announced,
    down,
    lines: seen.lines,
    writes: () => writes,
  };
}

const of = (seq: number, at: number, key = `${conversation}#${seq}.0`) => ({ id: `m${seq}`, key, at });
const delivered = (seq: number, at = seq): DeliveryMark => ({ kind: "delivered", ...of(seq, at) });
const read = (seq: number, at = seq): DeliveryMark => ({ kind: "read", ...of(seq, at) });
const failed = (seq: number, key?: string): DeliveryMark => ({ kind: "failed", reason: "lost", ...of(seq, 7, key) });

describe("marks", () => {
  it("only rise, in whatever order they come and however often, and what is read is delivered", async () => {
    const on = await stage();
    const before = on.writes();
    await on.marks(delivered(2), delivered(1));
    expect(await on.read()).toEqual({ delivered: { seq: 2, at: 2 } });
    await on.marks(read(3));
    await on.marks(delivered(3, 99), read(1, 99), delivered(2, 99), read(3, 99));
    expect(await on.read()).toEqual({ delivered: { seq: 3, at: 3 }, read: { seq: 3, at: 3 } });
    expect(on.writes() - before).toBe(2);
    await forgetMarks(on.records, conversation);
    expect(await on.read()).toEqual({});
  });

  it("that two processes write at once both count", async () => {
    const on = await stage();
    await Promise.all([1, 2, 3, 4].flatMap((seq) => [on.marks(delivered(seq)), on.marks(read(seq))]));
    expect(await on.read()).toMatchObject({ delivered: { seq: 4 }, read: { seq: 4 } });
  });

  it("are announced once for an answer, with the platform's time", async () => {
    const on = await stage();
    await on.marks(delivered(1, 11), read(1, 12), read(1, 13));
    expect(on.announced.map(({ type, at }) => [type, at])).toEqual([
      ["message.delivered", 11],
      ["message.read", 12],
      ["message.read", 13],
    ]);
    expect(new Set(on.announced.map(({ id }) => id)).size).toBe(2);
    expect(on.announced[0]?.data).toMatchObject({ conversation, seq: 1, messages: [expect.any(String)] });
  });

  it("by the platform's own id find the answer, and those of nobody are nothing", async () => {
    const on = await stage("id");
    await on.marks({ kind: "read", id: "m2", at: 5 }, { kind: "read", id: "stranger", at: 6 });
    expect(await on.read()).toMatchObject({ read: { seq: 2, at: 5 } });
    expect(await on.marks({ kind: "failed", id: "stranger", at: 6, reason: "lost" })).toHaveLength(1);
  });

  it("of another account's conversation are of nobody", async () => {
    const on = await stage();
    const foreign = [
      "t:telegram:b:1#1.0",
      "u:telegram:a:1#1.0",
      "t:telegram:a2:1#1.0",
      `${conversation}#1`,
      "#1.0",
      "",
    ];
    const unknown = await on.marks(...foreign.map((key) => failed(1, key)));
    expect(unknown).toHaveLength(foreign.length);
    expect(on.letters.size).toBe(0);
    expect(placeOf(account, `${conversation}#12.3/1`)).toEqual({ conversation, seq: 12, part: 3, step: "1" });
  });
});

describe("a late failure", () => {
  it("is a dead letter with the answer, a word to the agent and an announcement of its own, once", async () => {
    const on = await stage();
    expect(await on.marks(failed(2))).toEqual([]);
    const id = `${conversation}#2`;
    expect(on.letters.get(id)).toMatchObject({ topic: "outbound", reason: "lost", event: { data: entryLike(2) } });
    expect(on.published.map(({ data }) => data)).toMatchObject([
      { kind: "failed", seq: 2, notice: false, unasked: false },
    ]);
    expect(on.announced.map(({ type }) => type)).toEqual(["delivery.failed"]);
    // An operator sends it again; the status comes once more, and one of another part of the same answer.
    on.letters.delete(id);
    expect(await on.marks(failed(2), failed(2, `${conversation}#2.1`), failed(2, `${conversation}#2.0/1`))).toEqual([]);
    expect(on.letters.size).toBe(0);
    expect(on.published).toHaveLength(1);
    expect(JSON.stringify([...on.kept])).not.toContain("answer 2");
    expect(on.lines.join()).not.toContain("answer 2");
    expect(await on.sent(`${conversation}#2.0`)).toBeUndefined();
  });

  it("is told again from any step that failed, and is durable before it is acknowledged", async () => {
    const on = await stage();
    for (const what of ["letters", "bus", "webhooks"] as const) {
      on.down.add(what);
      await expect(on.marks(failed(3))).rejects.toBeInstanceOf(InfrastructureError);
      on.down.delete(what);
    }
    expect(await on.marks(failed(3))).toEqual([]);
    expect(on.letters.size).toBe(1);
    expect(new Set(on.published.map(({ id }) => id)).size).toBe(1);
    expect(new Set(on.announced.map(({ id }) => id)).size).toBe(1);
  });

  it("of a message that was sent twice and arrived once is none", async () => {
    const on = await stage();
    await on.marks(delivered(4), failed(4));
    expect(on.letters.size).toBe(0);
    await on.marks(failed(4, `${conversation}#4.1`));
    expect(on.letters.size).toBe(1);
  });

  it("of what is forgotten or was never kept is the channel's to set aside", async () => {
    const on = await stage();
    await on.records.put(`delivery:${conversation}`, { v: 1, seq: 9, part: 0 });
    await forgetSent(on.records, conversation);
    expect([...on.kept.keys()].filter((key) => key.startsWith("sent:"))).toEqual([]);
    expect(await on.marks(failed(5))).toHaveLength(1);
    expect(await on.marks(failed(50))).toHaveLength(1);
  });
});

describe("what was sent", () => {
  it("first, without having been asked, is told as such where it fails", async () => {
    const on = await stage("key", 0);
    await on.sentLog.keep(on.channel, { ...entry(1), answers: [] });
    await on.marks(failed(1));
    expect(on.published.map(({ data }) => data)).toMatchObject([{ seq: 1, unasked: true }]);
  });

  it("costs channels without receipts nothing, and others one record per answer", async () => {
    expect((await stage(false)).writes()).toBe(0);
    expect((await stage("key")).writes()).toBe(9);
    expect((await stage("id")).writes()).toBe(18);
  });

  it("keeps what became of it when it is sent again, and gives a part back by its key", async () => {
    const on = await stage();
    expect(await on.sent(`${conversation}#1.0/1`)).toEqual({ to: direct, part: { kind: "text", text: "answer 1" } });
    expect(await on.sent(`${conversation}#1.7`)).toBeUndefined();
    await on.marks(failed(1));
    await on.sentLog.keep(on.channel, entry(1));
    expect(await on.sentLog.find({ conversation: conversation as ConversationId, seq: 1 })).toMatchObject({
      failed: 7,
    });
  });
});

function entryLike(seq: number) {
  return { seq, answer: { parts: [{ text: `answer ${seq}` }] } };
}
