/**
 * Albums: Telegram sends every medium of one as a message of its own, by webhook the next only after the last is taken. Here they
 * are one message again. What belongs to an album is kept in a record, and Telegram is told so then; a second after the last
 * one, or when something else comes in that chat, the album is closed and handed over. What is late for it stands alone.
 *
 * Records name the open ones too, so that a process that dies leaves none behind.
 */
import { z } from "zod";
import type { ChannelDeps } from "../../src/channel.ts";
import { ConflictError } from "../../src/errors.ts";
import { encodePart } from "../../src/ids.ts";
import { inboundEvent, type InboundEvent, type InboundMessage } from "../../src/message.ts";

const keptMs = 8 * 24 * 3_600_000;
export const gatherMs = 1_000;

const album = z.object({ v: z.literal(1), items: z.array(inboundEvent), closed: z.boolean() });
interface Album {
  readonly v: 1;
  /** In the order of their coming. Never changes in number once it is closed. */
  readonly items: readonly InboundMessage[];
  readonly closed: boolean;
}
const index = z.object({ v: z.literal(1), open: z.array(z.string()) });

export interface Parsed {
  readonly event: InboundEvent;
  /** Telegram's id of the album that it belongs to. */
  readonly group?: string | undefined;
}

export interface Albums {
  /**
   * Keeps what belongs to an album. @returns what is to be handed over now, in order; `closed`, once it is, goes to
   * {@link Albums.done}.
   */
  take(parsed: readonly Parsed[]): Promise<{ readonly ready: InboundEvent[]; readonly closed: readonly string[] }>;
  done(closed: readonly string[]): Promise<void>;
  /** Albums that are open, or closed and not known to be handed over: of this process, or with `all` of earlier ones too. */
  open(all: boolean): Promise<readonly string[]>;
  /** No more comes to it. Undefined where nothing of it was kept. */
  close(key: string): Promise<InboundMessage | undefined>;
}

/** @param onQuiet nothing came to an album for {@link gatherMs}. */
export function createAlbums({ records, clock, ...account }: ChannelDeps, onQuiet: (key: string) => void): Albums {
  const own = [account.tenant, account.account].map(encodePart).join(":");
  const indexKey = `telegram:albums:${own}`;
  /** Those that this process has a part of, with their chat. */
  const here = new Map<string, { readonly chat: string; readonly cancel: () => void }>();

  async function change<Value>(
    key: string,
    next: (value: unknown) => Value | undefined,
    ttlMs?: number,
  ): Promise<void> {
    for (;;) {
      const found = await records.get(key);
      const value = next(found?.value);
      if (value === undefined) return;
      try {
        await records.put(key, value, { etag: found?.etag ?? null, ...(ttlMs === undefined ? {} : { ttlMs }) });
        return;
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
      }
    }
  }

  function changeIndex(edit: (open: readonly string[]) => readonly string[]): Promise<void> {
    return change(indexKey, (value) => {
      const open = value === undefined ? [] : index.parse(value).open;
      const next = edit(open);
      return next.length === open.length ? undefined : { v: 1, open: next };
    });
  }

  /** As it is after `edit`, which gives undefined for no change. */
  async function changed(key: string, edit: (of: Album | undefined) => Album | undefined): Promise<Album | undefined> {
    let now: Album | undefined;
    await change(
      key,
      (value) => {
        const before = value === undefined ? undefined : (album.parse(value) as Album);
        const next = edit(before);
        now = next ?? before;
        return next;
      },
      keptMs,
    );
    return now;
  }

  async function keep(key: string, event: InboundMessage): Promise<InboundEvent | undefined> {
    if (!here.has(key)) await changeIndex((open) => (open.includes(key) ? open : [...open, key]));
    const known = (of: Album) => of.items.some(({ id }) => id === event.id);
    const now = await changed(key, (of) => {
      if (of === undefined) return { v: 1, items: [event], closed: false };
      return of.closed || known(of) ? undefined : { ...of, items: [...of.items, event] };
    });
    here.get(key)?.cancel();
    here.set(key, { chat: event.address.chat, cancel: clock.after(gatherMs, () => onQuiet(key)) });
    if (now?.closed !== true) return undefined;
    // It came again, or too late.
    return known(now) ? merged(now) : event;
  }

  async function edited(
    key: string,
    event: Extract<InboundEvent, { kind: "edited" }>,
  ): Promise<InboundEvent | undefined> {
    const has = (of: Album) => of.items.some(({ id }) => id === event.target);
    const now = await changed(key, (of) => {
      if (of === undefined || !has(of)) return undefined;
      const items = of.items.map((item) => (item.id === event.target ? { ...item, message: event.message } : item));
      return { ...of, items };
    });
    if (now === undefined || !has(now)) return event;
    const { id, message } = merged(now);
    return now.closed ? { ...event, target: id, message } : undefined;
  }

  async function close(key: string): Promise<InboundMessage | undefined> {
    const now = await changed(key, (of) => (of === undefined || of.closed ? undefined : { ...of, closed: true }));
    return now === undefined ? undefined : merged(now);
  }

  return {
    async take(parsed) {
      const ready: InboundEvent[] = [];
      const closed: string[] = [];
      for (const { event, group } of parsed) {
        const key =
          group === undefined ? "" : `telegram:album:${own}:${encodePart(event.address.chat)}:${encodePart(group)}`;
        for (const [other, { chat }] of here) {
          if (other === key || chat !== event.address.chat || closed.includes(other)) continue;
          const before = await close(other);
          if (before !== undefined) ready.push(before);
          closed.push(other);
        }
        if (group === undefined) ready.push(event);
        else if (event.kind === "message") ready.push(...given(await keep(key, event)));
        else ready.push(...given(event.kind === "edited" ? await edited(key, event) : event));
      }
      return { ready, closed };
    },
    async done(closed) {
      if (closed.length === 0) return;
      await changeIndex((open) => open.filter((key) => !closed.includes(key)));
      for (const key of closed) {
        here.get(key)?.cancel();
        here.delete(key);
      }
    },
    async open(all) {
      const found = all ? await records.get(indexKey) : undefined;
      return [...new Set([...here.keys(), ...(found === undefined ? [] : index.parse(found.value).open)])];
    },
    close,
  };
}

const given = (event: InboundEvent | undefined): InboundEvent[] => (event === undefined ? [] : [event]);

/** Its media in their order and then its words, under the id of the first. */
function merged({ items }: Album): InboundMessage {
  const sorted = items.toSorted((a, b) => (a.sequence ?? 0) - (b.sequence ?? 0));
  const [first] = sorted;
  if (first === undefined) throw new TypeError("an album without a medium");
  const parts = sorted.flatMap(({ message }) => message.parts);
  const command = sorted.find(({ message }) => message.command !== undefined)?.message.command;
  const replyTo = sorted.find(({ message }) => message.replyTo !== undefined)?.message.replyTo;
  return {
    ...first,
    raw: sorted.map(({ raw }) => raw),
    message: {
      parts: [...parts.filter(({ kind }) => kind !== "text"), ...parts.filter(({ kind }) => kind === "text")],
      addressed: sorted.some(({ message }) => message.addressed),
      ...(sorted.some(({ message }) => message.forAnother === true) ? { forAnother: true } : {}),
      ...(replyTo === undefined ? {} : { replyTo }),
      ...(command === undefined ? {} : { command }),
    },
  };
}
