/**
 * What is kept of a delegation: one record, written before anything is sent, that says all there is to know; and beside it a list
 * per conversation. Nobody comes to a delegation but by its conversation's list.
 */
import { z } from "zod";
import { ConflictError, InputError } from "./errors.ts";
import { address, answer, participant, type Address } from "./message.ts";
import { peerStates } from "./peers.ts";
import type { Clock, Records } from "./ports.ts";
import { taskCaller, taskPart, type TaskCaller } from "./skilled.ts";

const dayMs = 24 * 3_600_000;
const openMs = 400 * dayMs;
const endedMs = 8 * dayMs;
/** Of one conversation at once. */
const mostOpen = 50;
const mostEnded = 20;
const mostStopped = 20;
const mostPeers = 100;
const mostTries = 50;

/** What is told: with the answer to a call, or with a note. */
const outcome = z.object({ text: z.string(), parts: answer.shape.parts, failed: z.boolean() });
export type Outcome = Readonly<z.infer<typeof outcome>>;

export const delegationRow = z.object({
  v: z.literal(1),
  id: z.string(),
  /** What people and models call it: unique in its conversation. */
  name: z.string(),
  peer: z.string(),
  /** Who asked. `to` is absent where it was a skilled agent on its own task: nobody is written to then. */
  by: z.object({
    agentName: z.string(),
    list: z.string(),
    to: address.optional(),
    participant: participant.optional(),
    /** It is a step of a mission, which is told instead of the conversation. */
    mission: z.object({ id: z.string(), step: z.string() }).optional(),
  }),
  caller: taskCaller,
  context: z.string(),
  chain: z.array(z.string()),
  /** How it was put, in short, for people to know it by. */
  asked: z.string(),
  /** What the peer may not have yet. */
  outgoing: z.object({ id: z.string(), parts: z.array(taskPart) }).optional(),
  /** Ids of all that was said in it, as digests. */
  said: z.array(z.string()),
  task: z.string().optional(),
  state: z.enum(peerStates),
  /**
   * Who tells what comes: the call that waits for it, until that time at most; or a note. `claim` is the call's as the newest attempt at
   * its turn made it: an attempt that was left behind, and may not know it yet, tells nothing.
   */
  telling: z.union([
    z.object({ call: z.string(), turn: z.string(), until: z.number(), claim: z.string().optional() }),
    z.literal("note"),
  ]),
  /** The newest question that was told, as a digest, and what was told with it; `turn`: by a call of that one. */
  question: z.object({ digest: z.string(), told: outcome, at: z.number(), turn: z.string().optional() }).optional(),
  /** What a note is to tell, decided with the state that it belongs to: whoever comes tells it, under an id that counts once. */
  note: z.object({ what: z.string(), topic: z.string(), told: outcome }).optional(),
  /** It is over for whoever asked, and this is what they are told, by `told`. */
  end: z.object({ told: outcome, by: z.enum(["call", "note", "nobody"]), turn: z.string().optional() }).optional(),
  /** The peer is still to be told to stop. */
  canceling: z.object({ since: z.number() }).optional(),
  /** Of what was said nothing is left here; the record goes when the peer has been told to stop. */
  forgotten: z.literal(true).optional(),
  /** Artifacts that were told, and those that were seen last and may still grow: digests of their content by their id. */
  artifacts: z.object({ told: z.record(z.string(), z.string()), seen: z.record(z.string(), z.string()) }),
  /** Notes of the hour that began then. */
  notes: z.object({ since: z.number(), n: z.number() }),
  at: z.number(),
  deadline: z.number().optional(),
  /** Looks since something changed, and tries that failed in a row since when. */
  looks: z.number(),
  failing: z.object({ since: z.number(), n: z.number() }).optional(),
  /** The peer tells of changes. */
  pushed: z.boolean(),
});
export type Delegation = Readonly<z.infer<typeof delegationRow>>;

