/**
 * What is done for a delegation, step by step: send what the peer does not have, look at its task, tell by a note what nobody waits
 * for, have it cancelled. Every step may come twice, in this process or in another: what is said to the peer carries an id, and so
 * does every note.
 */
import { digestOf } from "./ids.ts";
import { InfrastructureError, InputError, reasonOf, RetryableError } from "./errors.ts";
import { closingOf, digestOfArtifact, newest, type Artifact, type Words } from "./delegation-words.ts";
import { isOver, type Delegation, type DelegationStore, type Outcome } from "./delegation-record.ts";
import type { Peer, PeerMessage, PeerPart, Peers, PeerTask } from "./peers.ts";
import type { Blobs, Clock, Log } from "./ports.ts";
import type { Proactive } from "./proactive.ts";
import type { TaskPart } from "./skilled.ts";
import { blobsOf } from "./tenant-blobs.ts";

const callMs = 30_000;
const cancelMs = 24 * 3_600_000;
/** How long a peer may be unreachable before a task is given up: one that it may not even have, and one that it has. */
const unsentMs = 3_600_000;
const lostMs = 24 * 3_600_000;
/** How long a question waits for its answer. */
const questionMs = 30 * 24 * 3_600_000;
const hourMs = 3_600_000;
const mostNotes = 60;
const longestNote = 15_000;

export interface WorkOptions {
  readonly store: DelegationStore;
  readonly peers: Peers;
  readonly words: Words;
  readonly prompt: Proactive["prompt"];
  readonly toMission?: ((of: MissionStepRef, told: TaskNews) => Promise<void>) | undefined;
  readonly blobs: Blobs;
  readonly clock: Clock;
  readonly log: Log;
  /** Where the peer tells of changes; undefined: nowhere. */
  readonly pushOf: (peer: Peer, id: string) => PeerMessage["push"];
}

export type MissionStepRef = NonNullable<Delegation["by"]["mission"]>;
/** What a mission is told of one of its tasks. */
export interface TaskNews extends Outcome {
  readonly kind: "news" | "question" | "end";
  /** The same whenever the same is told. */
  readonly id: string;
}

/** The delegation as it stands, and its task as the peer just told it. */
export interface Standing {
  readonly row: Delegation;
  readonly task?: PeerTask;
}

export interface Work {
  /**
   * One step, with as many others as there are at once. Undefined where there is no such delegation.
   * @param known it as it was just read.
   */
  advance(id: string, known?: Delegation): Promise<Standing | undefined>;
  /** It is over: what was open is told by the call that waits, by a note, or to nobody. */
  end(row: Delegation, told: Outcome, options: { readonly cancel: boolean }): Promise<Delegation>;
}

export const isEnded = ({ state }: Pick<PeerTask, "state">): boolean =>
  state === "completed" || state === "failed" || state === "canceled" || state === "rejected";

/** @returns the artifacts that were not told as they are now. */
export function untold(row: Delegation, task: PeerTask): readonly Artifact[] {
  return newest(task).filter((one) => row.artifacts.told[one.id] !== digestOfArtifact(one));
}

export const questionOf = ({ said, saidId }: PeerTask): string => digestOf(saidId ?? said ?? "");

