/**
 * `npm run bench`: what the gateway costs, beside its rivals, as README.md in this folder describes; `npm run bench -- dapr`:
 * the same on Dapr. It reports: a bound that is missed does not change the exit code, something that broke does.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { contenderNames, type ContenderName } from "./contenders.ts";
import { daprIdleCost } from "./dapr/idle-cost.ts";
import { daprIdleMemory } from "./dapr/idle-memory.ts";
import { daprLatency } from "./dapr/latency.ts";
import { daprProfile } from "./dapr/profile.ts";
import { daprReminders, daprRemindersApart } from "./dapr/reminders.ts";
import { daprSparse } from "./dapr/sparse.ts";
import { daprTurns } from "./dapr/turns.ts";
import { daprWake } from "./dapr/wake.ts";
import { table, verdictOf, type Figure } from "./figures.ts";
import { parseHandicap } from "./handicap.ts";
import { profile } from "./profile.ts";
import type { Bench, Scenario } from "./scenario.ts";
import { flood } from "./scenarios/flood.ts";
import { idleConversations } from "./scenarios/idle-conversations.ts";
import { idleMemory } from "./scenarios/idle-memory.ts";
import { longChat } from "./scenarios/long-chat.ts";
import { reminders } from "./scenarios/reminders.ts";
import { slowModel } from "./scenarios/slow-model.ts";
import { start } from "./scenarios/start.ts";
import { turns } from "./scenarios/turns.ts";
import { createSession, within } from "./session.ts";

const suites: Readonly<Record<string, readonly Scenario[]>> = {
  embedded: [turns, slowModel, flood, longChat, start, idleMemory, idleConversations, reminders],
  dapr: [daprTurns, daprSparse, daprLatency, daprIdleMemory, daprWake, daprReminders, daprRemindersApart, daprIdleCost],
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    full: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
    json: { type: "string" },
    profile: { type: "string" },
    handicap: { type: "string" },
    contenders: { type: "string", default: contenderNames.join(",") },
  },
});
const [suite = "embedded"] = positionals;
const scenarios = suites[suite];
if (scenarios === undefined)
  throw new Error(`there is no bench "${suite}": there are ${Object.keys(suites).join(", ")}`);
if (process.platform !== "linux") throw new Error("the bench reads /proc: it runs on Linux only");

const base: Omit<Bench, "session" | "say"> = {
  full: values.full,
  handicap: values.handicap === undefined ? {} : parseHandicap(values.handicap),
  contenders: values.contenders.split(",").map(contenderOf),
};

process.exit(
  values.profile === undefined ? await bench(chosen(scenarios, values.only)) : await runProfile(values.profile),
);

async function bench(wanted: readonly Scenario[]): Promise<number> {
  const began = Date.now();
  const figures: (Figure & { scenario: string })[] = [];
  const broken: { scenario: string; reason: string }[] = [];
  for (const scenario of wanted) {
    const limit = scenario.limit[base.full ? "full" : "quick"] * 1_000;
    try {
      const found = await inSession(scenario.name, limit, (bench) => scenario.run(bench));
      figures.push(...found.map((figure) => ({ scenario: scenario.name, ...figure })));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      broken.push({ scenario: scenario.name, reason });
      console.error(`${scenario.name} broke: ${reason}`);
    }
  }
  const seconds = Math.round((Date.now() - began) / 1_000);
  const machine = `Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? "CPU"}, ${Math.round(totalmem() / 2 ** 30)} GB`;
  console.log(`${table(figures)}\n`);
  for (const { scenario, reason } of broken) console.log(`${scenario}: broke: ${reason.split("\n")[0]}`);
  const count = (verdict: string) => figures.filter((figure) => verdictOf(figure) === verdict).length;
  console.log(
    `${count("met")} met, ${count("not met")} not met, ${broken.length} broken, in ${seconds} s on ${machine}`,
  );
  if (values.json !== undefined) {
    const { full, handicap } = base;
    const results = figures.map((figure) => ({ ...figure, verdict: verdictOf(figure) }));
    mkdirSync(dirname(values.json), { recursive: true });
    const report = {
      at: new Date(began).toISOString(),
      suite,
      machine,
      full,
      handicap,
      seconds,
      figures: results,
      broken,
    };
    writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  }
  return broken.length === 0 ? 0 : 1;
}

async function runProfile(folder: string): Promise<number> {
  try {
    const profileOf = suite === "dapr" ? daprProfile : profile;
    const files = await inSession("profile", 240_000, (bench) => profileOf(bench, folder));
    console.log(files.join("\n"));
    return files.length > 0 ? 0 : 1;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  }
}

async function inSession<Result>(
  name: string,
  limitMs: number,
  work: (bench: Bench) => Promise<Result>,
): Promise<Result> {
  const session = createSession();
  const say = (line: string) => console.error(`${name}: ${line}`);
  try {
    return await within(limitMs, name, Promise.race([session.broken, work({ ...base, session, say })]));
  } finally {
    await session.close();
  }
}

/** A part of a name will do: `--only start --only idle`. */
function chosen(all: readonly Scenario[], only: readonly string[]): readonly Scenario[] {
  if (only.length === 0) return all;
  const wanted = all.filter(({ name }) => only.some((part) => name.includes(part.replaceAll("-", " "))));
  if (wanted.length === 0) throw new Error(`--only takes ${all.map(({ name }) => `"${name}"`).join(", ")}`);
  return wanted;
}

function contenderOf(name: string): ContenderName {
  const found = contenderNames.find((known) => known === name);
  if (found === undefined) throw new Error(`--contenders takes ${contenderNames.join(",")}: "${name}" is none of them`);
  return found;
}
