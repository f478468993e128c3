/**
 * The faults of the promise on real Dapr: `npm run faults -- [--only part-of-a-name]… [--seed n] [--users n] [--list]`.
 * Prints a table; exit code 1 when anything is lost, doubled, out of order or late. The same seed draws the same faults.
 */
import { parseArgs } from "node:util";
import { needs } from "../needs.ts";
import { needsDapr } from "../services/dapr.ts";
import { runScenario, type Row, type Scenario } from "./run.ts";
import { scenarios } from "./scenarios.ts";
import { programsOf } from "./world.ts";

const options = {
  only: { type: "string", multiple: true, default: [] as string[] },
  seed: { type: "string" },
  users: { type: "string", default: "100" },
  pause: { type: "string", default: "6000" },
  linger: { type: "string", default: "30000" },
  list: { type: "boolean", default: false },
} as const;

async function main(): Promise<number> {
  const { values } = parseArgs({ options });
  const chosen = scenarios.filter((scenario) => isChosen(scenario, values.only));
  if (values.list) {
    for (const scenario of scenarios) console.log(nameOf(scenario));
    return 0;
  }
  if (chosen.length === 0) throw new Error("--only fits no scenario: --list shows them");
  if ((await needsDapr()).missing) return 1;
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
  const load = { seed, users: Number(values.users), pauseMs: Number(values.pause), lingerMs: Number(values.linger) };
  const rows: Row[] = [];
  for (const scenario of chosen) {
    if (programsOf(scenario.on).some((program) => needs(program).missing)) continue;
    console.error(`${nameOf(scenario)}, seed ${seed}`);
    const row = await runScenario(scenario, { ...load, say: (line) => console.error(`  ${line}`) });
    rows.push(row);
    console.error(table([row]));
  }
  console.log(`${table(rows)}\n`);
  for (const { name, on, wrong } of rows)
    for (const line of wrong.slice(0, 20)) console.log(`${name} on ${on}: ${line}`);
  const broken = rows.filter(({ wrong }) => wrong.length > 0).length;
  console.log(`${rows.length - broken} kept, ${broken} broken, seed ${seed}`);
  return broken === 0 ? 0 : 1;
}

const nameOf = ({ name, on }: Scenario): string => `${name} on ${on.join(" + ")}`;

function isChosen(scenario: Scenario, only: readonly string[]): boolean {
  const name = nameOf(scenario).replaceAll(/\W+/g, "-");
  return only.length === 0 || only.some((part) => name.includes(part.replaceAll(/\W+/g, "-")));
}

function table(rows: readonly Row[]): string {
  const head = [
    "fault",
    "on",
    "messages",
    "chats",
    "kills",
    "in flight",
    "doubled",
    "taken",
    "reordered",
    "p50",
    "slowest",
    "took",
  ];
  const cells = rows.map((row) => [
    row.name,
    row.on,
    row.messages,
    row.conversations,
    row.kills,
    row.inFlight,
    row.duplicates,
    row.excused,
    row.reordered,
    `${row.medianMs} ms`,
    `${(row.slowestMs / 1_000).toFixed(1)} s`,
    `${row.seconds} s`,
    row.wrong.length === 0 ? "kept" : `BROKEN (${row.wrong.length})`,
  ]);
  const line = (row: readonly (string | number)[]) => `| ${row.join(" | ")} |`;
  const titles = [...head, "promise"];
  return [line(titles), line(titles.map(() => "---")), ...cells.map(line)].join("\n");
}

// What it started ends with it, however it is told to end.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
process.exit();
