/** Packs the state of actors that went idle, a few at a time, so that nothing else has to wait for it. */
import type { Clock, Log } from "../../src/ports.ts";
import type { ActorState } from "./actor-state.ts";
import type { Store } from "./store.ts";

export interface Packer {
  add(id: string): void;
  /** Packs what a process that died left unpacked. */
  start(): void;
  stop(): void;
}

const atOnce = 16;
const pauseMs = 5;
const pauseAfterFailureMs = 5000;

export interface PackerOptions {
  readonly store: Store;
  readonly state: ActorState;
  readonly clock: Clock;
  readonly log: Log;
  readonly isActive: (id: string) => boolean;
}

export function createPacker({ store, state, clock, log, isActive }: PackerOptions): Packer {
  /** In the order in which they went idle; one that did so twice is packed once. */
  const waiting = new Set<string>();
  let cursor: string | undefined;
  let cancel: (() => void) | undefined;
  let stopped = false;

  function schedule(ms: number): void {
    if (!stopped) cancel ??= clock.after(ms, step);
  }

  function step(): void {
    if (waiting.size === 0 && cursor !== undefined) {
      const left = state.unpacked(cursor, atOnce);
      cursor = left.at(-1);
      for (const id of left) waiting.add(id);
    }
    const ids: string[] = [];
    for (const id of waiting) {
      ids.push(id);
      waiting.delete(id);
      if (ids.length === atOnce) break;
    }
    const pack = () => {
      for (const id of ids) if (!isActive(id)) state.pack(id);
    };
    const next = (ms: number) => {
      cancel = undefined;
      if (waiting.size > 0 || cursor !== undefined) schedule(ms);
    };
    store.write(pack).then(
      () => next(pauseMs),
      (error: unknown) => {
        for (const id of ids) waiting.add(id);
        log.debug({ reason: String(error) }, "idle actors could not be packed; tried again");
        next(pauseAfterFailureMs);
      },
    );
  }

  return {
    add(id) {
      waiting.add(id);
      schedule(pauseMs);
    },
    start() {
      cursor = "";
      schedule(pauseMs);
    },
    stop() {
      stopped = true;
      cancel?.();
    },
  };
}
