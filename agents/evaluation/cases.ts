/** What is evaluated: conversations, and what their answers have to be. Pure. */
import { z } from "zod";
import { doubts } from "../../src/agent.ts";
import { pattern } from "../client/pattern.ts";

const oneOrMore = z.union([z.string().min(1), z.array(z.string().min(1))]).transform((given) => [given].flat());
/** Arguments that a call has to have among its own; texts, numbers and the like are equal, objects are compared likewise. */
const args = z.record(z.string(), z.unknown());
const call = z.strictObject({ tool: z.string().min(1), args: args.optional() });
const words = { contains: oneOrMore.optional(), matches: oneOrMore.pipe(z.array(pattern)).optional() };

const expectation = z.strictObject({
  ...words,
  not: z.strictObject({ ...words, calls: oneOrMore.optional() }).optional(),
  /** The answer is JSON, or has one block of it. `at`: values by their path, such as "order.items.0.name". */
  json: z.strictObject({ schema: z.record(z.string(), z.unknown()).optional(), at: args.optional() }).optional(),
  /** Each of them was made in this turn; "*" stands for any characters of a name. */
  calls: z.array(call).optional(),
  /** So many tokens in and out at most, so many milliseconds. */
  tokens: z.number().positive().optional(),
  ms: z.number().positive().optional(),
  doubts: z.array(z.enum(doubts)).optional(),
});
export type Expectation = z.infer<typeof expectation>;

const turn = z.strictObject({
  user: z.string().min(1),
  expect: expectation.optional(),
  /** What the person says where a call waits for a word; absent: nobody decides, and the turn ends there. */
  approves: z.boolean().optional(),
});

const recorded = z.strictObject({
  description: z.string().default(""),
  /** JSON Schema of an object. */
  parameters: args.default({ type: "object", properties: {} }),
  effect: z.enum(["none", "idempotent", "once"]).default("none"),
  results: z.array(z.strictObject({ where: args.optional(), text: z.string(), failed: z.boolean().optional() })),
});
const toolName = z.string().regex(/^[\w-]+?__[\w-]+$/, 'is no tool from outside: write "<source>__<tool>"');
const tools = z.record(toolName, recorded);
export type RecordedTools = z.infer<typeof tools>;

const evaluated = z.strictObject({
  id: z.string().min(1).max(100),
  /** What was said before, by the agent too. */
  history: z.array(z.strictObject({ role: z.enum(["user", "agent"]), text: z.string() })).default([]),
  turns: z.array(turn).min(1),
  /** What a judge goes by. */
  rubric: z.string().min(1).optional(),
  tools: tools.default({}),
  /** The agent's clock stands there. */
  now: z.iso.datetime({ offset: true }).optional(),
  /** For people. */
  about: z.unknown().optional(),
});
export type Case = z.infer<typeof evaluated>;

const file = z.strictObject({ tools: tools.default({}), cases: z.array(evaluated).min(1, "has no cases") });

/**
 * @param given what the file holds: `{ tools, cases }`, or a list of cases.
 * @throws ZodError that says where what is wrong.
 */
export function casesIn(given: unknown): readonly Case[] {
  const { tools: shared, cases } = file.parse(Array.isArray(given) ? { cases: given } : given);
  const ids = new Set<string>();
  for (const [at, { id }] of cases.entries()) {
    if (ids.has(id))
      throw new z.ZodError([
        { code: "custom", path: ["cases", at, "id"], message: `stands there twice: ${id}`, input: id },
      ]);
    ids.add(id);
  }
  return cases.map((one) => ({ ...one, tools: { ...shared, ...one.tools } }));
}
