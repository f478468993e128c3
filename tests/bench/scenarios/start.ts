/**
 * From the start of the process to `/readyz` 200, against a process that only imports the Agents SDK, in turns. The data is
 * new each time; the web page was built before.
 */
import { startGateway } from "../contenders.ts";
import { median, shown } from "../figures.ts";
import type { Scenario } from "../scenario.ts";
import { cpuMsOf } from "../proc.ts";
import { within, type Session } from "../session.ts";
import { startWorld } from "../world.ts";

interface Took {
  readonly ms: number;
  /** Processor time: says more than the clock on a machine that does other things. */
  readonly cpuMs: number;
}

const bare = 'await import("@openai/agents"); console.log("imported"); setInterval(() => {}, 1e6);';

export const start: Scenario = {
  name: "start",
  limit: { quick: 200, full: 300 },
  async run({ session, handicap, full, say }) {
    const world = await startWorld(session);
    const gateway = async () => {
      const { process, startMs } = await startGateway({ session, world, handicap });
      const cpuMs = cpuMsOf([process.pid]);
      await process.stop(30_000);
      return { ms: startMs, cpuMs };
    };
    await Promise.all([importOnly(session), gateway()]); // builds the page, warms the file cache
    const imports: Took[] = [];
    const starts: Took[] = [];
    for (let round = 0; round < (full ? 11 : 5); round += 1) {
      imports.push(await importOnly(session));
      starts.push(await gateway());
    }
    const [importMs, startMs] = [imports, starts].map((took) => median(took.map(({ ms }) => ms))) as [number, number];
    const [importCpu, startCpu] = [imports, starts].map((took) => median(took.map(({ cpuMs }) => cpuMs)));
    say(`imports ${list(imports)} ms, starts ${list(starts)} ms`);
    return [
      {
        name: "start to ready / bare import of the Agents SDK",
        measured: startMs / importMs,
        unit: "x",
        bound: { most: 2 },
        detail: `${shown(startMs)} and ${shown(importMs)} ms (CPU ${startCpu} and ${importCpu}), medians of ${starts.length}`,
      },
    ];
  },
};

function list(took: readonly Took[]): string {
  return took.map(({ ms }) => Math.round(ms)).join(" ");
}

async function importOnly(session: Session): Promise<Took> {
  const began = performance.now();
  const process = session.launch({ name: "a bare import", args: ["--input-type=module", "-e", bare] });
  await within(30_000, "a bare import", process.firstLine);
  const took = { ms: performance.now() - began, cpuMs: cpuMsOf([process.pid]) };
  await process.stop();
  return took;
}
