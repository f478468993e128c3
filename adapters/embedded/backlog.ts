/** What is published and not yet acknowledged, per topic: counted to refuse more than the gateway can hold. */
import { OverloadedError } from "../../src/errors.ts";
import type { Limits } from "./limits.ts";

export interface Backlog {
  /** @throws OverloadedError when so many more would be too many, or when the bytes that are there fill it already. */
  check(more: number): void;
  add(bytes: number): void;
  remove(bytes: number): void;
  /** True when an event may be kept in memory; then {@link release} gives its place back. */
  keep(depth: number, bytes: number): boolean;
  release(bytes: number): void;
}

export function createBacklog(topic: string, limits: Limits): Backlog {
  let rows = 0;
  let bytes = 0;
  let keptRows = 0;
  let keptBytes = 0;
  return {
    check(more) {
      if (rows + more > limits.backlogRows || bytes >= limits.backlogBytes) {
        throw new OverloadedError(`The backlog of topic "${topic}" is full: ${rows} events wait.`);
      }
    },
    add(size) {
      rows += 1;
      bytes += size;
    },
    remove(size) {
      rows -= 1;
      bytes -= size;
    },
    keep(depth, size) {
      if (depth >= limits.windowPerSubject || keptRows >= limits.windowRows) return false;
      if (keptBytes + size > limits.windowBytes) return false;
      keptRows += 1;
      keptBytes += size;
      return true;
    },
    release(size) {
      keptRows -= 1;
      keptBytes -= size;
    },
  };
}
