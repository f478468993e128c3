import type { DeadLetter } from "../../ports.ts";
import { loadRunningConfig } from "../config.ts";
import { withOperations } from "./operations.ts";

export async function list({ limit, json }: { limit: number; json?: true }): Promise<void> {
  const letters = await withOperations(await loadRunningConfig(), (operations) => operations.deadLetters(limit));
  const shown = letters.map(({ n: _n, ...letter }) => letter);
  if (json) process.stdout.write(`${JSON.stringify(shown, null, 2)}\n`);
  else process.stdout.write(letters.length === 0 ? "There are no dead letters.\n" : letters.map(describe).join("\n"));
}

export async function retry(id: string): Promise<void> {
  const found = await withOperations(await loadRunningConfig(), (operations) => operations.retry(id));
  if (!found) throw new Error(unknown(id));
  process.stdout.write(`${id} goes its way again.\n`);
}

export async function drop(id: string): Promise<void> {
  const found = await withOperations(await loadRunningConfig(), (operations) => operations.drop(id));
  if (!found) throw new Error(unknown(id));
  process.stdout.write(`${id} is deleted.\n`);
}

function unknown(id: string): string {
  return `There is no dead letter ${id}: \`ascent deadletters list\` shows those there are.`;
}

/** Without the message's text: that is for --json. */
function describe({ id, topic, event, reason, attempts, at }: DeadLetter): string {
  const when = new Date(at).toISOString();
  return `${id}\n  ${when}  ${topic}  ${event.subject}\n  given up after ${attempts} tries: ${reason}\n`;
}
