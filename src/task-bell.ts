/**
 * Who watches a task hears that it changed: in this process at once, from another by signals where there are any, else by looking
 * again, the rarer the longer it takes.
 */
import { z } from "zod";
import type { Clock, Signals } from "./ports.ts";

export interface Listening {
  /** True once when the task may have changed since this was last asked. */
  isBehind(): boolean;
  /** What was last said of the progress, once. */
  progress(): string | undefined;
  /** Resolves when there may be something new, after `ms`, or when the signal aborts. */
  changed(ms: number, signal: AbortSignal): Promise<void>;
  close(): void;
}

export interface Bell {
  /** @param progress nothing changed but what the agent says that it does. */
  ring(key: string, progress?: string): void;
  listen(key: string): Listening;
  /** It runs here until what is returned is called: who begins to listen meanwhile hears what was last said of its progress. */
  running(key: string): () => void;
}

const heardSignal = z.object({ progress: z.string().optional() });
const firstLookMs = 500;
const lastLookMs = 5_000;

interface Ear {
  behind: boolean;
  progress: string | undefined;
  wake: () => void;
}

export interface BellOptions {
  readonly clock: Clock;
  readonly signals?: Signals | undefined;
  /** Another process may change tasks. */
  readonly shared: boolean;
}

export function createBell({ clock, signals, shared }: BellOptions): Bell {
  const ears = new Map<string, Set<Ear>>();
  const runs = new Map<string, { progress: string | undefined }>();

  function hear(key: string, progress: string | undefined): void {
    const run = runs.get(key);
    if (run !== undefined && progress !== undefined) run.progress = progress;
    for (const ear of ears.get(key) ?? []) {
      if (progress === undefined) ear.behind = true;
      else ear.progress = progress;
      ear.wake();
    }
  }

  function listen(key: string): Listening {
    const ear: Ear = { behind: true, progress: runs.get(key)?.progress, wake: () => {} };
    ears.set(key, (ears.get(key) ?? new Set()).add(ear));
    const deaf = signals?.listen(key, (data) => {
      const heard = heardSignal.safeParse(data);
      if (heard.success) hear(key, heard.data.progress);
    });
    let lookMs = firstLookMs;
    let lookAt = shared ? clock.monotonic() + lookMs : Infinity;
    return {
      isBehind() {
        const now = clock.monotonic();
        if (!ear.behind && now < lookAt) return false;
        ear.behind = false;
        if (shared) {
          lookMs = Math.min(lookMs * 1.5, lastLookMs);
          lookAt = now + lookMs;
        }
        return true;
      },
      progress() {
        const { progress } = ear;
        ear.progress = undefined;
        return progress;
      },
      changed(ms, until) {
        if (ear.behind || ear.progress !== undefined || until.aborted) return Promise.resolve();
        return new Promise((resolve) => {
          const end = () => {
            cancel();
            until.removeEventListener("abort", end);
            ear.wake = () => {};
            resolve();
          };
          const cancel = clock.after(Math.max(0, Math.min(ms, lookAt - clock.monotonic())), end);
          until.addEventListener("abort", end, { once: true });
          ear.wake = end;
        });
      },
      close() {
        deaf?.();
        const all = ears.get(key);
        all?.delete(ear);
        if (all?.size === 0) ears.delete(key);
      },
    };
  }

  return {
    listen,
    running(key) {
      const run: { progress: string | undefined } = { progress: undefined };
      runs.set(key, run);
      return () => void (runs.get(key) === run && runs.delete(key));
    },
    ring(key, progress) {
      hear(key, progress);
      signals?.send(key, progress === undefined ? {} : { progress });
    },
  };
}
