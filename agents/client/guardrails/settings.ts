import { z } from "zod";
import { pattern } from "../pattern.ts";

/** What happens where a rule applies: the person is told that it is not answered, or an operator is asked, or it is left out. */
const outcome = z.enum(["refuse", "review", "mask"], "must be refuse, review or mask");
const whole = z.enum(["refuse", "review"], "must be refuse or review: of all of it nothing would be left");

export const secretKinds = ["cards", "ibans", "keys"] as const;
export type SecretKind = (typeof secretKinds)[number];

/** Its subdomains too. */
const domain = z
  .string()
  .regex(/^(?:[a-z0-9-]{1,63}\.){1,8}[a-z0-9-]{2,63}$/i, "is no domain: give one such as example.com, without https://")
  .transform((name) => name.toLowerCase());

const length = z.strictObject({ check: z.literal("length"), most: z.number().int().positive(), action: whole });
const words = z.strictObject({
  check: z.literal("words"),
  words: z.array(z.string().trim().min(1).max(200)).min(1).max(1_000),
  action: outcome,
});
const patterns = z.strictObject({ check: z.literal("pattern"), pattern, action: outcome });
const secrets = z.strictObject({
  check: z.literal("secrets"),
  kinds: z
    .array(z.enum(secretKinds))
    .min(1)
    .default([...secretKinds]),
  action: outcome,
});
const links = z.strictObject({
  check: z.literal("links"),
  /** "all" that nobody gave, or those that carry "data", as far as that can be told. */
  which: z.enum(["all", "data"]).default("all"),
  /** Domains whose links are always let through. */
  allow: z.array(domain).max(1_000).default([]),
  action: outcome,
});
const judge = z.strictObject({
  check: z.literal("judge"),
  /** The agent's own unless given: a small one is enough. */
  model: z.string().min(1).optional(),
  /** What may not be, in words. */
  policy: z.string().min(1).max(8_000),
  timeoutSeconds: z.number().positive().max(120).default(15),
  /** Where the model gives no verdict in time: as if the rule applied, or as if it did not. */
  otherwise: z.enum(["apply", "pass"], "must be apply or pass").default("apply"),
  action: whole,
});

const rule = z.discriminatedUnion("check", [length, words, patterns, secrets, links, judge]);
export type GuardRule = z.output<typeof rule>;
export type JudgeRule = z.output<typeof judge>;

export const guardrailSettings = z
  .strictObject({
    /** Of what people write, and of what was understood of what they say. */
    input: z.array(rule).max(50).default([]),
    /** Of what the agent says, puts on buttons, and writes into files. */
    output: z.array(rule).max(50).default([]),
  })
  .prefault({});
export type GuardrailSettings = z.output<typeof guardrailSettings>;