const entry = z.object({ id: z.string(), name: z.string(), agentName: z.string(), turn: z.string() });
export type Entry = Readonly<z.infer<typeof entry>>;
const listRow = z.object({
  v: z.literal(1),
  n: z.number(),
  open: z.array(entry),
  ended: z.array(entry),
  /** The latest turns that were stopped, as {@link stopMark}s: none of them begins or says anything more. */
  stopped: z.array(z.string()).default([]),
  /** All that were ever asked; absent in a list that is older than this. */
  peers: z.array(z.string()).optional(),
});
type ListRow = z.infer<typeof listRow>;

export interface DelegationStore {
  find(id: string): Promise<Delegation | undefined>;
  /** @returns the one that is there already. */
  create(fresh: Delegation): Promise<Delegation>;
  /** @param next undefined: nothing is to be written. @returns what is there afterwards. */
  change(id: string, next: (of: Delegation) => Delegation | undefined): Promise<Delegation | undefined>;
  remove(id: string): Promise<void>;
  /** The oldest first. */
  list(list: string): Promise<Pick<Readonly<ListRow>, "open" | "ended" | "stopped" | "peers">>;
  /** @returns its name; the same again for one that is there. @throws InputError where there are too many, or the turn was stopped. */
  enlist(list: string, of: Omit<Entry, "name"> & Pick<Delegation, "caller">, peer: string): Promise<string>;
  /** @param turn the one that goes on with it now. @throws InputError where that was stopped. */
  resume(list: string, of: Pick<Delegation, "id" | "caller">, turn: string): Promise<void>;
  /** From now on nothing begins in that turn. @returns what is open. */
  stop(list: string, mark: string): Promise<readonly Entry[]>;
  /** @param keep it is still shown among those that ended; of what has to make room nothing is kept. */
  delist(list: string, id: string, keep: boolean): Promise<void>;
  /** Nobody comes by it any more. */
  dropList(list: string): Promise<void>;
}

export const listOf = ({ conversation }: Pick<Address, "conversation">): string => conversation;

/** A turn is one of its agent's: of two agents that a conversation had one after the other each may have one of that name. */
export const stopMark = ({ id }: Pick<TaskCaller, "id">, turn: string): string => `${id} ${turn}`;

/** Nothing is left to be done for it. */
export const isOver = ({ end, canceling, note }: Delegation): boolean =>
  end !== undefined && canceling === undefined && note === undefined;

/** From now on notes tell. How often the peer was asked in vain while a call waited says nothing of when to ask it again. */
export function asNote({ failing, ...now }: Delegation): Delegation {
  return { ...now, ...(failing && { failing: { ...failing, n: 0 } }), telling: "note", looks: 0 };
}

/** Without a word of what was said in it. Its task is still to be cancelled, and erased where its peer does that. */
export function bare({ outgoing, question: _question, note: _note, ...row }: Delegation, since?: number): Delegation {
  const unsent = outgoing === undefined ? {} : { outgoing: { id: outgoing.id, parts: [] } };
  const told = { text: "", parts: [], failed: true };
  const canceling = since === undefined ? {} : { canceling: { since } };
  return { ...row, ...unsent, ...canceling, asked: "", end: { told, by: "nobody" }, forgotten: true };
}

