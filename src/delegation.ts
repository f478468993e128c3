/**
 * Delegations: client agents give tasks to skilled agents. Each is a record that is written before anything is sent, under the
 * tool call's own key, so that a call that is made again is the same task.
 *
 * The call waits for a while. What comes within that time is its result; what comes later is told by a note, in the conversation
 * that it came from. Which of both it is, the record decides: whoever tells writes that first, or tells under an id that counts once.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { reasonOf } from "./errors.ts";
import type { SafeFetch } from "./fetch.ts";
import { createInOrder } from "./in-order.ts";
import { createErasure } from "./delegation-erase.ts";
import { createFollow } from "./delegation-follow.ts";
import { callerIdOf, type DelegationParts } from "./delegation-parts.ts";
import { asNote, bare, createDelegationStore, stopMark, type Delegation } from "./delegation-record.ts";
import { missionTasks, type MissionTasks } from "./delegation-missions.ts";
import { createWords } from "./delegation-words.ts";
import { createWork, nextLook, type MissionStepRef, type Standing, type TaskNews } from "./delegation-work.ts";
import type { StoppedTurn } from "./state.ts";
import { blobsIn, type Address } from "./message.ts";
import type { Peer, Peers } from "./peers.ts";
import type { Clock, Log, Runtime } from "./ports.ts";
import type { Proactive } from "./proactive.ts";
import type { TaskCaller } from "./skilled.ts";
import { agentSource } from "./delegation-source.ts";
import { nestedDelegating, type Delegating, type NestedRun } from "./delegation-nested.ts";
import { blobsOf } from "./tenant-blobs.ts";
import type { ToolSource } from "./tools.ts";

export interface DelegationOptions {
  readonly runtime: Pick<Runtime, "records" | "jobs" | "blobs">;
  readonly clock: Clock;
  readonly log: Log;
  readonly peers: Peers;
  readonly prompt: Proactive["prompt"];
  /** What becomes of a mission's task; resolves when the mission has it for good, or is gone. */
  readonly toMission?: ((of: MissionStepRef, told: TaskNews) => Promise<void>) | undefined;
  readonly safeFetch: SafeFetch;
  /** All replicas have the same one. */
  readonly secret: string;
  /** Where peers tell of changes, with the delegation's id behind it; absent: nowhere. Those in this process need none. */
  readonly pushUrl?: string | undefined;
  /** What an agent of this gateway is called in chains. */
  readonly chainName: (agent: string) => string;
  /** The person can be written to there without having asked. */
  readonly reaches: (to: Address) => boolean;
  /** How long a call waits for its task. */
  readonly inlineMs: number;
  /** In [0, 1): spreads writes that collide, and tells tries to make a call apart. */
  readonly random?: () => number;
}

export interface Delegations {
  /** Tools for client agents. */
  readonly source: ToolSource;
  readonly missions: MissionTasks;
  /** The same for a skilled agent that works on a task of its own. */
  within(run: NestedRun): Delegating;
  /** A job of this name is due. False where it is another's. */
  run(job: string, data: unknown): Promise<boolean>;
  /** Who tells of a change of this delegation knows its token. */
  isGenuine(id: string, token: string): boolean;
  /** Its task may have changed. Resolves when what there is has been told, or somebody waits for it. */
  changed(id: string): Promise<void>;
  /** The turn is over for good without its end: what it waits for is cancelled, and nothing more begins in it. May come again. */
  stopped(turn: StoppedTurn): Promise<void>;
  /**
   * Cancels and erases all delegations of these conversations, or of skilled agents' tasks, and has those that were asked there erase
   * what they hold for these callers. Who cannot be reached is asked again for as long as it would hold it.
   */
  forget(lists: readonly string[], callers?: readonly TaskCaller[]): Promise<void>;
  /** Waits for what is being told. */
  drain(graceMs: number): Promise<void>;
}

const prefix = "delegation:";
const keptStops = 1_000;
/** In this process nobody needs an address. */
export const localPush = "ascent:delegation/";

