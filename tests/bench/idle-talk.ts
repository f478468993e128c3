/** What processes that measure idle conversations have in common: short talks with stubs for the channel and the agent. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Agent } from "../../src/agent.ts";
import type { Channel, Inbound } from "../../src/channel.ts";
import type { CoreOptions } from "../../src/core.ts";
import { conversationId, messageId, participantId, type AccountRef } from "../../src/ids.ts";
import { returnMemory } from "../../src/main/memory.ts";
import type { InboundEvent } from "../../src/message.ts";
import type { Log } from "../../src/ports.ts";
import { residentMbOf } from "./proc.ts";

export const turnsEach = 3;
const atOnce = 256;
const mb = 1_048_576;
const account: AccountRef = { tenant: "default", channel: "bench", account: "main" };

const silent = () => undefined;
const complain = (fields: object, message: string) => console.error(message, fields);
export const log: Log = { debug: silent, info: silent, warn: complain, error: complain };

export interface Talker {
  /** What the core talks to. */
  readonly ends: Pick<CoreOptions, "channelOf" | "agentOf">;
  /** {@link turnsEach} turns of each conversation with these numbers, 256 of them at a time. */
  all(inbound: Inbound, from: number, to: number): Promise<void>;
}

export function talker(): Talker {
  const waiting = new Map<string, () => void>();
  const channel: Channel = {
    ...account,
    traits: {
      order: "sequence",
      text: { max: 4_096 },
      caption: { max: 0 },
      media: {},
      location: false,
      replies: false,
      receipts: false,
    },
    dialect: { render: (text) => text, escape: (text) => text, measure: (text) => text.length },
    async send(_part, { to }) {
      waiting.get(to.chat)?.();
      return {};
    },
  };
  const agent: Agent = {
    async run({ to, messages }) {
      const text = words(Number(to.chat) * 7 + messages.length, 40);
      return { answer: { parts: [{ kind: "text", text, format: "markdown" }] } };
    },
    summarize: async () => words(1, 60),
  };

  async function talk(inbound: Inbound, n: number): Promise<void> {
    const chat = String(n);
    for (let turn = 1; turn <= turnsEach; turn += 1) {
      const answered = new Promise<void>((resolve) => waiting.set(chat, resolve));
      await inbound.accept([said(chat, turn)]);
      await answered;
    }
    waiting.delete(chat);
  }

  return {
    ends: {
      channelOf: () => channel,
      agentOf: () => ({
        name: "bench",
        agent,
        traits: { whileRunning: "queue", turnTimeoutMs: 60_000, historyItems: 20 },
      }),
    },
    async all(inbound, from, to) {
      let next = from;
      const worker = async () => {
        while (next < to) await talk(inbound, next++);
      };
      await Promise.all(Array.from({ length: atOnce }, worker));
    },
  };
}

function said(chat: string, turn: number): InboundEvent {
  const conversation = conversationId(account, chat);
  const text = words(Number(chat) * 13 + turn, 25);
  const now = Date.now();
  return {
    v: 1,
    kind: "message",
    id: messageId(account, chat, String(turn)),
    address: { ...account, conversation, kind: "direct", chat },
    participant: { id: participantId(account, chat), user: chat, name: `Person ${chat}` },
    sentAt: now,
    sequence: turn,
    receivedAt: now,
    message: { parts: [{ kind: "text", text, format: "plain" }], addressed: true },
  };
}

/** Sizes after garbage collection. */
export async function moment() {
  for (let at = 0; at < 5; at += 1) {
    returnMemory();
    await sleep(500);
  }
  return sizes();
}

export function sizes() {
  return { heapMb: process.memoryUsage().heapUsed / mb, residentMb: residentMbOf([process.pid]) };
}

/** Text that deflates about as English does: words drawn from a few thousand, the same for the same seed. */
export function words(seed: number, howMany: number): string {
  let state = (seed + 1) * 2_654_435_761;
  return Array.from({ length: Math.ceil(howMany) }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state % 4_096).toString(36) + (state % 7 === 0 ? "tion" : "");
  }).join(" ");
}
