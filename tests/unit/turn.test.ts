/** Which turns run when there are more of them than places. */
import { expect, it } from "vitest";
import type { CallAgent } from "../../src/agent-calls.ts";
import type { TurnRef } from "../../src/events.ts";
import { agentIdOf, conversationId, participantId, type TurnId } from "../../src/ids.ts";
import type { Address } from "../../src/message.ts";
import { createShares, type Shares } from "../../src/shares.ts";
import { createTurns } from "../../src/turn.ts";
import { probe } from "../contract/channel-deps.ts";
import { createTime } from "./access.fixture.ts";

/** Turns that end when they are told to, having said what they are called. */
function stage(places: Shares) {
  const began: string[] = [];
  const ends = new Map<string, () => void>();
  const call = ((_agent: unknown, method: string, { turn }: TurnRef) => {
    if (method !== "take") throw new Error(`unexpected: ${method}`);
    began.push(turn);
    return new Promise((resolve) => ends.set(turn, () => resolve("stale")));
  }) as unknown as CallAgent;
  const never = () => {
    throw new Error("no agent is needed");
  };
  const time = createTime();
  const { deps } = probe({ tenant: "default", channel: "test", account: "main" });
  const turns = createTurns({
    call,
    clock: time,
    log: deps.log,
    blobs: deps.blobs,
    agentOf: never,
    channelOf: () => undefined,
    approvals: { want: never, close: never },
    takeovers: { mayAsk: never, want: never, over: never },
    serve: never,
    tellAlive: false,
    places,
  });
  const placeOf = (tenant: string, chat: number) => {
    const account = { tenant, channel: "test", account: "main" };
    const conversation = conversationId(account, String(chat));
    const to: Address = { ...account, conversation, kind: "direct", chat: String(chat) };
    const agent = agentIdOf("direct", participantId(account, String(chat)), conversation);
    return { to, agent, turn: { conversation, turn: `${tenant} ${chat}` as TurnId, attempt: 1 } };
  };
  return {
    began,
    time,
    turns,
    start(tenant: string, ...chats: readonly number[]) {
      for (const chat of chats) {
        const { agent, to, turn } = placeOf(tenant, chat);
        turns.start(agent, to, turn);
      }
    },
    cancel(tenant: string, chat: number) {
      const { agent, turn } = placeOf(tenant, chat);
      turns.cancel(agent, turn);
    },
    async end(name: string) {
      ends.get(name)?.();
      for (let tick = 0; tick < 20; tick++) await Promise.resolve();
    },
  };
}

it("one tenant's hanging turns leave places to another's, whose turns begin at once", async () => {
  const { began, start, end } = stage(createShares(8, () => undefined));
  start("hung", 1, 2, 3, 4, 5, 6, 7, 8, 9);
  expect(began).toEqual(["hung 1", "hung 2", "hung 3", "hung 4"]);
  for (let chat = 1; chat <= 20; chat++) {
    start("well", chat);
    expect(began.at(-1)).toBe(`well ${chat}`);
    await end(`well ${chat}`);
  }
  expect(began.filter((name) => name.startsWith("hung"))).toHaveLength(4);
});

it("where all places are taken tenants take turns, and each one's go in their order", async () => {
  const { began, start, cancel, end } = stage(createShares(1, () => undefined));
  start("flood", 1, 2, 3, 4, 5);
  start("a", 1, 2);
  start("b", 1);
  cancel("flood", 3);
  for (let n = 0; n < 7; n++) await end(began.at(-1) ?? "");
  expect(began).toEqual(["flood 1", "flood 2", "a 1", "b 1", "flood 4", "a 2", "flood 5"]);
});

it("a cap of its own bounds a tenant, and nobody else", async () => {
  const { began, start, end } = stage(createShares(10, (tenant) => (tenant === "small" ? 2 : Infinity)));
  start("small", 1, 2, 3);
  start("big", 1, 2, 3);
  expect(began).toEqual(["small 1", "small 2", "big 1", "big 2", "big 3"]);
  await end("big 1");
  expect(began).toHaveLength(5);
  await end("small 2");
  expect(began.at(-1)).toBe("small 3");
});

it("what waits when the process stops is left to the next one", async () => {
  const { turns, time, start } = stage(createShares(2, () => undefined));
  start("a", 1, 2);
  start("b", 1);
  const draining = turns.drain(0);
  time.pass(0);
  const left = await draining;
  expect(left.map(({ turn }) => turn.turn).toSorted()).toEqual(["a 1", "a 2", "b 1"]);
});
