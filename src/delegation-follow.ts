/** A call that waits for its task, and what it has to say when it waits no longer. */
import { reasonOf } from "./errors.ts";
import { asNote, isOver, type Delegation, type Outcome } from "./delegation-record.ts";
import { clip, closingOf, digestOfArtifact, newest, textOf, type Words } from "./delegation-words.ts";
import { isEnded, questionOf, untold, type Standing } from "./delegation-work.ts";
import type { DelegationParts } from "./delegation-parts.ts";
import type { PeerTask } from "./peers.ts";
import type { ToolResult } from "./tools.ts";

/** Beyond the time that a call waits: a turn whose process died has started again by then. */
const marginMs = 60_000;
const firstPauseMs = 250;
const lastPauseMs = 3_000;

/** Of a call that has begun or said something in a delegation. */
export interface Waiting {
  readonly id: string;
  readonly call: string;
  readonly claim: string;
  readonly turn: string;
  /** Absent: until it has ended. */
  readonly mostMs: number | undefined;
  readonly signal: AbortSignal;
  readonly progress: (text: string) => void;
  /** Its turn was stopped, and is not run again. */
  readonly isStopped: () => boolean;
}

export interface Follow {
  /** When a call that begins now has given way to notes at the latest. */
  until(mostMs: number | undefined): number;
  wait(of: Waiting): Promise<ToolResult>;
  /** What a call waits for is cancelled, and nobody is told. */
  abandon(id: string, list: string): Promise<void>;
}

export function createFollow(parts: DelegationParts, words: Words): Follow {
  const { store, clock, log } = parts;

  /** What the call says now; undefined: it waits on. */
  async function said({ row, task }: Standing, of: Waiting): Promise<ToolResult | undefined> {
    if (row.end !== undefined) return resultOf(row, row.end.told, row.end.by);
    // It still asks what a call of this turn was told before, and no note.
    const asks = row.state === "input-required" && row.outgoing === undefined && row.question?.turn === of.turn;
    if (!tells(row, of))
      return asks && row.question !== undefined ? asResult(row.question.told) : background(row, task, parts.reaches);
    if (task === undefined) return undefined;
    if (isEnded(task)) return ended(row, task, of);
    const digest = questionOf(task);
    if (task.state === "input-required" && row.question?.digest !== digest) {
      const how = "it asks this. Ask the person, and give the answer with agent__reply";
      const told = await words.of(row, untold(row, task), task.said, closingOf(row, how));
      const artifacts = toldOf(row, task);
      const question = { digest, told, at: clock.now(), turn: of.turn };
      const written = await handOver(of, { question, artifacts });
      return written ? asResult(told) : background(row, task, parts.reaches);
    }
    // Who has a task of its own waits on.
    if (row.by.to === undefined || task.dueAt === undefined || task.dueAt < clock.now() + firstPauseMs)
      return undefined;
    await handOver(of, {});
    return background(row, task, parts.reaches);
  }

  async function ended(row: Delegation, task: PeerTask, of: Waiting): Promise<ToolResult> {
    const failed = task.state !== "completed";
    const told = await words.of(row, untold(row, task), failed ? task.said : undefined, closingOf(row), failed);
    const written = await store.change(row.id, (now) => {
      return tells(now, of) ? { ...now, end: { told, by: "call", turn: of.turn } } : undefined;
    });
    if (written?.end === undefined) return background(row, task, parts.reaches);
    await tidied(row.id, async () => {
      // Whoever ended it meanwhile may still owe the note of it.
      if (!isOver(written)) return parts.arm(written, clock.now() + 1_000);
      await store.delist(row.by.list, row.id, true);
      await parts.disarm(row.id);
    });
    return resultOf(written, written.end.told, written.end.by);
  }

  /** From now on notes tell. False where they do already. */
  async function handOver(of: Waiting, more: Partial<Delegation>): Promise<boolean> {
    const { id } = of;
    let done = false;
    const written = await store.change(id, (now) => {
      done = tells(now, of);
      return done ? { ...asNote(now), ...more } : undefined;
    });
    if (done && written !== undefined) await tidied(id, () => parts.arm(written, clock.now() + 1_000));
    return done;
  }

  /** What the call says is written already, and nobody else says it: its job, which is there, does what fails here. */
  async function tidied(id: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      log.warn({ delegation: id, reason: reasonOf(error) }, "what a delegation leaves is tidied by its job");
    }
  }

  async function wait(of: Waiting): Promise<ToolResult> {
    const { id, mostMs, signal, progress } = of;
    const end = clock.monotonic() + (mostMs ?? Infinity);
    const bell = createBell();
    const deaf = parts.listen(id, bell.ring);
    const gone = new AbortController();
    let hears: Promise<void> | undefined;
    let shown = 0;
    try {
      for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 1.5, lastPauseMs)) {
        const standing = await parts.advance(id);
        if (standing === undefined) return { text: "Nothing is known of this task any more.", failed: true };
        const { row, task } = standing;
        if (task !== undefined) shown = showNew(task, shown, progress);
        if (signal.aborted) {
          // Who starts again comes back for it; else a note tells what becomes of it.
          if (of.isStopped()) await abandon(id, row.by.list);
          throw signal.reason;
        }
        const result = await said(standing, of);
        if (result !== undefined) return result;
        if (clock.monotonic() >= end) {
          await handOver(of, {});
          return background(row, task, parts.reaches);
        }
        hears ??= row.task === undefined ? undefined : hear(row, row.task, gone.signal, bell, progress);
        await bell.rung(Math.min(pauseMs, end - clock.monotonic()), signal, clock);
      }
    } finally {
      gone.abort();
      deaf();
    }
  }

  /** The peer's own words while it works. */
  async function hear(
    row: Delegation,
    task: string,
    signal: AbortSignal,
    bell: ReturnType<typeof createBell>,
    progress: (text: string) => void,
  ): Promise<void> {
    try {
      const peer = await parts.peers.of(row.peer);
      for await (const news of peer?.listen(row.caller, task, signal) ?? []) {
        if (news.progress === undefined) bell.ring();
        else progress(clip(news.progress, 200));
      }
    } catch (error) {
      if (!signal.aborted) log.debug({ delegation: row.id, reason: reasonOf(error) }, "a task's progress is not heard");
    }
  }

  async function abandon(id: string, list: string): Promise<void> {
    const written = await store.change(id, ({ failing: _failing, ...now }) => {
      if (now.end !== undefined || now.telling === "note") return undefined;
      const told = { text: closingOf(now, "it was stopped"), parts: [], failed: true };
      return { ...now, end: { told, by: "nobody" }, canceling: { since: clock.now() } };
    });
    if (written === undefined || isOver(written) || written.end === undefined) return;
    await parts.arm(written, clock.now());
    await store.delist(list, id, true);
    parts.lookLater(id);
  }

  return { until: (mostMs) => clock.now() + (mostMs ?? 24 * 3_600_000) + marginMs, wait, abandon };
}

