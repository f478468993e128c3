/** Records, journal, dead letters and transcript: plain durable tables, each step of which can fail. */
import type { Delegation } from "../../src/delegation-record.ts";
import { isEnded, type Task } from "../../src/tasks.ts";
import type { DeadLetter, Records, Runtime, SetAside, TranscriptEntry } from "../../src/ports.ts";
import type { Address } from "../../src/message.ts";
import type { Review } from "../../src/reviews.ts";
import type { Process } from "./process.ts";
import { copyOf, type World } from "./world.ts";

/** A record of a delegation as it was written. */
export interface Written {
  readonly at: number;
  readonly row: Delegation;
}

export interface Tables {
  readonly journal: readonly SetAside[];
  /** What operators are shown as waiting for a word, or for a person. */
  asks(): string[];
  /** Conversations that an operator has, as operators are shown it. */
  held(): string[];
  /** Answers that came to review, by conversation and sequence. */
  reviews(): string[];
  /** Every state that was ever written of tasks for skilled agents. */
  delegations(): readonly Written[];
  /** Tasks of skilled agents inside the gateway that have not ended. */
  working(): string[];
  of(process: Process): Pick<Runtime, "records" | "journal" | "deadLetters" | "transcript">;
}

/** @param letters shared with the broker, which adds what a subscription gives up. */
export function createTables(world: World, letters: DeadLetter[]): Tables {
  const journal: SetAside[] = [];
  const transcript = new Map<string, TranscriptEntry[]>();
  const { recordsOf, keys, valueOf, delegations } = createRecords(world);

  const entriesOf = (conversation: string): TranscriptEntry[] => {
    const entries = transcript.get(conversation) ?? [];
    transcript.set(conversation, entries);
    return entries;
  };

  const takeovers = () =>
    keys()
      .filter((key) => key.startsWith("takeovers:"))
      .flatMap((key) => (valueOf(key) as { open: { id: string; by?: string; to: Address }[] }).open);

  return {
    journal,
    held: () => takeovers().flatMap(({ by, to }) => (by === undefined ? [] : [to.conversation])),
    reviews: () =>
      keys()
        .filter((key) => key.startsWith("review:"))
        .map((key) => valueOf(key) as Review)
        .map(({ to, seq }) => `${to.conversation}#${seq}`),
    delegations: () => delegations,
    working: () =>
      keys()
        .filter((key) => key.startsWith("task:"))
        .flatMap((key) => {
          const { state } = (valueOf(key) ?? { state: "completed" }) as Pick<Task, "state">;
          return isEnded({ state }) ? [] : [`${key} is ${state}`];
        }),
    asks: () => [
      ...takeovers().flatMap(({ id, by }) => (by === undefined ? [`${id} asks for a person`] : [])),
      ...keys()
        .filter((key) => key.startsWith("approvals:"))
        .flatMap((key) => (valueOf(key) as { open: { id: string }[] }).open.map(({ id }) => `${id} for operators`)),
    ],
    of: (process) => ({
      records: recordsOf(process),
      journal: {
        setAside: (entries) =>
          process.perform("journal", entries.map(({ id, rule }) => `${id} (${rule})`).join(" "), () => {
            journal.push(...copyOf(entries));
          }),
        list: async ({ limit }) => journal.slice(-limit),
      },
      deadLetters: {
        add: (letter) =>
          process.perform("dead letter", letter.id, () => {
            if (!letters.some((known) => known.id === letter.id)) letters.push(copyOf(letter));
          }),
        list: async (limit) => letters.map((letter, n) => ({ ...letter, n })).slice(-limit),
        get: unused("deadLetters.get"),
        retry: unused("deadLetters.retry"),
        drop: unused("deadLetters.drop"),
      },
      transcript: {
        append: (conversation, key, entry) =>
          process.perform("write record", `transcript ${conversation} ${key}`, () => {
            const entries = entriesOf(conversation);
            const known = entries.find((other) => other.key === key);
            if (known !== undefined) return { n: known.n, fresh: false };
            const n = entries.length + 1;
            entries.push({ n, key, at: world.loop.now(), entry: copyOf(entry) });
            return { n, fresh: true };
          }),
        list: async (conversation, { limit }) => entriesOf(conversation).slice(-limit),
        get: async (conversation, key) => entriesOf(conversation).find((entry) => entry.key === key),
        clear: async (conversation) => void transcript.delete(conversation),
      },
    }),
  };
}

function createRecords(world: World) {
  const rows = new Map<string, { json: string; etag: string; until: number }>();
  const delegations: Written[] = [];
  let writes = 0;
  const current = (key: string) => {
    const row = rows.get(key);
    return row !== undefined && row.until > world.loop.now() ? row : undefined;
  };
  const recordsOf = (process: Process): Records => ({
    get: (key) =>
      process.perform("read record", key, () => {
        const row = current(key);
        return row === undefined ? undefined : { value: JSON.parse(row.json) as unknown, etag: row.etag };
      }),
    put: (key, value, options = {}) => {
      const json = JSON.stringify(value);
      return process.perform("write record", `${key} ${json}`, () => {
        const known = current(key)?.etag ?? null;
        if (options.etag !== undefined && options.etag !== known) {
          throw new world.subject.errors.ConflictError(`${key} was changed`);
        }
        const etag = String(++writes);
        rows.set(key, { json, etag, until: world.loop.now() + (options.ttlMs ?? Infinity) });
        if (key.startsWith("delegation:"))
          delegations.push({ at: world.loop.now(), row: JSON.parse(json) as Delegation });
        return etag;
      });
    },
    remove: (key) => process.perform("write record", `${key} removed`, () => void rows.delete(key)),
  });
  const valueOf = (key: string): unknown => JSON.parse(current(key)?.json ?? "null");
  return { recordsOf, valueOf, keys: () => [...rows.keys()], delegations };
}

/** A part of the runtime that the core's line of a message does not touch. */
export function unused(name: string): () => never {
  return () => {
    throw new Error(`${name} is not simulated`);
  };
}
