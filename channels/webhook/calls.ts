/**
 * What was asked and answered under each webhook-id, and where a conversation's answers go. Kept in records, because both must
 * outlive the process: the record is written before the core has the message, so that no answer comes without its address.
 */
import { z } from "zod";
import type { ChannelDeps } from "../../src/channel.ts";
import { ConflictError } from "../../src/errors.ts";
import { encodePart, type ConversationId, type MessageId } from "../../src/ids.ts";

const keptMs = 8 * 24 * 3600 * 1000;

const answerPart = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("text"), text: z.string() }),
  z.object({ kind: z.literal("location"), latitude: z.number(), longitude: z.number(), name: z.string().optional() }),
]);
export type AnswerPart = z.infer<typeof answerPart>;

const call = z.object({
  v: z.literal(1),
  webhookId: z.string(),
  /** SHA-256 of the raw body. */
  body: z.string(),
  at: z.number(),
  callbackUrl: z.string().optional(),
  /** Under the key of its sending, so that a repeated sending adds nothing. */
  parts: z.array(z.object({ key: z.string(), part: answerPart })),
  done: z.boolean(),
});
export type Call = z.infer<typeof call>;
const target = z.object({ v: z.literal(1), callbackUrl: z.string() });

export interface Calls {
  /** The call under this message's id: the one that is there, or `fresh` once it is durable. */
  open(message: MessageId, conversation: ConversationId, fresh: Call): Promise<Call>;
  find(message: string): Promise<Call | undefined>;
  /** Undefined where the call is not known (any more). */
  addPart(message: string, key: string, part: AnswerPart, done: boolean): Promise<Call | undefined>;
  /** Resolves with the answered call, or undefined when `ms` have passed or the signal aborts. */
  answered(message: string, ms: number, signal: AbortSignal): Promise<Call | undefined>;
  setTarget(conversation: ConversationId, callbackUrl: string): Promise<void>;
  target(conversation: ConversationId): Promise<string | undefined>;
}

/** How long an answer that another replica stored may go unnoticed. */
const lookMs = 1000;

export function createCalls({ records, clock, tenant, account, belongings }: ChannelDeps): Calls {
  const waiting = new Map<string, Set<() => void>>();
  const keyOf = (kind: string, id: string) => ["webhook", tenant, account, kind, id].map(encodePart).join(":");
  const callKey = (message: string) => keyOf("call", message);

  async function find(message: string): Promise<Call | undefined> {
    const record = await records.get(callKey(message));
    return record && call.parse(record.value);
  }

  /** Resolves when somebody says that the call changed, or after `ms`. */
  function changed(message: string, ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const own = waiting.get(message) ?? new Set();
      const stop = () => {
        cancel();
        signal.removeEventListener("abort", stop);
        own.delete(stop);
        if (own.size === 0) waiting.delete(message);
        resolve();
      };
      const cancel = clock.after(ms, stop);
      signal.addEventListener("abort", stop, { once: true });
      waiting.set(message, own.add(stop));
      if (signal.aborted) stop();
    });
  }

  async function addPart(message: string, key: string, part: AnswerPart, done: boolean): Promise<Call | undefined> {
    for (;;) {
      const record = await records.get(callKey(message));
      if (record === undefined) return undefined;
      const known = call.parse(record.value);
      const has = known.parts.some((one) => one.key === key);
      // An answer that was told stays as it was told: what comes later is no part of it.
      if (known.done || (has && !done)) return known;
      const next: Call = { ...known, parts: has ? known.parts : [...known.parts, { key, part }], done };
      try {
        await records.put(callKey(message), next, { etag: record.etag, ttlMs: keptMs });
      } catch (error) {
        if (error instanceof ConflictError) continue;
        throw error;
      }
      for (const wake of waiting.get(message) ?? []) wake();
      return next;
    }
  }

  return {
    find,
    addPart,
    async open(message, conversation, fresh) {
      for (;;) {
        const known = await find(message);
        if (known !== undefined) return known;
        try {
          const record = callKey(message);
          await Promise.all([
            belongings.note(conversation, record, { of: message }),
            records.put(record, fresh, { etag: null, ttlMs: keptMs }),
          ]);
          return fresh;
        } catch (error) {
          if (!(error instanceof ConflictError)) throw error;
        }
      }
    },
    async answered(message, ms, signal) {
      const end = clock.monotonic() + ms;
      for (;;) {
        const left = end - clock.monotonic();
        // Listening begins before looking, or an answer in between would be missed.
        const change = left > 0 && !signal.aborted ? changed(message, Math.min(left, lookMs), signal) : undefined;
        const known = await find(message);
        if (known?.done === true) return known;
        if (change === undefined) return undefined;
        await change;
      }
    },
    async setTarget(conversation, callbackUrl) {
      const key = keyOf("target", conversation);
      const known = target.safeParse((await records.get(key))?.value);
      if (known.data?.callbackUrl !== callbackUrl) await records.put(key, { v: 1, callbackUrl });
    },
    async target(conversation) {
      return target.safeParse((await records.get(keyOf("target", conversation)))?.value).data?.callbackUrl;
    },
  };
}
