import { expect, test } from "vitest";
import { z } from "zod";
import { createSkills, makeSkill, skill, skillOf, type SkillDeps, type SkillKinds } from "../../src/main/skills.ts";
import { skillSettings } from "../../src/main/settings.ts";
import { agentOf } from "../services/a2a.ts";

const made: unknown[] = [];
const kinds: SkillKinds = {
  tester: skill({
    settings: z.object({ depth: z.number().default(3) }),
    on: true,
    make: (settings) => {
      made.push(settings);
      return agentOf(async () => ({ kind: "failed", reason: "" }));
    },
  }),
  other: skill({
    settings: z.object({}),
    on: false,
    make: () => agentOf(async () => ({ kind: "failed", reason: "" }), "another name"),
  }),
};
const deps = {} as SkillDeps;
const settings = z.strictObject(skillSettings(kinds));

test("a skilled agent is a line: its settings have their place and its own form, and whether it is on", () => {
  expect(settings.parse({})).toEqual({ tester: { depth: 3, enabled: true }, other: { enabled: false } });
  expect(settings.safeParse({ tester: { unknown: 1 } }).success).toBe(false);
  expect(settings.safeParse({ nobody: {} }).success).toBe(false);
});

test("those that are on are made with their own settings", () => {
  made.length = 0;
  const agents = createSkills(kinds, settings.parse({ tester: { depth: 5 } }), deps);
  expect([agents.map(({ profile }) => profile.name), made]).toEqual([["tester"], [{ depth: 5 }]]);
  expect(createSkills(kinds, settings.parse({ tester: { enabled: false } }), deps)).toEqual([]);
});

test("one that is not there, or calls itself otherwise, is said so", () => {
  expect(() => skillOf(kinds, "nobody")).toThrow("there are tester, other");
  expect(() => makeSkill(skillOf(kinds, "other"), "other", {}, deps)).toThrow('calls itself "another name"');
});