export function createWork(options: WorkOptions): Work {
  const { store, peers, words, clock, log } = options;

  async function advance(id: string, known?: Delegation): Promise<Standing | undefined> {
    const found = known ?? (await store.find(id));
    if (found === undefined) return undefined;
    const standing = await step(found);
    // What it tells is on its way first. Whoever ended it may have died before this.
    if (standing?.row.end !== undefined) await store.delist(found.by.list, id, !standing.row.forgotten);
    return standing;
  }

  async function step(found: Delegation): Promise<Standing | undefined> {
    const row = await delivered(found);
    if (row.canceling !== undefined) return { row: await cancel(row, row.canceling.since) };
    if (isOver(row)) return { row };
    const waits = row.state === "input-required" && row.outgoing === undefined;
    if (isStale(row, clock.now())) return { row: await giveUp(row, "nobody answered its question", true) };
    const late = row.deadline !== undefined && clock.now() >= row.deadline && !waits;
    if (late) return { row: await giveUp(row, "it was not done in its time and is cancelled", true) };
    const peer = await peers.of(row.peer);
    if (peer === undefined && peers.mayReturn(row.peer)) return { row: await failing(row, away()) };
    if (peer === undefined) return { row: await giveUp(row, "the agent is not there any more", false) };
    let task: PeerTask | undefined;
    try {
      task = await asked(peer, row);
    } catch (error) {
      return { row: await failing(row, error) };
    }
    if (task === undefined) return { row: await giveUp(row, "the agent knows nothing of it any more", false) };
    // Nobody needs what it has: before it is forgotten what that was.
    const own = blobsOf(options.blobs, row.caller.tenant);
    for (const part of row.outgoing?.parts ?? []) if (part.kind === "file") await own.remove(part.blob);
    const ending =
      isEnded(task) && row.telling === "note" ? await endOf({ ...row, state: task.state }, task) : undefined;
    const fresh = await took(row, task, ending);
    if (fresh === undefined) return undefined;
    if (fresh.note !== undefined) return { row: await delivered(fresh), task };
    if (fresh.end !== undefined || fresh.telling !== "note") return { row: fresh, task };
    return { row: await tell(fresh, task, peer), task };
  }

  async function asked(peer: Peer, row: Delegation): Promise<PeerTask | undefined> {
    const signal = AbortSignal.timeout(callMs);
    const { outgoing, caller, context, chain, task } = row;
    const { locale, timeZone } = row.by.participant ?? {};
    if (outgoing === undefined) return task === undefined ? undefined : peer.get(caller, task, signal);
    const message: PeerMessage = {
      id: outgoing.id,
      context,
      chain,
      parts: await loaded(outgoing.parts, blobsOf(options.blobs, caller.tenant)),
      ...(task === undefined ? {} : { task }),
      ...(locale === undefined ? {} : { locale }),
      ...(timeZone === undefined ? {} : { timeZone }),
    };
    const push = row.pushed ? options.pushOf(peer, row.id) : undefined;
    if (push === undefined) return peer.send(caller, message, signal);
    try {
      return await peer.send(caller, { ...message, push }, signal);
    } catch (error) {
      // It may be the address that it refuses.
      if (!(error instanceof InputError)) throw error;
      const told = await peer.send(caller, message, AbortSignal.timeout(callMs));
      await store.change(row.id, (now) => ({ ...now, pushed: false }));
      return told;
    }
  }

  async function loaded(parts: readonly TaskPart[], blobs: Blobs): Promise<PeerPart[]> {
    return Promise.all(
      parts.map(async (part): Promise<PeerPart> => {
        if (part.kind !== "file") return part;
        const { name, type, blob } = part;
        const found = await blobs.get(blob, { use: true });
        if (found === undefined) return { kind: "text", text: `[the file ${name ?? type} is not kept any more]` };
        const bytes = new Uint8Array(await new Response(found.body).arrayBuffer());
        return { kind: "file", type, bytes, ...(name === undefined ? {} : { name }) };
      }),
    );
  }

  /** @param ending is written with it, where nothing else was told meanwhile. */
  async function took(before: Delegation, task: PeerTask, ending?: Ending): Promise<Delegation | undefined> {
    return store.change(before.id, (now) => {
      const seen = takenIn(before, now, task);
      return ending === undefined ? seen : (withEnd(before, seen, ending) ?? seen);
    });
  }

  function takenIn(before: Delegation, now: Delegation, task: PeerTask): Delegation {
    const { outgoing, failing: _failing, ...rest } = now;
    const left = outgoing === undefined || outgoing.id === before.outgoing?.id ? {} : { outgoing };
    const isNew = now.state !== task.state || untold(now, task).length > 0 || before.outgoing !== undefined;
    const isDue = task.dueAt !== undefined && Math.abs(task.dueAt - clock.now()) < 10_000;
    return {
      ...rest,
      ...left,
      ...(task.id === undefined ? {} : { task: task.id }),
      state: task.state,
      looks: isNew || isDue ? 0 : now.looks + 1,
    };
  }

  /** The peer cannot be asked, now or ever. */
  async function failing(row: Delegation, error: unknown): Promise<Delegation> {
    const reason = reasonOf(error);
    if (!(error instanceof RetryableError)) {
      log.warn({ delegation: row.id, peer: row.peer, reason }, "a delegation is refused");
      const words =
        error instanceof InputError ? `the agent refuses it: ${error.message}` : "the agent cannot be asked";
      return giveUp(row, words, row.task !== undefined);
    }
    const { since, n } = row.failing ?? { since: clock.now(), n: 0 };
    log.warn({ delegation: row.id, peer: row.peer, failures: n + 1, reason }, "a delegation is looked at again");
    const most = row.outgoing === undefined ? lostMs : unsentMs;
    if (clock.now() - since > most) return giveUp(row, "the agent cannot be reached", row.task !== undefined);
    const written = await store.change(row.id, (now) => ({ ...now, failing: { since, n: n + 1 } }));
    return written ?? row;
  }

  async function giveUp(row: Delegation, how: string, canceling: boolean): Promise<Delegation> {
    const told = { text: closingOf(row, how), parts: [], failed: true };
    return end(row, told, { cancel: canceling });
  }

  async function end(row: Delegation, told: Outcome, how: { readonly cancel: boolean }): Promise<Delegation> {
    const written = await store.change(row.id, (now) => withEnd(row, now, { told, ...how, silent: false }));
    return written === undefined ? row : delivered(written);
  }

  function withEnd(before: Delegation, now: Delegation, ending: Ending): Delegation | undefined {
    const { failing: _failing, ...rest } = now;
    const { telling } = rest;
    const { told, silent } = ending;
    // What came meanwhile is told first, by whom it is to be told: the next look comes back to this.
    if (rest.end !== undefined || rest.note !== undefined || isToldOtherwise(before, rest)) return undefined;
    const by = telling === "note" ? ({ by: "note" } as const) : ({ by: "call", turn: telling.turn } as const);
    const still = ending.cancel ? { canceling: { since: clock.now() } } : {};
    const state = isEnded(rest) ? rest.state : "failed";
    const topic = told.failed ? "a task's failure" : "a task's result";
    const note =
      telling === "note" && (!silent || rest.by.mission !== undefined) ? { note: { what: "end", topic, told } } : {};
    return { ...rest, state, end: { told, ...by }, ...still, ...note };
  }

  async function endOf(row: Delegation, task: PeerTask): Promise<Ending> {
    const failed = task.state !== "completed";
    const fresh = untold(row, task);
    const told = await words.of(row, fresh, failed ? task.said : undefined, closing(row), failed);
    // What its agent ended without a word, since it was asked to elsewhere, is no news.
    return { told, cancel: false, silent: !failed && fresh.length === 0 };
  }

  /** What nobody waits for: in order, each of it once. */
  async function tell(row: Delegation, task: PeerTask, peer: Peer): Promise<Delegation> {
    if (isEnded(task)) {
      const ending = await endOf(row, task);
      const written = await store.change(row.id, (now) => withEnd(row, now, ending));
      return written === undefined ? row : delivered(written);
    }
    const now = await tellArtifacts(row, task, peer);
    if (task.state !== "input-required") return now;
    const digest = questionOf(task);
    const notes = notesOf(now, clock.now());
    // A mission bounds what it is asked itself.
    const isFull = notes.n >= mostNotes && now.by.mission === undefined;
    if (now.question?.digest === digest || isFull) return now;
    const told = await words.of(now, [], task.said, closing(now, "it asks, and goes on when it is answered"));
    const question = { digest, told, at: clock.now() };
    const note = { what: `question ${digest}`, topic: "a task's question", told };
    const counted = { ...notes, n: notes.n + 1 };
    return noted(now, note, (one) =>
      one.question?.digest === digest ? undefined : { ...one, question, notes: counted },
    );
  }

  async function tellArtifacts(row: Delegation, task: PeerTask, peer: Peer): Promise<Delegation> {
    const whole = (await peer.card())?.whole === true;
    let now = row;
    for (const artifact of untold(row, task)) {
      const digest = digestOfArtifact(artifact);
      const notes = notesOf(now, clock.now());
      if (notes.n >= mostNotes) break;
      const isNow = (list: "seen" | "told") => (one: Delegation) => {
        if (one.artifacts[list][artifact.id] === digest) return undefined;
        const kept = within(one.artifacts, task);
        return { ...one, artifacts: { ...kept, [list]: { ...kept[list], [artifact.id]: digest } } };
      };
      if (!whole && now.artifacts.seen[artifact.id] !== digest) {
        now = (await store.change(row.id, isNow("seen"))) ?? now;
        continue;
      }
      const told = await words.of(now, [artifact], undefined, closing(now, "it goes on"));
      const note = { what: `artifact ${artifact.id} ${digest}`, topic: "news of a task", told };
      now = await noted(now, note, (one) => {
        const next = isNow("told")(one);
        return next && { ...next, notes: { ...notes, n: notes.n + 1 } };
      });
    }
    return now;
  }

  /** Decided with what it belongs to, and told then; by whoever was the first where several look at once. */
  async function noted(
    row: Delegation,
    note: NonNullable<Delegation["note"]>,
    next: (now: Delegation) => Delegation | undefined,
  ): Promise<Delegation> {
    const written = await store.change(row.id, (now) => {
      if (now.note !== undefined || now.end !== undefined || now.telling !== "note") return undefined;
      const changed = next(now);
      return changed && { ...changed, note };
    });
    return delivered(written ?? row);
  }

  /** Tells what is to be told, and knows that it was. */
  async function delivered(row: Delegation): Promise<Delegation> {
    if (row.note === undefined) return row;
    await tellNote(row, row.note);
    const written = await store.change(row.id, ({ note, ...now }) => (note?.what === row.note?.what ? now : undefined));
    return written ?? row;
  }

  /** What of the delegation it is stands in the note's id. */
  async function tellNote(row: Delegation, { what, topic, told }: NonNullable<Delegation["note"]>): Promise<void> {
    const { to, participant, mission, agentName: agent } = row.by;
    if (mission !== undefined && !row.forgotten) {
      const kind = what === "end" ? "end" : what.startsWith("question") ? "question" : "news";
      // What cannot be told is kept.
      if (options.toMission === undefined) throw new InfrastructureError("this process has no missions");
      return options.toMission(mission, { kind, id: digestOf(what), ...told });
    }
    if (to === undefined || participant === undefined || row.forgotten) return;
    const files = told.parts.flatMap((part) => ("source" in part ? [part] : []));
    try {
      const text = told.text.slice(0, longestNote);
      await options.prompt({ to, participant }, `delegation ${digestOf(`${row.id} ${what}`)}`, {
        topic,
        text,
        files,
        agent,
      });
    } catch (error) {
      // Nobody can be written to there: it stands among the conversation's tasks for who asks.
      if (!(error instanceof InputError)) throw error;
      log.warn({ delegation: row.id, reason: reasonOf(error) }, "what became of a delegation cannot be told");
    }
  }

  async function cancel(row: Delegation, since: number): Promise<Delegation> {
    const peer = await peers.of(row.peer);
    const signal = AbortSignal.timeout(callMs);
    let state: Delegation["state"] = "canceled";
    try {
      if (peer === undefined && peers.mayReturn(row.peer)) throw away();
      // Never sent a second time: that would begin what is to be stopped.
      const { outgoing, context, caller } = row;
      const task = row.task ?? (outgoing && (await peer?.find(caller, { id: outgoing.id, context }, signal)));
      if (task !== undefined) await peer?.cancel(caller, task, signal);
      if (task !== undefined && row.forgotten) await peer?.erase(caller, task, signal);
    } catch (error) {
      const about = { delegation: row.id, peer: row.peer, reason: reasonOf(error) };
      if (error instanceof RetryableError && clock.now() - since < cancelMs) {
        log.warn(about, "a task could not be cancelled and is tried again");
        const n = (row.failing?.n ?? 0) + 1;
        return (await store.change(row.id, (now) => ({ ...now, failing: { since, n } }))) ?? row;
      }
      log.warn(about, "a task could not be cancelled");
      state = row.state;
    }
    if (row.forgotten) {
      await store.remove(row.id);
      const { canceling: _canceling, failing: _failing, ...over } = row;
      return { ...over, state };
    }
    const written = await store.change(row.id, ({ canceling: _canceling, failing: _failing, ...now }) => {
      return { ...now, state };
    });
    return written ?? row;
  }

  return { advance, end };
}

