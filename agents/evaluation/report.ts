/** What came of an evaluation, as it is kept and as people read it. Pure. */
import { z } from "zod";

const played = z.object({
  user: z.string(),
  answer: z.string(),
  calls: z.array(z.object({ tool: z.string(), args: z.unknown() })),
  doubts: z.array(z.string()),
  inputTokens: z.number(),
  outputTokens: z.number(),
  ms: z.number(),
  failed: z.string().optional(),
});

export const caseResult = z.object({
  id: z.string(),
  /** Of the case and of all that it was played with: another one is another result. */
  digest: z.string(),
  turns: z.array(played),
  /** What is not as the rules want it, with the turn it is about. */
  failures: z.array(z.string()),
  verdict: z.object({ pass: z.boolean(), score: z.number(), reason: z.string(), samples: z.number() }).optional(),
  compared: z.object({ candidate: z.number(), reference: z.number(), ties: z.number(), reason: z.string() }).optional(),
  /** The other side of the comparison. */
  reference: z.object({ turns: z.array(played), failures: z.array(z.string()) }).optional(),
  pass: z.boolean(),
});
export type CaseResult = z.infer<typeof caseResult>;

const side = z.object({ agent: z.string(), model: z.string(), version: z.string() });
export const report = z.object({
  v: z.literal(1),
  at: z.iso.datetime(),
  candidate: side,
  reference: side.optional(),
  judge: z.string().optional(),
  cases: z.array(caseResult),
});
export type Report = z.infer<typeof report>;

/** Money for a million tokens. */
export interface Price {
  readonly input: number;
  readonly output: number;
}

export function totalsOf({ cases }: Pick<Report, "cases">, price?: Price) {
  const turns = cases.flatMap((one) => one.turns);
  const inputTokens = turns.reduce((sum, one) => sum + one.inputTokens, 0);
  const outputTokens = turns.reduce((sum, one) => sum + one.outputTokens, 0);
  const passed = cases.filter(({ pass }) => pass).length;
  const cost = price && (inputTokens * price.input + outputTokens * price.output) / 1_000_000;
  return { cases: cases.length, passed, inputTokens, outputTokens, ...(cost !== undefined && { cost }) };
}

export interface TableOptions {
  /** An earlier report on the same cases. */
  readonly baseline?: Report | undefined;
  readonly price?: Price | undefined;
  /** So many cases have a rubric, and nobody judged by it. */
  readonly unjudged?: number;
}

/** A line for each case, what is wrong below it, and the sum. */
export function tableOf(of: Report, { baseline, price, unjudged = 0 }: TableOptions): string {
  const width = Math.max(4, ...of.cases.map(({ id }) => id.length));
  const lines = of.cases.flatMap((one) => {
    const before = baseline?.cases.find(({ id }) => id === one.id);
    const tokens = one.turns.reduce((sum, turn) => sum + turn.inputTokens + turn.outputTokens, 0);
    const ms = one.turns.reduce((sum, turn) => sum + turn.ms, 0);
    const cells = [
      one.pass ? "pass" : "FAIL",
      one.id.padEnd(width),
      (one.verdict === undefined ? "–" : `${one.verdict.score.toFixed(1)}/5`).padStart(5),
      `${tokens} tokens`.padStart(13),
      `${Math.round(ms)} ms`.padStart(9),
      comparedIn(one),
      before === undefined ? "" : changeIn(before, one),
    ];
    const wrong = [...one.failures, ...(one.verdict?.pass === false ? [`judge: ${one.verdict.reason}`] : [])];
    return [cells.join("  ").trimEnd(), ...wrong.map((words) => `        ${words}`), ...answersIn(before, one)];
  });
  const warning = `${unjudged} with a rubric that nobody judged: name a model with --judge`;
  return [
    ...lines,
    "",
    sumOf(of, price),
    ...(baseline === undefined ? [] : [differenceOf(baseline, of)]),
    ...(unjudged === 0 ? [] : [warning]),
  ].join("\n");
}

function comparedIn({ compared }: CaseResult): string {
  if (compared === undefined) return "";
  return `better ${compared.candidate}, worse ${compared.reference}, even ${compared.ties}`;
}

function changeIn(before: CaseResult, after: CaseResult): string {
  if (before.pass !== after.pass) return after.pass ? "fixed" : "BROKEN";
  const [was, is] = [before.verdict?.score, after.verdict?.score];
  if (was === undefined || is === undefined || was === is) return "as before";
  return `${is > was ? "+" : ""}${(is - was).toFixed(1)}`;
}

/** Where a case went over: what was said before, and what is said now. */
function answersIn(before: CaseResult | undefined, after: CaseResult): string[] {
  if (before === undefined || before.pass === after.pass) return [];
  const last = ({ turns }: CaseResult) => JSON.stringify((turns.at(-1)?.answer ?? "").slice(0, 200));
  return [`        - ${last(before)}`, `        + ${last(after)}`];
}

function sumOf(of: Report, price: Price | undefined): string {
  const { cases, passed, inputTokens, outputTokens, cost } = totalsOf(of, price);
  const { agent, model, version } = of.candidate;
  const money = cost === undefined ? "" : `, ${cost.toFixed(4)}`;
  const sum = `${agent} (${model}, ${version}): ${passed} of ${cases} pass; ${inputTokens} tokens in, ${outputTokens} out${money}`;
  return [sum, ...comparisonOf(of)].join("\n");
}

/** By rules alone where nobody judged. */
function comparisonOf({ reference, judge, cases }: Report): string[] {
  if (reference === undefined) return [];
  const { agent, model, version } = reference;
  const fit = cases.filter((one) => one.reference?.failures.length === 0).length;
  const compared = cases.flatMap((one) => one.compared ?? []);
  const better = compared.filter((one) => one.candidate > one.reference).length;
  const worse = compared.filter((one) => one.candidate < one.reference).length;
  const judged = judge === undefined ? "" : `; better in ${better}, worse in ${worse} of ${compared.length}`;
  return [`against ${agent} (${model}, ${version}), whose answers fit the rules in ${fit}${judged}`];
}

function differenceOf(before: Report, after: Report): string {
  const was = new Map(before.cases.map((one) => [one.id, one.pass]));
  const broken = after.cases.filter(({ id, pass }) => was.get(id) === true && !pass).length;
  const fixed = after.cases.filter(({ id, pass }) => was.get(id) === false && pass).length;
  const fresh = after.cases.filter(({ id }) => !was.has(id)).length;
  return `since ${before.at}: ${fixed} fixed, ${broken} broken, ${fresh} new`;
}
