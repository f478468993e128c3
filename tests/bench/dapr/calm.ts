/** Rounds in which all contenders are measured, one after another, and which are made again where others were at work. */
import { watchOthers } from "../quiet.ts";

/** A round in which others used more of the machine than this is made again, within limits. */
const calmShare = 0.12;
const fewestCalm = 3;
const mostRepeats = 2;

export interface Rounds<Contender, Result> {
  /** So many calm ones, and at most twice as many in all. */
  readonly rounds: number;
  readonly all: readonly Contender[];
  /** Awaited before each measurement: see `quietly`. */
  readonly quiet: () => Promise<void>;
  readonly say: (line: string) => void;
  /** `round` counts from 0, those that are made again too. */
  readonly measure: (contender: Contender, round: number) => Promise<Result>;
}

/** @returns for each contender what was measured in the calm rounds; in all of them where too few were calm. */
export async function calmRounds<Contender, Result>({
  rounds,
  all,
  quiet,
  say,
  measure,
}: Rounds<Contender, Result>): Promise<Result[][]> {
  const results = all.map((): Result[] => []);
  const disturbed: boolean[] = [];
  const calm = () => disturbed.filter((each) => !each).length;
  while (calm() < rounds && disturbed.length < rounds * mostRepeats) {
    const others: number[] = [];
    for (const [at, contender] of all.entries()) {
      await quiet();
      const watched = watchOthers();
      results[at]?.push(await measure(contender, disturbed.length));
      others.push(watched());
    }
    disturbed.push(Math.max(...others) > calmShare);
    say(`others used ${others.map((share) => `${Math.round(share * 100)}%`).join(", ")} of the machine`);
  }
  if (calm() >= Math.min(fewestCalm, rounds)) return results.map((own) => own.filter((_, at) => !disturbed[at]));
  say(`only ${calm()} of ${disturbed.length} rounds were calm: all of them count`);
  return results;
}
