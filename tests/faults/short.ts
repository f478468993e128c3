/** A few faults in a test: small crowds, and no wait for what brokers hand out late. */
import { describe, expect, test } from "vitest";
import { needs } from "../needs.ts";
import { needsDapr } from "../services/dapr.ts";
import { runScenario, type Load, type Scenario } from "./run.ts";
import { programsOf } from "./world.ts";

const seed = Number(process.env["KILL_SEED"] ?? Math.floor(Math.random() * 1e9));
const timeout = 400_000;

export async function faultTests(scenarios: readonly Scenario[], load: Pick<Load, "users" | "pauseMs">): Promise<void> {
  const dapr = await needsDapr();
  for (const scenario of scenarios) {
    const missing = dapr.missing || programsOf(scenario.on).some((program) => needs(program).missing);
    describe.skipIf(missing)(`on ${scenario.on.join(" and ")}`, () => {
      test(`${scenario.name}: nothing lost, nothing doubled`, { timeout }, async () => {
        const notes = [`KILL_SEED=${seed}`];
        const row = await runScenario(scenario, { ...load, seed, lingerMs: 0, say: (line) => void notes.push(line) });
        if (row.wrong.length > 0) throw new Error([...row.wrong.slice(0, 40), ...notes].join("\n"));
        const { wrong: _wrong, name, on, ...counts } = row;
        console.log(`${name} on ${on}, ${notes[0]}: ${JSON.stringify(counts)}`);
        expect(row.messages).toBeGreaterThan(20);
      });
    });
  }
}