/** It is this call's to tell. */
function tells({ end, telling }: Delegation, { call, claim }: Waiting): boolean {
  return end === undefined && telling !== "note" && telling.call === call && telling.claim === claim;
}

function createBell() {
  let rung = false;
  let wake = (): void => undefined;
  return {
    ring(): void {
      rung = true;
      wake();
    },
    async rung(ms: number, signal: AbortSignal, clock: DelegationParts["clock"]): Promise<void> {
      if (!rung && !signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        signal.addEventListener("abort", resolve as () => void, { once: true });
        const cancel = clock.after(Math.max(ms, 1), resolve);
        await promise;
        cancel();
        signal.removeEventListener("abort", resolve as () => void);
      }
      rung = false;
    },
  };
}

/** @returns how many of its artifacts the person has seen something of. */
function showNew(task: PeerTask, shown: number, progress: (text: string) => void): number {
  const all = newest(task);
  if (isEnded(task)) return shown;
  for (const { parts } of all.slice(shown)) {
    const words = textOf(parts).replace(/\s+/g, " ").trim();
    if (words !== "") progress(clip(words, 120));
  }
  return Math.max(shown, all.length);
}

function toldOf(row: Delegation, task: PeerTask): Delegation["artifacts"] {
  const told = untold(row, task).map((one) => [one.id, digestOfArtifact(one)] as const);
  return { ...row.artifacts, told: { ...row.artifacts.told, ...Object.fromEntries(told) } };
}

function asResult({ text, parts, failed }: Outcome): ToolResult {
  return { text, ...(parts.length === 0 ? {} : { parts }), ...(failed ? { failed: true } : {}) };
}

function resultOf(row: Delegation, told: Outcome, by: "call" | "note" | "nobody"): ToolResult {
  if (by !== "note") return asResult(told);
  return { text: closingOf(row, "its end was told in this conversation already") };
}

function background(row: Delegation, task: PeerTask | undefined, reaches: DelegationParts["reaches"]): ToolResult {
  const now =
    row.failing === undefined ? "it goes on in the background" : "the agent cannot be reached now, and is tried again";
  const isTold = row.by.to === undefined || reaches(row.by.to);
  const later = isTold
    ? "What comes of it is told by a note, without being asked"
    : "agent__tasks tells later what came of it";
  const how = `${now}. ${later}`;
  // Its question comes by a note, once.
  const words = task?.said === undefined || task.state === "input-required" ? [] : [clip(task.said, 2_000)];
  return { text: [...words, closingOf(row, how)].join("\n") };
}
