/** What every part of a simulated world shares: its plan, its time, its randomness, its faults, and the code under test. */
import type * as errors from "../../src/errors.ts";
import type { createCore } from "../../src/core.ts";
import type { createDelegations } from "../../src/delegation.ts";
import type { withLocalPush } from "../../src/delegation-push.ts";
import type { createEffects } from "../../src/effects.ts";
import type { Log } from "../../src/ports.ts";
import type { createTaskHost } from "../../src/task-host.ts";
import { createFaults, type Faults } from "./faults.ts";
import { createLoop, type Loop } from "./loop.ts";
import type { Plan } from "./plan.ts";
import { streamsOf, type Streams } from "./random.ts";

/**
 * The code under test. Its error classes come with it: a mutated copy of `src` has classes of its own, and tells errors
 * apart by them.
 */
export interface Subject {
  readonly createCore: typeof createCore;
  readonly createEffects: typeof createEffects;
  readonly createDelegations: typeof createDelegations;
  readonly createTaskHost: typeof createTaskHost;
  readonly withLocalPush: typeof withLocalPush;
  readonly errors: Pick<
    typeof errors,
    | "ConflictError"
    | "InfrastructureError"
    | "InputError"
    | "RateLimitedError"
    | "RetryableError"
    | "TerminalError"
    | "fateOf"
  >;
}

export interface World {
  readonly plan: Plan;
  readonly subject: Subject;
  readonly loop: Loop;
  readonly streams: Streams;
  readonly faults: Faults;
  /** A line of the trace; `text` is asked for only when somebody reads the trace. */
  note(who: string, text: () => string): void;
  /** The code under test broke the contract of a port: reported like a broken promise. */
  broken(what: string): void;
  readonly breaches: readonly string[];
}

export function createWorld(plan: Plan, subject: Subject, trace?: string[]): World {
  const streams = streamsOf(plan.seed);
  const loop = createLoop(streams("ties"));
  const breaches: string[] = [];
  return {
    plan,
    subject,
    loop,
    streams,
    faults: createFaults(plan.faults, loop.now),
    note: (who, text) => {
      trace?.push(`${stamp(loop.now())}  ${who.padEnd(8)} ${text()}`);
    },
    broken: (what) => void breaches.push(what),
    breaches,
  };
}

/** What a process writes to its log, as lines of the trace. */
export function logOf(world: World, { name }: { readonly name: string }): Log {
  const log = (level: string) => (fields: Readonly<Record<string, unknown>>, message: string) =>
    world.note(name, () => `${level}: ${message} ${JSON.stringify(fields)}`);
  return { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
}

function stamp(ms: number): string {
  return `${(ms / 1_000).toFixed(4)} s`.padStart(14);
}

/** What survives JSON: the other side of a wire or of a disk never shares an object with this one. */
export function copyOf<Value>(value: Value): Value {
  return value === undefined ? value : (JSON.parse(JSON.stringify(value)) as Value);
}
