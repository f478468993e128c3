/**
 * Virtual time: a queue of tasks ordered by their time, ties broken by the seed.
 *
 * Between two tasks every promise job is run to its end. That costs a third of a microsecond: Node drains its microtasks
 * between the callbacks of one batch of immediates, so no turn of the real event loop is spent on a task.
 */
import type { Random } from "./random.ts";

export interface Loop {
  /** Milliseconds since the run began; never goes back. */
  now(): number;
  /** Runs `task` at `time`, or now where that has passed; the returned function cancels it. */
  at(time: number, task: () => void): () => void;
  /** Runs until nothing is left ("quiet") or the next task is due after `deadline()` ("late"). */
  run(deadline: () => number): Promise<"quiet" | "late">;
}

interface Entry {
  readonly time: number;
  readonly tie: number;
  task: (() => void) | undefined;
}

const batch = 64;
/** What needs more never ends. */
const mostSteps = 300_000;

export function createLoop(random: Random): Loop {
  const heap: Entry[] = [];
  let time = 0;
  let count = 0;

  const loop: Loop = {
    now: () => time,
    at: (due, task) => {
      const entry: Entry = { time: Math.max(due, time), tie: random.float(), task };
      push(heap, entry);
      return () => {
        entry.task = undefined;
      };
    },
    run: (deadline) =>
      new Promise((resolve, reject) => {
        let ended = false;
        const end = (result: "quiet" | "late") => {
          ended = true;
          resolve(result);
        };
        const step = () => {
          if (ended) return;
          dropCancelled(heap);
          const next = heap[0];
          if (next === undefined) return end("quiet");
          if (next.time > deadline() || ++count > mostSteps) return end("late");
          pop(heap);
          time = next.time;
          try {
            next.task?.();
          } catch (error) {
            ended = true;
            reject(error);
          }
        };
        const steps = () => {
          if (ended) return;
          for (let at = 0; at < batch; at++) setImmediate(step);
          setImmediate(steps);
        };
        steps();
      }),
  };
  return loop;
}

function before(one: Entry, other: Entry): boolean {
  return one.time < other.time || (one.time === other.time && one.tie < other.tie);
}

function dropCancelled(heap: Entry[]): void {
  while (heap[0] !== undefined && heap[0].task === undefined) pop(heap);
}

function push(heap: Entry[], entry: Entry): void {
  let at = heap.length;
  heap.push(entry);
  while (at > 0) {
    const up = (at - 1) >> 1;
    const parent = heap[up]!;
    if (!before(entry, parent)) break;
    heap[at] = parent;
    at = up;
  }
  heap[at] = entry;
}

function pop(heap: Entry[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
    if (!before(heap[child]!, last)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
}
