/**
 * Open event streams of the page.
 *
 * A stream holds a place in the transcript and reads on from there when it is woken, at the pace at which its client reads:
 * messages are never buffered, never skipped and always in order. Of the running answer only the newest text is held.
 */
import { z } from "zod";
import type { Clock, Log, Signals } from "../../src/ports.ts";
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
  /** To the replicas that hold other streams of a session; `topic` names this account among all. */
  readonly signals: Signals | undefined;
  readonly topic: string;
}

/** What streams are told, here and on other replicas. */
const signal = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("changed") }),
  z.object({ kind: z.literal("answered"), last: z.boolean() }),
  z.object({ kind: z.literal("typing"), on: z.boolean() }),
  z.object({ kind: z.literal("delta"), turn: z.string(), text: z.string() }),
]);
type Signal = z.infer<typeof signal>;

export function createLive(options: LiveOptions) {
  const { conversations, clock, log, streams: most, streamsPerSession, signals } = options;
  const sessions = new Map<string, Set<Stream>>();
  const deaf = new Map<string, () => void>();
  const topicOf = (session: string) => `${options.topic}:${session}`;
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
    if (own.size > 0) return;
    sessions.delete(session);
    deaf.get(session)?.();
    deaf.delete(session);
  }

  function hear(session: string, heard: Signal): void {
    switch (heard.kind) {
      case "changed":
        return each(session, (stream) => (stream.behind = true));
      case "answered":
        if (heard.last) running.delete(session);
        // What was shown of the answer while it grew is out of date.
        return each(session, (stream) => {
          stream.behind = true;
          stream.delta = undefined;
          if (heard.last) stream.typing = false;
        });
      case "typing":
        if (heard.on) running.set(session, clock.monotonic());
        else running.delete(session);
        return each(session, (stream) => (stream.typing = heard.on));
      case "delta":
        return each(session, (stream) => (stream.delta = { turn: heard.turn, text: heard.text }));
    }
  }

  function tell(session: string, told: Signal): void {
    hear(session, told);
    signals?.send(topicOf(session), told);
  }

  function listen(session: string): void {
    if (signals === undefined || deaf.has(session)) return;
    const stop = signals.listen(topicOf(session), (data) => {
      const heard = signal.safeParse(data);
      if (heard.success) hear(session, heard.data);
    });
    deaf.set(session, stop);
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
    changed: (session: string) => tell(session, { kind: "changed" }),
    /** An answer was appended. */
    answered: (session: string, last: boolean) => tell(session, { kind: "answered", last }),
    typing: (session: string, on: boolean) => tell(session, { kind: "typing", on }),
    delta: (session: string, { turn, text }: { readonly turn: string; readonly text: string }) =>
      tell(session, { kind: "delta", turn, text }),
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
      listen(session);
      total++;
      return follow(session, stream);
    },
  };
}
export type Live = ReturnType<typeof createLive>;
