/**
 * What is kept of a delegation: one record, written before anything is sent, that says all there is to know; and beside it a list
 * per conversation. Nobody comes to a delegation but by its conversation's list.
 */
import { z } from "zod";
import { ConflictError, InputError } from "./errors.ts";
import { address, answer, participant, type Address } from "./message.ts";
import { peerStates } from "./peers.ts";
import type { Clock, Records } from "./ports.ts";
import { taskCaller, taskPart } from "./skilled.ts";

const dayMs = 24 * 3_600_000;
const openMs = 400 * dayMs;
const endedMs = 8 * dayMs;
/** Of one conversation at once. */
const mostOpen = 50;
const mostEnded = 20;
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
  /** Who tells what comes: the call that waits for it, until that time at most; or a note. */
  telling: z.union([z.object({ call: z.string(), turn: z.string(), until: z.number() }), z.literal("note")]),
  /** The newest question that was told, as a digest, and what was told with it. */
  question: z.object({ digest: z.string(), told: outcome, at: z.number() }).optional(),
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
const listRow = z.object({ v: z.literal(1), n: z.number(), open: z.array(entry), ended: z.array(entry) });

export interface DelegationStore {
  find(id: string): Promise<Delegation | undefined>;
  /** @returns the one that is there already. */
  create(fresh: Delegation): Promise<Delegation>;
  /** @param next undefined: nothing is to be written. @returns what is there afterwards. */
  change(id: string, next: (of: Delegation) => Delegation | undefined): Promise<Delegation | undefined>;
  remove(id: string): Promise<void>;
  /** The oldest first. */
  list(list: string): Promise<{ readonly open: readonly Entry[]; readonly ended: readonly Entry[] }>;
  /** @returns its name; the same again for one that is there. @throws InputError where there are too many. */
  enlist(list: string, of: Omit<Entry, "name">, peer: string): Promise<string>;
  /** @param turn the one that goes on with it now. */
  resume(list: string, id: string, turn: string): Promise<void>;
  /** @param keep it is still shown among those that ended. */
  delist(list: string, id: string, keep: boolean): Promise<void>;
}

export const listOf = ({ conversation }: Pick<Address, "conversation">): string => conversation;

/** Nothing is left to be done for it. */
export const isOver = ({ end, canceling }: Delegation): boolean => end !== undefined && canceling === undefined;

export function createDelegationStore(records: Records, clock: Clock): DelegationStore {
  const keyOf = (id: string) => `delegation:${id}`;
  const listKey = (list: string) => `delegations:${list}`;

  async function changeList<Result>(
    list: string,
    next: (row: z.infer<typeof listRow>) => { readonly row?: z.infer<typeof listRow>; readonly result: Result },
  ): Promise<Result> {
    for (let tries = 1; ; tries++) {
      const found = await records.get(listKey(list));
      const { row, result } = next(
        found === undefined ? { v: 1, n: 0, open: [], ended: [] } : listRow.parse(found.value),
      );
      if (row === undefined) return result;
      try {
        await records.put(listKey(list), row, { etag: found?.etag ?? null, ttlMs: openMs });
        return result;
      } catch (error) {
        if (!(error instanceof ConflictError) || tries === mostTries) throw error;
        await pause(clock, tries);
      }
    }
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
    async change(id, next) {
      for (let tries = 1; ; tries++) {
        const found = await find(id);
        const value = found && next(found.value);
        if (found === undefined || value === undefined) return found?.value;
        try {
          await records.put(keyOf(id), value, { etag: found.etag, ttlMs: isOver(value) ? endedMs : openMs });
          return value;
        } catch (error) {
          if (!(error instanceof ConflictError) || tries === mostTries) throw error;
          await pause(clock, tries);
        }
      }
    },
    remove: (id) => records.remove(keyOf(id)),
    list: (list) => changeList(list, ({ open, ended }) => ({ result: { open, ended } })),
    enlist: (list, of, peer) =>
      changeList(list, (row) => {
        const known = [...row.open, ...row.ended].find(({ id }) => id === of.id);
        if (known !== undefined) return { result: known.name };
        if (row.open.length >= mostOpen)
          throw new InputError(`${mostOpen} tasks are open in this conversation: cancel some of them first`);
        const name = `${peer}-${row.n + 1}`;
        return { row: { ...row, n: row.n + 1, open: [...row.open, { ...of, name }] }, result: name };
      }),
    resume: (list, id, turn) =>
      changeList(list, (row) => {
        const open = row.open.map((one) => (one.id === id ? { ...one, turn } : one));
        return { row: { ...row, open }, result: undefined };
      }),
    delist: (list, id, keep) =>
      changeList(list, (row) => {
        const one = [...row.open, ...row.ended].find((other) => other.id === id);
        if (one === undefined) return { result: undefined };
        const others = (all: readonly Entry[]) => all.filter((other) => other.id !== id);
        const ended = keep ? [...others(row.ended), one].slice(-mostEnded) : others(row.ended);
        return { row: { ...row, open: others(row.open), ended }, result: undefined };
      }),
  };
}

/** Those that collide do not do so again at once. */
function pause(clock: Clock, tries: number): Promise<void> {
  return new Promise((resolve) => void clock.after(Math.min(2 ** tries, 100) * Math.random(), resolve));
}
