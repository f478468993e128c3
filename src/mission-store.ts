/**
 * What is kept of missions beside their workflows: a record of each, who it is for and what became of it, and two lists in which it
 * stands: its conversation's, and its tenant's for operators and for what is bounded per person.
 */
import { z } from "zod";
import type { Belongings } from "./belongings.ts";
import { ConflictError, InputError } from "./errors.ts";
import { encodePart, tenantOf, type AgentId, type ConversationId, type ParticipantId } from "./ids.ts";
import { address, participant } from "./message.ts";
import { missionState } from "./mission.ts";
import { plan } from "./mission-plan.ts";
import type { Clock, Records } from "./ports.ts";

const dayMs = 24 * 3_600_000;
const openMs = 400 * dayMs;
const endedMs = 8 * dayMs;
const mostTries = 50;
/** Of one tenant. */
const mostOpen = 1_000;
const mostEnded = { tenant: 100, conversation: 10 } as const;

const row = z.object({
  v: z.literal(1),
  id: z.string(),
  agent: z.string().transform((id) => id as AgentId),
  agentName: z.string(),
  to: address,
  participant,
  /** The agents that asked for it came through. */
  chain: z.array(z.string()),
  plan,
  at: z.number(),
  /** Given up after that long. */
  forMs: z.number(),
  /** The runtime has its workflow, or has lost it. */
  begun: z.literal(true).optional(),
  /** Since then the runtime knows of no workflow that goes on. */
  missing: z.number().optional(),
  /** No task is begun for it any more. */
  stopped: z.literal(true).optional(),
  end: z.object({ at: z.number(), state: missionState }).optional(),
});
export type Mission = Readonly<z.infer<typeof row>>;

const entry = z.object({
  id: z.string(),
  title: z.string(),
  conversation: z.string().transform((id) => id as ConversationId),
  participant: z.string().transform((id) => id as ParticipantId),
  agentName: z.string(),
  at: z.number(),
});
export type MissionEntry = Readonly<z.infer<typeof entry>>;
const listRow = z.object({ v: z.literal(1), open: z.array(entry), ended: z.array(entry) });
type List = z.infer<typeof listRow>;

export interface MissionStore {
  find(id: string): Promise<Mission | undefined>;
  /** The one that is there already stays. */
  create(fresh: Mission): Promise<void>;
  change(id: string, next: (of: Mission) => Mission | undefined): Promise<Mission | undefined>;
  /** The oldest first. */
  of(place: { readonly conversation: string }): Promise<Omit<List, "v">>;
  /** @param tenant as it stands in ids: see `tenantOf`. */
  ofTenant(tenant: string): Promise<Omit<List, "v">>;
  /** @throws InputError where the person has `perPerson` already. Again is nothing. */
  enlist(of: Mission, perPerson: number): Promise<void>;
  ended(of: Mission): Promise<void>;
  remove(id: string): Promise<void>;
  /** It stands in no list any more. */
  delist(of: Pick<MissionEntry, "id" | "conversation">): Promise<void>;
}

export interface StoreOptions {
  readonly records: Records;
  readonly belongings: Pick<Belongings, "note">;
  readonly clock: Clock;
}

export function createMissionStore({ records, belongings, clock }: StoreOptions): MissionStore {
  const keyOf = (id: string) => `mission:${id}`;
  const ofTenant = (tenant: string) => `missions:${tenant}`;
  const ofConversation = (conversation: string) => `missions-in:${conversation}`;

  /** @param next undefined: nothing is to be written. */
  async function changeRecord<Value>(
    key: string,
    read: (value: unknown) => Value,
    next: (value: Value) => { readonly value: Value; readonly ttlMs: number } | undefined,
  ): Promise<Value> {
    for (let tries = 1; ; tries++) {
      const found = await records.get(key);
      const before = read(found?.value);
      const after = next(before);
      if (after === undefined) return before;
      try {
        await records.put(key, after.value, { etag: found?.etag ?? null, ttlMs: after.ttlMs });
        return after.value;
      } catch (error) {
        if (!(error instanceof ConflictError) || tries === mostTries) throw error;
        await new Promise<void>((resolve) => clock.after(Math.min(2 ** tries, 100) * Math.random(), resolve));
      }
    }
  }

  const readList = (value: unknown): List =>
    value === undefined ? { v: 1, open: [], ended: [] } : listRow.parse(value);
  const changeList = (key: string, next: (list: List) => List | undefined) =>
    changeRecord(key, readList, (list) => {
      const value = next(list);
      return value && { value, ttlMs: openMs };
    });

  const without = (all: readonly MissionEntry[], id: string) => all.filter((one) => one.id !== id);

  return {
    async find(id) {
      const found = await records.get(keyOf(id));
      return found && row.parse(found.value);
    },
    async create(fresh) {
      await belongings.note(fresh.to.conversation, keyOf(fresh.id), { lasts: true });
      try {
        await records.put(keyOf(fresh.id), fresh, { etag: null, ttlMs: openMs });
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
      }
    },
    change: (id, next) =>
      changeRecord<Mission | undefined>(
        keyOf(id),
        (value) => (value === undefined ? undefined : row.parse(value)),
        (now) => {
          const value = now && next(now);
          return value && { value, ttlMs: value.end === undefined ? openMs : endedMs };
        },
      ),
    of: async ({ conversation }) => readList((await records.get(ofConversation(conversation)))?.value),
    ofTenant: async (tenant) => readList((await records.get(ofTenant(tenant)))?.value),
    async enlist({ id, plan: { title }, to, participant: { id: person }, agentName, at }, perPerson) {
      const fresh: MissionEntry = { id, title, conversation: to.conversation, participant: person, agentName, at };
      await changeList(ofTenant(encodePart(to.tenant)), (list) => {
        if ([...list.open, ...list.ended].some((one) => one.id === id)) return undefined;
        const own = list.open.filter((one) => one.participant === person);
        if (own.length >= perPerson)
          throw new InputError(
            `${own.length} missions of this person are open already, of ${perPerson} at most: one has to end, or be cancelled, first`,
          );
        if (list.open.length >= mostOpen) throw new InputError(`${mostOpen} missions are open here: try again later`);
        return { ...list, open: [...list.open, fresh] };
      });
      await changeList(ofConversation(to.conversation), (list) =>
        [...list.open, ...list.ended].some((one) => one.id === id)
          ? undefined
          : { ...list, open: [...list.open, fresh] },
      );
    },
    async ended({ id, to }) {
      for (const [key, most] of [
        [ofConversation(to.conversation), mostEnded.conversation],
        [ofTenant(encodePart(to.tenant)), mostEnded.tenant],
      ] as const)
        await changeList(key, (list) => {
          const one = list.open.find((each) => each.id === id);
          return one && { ...list, open: without(list.open, id), ended: [...list.ended, one].slice(-most) };
        });
    },
    remove: (id) => records.remove(keyOf(id)),
    async delist({ id, conversation }) {
      for (const key of [ofConversation(conversation), ofTenant(tenantOf(conversation))])
        await changeList(key, (list) => ({ ...list, open: without(list.open, id), ended: without(list.ended, id) }));
    },
  };
}
