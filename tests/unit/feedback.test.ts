/** Answers under what their platform calls them, and thumbs on them, on records in memory. */
import { expect, test } from "vitest";
import type { Channel } from "../../src/channel.ts";
import { InfrastructureError } from "../../src/errors.ts";
import { createFeedback } from "../../src/feedback.ts";
import { createFeedbackRecords, forgetFeedback } from "../../src/feedback-records.ts";
import { digestOf, messageId, type AgentId, type MessageId, type TurnId } from "../../src/ids.ts";
import type { OutboundEvent } from "../../src/message.ts";
import { createReviews } from "../../src/reviews.ts";
import { createTellAnswered } from "../../src/tell-answered.ts";
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
const key = "k#1.0";

function open(ratedAs: Channel["ratedAs"]) {
  const { transcript } = probe(account).deps;
  const records = memoryRecords();
  const clock = testClock();
  const items = [{ role: "agent" as const, text: "six", at: 5 }];
  const call = (async () => ({ items })) as unknown as Parameters<typeof createReviews>[0]["call"];
  const keptMs = 1_000_000;
  const noted = createFeedbackRecords({ records, transcript }, clock, keptMs);
  const kept = { records, transcript, noted, clock, keptMs };
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
  const tell = createTellAnswered({ reviews });
  const forget = () => forgetFeedback({ records, transcript }, [direct.conversation]);
  return { feedback, reviews, records, channel, told, rate, tell, forget };
}

test("what is named without the platform's id can be rated before its sending has ended", async () => {
  const { feedback, channel, rate } = open(({ answers }) => answers);
  await feedback.keep(channel, entry, key);
  expect(await rate(entry.answers[0], "up")).toBe(true);
});

test("what the platform names can be rated once it has; a doubt comes to review with it", async () => {
  const byId: Channel["ratedAs"] = ({ id }) => (id === undefined ? [] : [messageId(account, id)]);
  const { feedback, reviews, records, channel, rate, tell } = open(byId);
  await feedback.keep(channel, entry, key);
  expect(records.rows.size).toBe(0);
  await feedback.named(channel, entry, key, "m7");
  await tell?.([entry]);
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
  await feedback.named(channel, entry, key, "m7");
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
  await feedback.keep(channel, notice, key);
  expect(records.rows.size).toBe(0);
  await feedback.keep(channel, entry, key);
  await records.put(`forgotten:${digestOf(entry.agent)}`, { v: 1, at: 6 });
  expect(await rate(entry.answers[0], "down")).toBe(false);
});

test("a doubt comes to review once, however often it is told, and not after /forget", async () => {
  const { reviews, records, tell } = open(undefined);
  await Promise.all([tell?.([entry]), tell?.([entry])]);
  const hear = async () => Promise.reject(new Error("it is known already"));
  await tell?.([entry], hear);
  expect(await reviews.list(["t"], { limit: 9 })).toHaveLength(1);
  await records.put(`forgotten:${digestOf(entry.agent)}`, { v: 1, at: entry.at });
  await tell?.([{ ...entry, seq: 2 }]);
  expect(await reviews.list(["t"], { limit: 9 })).toHaveLength(1);
});

test("an agent that tells itself says what was said there, and is not asked", async () => {
  const { reviews, tell } = open(undefined);
  await tell?.([entry], async () => ({ items: [{ role: "agent", text: "from the agent", at: 5 }] }));
  expect(await reviews.list(["t"], { limit: 9 })).toMatchObject([{ items: [{ text: "from the agent" }] }]);
});

test("ratings and reviews of a conversation are erased without whoever wrote them", async () => {
  const { feedback, reviews, records, channel, rate, tell, forget } = open(({ answers }) => answers);
  await feedback.keep(channel, entry, key);
  await rate(entry.answers[0], "up");
  await tell?.([entry]);
  expect(await feedback.held([direct.conversation])).toHaveLength(1);
  expect(await reviews.list(["t"], { limit: 9 })).toHaveLength(1);
  await forget();
  expect([...records.rows.keys()].filter((row) => /^(rating|review):/.test(row))).toEqual([]);
  expect(await feedback.held([direct.conversation])).toEqual([]);
});

test("the gateway's words in place of an agent's are not rated, but what it was in doubt of comes to review", async () => {
  const { feedback, reviews, channel, rate, tell } = open(({ answers }) => answers);
  const handed = { ...entry, answer: { parts: [], notice: "personAsked" as const } };
  await feedback.keep(channel, handed, key);
  await feedback.named(channel, handed, key, "m7");
  await tell?.([handed]);
  expect(await rate(entry.answers[0], "down")).toBe(false);
  expect(await reviews.list(["t"], { limit: 9 })).toHaveLength(1);
});
