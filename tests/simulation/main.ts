/**
 * The simulator's command line: `npm run simulate -- [--seeds A..B | --seed N] [--flavour embedded|dapr] [--failures N]`.
 * Exit code 1 when a seed breaks the promise; the same seed does the same every time.
 */
import { parseArgs } from "node:util";
import { flavours, type Flavour } from "./plan.ts";
import { explain, runSeed } from "./report.ts";
import { subject } from "./subject.ts";

const options = {
  seed: { type: "string" },
  seeds: { type: "string", default: "1..20000" },
  flavour: { type: "string" },
  /** Failing seeds that are explained before it stops. */
  failures: { type: "string", default: "3" },
  trace: { type: "boolean", default: false },
} as const;

async function main(): Promise<number> {
  const { values } = parseArgs({ options });
  const chosen = flavoursOf(values.flavour);
  const [from, to] = rangeOf(values.seed ?? values.seeds);
  const most = Number(values.failures);
  const began = performance.now();
  let runs = 0;
  let failures = 0;
  let messages = 0;
  let crashes = 0;
  for (let seed = from; seed <= to && failures < most; seed++) {
    for (const flavour of chosen) {
      const trace: string[] | undefined = values.trace ? [] : undefined;
      const outcome = await runSeed(seed, flavour, subject, trace);
      if (trace !== undefined) console.log(trace.join("\n"));
      runs++;
      messages += outcome.messages;
      crashes += outcome.crashes;
      if (outcome.violations.length > 0) {
        failures++;
        console.log(await explain(seed, flavour, subject));
      }
    }
    if (process.stderr.isTTY && seed % 100 === 0) process.stderr.write(`\rseed ${seed} of ${to}, ${failures} failed`);
  }
  const seconds = (performance.now() - began) / 1_000;
  console.log(
    `${runs} runs, ${failures} failed: ${messages} messages, ${crashes} lives lost, ` +
      `${seconds.toFixed(1)} s, ${(runs / seconds).toFixed(0)} runs/s`,
  );
  return failures > 0 ? 1 : 0;
}

function flavoursOf(given: string | undefined): readonly Flavour[] {
  if (given === undefined) return flavours;
  const found = flavours.filter((flavour) => flavour === given);
  if (found.length === 0) throw new Error(`--flavour is one of ${flavours.join(", ")}`);
  return found;
}

function rangeOf(given: string): [number, number] {
  const [, from, to = from] = /^(\d+)(?:\.\.(\d+))?$/.exec(given) ?? [];
  if (from === undefined) throw new Error("a seed is a number, --seeds is A..B");
  return [Number(from), Number(to)];
}

process.exitCode = await main();
