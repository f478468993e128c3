import type { Delegation, DelegationStore } from "./delegation-record.ts";
import type { Standing, Work } from "./delegation-work.ts";
import { InputError } from "./errors.ts";
import { digestOf, type AgentId } from "./ids.ts";
import type { TaskCaller } from "./skilled.ts";
import type { Address } from "./message.ts";
import type { Peers } from "./peers.ts";
import type { Clock, Log, Runtime } from "./ports.ts";

/** What the parts of a delegation share. */
export interface DelegationParts {
  readonly store: DelegationStore;
  readonly work: Work;
  readonly peers: Peers;
  readonly runtime: Pick<Runtime, "records" | "jobs" | "blobs">;
  readonly clock: Clock;
  readonly log: Log;
  readonly inlineMs: number;
  /** For one try to make a call. */
  readonly newClaim: () => string;
  readonly chainName: (agent: string) => string;
  readonly reaches: (to: Address) => boolean;
  /** One step, in order with all others of the delegation in this process. */
  readonly advance: (id: string) => Promise<Standing | undefined>;
  /** Looks at it now: one that is due, or that nobody waits for any more. */
  readonly look: (id: string) => Promise<void>;
  /** As `look`, in the background: its job comes back to what fails here. */
  readonly lookLater: (id: string) => void;
  /** No later than the next thing is to be done. */
  readonly arm: (row: Pick<Delegation, "id" | "by">, dueAt: number) => Promise<void>;
  readonly disarm: (id: string) => Promise<void>;
  /** Calls `wake` when the task may have changed. @returns what ends it. */
  readonly listen: (id: string, wake: () => void) => () => void;
  /** The turn was stopped here not long ago. */
  readonly isStopped: (conversation: string, turn: string) => boolean;
}

/** No id of a platform leaves the gateway. */
export const callerIdOf = (agent: AgentId): string => digestOf(agent);

/** Who asks for a person's agent. */
export const callerOf = (tenant: string, agent: AgentId): TaskCaller => ({ tenant, id: callerIdOf(agent) });

/** @throws InputError where nothing of that name belongs to the caller. */
export function noSuchTask(name: string): InputError {
  return new InputError(`no task ${JSON.stringify(name.slice(0, 80))} is open in this conversation`, { status: 404 });
}
