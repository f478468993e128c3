/**
 * The connections to one server, made when they are needed. A server that may ask people has one call at a time on each, so that
 * what it asks belongs to that call and no other; all others share one.
 */
import { untilAborted } from "../../../src/abort.ts";
import { InputError, reasonOf } from "../../../src/errors.ts";
import type { Clock, Log } from "../../../src/ports.ts";
import type { Session } from "./session.ts";

const mostSessions = 8;
/** After a connection could not be made: none is tried for that long, doubled each time. */
const leastBackoffMs = 1_000;
const mostBackoffMs = 60_000;
/** More than one is kept for so long. */
const idleMs = 60_000;

export interface PoolOptions {
  readonly name: string;
  readonly exclusive: boolean;
  /** @param signal nobody wants it any more. */
  readonly open: (signal: AbortSignal) => Promise<Session>;
  /** After this error nothing comes of the connection any more. */
  readonly breaks: (error: unknown) => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Pool {
  /**
   * With a connection of its own, where they are exclusive. What rejects leaves none behind that the next one gets.
   * @throws InputError where there is none to be had: nothing was asked.
   */
  use<Result>(work: (session: Session) => Promise<Result>, signal: AbortSignal): Promise<Result>;
  /** With any that is there, or a new one: for what the server only tells. Rejects as {@link Pool.use} does. */
  any<Result>(work: (session: Session) => Promise<Result>): Promise<Result>;
  close(): Promise<void>;
}

export function createPool({ name, exclusive, open, breaks, clock, log }: PoolOptions): Pool {
  const sessions = new Set<Session>();
  const busy = new Set<Session>();
  const waiting = new Set<() => void>();
  let opening: Promise<Session> | undefined;
  const openings = new Set<Promise<Session>>();
  let failures = 0;
  let notBefore = 0;
  const closed = new AbortController();

  async function fresh(): Promise<Session> {
    if (closed.signal.aborted) throw new InputError(`the server "${name}" is not used any more`);
    if (clock.monotonic() < notBefore) throw new InputError(`the server "${name}" cannot be reached now`);
    const made = open(closed.signal);
    openings.add(made);
    try {
      const session = await made;
      failures = 0;
      sessions.add(session);
      session.lost.addEventListener("abort", () => forget(session), { once: true });
      if (session.lost.aborted) forget(session);
      return session;
    } catch (error) {
      failures += 1;
      const backoffMs = Math.min(leastBackoffMs * 2 ** (failures - 1), mostBackoffMs);
      notBefore = clock.monotonic() + backoffMs;
      log.warn({ server: name, backoffMs, reason: kindOf(error) }, "an MCP server cannot be reached");
      throw new InputError(`the server "${name}" cannot be reached now`, { cause: error });
    } finally {
      openings.delete(made);
    }
  }

  function forget(session: Session): void {
    sessions.delete(session);
    busy.delete(session);
    next();
  }

  function next(): void {
    const [first] = waiting;
    if (first === undefined) return;
    waiting.delete(first);
    first();
  }

  /** One attempt at a time, whoever waits for it. */
  function shared(): Promise<Session> {
    const [known] = sessions;
    if (known !== undefined) return Promise.resolve(known);
    return (opening ??= fresh().finally(() => (opening = undefined)));
  }

  async function own(signal: AbortSignal): Promise<Session> {
    for (;;) {
      signal.throwIfAborted();
      const idle = [...sessions].find((session) => !busy.has(session));
      if (idle !== undefined) {
        busy.add(idle);
        return idle;
      }
      if (sessions.size + openings.size < mostSessions) {
        const session = await untilAborted(fresh(), signal);
        // Somebody who waited for any may be on it: that asks nothing.
        if (busy.has(session)) continue;
        busy.add(session);
        return session;
      }
      await new Promise<void>((resolve) => {
        const end = () => {
          waiting.delete(end);
          signal.removeEventListener("abort", end);
          resolve();
        };
        waiting.add(end);
        signal.addEventListener("abort", end, { once: true });
      });
    }
  }

  function release(session: Session): void {
    busy.delete(session);
    next();
    clock.after(idleMs, () => {
      if (sessions.size > 1 && !busy.has(session)) end(session);
    });
  }

  function end(session: Session): void {
    forget(session);
    session.close().catch((error: unknown) => {
      log.debug({ server: name, reason: reasonOf(error) }, "an MCP connection was not closed in order");
    });
  }

  async function together<Result>(work: (session: Session) => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    const session = await (signal === undefined ? shared() : untilAborted(shared(), signal));
    try {
      return await work(session);
    } catch (error) {
      if (breaks(error)) end(session);
      throw error;
    }
  }

  return {
    any: (work) => together(work),
    async use(work, signal) {
      if (!exclusive) return together(work, signal);
      const session = await own(signal);
      try {
        const result = await work(session);
        release(session);
        return result;
      } catch (error) {
        // The call may still run there, and ask.
        end(session);
        throw error;
      }
    },
    async close() {
      closed.abort(new Error("the gateway is stopping"));
      await Promise.allSettled(openings);
      await Promise.allSettled([...sessions].map((session) => session.close()));
    },
  };
}

/** Without the server's own words. */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const { code } = error as { code?: unknown };
  return code === undefined ? error.name : `${error.name} ${String(code)}`;
}
