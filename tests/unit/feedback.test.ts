/** Answers under what their platform calls them, and thumbs on them, on records in memory. */
import { expect, test } from "vitest";
import type { Channel } from "../../src/channel.ts";
import { InfrastructureError } from "../../src/errors.ts";
import { createFeedback } from "../../src/feedback.ts";
import { digestOf, messageId, type AgentId, type MessageId, type TurnId } from "../../src/ids.ts";
import type { OutboundEvent } from "../../src/message.ts";
import { createReviews } from "../../src/reviews.ts";
import { probe } from "../contract/channel-deps.ts";
import { direct, memoryRecords, quiet, testClock } from "./client-agent.fixture.ts";

const account = { tenant: "t", channel: "telegram", account: "a" };
const entry: OutboundEvent = {
  v: 1,
  agent: "person:1" as AgentId,
  to: direct,
  seq: 1,
  answers: ["t:telegram:a:q1" as MessageId],
  answer: { parts: [{ kind: "text", text: "six", format: "markdown" }] },
  made: { turn: "t1" as TurnId, agent: "assistant", model: "demo", version: "1", doubts: ["unsure"] },
  at: 5,
};
const part = { key: "k#1.0", last: true };

function open(ratedAs: Channel["ratedAs"]) {
  const { transcript } = probe(account).deps;
  const records = memoryRecords();
  const clock = testClock();
  const items = [{ role: "agent" as const, text: "six", at: 5 }];
  const call = (async () => ({ items })) as unknown as Parameters<typeof createReviews>[0]["call"];
  const kept = { records, transcript, clock, keptMs: 1_000_000 };
  const told: string[] = [];
  const reviews = createReviews({ ...kept, call });
  const channel = { ...account, traits: { reactions: "one" }, ratedAs } as unknown as Channel;
  const feedback = createFeedback({
    ...kept,
    log: quiet,
    reviews,
    channelOf: () => channel,
    emoji: { up: ["👍"], down: ["👎"] },
    asks: false,
    pseudonymOf: (person) => `who-${digestOf(person)}`,
    announce: async (all) => void told.push(...all.map(({ id }) => id)),
  });
  const rate = (target: MessageId | undefined, thumb?: "up" | "down") =>
    feedback.rate({ account, target: target ?? ("" as MessageId), by: { id: "p" as never }, thumb });
  return { feedback, reviews, records, channel, told, rate };
}

test("what is named without the platform's id can be rated before its sending has ended", async () => {
  const { feedback, channel, rate } = open(({ answers }) => answers);
  await feedback.keep(channel, entry, part);
  expect(await rate(entry.answers[0], "up")).toBe(true);
});

test("what the platform names can be rated once it has; a doubt comes to review with the last part", async () => {
  const byId: Channel["ratedAs"] = ({ id }) => (id === undefined ? [] : [messageId(account, id)]);
  const { feedback, reviews, records, channel, rate } = open(byId);
  await feedback.keep(channel, entry, part);
  expect(records.rows.size).toBe(0);
  await feedback.keep(channel, entry, { ...part, sent: { id: "m7" } });
  expect(await rate(messageId(account, "m8"), "up")).toBe(false);
  expect(await rate(messageId({ ...account, tenant: "other" }, "m7"), "up")).toBe(false);
  expect(await rate(messageId(account, "m7"), "down")).toBe(true);
  const [one] = await reviews.list(["t"], { limit: 9 });
  expect(one).toMatchObject({ reasons: ["unsure", "thumbs-down"], items: [{ text: "six", answer: true }] });
  await rate(messageId(account, "m7"));
  expect((await reviews.list(["t"], { limit: 9 }))[0]?.reasons).toEqual(["unsure"]);
});

test("a rating whose record could not be written is announced again under the same id, and counts once", async () => {
  const { feedback, channel, records, told } = open(({ id }) => (id === undefined ? [] : [messageId(account, id)]));
  await feedback.keep(
    channel,
    { ...entry, made: { ...entry.made, doubts: undefined } as never },
    { ...part, sent: { id: "m7" } },
  );
  const event = {
    v: 1 as const,
    kind: "reacted" as const,
    id: "r" as MessageId,
    address: direct,
    participant: { id: "p" as never, user: "p" },
    receivedAt: 9,
    target: messageId(account, "m7"),
    added: ["👎"],
    removed: [],
  };
  const { put } = records;
  let fails = true;
  Object.assign(records, {
    async put(key: string, ...rest: unknown[]) {
      if (fails && key.startsWith("rating:")) throw new InfrastructureError("the store is away");
      return put(key, ...(rest as [unknown]));
    },
  });
  await expect(feedback.reacted(event)).rejects.toThrow("the store is away");
  fails = false;
  await feedback.reacted(event);
  await feedback.reacted(event);
  expect(new Set(told).size).toBe(1);
  expect(told).toHaveLength(2);
  expect((await feedback.list(["t"], 9)).map(({ voices }) => voices.length)).toEqual([1]);
});

test("nothing is kept of what the gateway says itself, and after /forget nothing old can be rated", async () => {
  const { feedback, channel, records, rate } = open(({ answers }) => answers);
  const { made: _made, ...notice } = entry;
  await feedback.keep(channel, notice, part);
  expect(records.rows.size).toBe(0);
  await feedback.keep(channel, entry, part);
  await records.put(`forgotten:${digestOf(entry.agent)}`, { v: 1, at: 6 });
  expect(await rate(entry.answers[0], "down")).toBe(false);
});
