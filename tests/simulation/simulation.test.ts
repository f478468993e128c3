import { describe, expect, onTestFinished, test } from "vitest";
import { flavours } from "./plan.ts";
import { littlePatience, littleRoom, plant } from "./planted.ts";
import { explain, runSeed } from "./report.ts";
import { subject } from "./subject.ts";

/** Per flavour; `npm run simulate` runs as many as it is given. */
const seeds = 1_000;
const chunk = 250;

describe.each(flavours)("the promise holds on a simulated %s runtime", (flavour) => {
  for (let from = 1; from <= seeds; from += chunk) {
    test(`seeds ${from} to ${from + chunk - 1}`, async () => {
      for (let seed = from; seed < from + chunk; seed++) {
        const { violations } = await runSeed(seed, flavour, subject);
        if (violations.length > 0) throw new Error(await explain(seed, flavour, subject));
      }
    });
  }

  test(`seeds 1 to ${chunk}, where so little fits the inbox that most of what waits is behind it`, async () => {
    const { subject: tight, remove } = await plant(littleRoom);
    onTestFinished(remove);
    for (let seed = 1; seed <= chunk; seed++) {
      const { violations } = await runSeed(seed, flavour, tight);
      if (violations.length > 0) throw new Error(await explain(seed, flavour, tight));
    }
  });

  test(`seeds 1 to ${chunk}, where turns hardly wait for a missing message`, async () => {
    const { subject: hasty, remove } = await plant(littlePatience);
    onTestFinished(remove);
    for (let seed = 1; seed <= chunk; seed++) {
      const { violations } = await runSeed(seed, flavour, hasty);
      if (violations.some(({ rule }) => rule !== "I4")) throw new Error(await explain(seed, flavour, hasty));
    }
  });

  test("a seed does the same every time", async () => {
    for (const seed of [7, 77, 777]) {
      const [once, again]: [string[], string[]] = [[], []];
      await runSeed(seed, flavour, subject, once);
      await runSeed(seed, flavour, subject, again);
      expect(once.length).toBeGreaterThan(10);
      expect(again).toEqual(once);
    }
  });
});
