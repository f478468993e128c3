import { createParser, type EventSourceMessage } from "eventsource-parser";
import { HttpError, isRefusal, type Client } from "./client.ts";
import { backoff } from "./backoff.ts";
import type { Message, ServerEvent } from "./wire.ts";

export type Connection = "connecting" | "open" | "lost";

type Options = {
  readonly open: Client["events"];
  /** The history's lastEventId. */
  readonly after: string;
  readonly onEvent: (event: ServerEvent) => void;
  readonly onConnection: (connection: Connection) => void;
  /** The gateway cannot resume from where we are: the history must be read again. The stream has ended by then. */
  readonly onGap: () => void;
};

export type Stream = {
  /** Drops the connection, if there is one, and connects at once. */
  readonly reconnect: () => void;
  readonly close: () => void;
};

/** The gateway pings more often than this; silence for longer means that the connection is dead. */
const silence = 45_000;

/** Undefined for pings and for events of a newer gateway that this page does not know. */
export const parseEvent = (event: string | undefined, data: string): ServerEvent | undefined => {
  if (event === "reset") return { type: "reset" };
  const known = ["message", "delta", "typing", "status"];
  if (event === undefined || !known.includes(event)) return undefined;
  const value = JSON.parse(data) as Record<string, unknown>;
  if (event === "message") return { type: "message", message: value as unknown as Message };
  if (event === "delta") return { type: "delta", turn: String(value["turn"]), text: String(value["text"]) };
  if (event === "typing") return { type: "typing", on: value["on"] === true };
  return { type: "status", running: value["running"] === true };
};

/**
 * Follows the gateway's events until closed. EventSource would hide the status of a failed connection (401, 410, 429)
 * and its Retry-After, so this reads the stream itself.
 */
export const follow = ({ open, after, onEvent, onConnection, onGap }: Options): Stream => {
  let closed = false;
  let lastEventId: string | undefined;
  let attempt = 0;
  let current = new AbortController();
  /** Set by `reconnect`: the next wait is skipped. */
  let hurry = false;
  let wake = (): void => undefined;

  const dispatch = (message: EventSourceMessage): void => {
    attempt = 0;
    const event = parseEvent(message.event, message.data);
    if (event !== undefined) onEvent(event);
    if (message.id !== undefined && message.id !== "") lastEventId = message.id;
  };

  const read = async (body: ReadableStream<Uint8Array>, abort: AbortController): Promise<void> => {
    const parser = createParser({ onEvent: dispatch });
    const decoder = new TextDecoder();
    const reader = body.getReader();
    let watchdog = setTimeout(() => abort.abort(), silence);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(watchdog);
        watchdog = setTimeout(() => abort.abort(), silence);
        parser.feed(decoder.decode(value, { stream: true }));
      }
    } finally {
      clearTimeout(watchdog);
    }
  };

  /** Resolves to the milliseconds to wait before the next attempt, or "gap". */
  const connect = async (): Promise<number | "gap"> => {
    const abort = (current = new AbortController());
    const patience = setTimeout(() => abort.abort(), 20_000);
    try {
      const response = await open({ after, lastEventId }, abort.signal);
      clearTimeout(patience);
      if (response.body === null) throw new Error("The event stream has no body.");
      onConnection("open");
      await read(response.body, abort);
    } catch (error) {
      if (error instanceof HttpError && (error.status === 410 || error.status === 409)) return "gap";
      if (isRefusal(error)) return Math.max(backoff(attempt++), 30_000);
      if (error instanceof HttpError && error.retryAfter !== undefined) return error.retryAfter;
    } finally {
      clearTimeout(patience);
      abort.abort();
    }
    return backoff(attempt++);
  };

  const run = async (): Promise<void> => {
    onConnection("connecting");
    while (!closed) {
      const wait = await connect();
      if (closed) return;
      if (wait === "gap") {
        closed = true;
        onGap();
        return;
      }
      if (hurry) {
        hurry = false;
        continue;
      }
      onConnection("lost");
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, wait);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  };

  void run();
  return {
    reconnect: () => {
      attempt = 0;
      hurry = !current.signal.aborted;
      current.abort();
      wake();
    },
    close: () => {
      closed = true;
      current.abort();
      wake();
    },
  };
};
