import { performance } from "node:perf_hooks";
import type { Params, UpdateKind } from "./types.ts";

/** A call of the Bot API, in the order of arrival. Times are the fake's monotonic milliseconds. */
export interface CallEntry {
  readonly seq: number;
  readonly at: number;
  readonly bot: number;
  /** As the Bot API spells it, in lower case; "file" is a download. */
  readonly method: string;
  /** As received, before any parsing; file parts are named in `files`. */
  readonly params: Params;
  readonly files?: readonly { field: string; name: string; size: number }[];
  chat?: number;
  /** Text or caption after entities parsing where the call was accepted, as received otherwise. */
  text?: string;
  messageId?: number;
  /** True once the platform has acted on it, whether or not the caller heard. */
  accepted: boolean;
  acceptedAt?: number;
  /** What the caller was answered; absent when the connection was held or closed instead. */
  status?: number;
  description?: string;
  answeredAt?: number;
}

/** An update's life. With polling `confirmedAt` is the getUpdates with a higher offset; with a webhook, its 2xx. */
export interface UpdateEntry {
  readonly updateId: number;
  readonly bot: number;
  readonly kind: UpdateKind;
  readonly chat: number;
  readonly text?: string;
  /** The Update object as it goes out, serialized. */
  readonly body: string;
  readonly createdAt: number;
  /** Every hand-over, retries included. */
  readonly deliveredAt: number[];
  confirmedAt?: number;
  /** The bot did not ask for this kind or may not see it, or pending updates were dropped: never delivered from then on. */
  dropped?: true;
}

export interface FakeLog {
  readonly calls: CallEntry[];
  readonly updates: UpdateEntry[];
  now(): number;
  received(call: Omit<CallEntry, "seq" | "at" | "accepted">): CallEntry;
  accepted(call: CallEntry): void;
  /** Called for each accepted call, synchronously. Returns the way to stop. */
  onAccepted(listener: (call: CallEntry) => void): () => void;
  clear(): void;
}

export function createLog(): FakeLog {
  const listeners = new Set<(call: CallEntry) => void>();
  const calls: CallEntry[] = [];
  const updates: UpdateEntry[] = [];
  let seq = 0;
  return {
    calls,
    updates,
    now: () => performance.now(),
    received(call) {
      seq += 1;
      const entry: CallEntry = { seq, at: performance.now(), accepted: false, ...call };
      calls.push(entry);
      return entry;
    },
    accepted(call) {
      call.accepted = true;
      call.acceptedAt = performance.now();
      for (const listener of listeners) listener(call);
    },
    onAccepted(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    clear() {
      calls.length = 0;
      updates.length = 0;
    },
  };
}

const ANSWERS = new Set([
  "sendmessage",
  "sendphoto",
  "senddocument",
  "sendvoice",
  "sendaudio",
  "sendvideo",
  "editmessagetext",
  "editmessagecaption",
]);

/** Whether an accepted call put text before the user for good: a message or an edit, not a draft. */
export function isAnswer(call: CallEntry): call is CallEntry & { chat: number; text: string; messageId: number } {
  return call.accepted && call.chat !== undefined && call.text !== undefined && ANSWERS.has(call.method);
}
