/** All cases, several at once, in their order; what is known already is not played again. Rules first, the judge second. */
import type { Case } from "./cases.ts";
import type { Judge } from "./judge.ts";
import { play, type PlayedTurn, type Player } from "./play.ts";
import type { CaseResult } from "./report.ts";
import { failuresOf } from "./rules.ts";

export interface EvaluateOptions {
  readonly cases: readonly Case[];
  readonly candidate: Player;
  /** What it is compared with. */
  readonly reference?: Player | undefined;
  readonly judge?: Judge | undefined;
  /** Cases that are played at once. */
  readonly jobs: number;
  readonly digestOf: (of: Case) => string;
  /** By digest: of a run that was ended. */
  readonly known: ReadonlyMap<string, CaseResult>;
  /** Each as soon as it is there, in no order. */
  readonly done: (result: CaseResult) => Promise<void>;
  readonly signal: AbortSignal;
}

export async function evaluate(options: EvaluateOptions): Promise<readonly CaseResult[]> {
  const { cases, jobs, digestOf, known, done } = options;
  const results: CaseResult[] = [];
  let next = 0;
  async function work(): Promise<void> {
    for (let at = next++; at < cases.length; at = next++) {
      const of = cases[at];
      if (of === undefined) return;
      options.signal.throwIfAborted();
      const digest = digestOf(of);
      const before = known.get(digest);
      const result = before ?? { ...(await resultOf(of, options)), digest };
      if (before === undefined) await done(result);
      results[at] = result;
    }
  }
  await Promise.all(Array.from({ length: Math.min(jobs, cases.length) }, work));
  return results;
}

async function resultOf(of: Case, options: EvaluateOptions): Promise<Omit<CaseResult, "digest">> {
  const { candidate, reference, judge, signal } = options;
  const turns = await play(of, candidate, signal);
  const failures = gradedBy(of, turns);
  // What the rules refuse needs no judge, unless it is compared.
  const judged = of.rubric !== undefined && judge !== undefined && failures.length === 0;
  const verdict = judged ? await judge.grade(of.rubric ?? "", turns, signal) : undefined;
  const other = reference && (await play(of, reference, signal));
  const both = other && { candidate: turns, reference: other };
  const compared = both && judge && (await judge.compare(of.rubric, both, signal));
  const unjudged = [
    ...(judged && verdict === undefined ? ["the judge gave no verdict"] : []),
    ...(both && judge && compared === undefined ? ["the judge did not compare the two"] : []),
  ];
  return {
    id: of.id,
    turns: turns.map(kept),
    failures: [...failures, ...unjudged],
    ...(verdict && { verdict }),
    ...(compared && { compared }),
    ...(other && { reference: { turns: other.map(kept), failures: gradedBy(of, other) } }),
    pass: failures.length === 0 && unjudged.length === 0 && verdict?.pass !== false,
  };
}

function gradedBy(of: Case, played: readonly PlayedTurn[]): string[] {
  return of.turns.flatMap(({ expect }, at) => {
    const turn = played[at];
    if (turn === undefined) return [];
    const where = of.turns.length === 1 ? "" : `turn ${at + 1}: `;
    return failuresOf(expect, turn).map((words) => `${where}${words}`);
  });
}

function kept({ calls, doubts, ...turn }: PlayedTurn) {
  return { ...turn, calls: calls.map((one) => ({ ...one })), doubts: [...doubts] };
}
