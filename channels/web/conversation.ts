/**
 * A session's conversation in the transcript, and its way into the core.
 *
 * Order of a send: append to the transcript, hand over to the core, then 202. The transcript comes first because the place it
 * gives is the event's sequence, and because an answer must never stand above its question. Both steps are idempotent under
 * the client's id, so that a client that repeats until its 202 loses nothing and doubles nothing. One hole is left: the
 * process dies, or the core refuses, between the two, and the client never comes back with that id; the message would be shown
 * for ever and never be answered. Hence {@link Conversations.history} hands unanswered messages over once more, once per
 * session and process life; the core knows those it has.
 *
 * Before all that the core is asked whether the message may come in, so that what it refuses is never shown as sent: what stands
 * in the transcript was let in.
 */
import { LRUCache } from "lru-cache";
import type { ChannelDeps } from "../../src/channel.ts";
import { conversationId } from "../../src/ids.ts";
import { reasonOf } from "../../src/errors.ts";
import { type FromPerson, isFromPerson, isReset, keyOfClient, type Placed, readEntry } from "./entry.ts";
import { eventOf } from "./parse.ts";

const pageSize = 50;
/** The core recognises a message for eight days. */
const recognisedMs = 7 * 24 * 3600 * 1000;

export interface Conversations {
  /**
   * Resolves when the message is durable and the core has it; the same id again changes nothing.
   * @throws RefusedError, and nothing is kept of it.
   */
  accept(session: string, entry: FromPerson): Promise<void>;
  /** What is shown, oldest first. `last`: the place of the newest entry, shown or not. */
  history(
    session: string,
    before?: number,
  ): Promise<{ readonly entries: readonly Placed[]; readonly last: number; readonly more: boolean }>;
  /** From there on, oldest first, resets included; at most `limit`. */
  since(
    session: string,
    after: number,
    limit: number,
  ): Promise<{ readonly entries: readonly Placed[]; readonly last: number }>;
  latest(session: string): Promise<number>;
  find(session: string, key: string): Promise<Placed | undefined>;
}

export function createConversations(deps: ChannelDeps, changed: (session: string) => void): Conversations {
  const { transcript, inbound, clock, log } = deps;
  const settled = new LRUCache<string, true>({ max: 10_000 });
  /** Let in a short time ago: a message that is sent again counts once. */
  const admitted = new LRUCache<string, true>({ max: 10_000 });
  const idOf = (session: string) => conversationId(deps, session);

  async function handOver(session: string, placed: readonly Placed<FromPerson>[]): Promise<void> {
    if (placed.length === 0) return;
    await inbound.accept(
      placed.map((one) => eventOf(deps, session, one)),
      { admitted: true },
    );
  }

  async function settle(session: string, entries: readonly Placed[]): Promise<void> {
    if (settled.has(session)) return;
    const answered = new Set(entries.flatMap(({ entry }) => (entry.kind === "agent" ? entry.answers : [])));
    const since = clock.now() - recognisedMs;
    try {
      await handOver(
        session,
        entries.filter(isFromPerson).filter(({ key, at }) => at > since && !answered.has(key)),
      );
      settled.set(session, true);
    } catch (error) {
      log.warn({ conversation: idOf(session), reason: reasonOf(error) }, "unanswered messages not handed over yet");
    }
  }

  async function admit(session: string, key: string, entry: FromPerson): Promise<void> {
    const known = `${session} ${key}`;
    if (admitted.has(known)) return;
    await inbound.admit(eventOf(deps, session, { n: 0, key, at: clock.now(), entry }));
    admitted.set(known, true);
  }

  return {
    async accept(session, entry) {
      const conversation = idOf(session);
      const key = keyOfClient(entry.client);
      await admit(session, key, entry);
      const { n, fresh } = await transcript.append(conversation, key, entry);
      // Of two different messages under one id the first counts.
      const kept = fresh ? undefined : await transcript.get(conversation, key);
      const placed = (kept && readEntry(kept)) ?? { n, key, at: clock.now(), entry };
      try {
        await handOver(session, [placed].filter(isFromPerson));
      } catch (error) {
        settled.delete(session);
        throw error;
      }
      changed(session);
    },

    async history(session, before = Number.MAX_SAFE_INTEGER) {
      const stored = await transcript.list(idOf(session), { before, limit: pageSize + 1 });
      const all = stored.flatMap((one) => readEntry(one) ?? []);
      if (before === Number.MAX_SAFE_INTEGER) await settle(session, all);
      const page = all.slice(-pageSize);
      const reset = page.findLastIndex(isReset);
      return {
        entries: page.slice(reset + 1),
        last: stored.at(-1)?.n ?? 0,
        more: reset === -1 && stored.length > pageSize,
      };
    },

    async since(session, after, limit) {
      const stored = await transcript.list(idOf(session), { after, limit });
      return { entries: stored.flatMap((one) => readEntry(one) ?? []), last: stored.at(-1)?.n ?? after };
    },

    async latest(session) {
      const [newest] = await transcript.list(idOf(session), { before: Number.MAX_SAFE_INTEGER, limit: 1 });
      return newest?.n ?? 0;
    },

    async find(session, key) {
      const stored = await transcript.get(idOf(session), key);
      return stored && readEntry(stored);
    },
  };
}
