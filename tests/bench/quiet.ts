/** A round begins when the machine is quiet: what others do on it at the same time costs both sides, but never alike. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { shown } from "./figures.ts";
import { cpuMsOf } from "./proc.ts";

const busyShare = 0.25;
const lookMs = 500;
/** USER_HZ. */
const msPerTick = 10;
/** Of all waits of one scenario together: a machine that stays busy does not make it long. */
const patienceMs = 60_000;

/** @returns what waits until little runs here, and goes on with a word where it does not become quiet. */
export function quietly(say: (line: string) => void): () => Promise<void> {
  let waitedMs = 0;
  return async () => {
    for (;;) {
      const share = await busy();
      if (share < busyShare) return;
      waitedMs += lookMs;
      if (waitedMs > patienceMs) return say(`the machine is not quiet: ${shown(share * 100)}% of it is busy`);
    }
  };
}

/** @returns the share of all processors' time that others than this bench and what it started have used until it is called. */
export function watchOthers(): () => number {
  const before = { ...times(), ownMs: cpuMsOf([process.pid]) };
  return () => {
    const after = times();
    const all = after.all - before.all;
    const own = (cpuMsOf([process.pid]) - before.ownMs) / msPerTick;
    return Math.max(0, all - (after.idle - before.idle) - own) / Math.max(all, 1);
  };
}

/** The share of all processors' time that was used in half a second. */
async function busy(): Promise<number> {
  const before = times();
  await sleep(lookMs);
  const after = times();
  return 1 - (after.idle - before.idle) / Math.max(after.all - before.all, 1);
}

/** proc(5), /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal. */
function times(): { readonly idle: number; readonly all: number } {
  const [, ...fields] = (readFileSync("/proc/stat", "utf8").split("\n")[0] ?? "").split(/\s+/).map(Number);
  const counted = fields.slice(0, 8);
  return { idle: (counted[3] ?? 0) + (counted[4] ?? 0), all: counted.reduce((sum, ticks) => sum + ticks, 0) };
}
