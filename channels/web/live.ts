/**
 * Open event streams of the page.
 *
 * A stream holds a place in the transcript and reads on from there when it is woken, at the pace at which its client reads:
 * messages are never buffered, never skipped and always in order. Of the running answer only the newest text is held.
 */
import type { Clock, Log } from "../../src/ports.ts";
import { reasonOf } from "../../src/errors.ts";
import type { Conversations } from "./conversation.ts";
import { isReset } from "./entry.ts";
import { pageMessage, serverEvent } from "./format.ts";

const pingMs = 20_000;
const batch = 50;
/** A turn that nobody ended is not shown as running for longer. */
const longestRunMs = 15 * 60_000;

interface Stream {
  after: number;
  /** There may be entries behind `after`. */
  behind: boolean;
  typing: boolean | undefined;
  delta: { readonly turn: string; readonly text: string } | undefined;
  ping: boolean;
  closed: boolean;
  wake: () => void;
}

export interface LiveOptions {
  readonly conversations: () => Conversations;
  readonly clock: Clock;
  readonly log: Log;
  readonly streams: number;
  readonly streamsPerSession: number;
}

export function createLive({ conversations, clock, log, streams: most, streamsPerSession }: LiveOptions) {
  const sessions = new Map<string, Set<Stream>>();
  const running = new Map<string, number>();
  let total = 0;

  function each(session: string, change: (stream: Stream) => void): void {
    for (const stream of sessions.get(session) ?? []) {
      change(stream);
      stream.wake();
    }
  }

  function isRunning(session: string): boolean {
    const since = running.get(session);
    return since !== undefined && clock.monotonic() - since < longestRunMs;
  }

  function leave(session: string, stream: Stream): void {
    const own = sessions.get(session);
    stream.closed = true;
    stream.wake();
    if (own?.delete(stream) !== true) return;
    total--;
    if (own.size === 0) sessions.delete(session);
  }

  /** What is to be told now; empty when there is nothing. */
  async function pending(session: string, stream: Stream): Promise<string> {
    let text = "";
    if (stream.behind) {
      stream.behind = false;
      const { entries, last } = await conversations().since(session, stream.after, batch);
      for (const placed of entries) {
        const message = pageMessage(placed);
        if (message !== undefined) text += serverEvent("message", message, placed.n);
        else if (isReset(placed)) text += serverEvent("reset", {}, placed.n);
      }
      stream.behind ||= last > stream.after;
      stream.after = last;
    }
    const { typing, delta, ping } = stream;
    stream.typing = stream.delta = undefined;
    stream.ping = false;
    if (typing !== undefined)
      text += serverEvent("typing", { on: typing }) + serverEvent("status", { running: typing });
    if (delta !== undefined) text += serverEvent("delta", delta);
    if (ping) text += serverEvent("ping", {});
    return text;
  }

  function woken(stream: Stream): Promise<void> {
    return new Promise((resolve) => {
      const cancel = clock.after(pingMs, () => {
        stream.ping = true;
        // Another replica may have written.
        stream.behind = true;
        stream.wake();
      });
      stream.wake = () => {
        cancel();
        stream.wake = () => {};
        resolve();
      };
    });
  }

  function follow(session: string, stream: Stream): ReadableStream<Uint8Array> {
    const encoder = new TextEncoder();
    return new ReadableStream<Uint8Array>(
      {
        start(controller) {
          const hello = `retry: 2000\n\n${serverEvent("status", { running: isRunning(session) })}`;
          controller.enqueue(encoder.encode(hello));
        },
        async pull(controller) {
          try {
            while (!stream.closed) {
              const text = await pending(session, stream);
              if (stream.closed) return;
              if (text !== "") {
                controller.enqueue(encoder.encode(text));
                return;
              }
              if (!stream.behind) await woken(stream);
            }
          } catch (error) {
            log.warn({ reason: reasonOf(error) }, "an event stream ended: its client resumes");
            leave(session, stream);
            controller.close();
          }
        },
        cancel: () => leave(session, stream),
      },
      { highWaterMark: 0 },
    );
  }

  return {
    isRunning,
    changed: (session: string) => each(session, (stream) => (stream.behind = true)),
    /** An answer was appended: what was shown of it while it grew is out of date. */
    answered(session: string, last: boolean): void {
      if (last) running.delete(session);
      each(session, (stream) => {
        stream.behind = true;
        stream.delta = undefined;
        if (last) stream.typing = false;
      });
    },
    typing(session: string, on: boolean): void {
      if (on) running.set(session, clock.monotonic());
      else running.delete(session);
      each(session, (stream) => (stream.typing = on));
    },
    delta(session: string, delta: { readonly turn: string; readonly text: string }): void {
      each(session, (stream) => (stream.delta = { turn: delta.turn, text: delta.text }));
    },
    /** "session" or "total" where that many streams are open already. */
    open(session: string, after: number): ReadableStream<Uint8Array> | "session" | "total" {
      if (total >= most) return "total";
      const own = sessions.get(session) ?? new Set<Stream>();
      if (own.size >= streamsPerSession) return "session";
      const stream: Stream = {
        after,
        behind: true,
        typing: undefined,
        delta: undefined,
        ping: false,
        closed: false,
        wake: () => {},
      };
      sessions.set(session, own.add(stream));
      total++;
      return follow(session, stream);
    },
  };
}
export type Live = ReturnType<typeof createLive>;