/** @param random spreads those that collide. */
export function createDelegationStore(records: Records, clock: Clock, random: () => number): DelegationStore {
  const keyOf = (id: string) => `delegation:${id}`;
  const listKey = (list: string) => `delegations:${list}`;

  /** Those that collide do not do so again at once. */
  const pause = (tries: number) =>
    new Promise<void>((resolve) => void clock.after(Math.min(2 ** tries, 100) * random(), resolve));

  async function changeList<Result>(
    list: string,
    next: (row: ListRow) => { readonly row?: ListRow; readonly result: Result },
  ): Promise<Result> {
    for (let tries = 1; ; tries++) {
      const found = await records.get(listKey(list));
      const { row, result } = next(
        found === undefined ? { v: 1, n: 0, open: [], ended: [], stopped: [], peers: [] } : listRow.parse(found.value),
      );
      if (row === undefined) return result;
      try {
        const isEmpty = row.open.length + row.ended.length === 0 && row.peers?.length === 0;
        const ttlMs = isEmpty ? dayMs : openMs;
        await records.put(listKey(list), row, { etag: found?.etag ?? null, ttlMs });
        return result;
      } catch (error) {
        if (!(error instanceof ConflictError) || tries === mostTries) throw error;
        await pause(tries);
      }
    }
  }

  /** @returns what is there afterwards. */
  async function change(id: string, next: (of: Delegation) => Delegation | undefined): Promise<Delegation | undefined> {
    for (let tries = 1; ; tries++) {
      const found = await find(id);
      const value = found && next(found.value);
      if (found === undefined || value === undefined) return found?.value;
      try {
        await records.put(keyOf(id), value, { etag: found.etag, ttlMs: isOver(value) ? endedMs : openMs });
        return value;
      } catch (error) {
        if (!(error instanceof ConflictError) || tries === mostTries) throw error;
        await pause(tries);
      }
    }
  }

  /** Nobody comes to it any more, so that nobody could have it forgotten. */
  async function drop(id: string): Promise<void> {
    const row = await change(id, (now) => (isOver(now) ? undefined : bare(now)));
    if (row !== undefined && isOver(row)) await records.remove(keyOf(id));
  }

  async function find(id: string) {
    const found = await records.get(keyOf(id));
    return found === undefined ? undefined : { value: delegationRow.parse(found.value), etag: found.etag };
  }

  return {
    find: async (id) => (await find(id))?.value,
    async create(fresh) {
      try {
        await records.put(keyOf(fresh.id), fresh, { etag: null, ttlMs: openMs });
        return fresh;
      } catch (error) {
        const known = error instanceof ConflictError ? await find(fresh.id) : undefined;
        if (known === undefined) throw error;
        return known.value;
      }
    },
    change,
    remove: (id) => records.remove(keyOf(id)),
    list: (list) => changeList(list, (row) => ({ result: row })),
    enlist: (list, { caller, ...of }, peer) =>
      changeList(list, (row) => {
        checkStopped(row, caller, of.turn);
        const known = [...row.open, ...row.ended].find(({ id }) => id === of.id);
        if (known !== undefined) return { result: known.name };
        if (row.open.length >= mostOpen)
          throw new InputError(`${mostOpen} tasks are open in this conversation: cancel some of them first`);
        const name = `${peer}-${row.n + 1}`;
        const peers = row.peers && { peers: [...new Set([...row.peers, peer])].slice(-mostPeers) };
        return { row: { ...row, ...peers, n: row.n + 1, open: [...row.open, { ...of, name }] }, result: name };
      }),
    dropList: (list) => records.remove(listKey(list)),
    resume: (list, { id, caller }, turn) =>
      changeList(list, (row) => {
        checkStopped(row, caller, turn);
        const open = row.open.map((one) => (one.id === id ? { ...one, turn } : one));
        return { row: { ...row, open }, result: undefined };
      }),
    stop: (list, mark) =>
      changeList(list, (row) => {
        const stopped = [...row.stopped.filter((other) => other !== mark), mark].slice(-mostStopped);
        return { row: { ...row, stopped }, result: row.open };
      }),
    async delist(list, id, keep) {
      const dropped = await changeList(list, (row) => {
        const one = [...row.open, ...row.ended].find((other) => other.id === id);
        if (one === undefined || (keep && !row.open.includes(one))) return { result: [] };
        const others = (all: readonly Entry[]) => all.filter((other) => other.id !== id);
        const ended = keep ? [...others(row.ended), one] : others(row.ended);
        // Those of the same turn stay, however many: it may run again, and comes back to them.
        const stays = ({ turn }: Entry, at: number) => at >= ended.length - mostEnded || turn === one.turn;
        const gone = ended.filter((other, at) => !stays(other, at));
        return { row: { ...row, open: others(row.open), ended: ended.filter(stays) }, result: gone };
      });
      for (const one of dropped) await drop(one.id);
    },
  };
}

function checkStopped({ stopped }: ListRow, caller: TaskCaller, turn: string): void {
  if (stopped.includes(stopMark(caller, turn))) throw new InputError("the person has stopped this: nothing was asked");
}