/** A mission knows whose words they are. */
const closing = (row: Delegation, how?: string): string => (row.by.mission === undefined ? closingOf(row, how) : "");
interface Ending {
  readonly told: Outcome;
  /** The peer is still to be told to stop. */
  readonly cancel: boolean;
  /** There is nothing to tell. */
  readonly silent: boolean;
}

const away = () => new RetryableError("the agent does not run now");

/** What was told within the hour; to a mission, which keeps a part of it only, in all. */
function notesOf({ notes, by }: Delegation, now: number): Delegation["notes"] {
  return by.mission !== undefined || now - notes.since < hourMs ? notes : { since: now, n: 0 };
}

/** Who tells has changed since, or more was told. */
function isToldOtherwise(before: Delegation, now: Delegation): boolean {
  const [one, other] = [before.artifacts.told, now.artifacts.told];
  const ids = new Set([...Object.keys(one), ...Object.keys(other)]);
  return (now.telling === "note") !== (before.telling === "note") || [...ids].some((id) => one[id] !== other[id]);
}

/** Of artifacts that the task does not have any more nothing is remembered. */
function within({ told, seen }: Delegation["artifacts"], task: PeerTask): Delegation["artifacts"] {
  const ids = new Set(newest(task).map(({ id }) => id));
  const pick = (all: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(all).filter(([id]) => ids.has(id)));
  return { told: pick(told), seen: pick(seen) };
}

