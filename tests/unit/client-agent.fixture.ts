import type { Model, ModelProvider } from "@openai/agents";
import { clientAgentSettings } from "../../agents/client/settings.ts";
import { createClientAgent, type ClientAgentDeps } from "../../agents/client/index.ts";
import type { HistoryItem, TurnHooks, TurnInput } from "../../src/agent.ts";
import type { AgentId, ConversationId, MessageId, ParticipantId, TurnId } from "../../src/ids.ts";
import type { Address, InboundMessage, Message, Participant } from "../../src/message.ts";
import type { Blobs, Clock, Log, Records } from "../../src/ports.ts";
import { ConflictError } from "../../src/errors.ts";

/** Real time, for tests over real sockets; `jump` makes pauses short without changing their order. */
export function testClock(options: { readonly now?: number; readonly speed?: number } = {}): Clock {
  return {
    now: () => options.now ?? Date.now(),
    monotonic: () => performance.now() * (options.speed ?? 1),
    after(ms, task) {
      const timer = setTimeout(task, ms / (options.speed ?? 1));
      timer.unref();
      return () => clearTimeout(timer);
    },
  };
}

export const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };

export function memoryBlobs(): Blobs & { readonly stored: Map<string, Buffer> } {
  const stored = new Map<string, Buffer>();
  return {
    stored,
    async put(body, { type, name }) {
      const bytes = Buffer.from(await new Response(body).arrayBuffer());
      const id = `blob-${stored.size + 1}`;
      stored.set(id, bytes);
      return { id, type, size: bytes.byteLength, ...(name === undefined ? {} : { name }) };
    },
    get: async () => undefined,
    remove: async (id) => void stored.delete(id),
  };
}

export function memoryRecords(): Records & { readonly rows: Map<string, { value: unknown; etag: string }> } {
  const rows = new Map<string, { value: unknown; etag: string }>();
  let writes = 0;
  return {
    rows,
    get: async (key) => rows.get(key),
    async put(key, value, { etag } = {}) {
      if (etag !== undefined && etag !== (rows.get(key)?.etag ?? null)) throw new ConflictError("changed");
      const next = String(++writes);
      rows.set(key, { value: JSON.parse(JSON.stringify(value)) as unknown, etag: next });
      return next;
    },
    remove: async (key) => void rows.delete(key),
  };
}

export const direct: Address = {
  tenant: "t",
  channel: "telegram",
  account: "a",
  conversation: "t:telegram:a:1" as ConversationId,
  kind: "direct",
  chat: "1",
};
export const ann: Participant = { id: "t:telegram:a:7" as ParticipantId, user: "7", name: "Ann" };

let counter = 0;
export function message(of: string | Partial<Message>, from: Participant = ann, to: Address = direct): InboundMessage {
  counter += 1;
  const content: Message =
    typeof of === "string"
      ? { parts: [{ kind: "text", text: of, format: "plain" }], addressed: true }
      : { parts: [], addressed: true, ...of };
  const id = `t:telegram:a:1:${counter}` as MessageId;
  return { v: 1, kind: "message", id, address: to, participant: from, receivedAt: 0, message: content };
}

export function turn(messages: readonly (string | InboundMessage)[], rest: Partial<TurnInput> = {}): TurnInput {
  return {
    agent: "person:1" as AgentId,
    turn: "turn-1" as TurnId,
    attempt: 1,
    to: direct,
    participant: ann,
    summary: undefined,
    history: [],
    messages: messages.map((one) => (typeof one === "string" ? message(one) : one)),
    ...rest,
  };
}

export function hooks(rest: Partial<TurnHooks> = {}): TurnHooks {
  return {
    signal: new AbortController().signal,
    openMedia: () => Promise.reject(new Error("no media here")),
    ...rest,
  };
}

export function said(role: HistoryItem["role"], text: string, rest: Partial<HistoryItem> = {}): HistoryItem {
  return { role, text, at: 0, turn: "turn-0" as TurnId, ...rest };
}

export function agentOn(
  model: Model | ModelProvider,
  settings: Record<string, unknown> = {},
  rest: {
    readonly clock?: Clock;
    readonly log?: Log;
    readonly outside?: ClientAgentDeps["outside"];
    readonly documents?: ClientAgentDeps["documents"];
  } = {},
) {
  const models: ModelProvider = "getModel" in model ? model : { getModel: () => model };
  const blobs = memoryBlobs();
  const clock = rest.clock ?? testClock({ speed: 100 });
  const agent = createClientAgent(clientAgentSettings.parse(settings), {
    models,
    clock,
    blobs,
    log: rest.log ?? quiet,
    outside: rest.outside,
    documents: rest.documents,
  });
  return { agent, blobs };
}

/** The error that it rejects with; fails where it does not. */
export async function rejection(work: Promise<unknown>): Promise<Error> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
  throw new Error("it did not reject");
}
