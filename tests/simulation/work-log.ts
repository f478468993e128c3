/** What skilled agents were asked, and what they said: what delegations are judged by. */
import type { Work } from "./plan.ts";
import type { World } from "./world.ts";

/** A task that an agent has. */
export interface Told {
  readonly work: Work;
  readonly name: string;
  /** The id of the message that it was begun with. */
  readonly message: string;
  readonly at: number;
  /** Everything that is to be told once, and when it was there to be told. */
  readonly said: Map<string, number>;
  readonly replies: string[];
  canceledAt?: number;
  endedAt?: number;
}

/** A note of the gateway's about a task. */
export interface Note {
  readonly id: string;
  readonly conversation: string;
  readonly tokens: readonly string[];
  readonly at: number;
}

export interface WorkLog {
  readonly told: Told[];
  readonly notes: Note[];
  begin(name: string, message: string): Told;
}

/** A task that takes longer is given up. */
export const timeoutMs = 15 * 60_000;

export const taskTextOf = ({ name }: Work): string => `${name}: work`;

/** What task a text is about; empty where it is about none. */
export function workIn(text: string): string {
  return /\b(w\d+[ab]): work/.exec(text)?.[1] ?? "";
}

/** What a text says of tasks; of one that it names without saying anything, that it has come to its end. */
export function sayingsIn(text: string): string[] {
  const said = text.match(/\bw\d+[ab](?:[eq]|a\d)\b/g);
  if (said !== null) return [...new Set(said)];
  const name = workIn(text);
  return name === "" ? [] : [`${name}x`];
}

export function createWorkLog({ plan, loop }: World): WorkLog {
  const works = new Map(
    plan.conversations
      .flatMap(({ actions }) => actions.flatMap(({ does }) => ("mood" in does ? (does.mood.work ?? []) : [])))
      .map((work) => [work.name, work]),
  );
  const told: Told[] = [];
  return {
    told,
    notes: [],
    begin(name, message) {
      const work = works.get(name);
      if (work === undefined) throw new TypeError(`nobody asks for ${name}`);
      const one: Told = { work, name, message, at: loop.now(), said: new Map(), replies: [] };
      told.push(one);
      return one;
    },
  };
}