/** When it is to be looked at again; undefined: never. @param told its peer tells of changes. */
export function nextLook(row: Delegation, task: PeerTask | undefined, told: boolean, now: number): number | undefined {
  if (isOver(row)) return undefined;
  const backoff = (n: number, firstMs: number, most: number) => now + Math.min(firstMs * 2 ** Math.min(n, 20), most);
  if (row.note !== undefined) return backoff(0, 1_000, 60_000);
  if (row.failing !== undefined) return backoff(row.failing.n, 1_000, 60_000);
  if (row.canceling !== undefined) return now;
  if (row.telling !== "note") return Math.max(row.telling.until, now);
  if (row.notes.n >= mostNotes && now - row.notes.since < hourMs) return row.notes.since + hourMs;
  const most = told ? 600_000 : 60_000;
  // A mission hears no more news of it, but its end.
  const looks = row.by.mission !== undefined && row.notes.n >= mostNotes ? Infinity : row.looks;
  const again = backoff(looks, told ? 1_000 : 500, most);
  const due = task?.dueAt === undefined || task.dueAt < now ? Infinity : task.dueAt + (told ? 5_000 : 250);
  const next = Math.min(due === Infinity ? again : now + most, due, row.deadline ?? Infinity);
  return row.state === "input-required" ? Math.max(next, again) : next;
}

/** Nobody answers its question any more. */
const isStale = (row: Delegation, now: number): boolean =>
  row.state === "input-required" && row.outgoing === undefined && now - (row.question?.at ?? now) > questionMs;
