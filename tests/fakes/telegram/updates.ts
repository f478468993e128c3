import type { FakeLog, UpdateEntry } from "./log.ts";
import { ApiError, type UpdateKind } from "./types.ts";
import { createWebhook, type Webhook } from "./webhook.ts";

/** The update queue of one bot ("Getting updates"): kept until confirmed by offset or by the webhook's 2xx. */
export interface Updates {
  readonly webhook: Webhook;
  /** Queues an update. It is dropped at once where the bot did not ask for its kind or may not see it. */
  push(update: { kind: UpdateKind; chat: number; payload: unknown; text?: string; unseen?: boolean }): UpdateEntry;
  allow(kinds: readonly string[] | undefined): void;
  allowed(): readonly string[];
  /** Resolves to the serialized array of updates; rejects with 409 when another consumer takes over. */
  get(request: { offset: number; limit: number; timeoutMs: number; gone: AbortSignal }): Promise<string>;
  setWebhook(target: Parameters<Webhook["start"]>[0] | undefined): void;
  pendingCount(): number;
  dropPending(): void;
  close(): void;
}

/** Not sent unless asked for by name. */
const OPT_IN: readonly string[] = ["chat_member", "message_reaction", "message_reaction_count"];
const FIRST_UPDATE_ID = 100_000_000;

export function createUpdates(bot: number, log: FakeLog): Updates {
  const pending = new Map<number, UpdateEntry>();
  let allowedKinds: readonly string[] = [];
  let lastId = FIRST_UPDATE_ID;
  let poll: { wake(): void; fail(error: Error): void } | undefined;

  const confirm = (update: UpdateEntry, dropped = false) => {
    pending.delete(update.updateId);
    if (dropped) update.dropped = true;
    else update.confirmedAt = log.now();
  };

  const webhook = createWebhook({
    now: log.now,
    delivered: (update) => update.deliveredAt.push(log.now()),
    confirmed: (update) => confirm(update),
  });

  /** Forgets what the offset confirms; a negative one keeps that many from the end. */
  const advance = (offset: number): void => {
    if (offset < 0) {
      for (const update of [...pending.values()].slice(0, Math.max(0, pending.size + offset))) confirm(update);
      return;
    }
    for (const update of pending.values()) {
      if (update.updateId >= offset) return;
      confirm(update);
    }
  };

  const take = (limit: number): string => {
    const bodies: string[] = [];
    for (const update of pending.values()) {
      if (bodies.length >= limit) break;
      update.deliveredAt.push(log.now());
      bodies.push(update.body);
    }
    return `[${bodies.join(",")}]`;
  };

  const endPoll = (description: string) => {
    poll?.fail(new ApiError(409, `Conflict: ${description}`));
    poll = undefined;
  };

  return {
    webhook,
    push({ kind, chat, payload, text, unseen = false }) {
      lastId += 1;
      const body = JSON.stringify({ update_id: lastId, [kind]: payload });
      const base = { updateId: lastId, bot, kind, chat, body, createdAt: log.now(), deliveredAt: [] };
      const entry: UpdateEntry = text === undefined ? base : { ...base, text };
      log.updates.push(entry);
      if (unseen || (allowedKinds.length === 0 ? OPT_IN.includes(kind) : !allowedKinds.includes(kind))) {
        entry.dropped = true;
        return entry;
      }
      pending.set(lastId, entry);
      if (webhook.info() !== undefined) webhook.deliver(entry);
      poll?.wake();
      return entry;
    },
    allow(kinds) {
      if (kinds !== undefined) allowedKinds = kinds;
    },
    allowed: () => allowedKinds,
    async get({ offset, limit, timeoutMs, gone }) {
      if (webhook.info() !== undefined) {
        throw new ApiError(
          409,
          "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
        );
      }
      endPoll("terminated by other getUpdates request; make sure that only one bot instance is running");
      advance(offset);
      if (pending.size === 0 && timeoutMs > 0 && !gone.aborted) {
        await new Promise<void>((resolve, reject) => {
          const timer = setTimeout(() => current.wake(), timeoutMs);
          const settle = () => {
            clearTimeout(timer);
            if (poll === current) poll = undefined;
          };
          // A turn of the event loop gathers what arrives together, as the Bot API server does.
          const wake = () => void (settle(), setImmediate(resolve));
          const current = { wake, fail: (error: Error) => (settle(), reject(error)) };
          gone.addEventListener("abort", wake, { once: true });
          poll = current;
        });
      }
      return gone.aborted ? "[]" : take(limit);
    },
    setWebhook(target) {
      if (target === undefined) return webhook.stop();
      endPoll("terminated by setWebhook request");
      webhook.start(target);
      for (const update of pending.values()) webhook.deliver(update);
    },
    pendingCount: () => pending.size,
    dropPending() {
      webhook.forgetQueued();
      for (const update of pending.values()) confirm(update, true);
    },
    close() {
      webhook.stop();
      endPoll("terminated by the end of the fake");
    },
  };
}
