/**
 * After a busy time V8 keeps the pages of its freed memory for long, some 100 MB of them. A process that has become idle gives
 * them back to the system.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Clock } from "../ports.ts";

const lookMs = 30_000;
/** Of one core, on average since the last look. */
const idleShare = 0.05;
/** Less than this is not worth a collection. */
const worthBytes = 24 * 1024 * 1024;

type Collect = (options: { type: "major"; execution: "sync"; flavor: "last-resort" }) => void;

/** Takes some tens of milliseconds per 100 MB of live memory. */
export function returnMemory(): void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as Collect;
  collect({ type: "major", execution: "sync", flavor: "last-resort" });
}

export function returnMemoryWhenIdle(clock: Clock): void {
  let used = process.cpuUsage();
  let smallest = 0;
  clock.after(lookMs, look);

  function look(): void {
    const { user, system } = process.cpuUsage(used);
    used = process.cpuUsage();
    if (user + system < lookMs * 1_000 * idleShare && process.memoryUsage.rss() > smallest + worthBytes) {
      returnMemory();
      smallest = process.memoryUsage.rss();
    }
    clock.after(lookMs, look);
  }
}
