/**
 * What was asked and answered under each call. Kept in records, because an answer must outlive the process and the connection
 * of whoever asked: the record is written before the core has the message, and the answer into it before anybody is told.
 */
import { z } from "zod";
import type { ChannelDeps } from "../../src/channel.ts";
import { ConflictError } from "../../src/errors.ts";
import { conversationId, encodePart, messageId } from "../../src/ids.ts";

/** As long as the core recognises a message. */
const keptMs = 8 * 24 * 3600 * 1000;

const call = z.object({
  v: z.literal(1),
  id: z.string(),
  caller: z.string(),
  api: z.enum(["chat", "responses"]),
  model: z.string(),
  /** Of what was asked: one id is one question. */
  digest: z.string(),
  at: z.number(),
  chat: z.string(),
  previous: z.string().optional(),
  metadata: z.record(z.string(), z.string()),
  /** Under the key of its sending, so that a repeated sending adds nothing. */
  parts: z.array(z.object({ key: z.string(), text: z.string() })),
  done: z.boolean(),
  /** The gateway spoke instead of the agent: it gave no answer. */
  failed: z.boolean(),
});
export type StoredCall = z.infer<typeof call>;

const draft = z.object({ turn: z.string(), text: z.string() });
export type Draft = z.infer<typeof draft>;
const signal = z.union([z.object({ kind: z.literal("changed") }), draft.extend({ kind: z.literal("draft") })]);
type Signal = z.infer<typeof signal>;

export interface Watch {
  /** The newest text of the growing answer. */
  readonly draft: Draft | undefined;
  /** The call may have changed since {@link Calls.find} was asked: true at first, and when it was not asked for a while. */
  isBehind(): boolean;
  /** Resolves when there may be something new, after `ms`, or when the signal aborts. */
  changed(ms: number, signal: AbortSignal): Promise<void>;
  close(): void;
}

export interface Calls {
  /** The call under this id: the one that is there, or `fresh` once it is durable. */
  open(fresh: StoredCall): Promise<StoredCall>;
  find(id: string): Promise<StoredCall | undefined>;
  /** Where the call is known: once more under the same key changes nothing, and neither does anything after the last part. */
  addPart(id: string, part: { key: string; text: string }, end: { done: boolean; failed: boolean }): Promise<boolean>;
  /** Shows the growing answer to whoever watches, here or at another replica. */
  grow(id: string, draft: Draft): void;
  watch(id: string): Watch;
}

/** How long an answer that another replica stored may go unnoticed: longer, the longer it takes. */
const firstLookMs = 1000;
const lastLookMs = 5000;

interface Watching {
  draft: Draft | undefined;
  behind: boolean;
  wake: () => void;
}

export function createCalls(deps: ChannelDeps): Calls {
  const { records, clock, tenant, account, signals, belongings } = deps;
  const watched = new Map<string, Set<Watching>>();
  const keyOf = (kind: string, id: string) => ["openai", tenant, account, kind, id].map(encodePart).join(":");

  async function find(id: string): Promise<StoredCall | undefined> {
    const record = await records.get(keyOf("call", id));
    return record && call.parse(record.value);
  }

  function hear(id: string, heard: Signal): void {
    for (const one of watched.get(id) ?? []) {
      if (heard.kind === "changed") one.behind = true;
      else one.draft = heard;
      one.wake();
    }
  }

  function tell(id: string, told: Signal): void {
    hear(id, told);
    signals?.send(keyOf("signal", id), told);
  }

  function watch(id: string): Watch {
    const own: Watching = { draft: undefined, behind: true, wake: () => {} };
    watched.set(id, (watched.get(id) ?? new Set()).add(own));
    const deaf = signals?.listen(keyOf("signal", id), (data) => {
      const heard = signal.safeParse(data);
      if (heard.success) hear(id, heard.data);
    });
    let lookMs = firstLookMs;
    let lookAt = clock.monotonic() + lookMs;
    return {
      get draft() {
        return own.draft;
      },
      isBehind() {
        const now = clock.monotonic();
        if (!own.behind && now < lookAt) return false;
        own.behind = false;
        lookMs = Math.min(lookMs * 1.5, lastLookMs);
        lookAt = now + lookMs;
        return true;
      },
      changed(ms, until) {
        if (own.behind || until.aborted) return Promise.resolve();
        return new Promise((resolve) => {
          const end = () => {
            cancel();
            until.removeEventListener("abort", end);
            own.wake = () => {};
            resolve();
          };
          const cancel = clock.after(Math.max(0, Math.min(ms, lookAt - clock.monotonic())), end);
          until.addEventListener("abort", end, { once: true });
          own.wake = end;
        });
      },
      close() {
        deaf?.();
        const all = watched.get(id);
        all?.delete(own);
        if (all?.size === 0) watched.delete(id);
      },
    };
  }

  return {
    find,
    watch,
    grow: (id, grown) => tell(id, { kind: "draft", ...grown }),
    async open(fresh) {
      for (;;) {
        const known = await find(fresh.id);
        if (known !== undefined) return known;
        try {
          const record = keyOf("call", fresh.id);
          await Promise.all([
            belongings.note(conversationId(deps, fresh.chat), record, { of: messageId(deps, fresh.id) }),
            records.put(record, fresh, { etag: null, ttlMs: keptMs }),
          ]);
          return fresh;
        } catch (error) {
          if (!(error instanceof ConflictError)) throw error;
        }
      }
    },
    async addPart(id, part, { done, failed }) {
      for (;;) {
        const record = await records.get(keyOf("call", id));
        if (record === undefined) return false;
        const known = call.parse(record.value);
        const has = known.parts.some(({ key }) => key === part.key);
        if (known.done || (has && !done)) return true;
        const parts = has ? known.parts : [...known.parts, part];
        const next: StoredCall = { ...known, parts, done, failed: known.failed || failed };
        try {
          await records.put(keyOf("call", id), next, { etag: record.etag, ttlMs: keptMs });
        } catch (error) {
          if (error instanceof ConflictError) continue;
          throw error;
        }
        tell(id, { kind: "changed" });
        return true;
      }
    },
  };
}

export function answerOf({ parts }: StoredCall): string {
  return parts.map(({ text }) => text).join("\n\n");
}