export function createDelegations(options: DelegationOptions): Delegations {
  const { runtime, clock, log, peers, inlineMs, secret, pushUrl, random = Math.random } = options;
  const store = createDelegationStore(runtime.records, clock, random);
  const words = createWords({ blobs: runtime.blobs, safeFetch: options.safeFetch });
  const { prompt, toMission } = options;
  const work = createWork({ store, peers, words, prompt, toMission, blobs: runtime.blobs, clock, log, pushOf });
  const erasure = createErasure({ jobs: runtime.jobs, peers, clock, log });
  const ears = new Map<string, Set<() => void>>();
  const inOrder = createInOrder();
  const stops = new Set<string>();

  const tokenOf = (id: string) => createHmac("sha256", secret).update(`delegation ${id}`).digest("base64url");

  function pushOf(peer: Peer, id: string) {
    const url = peer.local ? `${localPush}${id}` : pushUrl === undefined ? undefined : `${pushUrl}/${id}`;
    return url === undefined ? undefined : { url, token: tokenOf(id) };
  }

  const arm = ({ id, by }: Pick<Delegation, "id" | "by">, dueAt: number) =>
    runtime.jobs.schedule(`${prefix}${id}`, { dueAt }, { id, list: by.list });

  const disarm = (id: string) => runtime.jobs.cancel(`${prefix}${id}`);

  async function rest({ row, task }: Standing): Promise<void> {
    const peer = await peers.of(row.peer);
    const isTold = peer !== undefined && row.pushed && pushOf(peer, row.id) !== undefined;
    const next = nextLook(row, task, isTold, clock.now());
    if (next !== undefined) return arm(row, next);
    await disarm(row.id);
  }

  async function look(id: string): Promise<void> {
    const row = await store.find(id);
    if (row === undefined) return disarm(id);
    const { telling, canceling, end } = row;
    const waits = telling !== "note" && canceling === undefined && end === undefined;
    if (waits) {
      if (clock.now() < telling.until) return rest({ row });
      const { stopped } = await store.list(row.by.list);
      if (stopped.includes(stopMark(row.caller, telling.turn))) return follow.abandon(id, row.by.list);
      await gaveWay(row, telling.call);
    }
    const standing = await work.advance(id, waits ? undefined : row);
    if (standing !== undefined) await rest(standing);
  }

  /** Who waited for it is gone: what comes is told by a note, or nobody cares any more. */
  async function gaveWay(row: Delegation, call: string): Promise<void> {
    const written = await store.change(row.id, (now) => {
      if (now.telling === "note" || now.telling.call !== call || now.end !== undefined) return undefined;
      return asNote(now);
    });
    if (written === undefined || written.telling !== "note" || written.by.to !== undefined) return;
    await work.end(written, { text: "", parts: [], failed: true }, { cancel: true });
  }

  const parts: DelegationParts = {
    store,
    work,
    peers,
    runtime,
    clock,
    log,
    inlineMs,
    newClaim: () => random().toString(36).slice(2),
    chainName: options.chainName,
    reaches: options.reaches,
    arm,
    disarm,
    advance: (id) => inOrder.run(id, () => work.advance(id)),
    look: (id) => inOrder.run(id, () => look(id)),
    lookLater(id) {
      parts.look(id).catch((error: unknown) => {
        log.warn({ delegation: id, reason: reasonOf(error) }, "a delegation is looked at again by its job");
      });
    },
    isStopped: (conversation, turn) => stops.has(`${conversation} ${turn}`),
    listen(id, wake) {
      const all = ears.get(id) ?? new Set();
      ears.set(id, all.add(wake));
      return () => {
        all.delete(wake);
        if (all.size === 0) ears.delete(id);
      };
    },
  };
  const follow = createFollow(parts, words);

  async function erase(list: string, id: string): Promise<void> {
    const known = await store.find(id);
    const files = [...(known?.end?.told.parts ?? []), ...(known?.question?.told.parts ?? [])];
    const sent = known?.outgoing?.parts.flatMap((part) => (part.kind === "file" ? [part.blob] : [])) ?? [];
    const blobs = blobsOf(runtime.blobs, known?.caller.tenant ?? "");
    for (const blob of [...blobsIn(files), ...sent]) await blobs.remove(blob);
    const erased = await store.change(id, (now) => bare(now, clock.now()));
    await store.delist(list, id, false);
    if (erased === undefined) return;
    await arm(erased, clock.now());
    parts.lookLater(id);
  }

  return {
    source: agentSource(parts, follow),
    missions: missionTasks(parts),
    within: (run) => nestedDelegating(parts, follow, run),
    isGenuine(id, token) {
      const [given, own] = [token, tokenOf(id)].map((one) => createHmac("sha256", "").update(one).digest());
      return given !== undefined && own !== undefined && timingSafeEqual(given, own);
    },
    async run(job, data) {
      if (await erasure.run(job, data)) return true;
      if (!job.startsWith(prefix)) return false;
      const { id, list } = data as { id: string; list: string };
      if ((await store.find(id)) === undefined) await store.delist(list, id, false);
      else await parts.look(id);
      return true;
    },
    async changed(id) {
      const waiting = ears.get(id);
      if (waiting === undefined) return parts.look(id);
      for (const wake of waiting) wake();
    },
    async stopped({ agent, conversation, turn }) {
      if ((await peers.all()).length === 0) return;
      stops.add(`${conversation} ${turn}`);
      for (const oldest of stops) if (stops.size > keptStops) stops.delete(oldest);
      const open = await store.stop(conversation, stopMark({ id: callerIdOf(agent) }, turn));
      for (const { id } of open.filter((one) => one.turn === turn)) await follow.abandon(id, conversation);
    },
    async forget(lists, callers = []) {
      const asked = new Set<string>();
      let isAsked = false;
      for (const list of lists) {
        const { open, ended, peers: known } = await store.list(list);
        for (const { id } of [...open, ...ended]) await erase(list, id);
        isAsked ||= known === undefined || known.length > 0;
        for (const name of known ?? []) asked.add(name);
      }
      if (!isAsked || callers.length === 0) return;
      // What they asked of others in turn they asked in the same name.
      for (const { name } of await peers.all()) asked.add(name);
      for (const caller of callers) await Promise.all([...asked].map((name) => erasure.at(name, caller)));
    },
    async drain(graceMs) {
      const enough = new Promise<void>((resolve) => void clock.after(graceMs, resolve));
      await Promise.race([inOrder.idle(), enough]);
    },
  };
}
