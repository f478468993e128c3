/** What people ask of skilled agents on the way, and the judgement by what their platforms show them. A new agent is a line in `asked`. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { skillKinds } from "../../src/main/skills.ts";
import type { Visitor } from "./journey/visitor.ts";
import { eventually } from "./stage.ts";

/** By the agent's name: what a person writes to the demo model, and what they are told in the end, each with a word of their own. */
const asked: Readonly<Record<string, { says(own: string): string; told(own: string): string; atOnce?: true }>> = {
  knowledge: { says: (own) => `ask knowledge what ${own} is`, told: () => "There are no documents yet", atOnce: true },
  scheduler: { says: (own) => `remind me in 15 seconds to do ${own}`, told: (own) => `Reminder: do ${own}` },
  tester: { says: (own) => `ask tester to say ${own} later 4000`, told: (own) => `now is later, ${own}` },
};

/** Those of the product that there are, and the one of these tests. */
export const agentsHere = Object.keys(asked).filter((name) => name === "tester" || Object.hasOwn(skillKinds, name));

export interface Person {
  readonly name: string;
  readonly visitor: Pick<Visitor, "says" | "got">;
}

const wordOf = ({ name }: Person, agent: string) => `${name}s${agent}`;
const textsOf = async ({ visitor }: Person) => (await visitor.got()).map(({ text }) => text);

/** Everybody asks every agent; resolves when each of them has been told that it is under way. */
export async function ask(people: readonly Person[], agents = agentsHere): Promise<void> {
  await Promise.all(
    people.map(async (person) => {
      for (const agent of agents) {
        await person.visitor.says(asked[agent]?.says(wordOf(person, agent)) ?? "");
        const { atOnce, told } = asked[agent] ?? {};
        const words = atOnce ? told?.("") : "goes on by itself";
        await eventually(`${agent} begins for ${person.name}`, async () =>
          (await textsOf(person)).some((text) => text.includes(agent) && text.includes(words ?? "")),
        );
      }
    }),
  );
}

/** Everybody is told what they asked for, once, and nothing of what others did. */
export async function judgeTold(people: readonly Person[], agents = agentsHere, mostMs = 60_000): Promise<void> {
  const tells = people.flatMap((person) =>
    agents.map((agent) => ({ person, words: asked[agent]?.told(wordOf(person, agent)) ?? "" })),
  );
  for (const { person, words } of tells)
    await eventually(
      `"${words}" for ${person.name}`,
      async () => (await textsOf(person)).some((text) => text.includes(words)),
      mostMs,
    );
  // A second one would come now.
  await sleep(4_000);
  for (const person of people) {
    const texts = await textsOf(person);
    for (const { person: whose, words } of tells) {
      const times = texts.filter((text) => text.includes(words)).length;
      // What says nothing of who asked is told to everybody.
      if (whose !== person && !words.includes(whose.name)) continue;
      expect(`${person.name} ${words}: ${times}`).toBe(`${person.name} ${words}: ${whose === person ? 1 : 0}`);
    }
  }
}
