/** What people ask of skilled agents on the way, and the judgement by what their platforms show them. A new agent is a line in `asks`. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { listen } from "../fakes/http.ts";
import type { Got, SentFile, Stop, Visitor } from "./journey/visitor.ts";
import { withoutRepeats } from "./repeats.ts";
import { eventually } from "./stage.ts";

export interface Person {
  readonly name: string;
  readonly visitor: Visitor;
  /** Where what they ask for is read: their own, since a host is asked for one page after the other. */
  readonly site: Site;
  /** Their platform never shows the same answer twice, whenever the gateway dies. */
  readonly idempotent: boolean;
}

interface Ask {
  readonly says: string;
  readonly sends?: SentFile;
  /** All of it stands in the one message that they are told, and their own word in nobody else's. */
  readonly told: readonly string[];
  /** The name of the picture that comes with it. */
  readonly picture?: string;
}

const csv = (name: string, text: string): SentFile => ({ name, type: "text/csv", bytes: Buffer.from(text) });

/** To the demo model, with a word of the person's own for each. */
const asks: Readonly<Record<string, (own: string, site: string) => Ask>> = {
  scheduler: (own) => ({ says: `remind me in 12 seconds to do ${own}`, told: [`Reminder: do ${own}`] }),
  researcher: (own, site) => ({
    says: `research ${site}/${own}`,
    told: [`The ${own} opens at 07:40.`, `[1] All about ${own} – ${site}/${own}`],
  }),
  knowledge: (own) => ({
    says: `ask knowledge how high the ${own} is`,
    told: [`The ${own} is 41 metres tall`, "[1] Handbook", "(handbook-"],
  }),
  table: (own) => ({
    says: "ask analyst for the sum of sales by city",
    sends: csv("sales.csv", `city,sales\n${own},30\nBonn,7\n${own},12.5\n`),
    told: [own, "42.5"],
  }),
  chart: (own) => ({
    says: "ask analyst to draw a bar chart of stock by shelf",
    sends: csv("stock.csv", `shelf,stock\n${own},3\nB,4\n${own},16\n`),
    told: [own, "19"],
    picture: "Sum-of-stock-by-shelf.png",
  }),
};

const wordOf = ({ name }: Pick<Person, "name">, what: string) => `${name}s${what}`;
const askOf = (person: Person, what: string) => asks[what]?.(wordOf(person, what), person.site.url) ?? fail(what);
const fail = (what: string): never => {
  throw new Error(`nobody knows how to ask for ${what}`);
};

/** A document of the operator's, about what somebody will ask. */
export function handbookFor(person: Pick<Person, "name">): string {
  return `# Handbook\n\n## Lighthouses\n\nThe ${wordOf(person, "knowledge")} is 41 metres tall, its lamp included.\n`;
}

export interface Site {
  readonly url: string;
  /** Its pages do not come before `release`. */
  hold(): void;
  release(): void;
  close(): Promise<void>;
}

/** A website about everything. */
export async function openSite(): Promise<Site> {
  let gate = Promise.withResolvers<void>();
  gate.resolve();
  const { url, close } = await listen((request, response) => {
    const own = request.url?.slice(1) ?? "";
    const page = `<title>All about ${own}</title><p>The ${own} opens at 07:40. It is free.</p>`;
    void gate.promise.then(() => response.writeHead(200, { "content-type": "text/html" }).end(page));
  });
  return { url, hold: () => void (gate = Promise.withResolvers()), release: () => gate.resolve(), close };
}

export async function personAt(stop: Stop, name: string): Promise<Person> {
  return { name, visitor: await stop.visitor(name), site: await openSite(), idempotent: stop.idempotent };
}

const textsOf = async ({ visitor }: Person) => (await visitor.got()).map(({ text }) => text);

async function say(person: Person, what: string): Promise<void> {
  const { says, sends } = askOf(person, what);
  if (sends === undefined) await person.visitor.says(says);
  else await person.visitor.sendsDocument?.(says, sends);
}

async function untilSeen(person: Person): Promise<void> {
  const sees = (text: string) => text.includes("researcher: reading 127.0.0.1");
  await eventually(`${person.name} sees what the researcher does`, () => person.visitor.drafts?.().some(sees));
}

/**
 * Everybody asks every agent. When it resolves reminders wait for their time, and the researcher reads pages that do not come: the
 * first one's in the background, while the analyst begins with what they ask next; the other's in a turn, behind which the rest waits.
 */
export async function ask([first, other]: readonly [Person, Person]): Promise<void> {
  for (const { site } of [first, other]) site.hold();
  for (const person of [first, other]) await say(person, "scheduler");
  await say(first, "researcher");
  await untilSeen(first);
  await eventually(`the researcher's task for ${first.name} goes on in the background`, async () =>
    (await textsOf(first)).some((text) => /The task `?researcher-\d+`? goes on by itself/.test(text)),
  );
  await say(other, "researcher");
  await untilSeen(other);
  for (const person of [other, first]) for (const what of ["knowledge", "table", "chart"]) await say(person, what);
  await untilTold(first, "knowledge", 15_000);
}

const fits = ({ told }: Ask, { text }: Got) => told.every((words) => text.includes(words));

async function untilTold(person: Person, what: string, mostMs: number): Promise<void> {
  const of = askOf(person, what);
  await eventually(
    `${person.name} is told of ${what}: ${of.told.join(", ")}`,
    async () => (await person.visitor.got()).some((one) => fits(of, one)),
    mostMs,
  ).catch(async (error: unknown) => {
    throw new Error(`${person.name} was told: ${JSON.stringify(await textsOf(person))}`, { cause: error });
  });
}

const timesOf = (same: readonly Got[], { idempotent }: Person, kills: readonly number[]) =>
  withoutRepeats(same, idempotent ? [] : kills).length;

/** Everybody is told what they asked for, once, with its picture, and nothing of what others did. */
export async function judgeTold(people: readonly Person[], kills: readonly number[], mostMs: number): Promise<void> {
  const all = people.flatMap((person) => Object.keys(asks).map((what) => ({ person, what })));
  for (const { person, what } of all) await untilTold(person, what, mostMs);
  // A second one would come now.
  await sleep(3_000);
  const wrong: string[] = [];
  for (const { person, what } of all) {
    const of = askOf(person, what);
    const own = wordOf(person, what);
    for (const other of people) {
      const got = await other.visitor.got();
      const seen = got.filter((one) => (other === person ? fits(of, one) : one.text.includes(own)));
      const times = timesOf(seen, other, kills);
      if (times !== (other === person ? 1 : 0)) wrong.push(`${other.name} is told of ${own} ${times} times`);
    }
    if (of.picture !== undefined) wrong.push(...(await wrongPictures(person, of.picture, kills)));
  }
  expect(wrong).toEqual([]);
}

async function wrongPictures(person: Person, name: string, kills: readonly number[]): Promise<string[]> {
  const pictures = (await person.visitor.got()).filter(({ file }) => file === name);
  const times = timesOf(pictures, person, kills);
  const wrong = times === 1 ? [] : [`${person.name} gets ${name} ${times} times`];
  for (const one of pictures) {
    const bytes = await person.visitor.opens?.(one);
    if (bytes !== undefined && bytes.subarray(1, 4).toString() !== "PNG") wrong.push(`${name} is no picture`);
  }
  return wrong;
}
