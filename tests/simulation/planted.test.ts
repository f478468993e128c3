import { describe, expect, onTestFinished, test } from "vitest";
import { flavours } from "./plan.ts";
import { bugs, plant, type Bug } from "./planted.ts";
import { runSeed } from "./report.ts";
import { subject } from "./subject.ts";
import type { Subject } from "./world.ts";

/** Seeds within which a bug must show. */
const mostSeeds = 1_000;

describe("the simulator sees a planted bug", () => {
  test.each(bugs)(
    "$name",
    async (bug) => {
      const { seed, rules } = await firstCaught(bug);
      expect(seed, "the first seed that shows it").toBeLessThanOrEqual(mostSeeds);
      expect(rules.filter(isPromised)).not.toEqual([]);
    },
    240_000,
  );
});

test("a bug that cannot be planted is reported, not passed over", async () => {
  const bug: Bug = { name: "nothing", file: "core.ts", find: "no such text in it", replace: "" };
  await expect(plant(bug)).rejects.toThrow("cannot be planted");
});

/** The first seed that breaks the promise with the bug and holds without it. */
async function firstCaught(bug: Bug): Promise<{ seed: number; rules: string[] }> {
  const mutant = await plant(bug);
  onTestFinished(mutant.remove);
  for (let seed = 1; seed <= mostSeeds; seed++) {
    for (const flavour of flavours) {
      const rules = await broken(seed, flavour, mutant.subject);
      if (rules.some(isPromised) && (await broken(seed, flavour, subject)).length === 0) return { seed, rules };
    }
  }
  throw new Error(`“${bug.name}” was not seen in ${mostSeeds} seeds`);
}

const isPromised = (rule: string): boolean => /^I[1-8]$/.test(rule);

async function broken(seed: number, flavour: (typeof flavours)[number], of: Subject): Promise<string[]> {
  const { violations } = await runSeed(seed, flavour, of);
  return violations.map(({ rule }) => rule);
}
