import type { MissionAct, ShownMission } from "../../operations.ts";
import { loadRunningConfig } from "../config.ts";
import { withOperations } from "./operations.ts";
import { printable } from "./printable.ts";

export async function list({ limit, json }: { limit: number; json?: true }): Promise<void> {
  const missions = await withOperations(await loadRunningConfig(), (operations) => operations.missions(limit));
  if (json) process.stdout.write(`${JSON.stringify(missions, null, 2)}\n`);
  else process.stdout.write(missions.length === 0 ? "There are no missions.\n" : missions.map(describe).join(""));
}

export async function show(id: string, { json }: { json?: true }): Promise<void> {
  const mission = await withOperations(await loadRunningConfig(), (operations) => operations.mission(id));
  if (mission === undefined) throw new Error(absent(id));
  if (json) process.stdout.write(`${JSON.stringify(mission, null, 2)}\n`);
  else {
    const steps = mission.steps.map((step) => `  ${step.id}  ${step.do}  ${step.is}\n`).join("");
    process.stdout.write(`${describe(mission)}  ${mission.status}\n${steps}`);
  }
}

export async function act(id: string, what: MissionAct): Promise<void> {
  const found = await withOperations(await loadRunningConfig(), (operations) => operations.orderMission(id, what));
  if (!found) throw new Error(absent(id));
  const done = { pause: "Paused", resume: "Resumed", cancel: "Cancelled" }[what];
  process.stdout.write(`${done}: ${id}\n`);
}

const absent = (id: string): string => `There is no mission "${id}": \`ascent missions list\` shows them.`;

function describe({ id, title, conversation, agentName, at, open }: ShownMission): string {
  const since = new Date(at).toISOString();
  return `${id}  ${open ? "open" : "ended"}  since ${since}  ${agentName}  ${conversation}\n  ${printable(title)}\n`;
}
