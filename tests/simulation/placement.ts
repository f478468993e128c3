/**
 * Which process an actor lives on. Embedded: the one there is. Dapr: the member that the hash of its id names, so that it
 * moves when the members change.
 */
import type { AgentId } from "../../src/ids.ts";
import type { Process } from "./process.ts";
import { hashOf } from "./random.ts";

/** A term of an actor ends when its owner changes: what was loaded in an earlier one is stale. */
export interface Owner {
  readonly process: Process;
  readonly term: number;
}

export interface Placement {
  join(process: Process): void;
  leave(process: Process): void;
  /** A dead process is an owner until its absence is noticed. */
  ownerOf(id: AgentId): Owner | undefined;
  /** The actor goes elsewhere, where there is an elsewhere. */
  move(id: AgentId): void;
}

export function createPlacement(): Placement {
  const members = new Set<Process>();
  const moves = new Map<AgentId, number>();
  const owners = new Map<AgentId, Owner>();

  const chosen = (id: AgentId): Process | undefined => {
    const ranked = [...members].toSorted((one, other) => hashOf(`${id} ${one.slot}`) - hashOf(`${id} ${other.slot}`));
    return ranked[(moves.get(id) ?? 0) % ranked.length];
  };

  return {
    join: (process) => void members.add(process),
    leave: (process) => void members.delete(process),
    move: (id) => void moves.set(id, (moves.get(id) ?? 0) + 1),
    ownerOf: (id) => {
      const process = chosen(id);
      if (process === undefined) return undefined;
      let owner = owners.get(id);
      if (owner?.process !== process) owners.set(id, (owner = { process, term: (owner?.term ?? 0) + 1 }));
      return owner;
    },
  };
}
