import type { SetAside } from "../../ports.ts";
import { loadRunningConfig } from "../config.ts";
import { withOperations } from "./operations.ts";
import { printable } from "./printable.ts";

export async function journal({ limit, json }: { limit: number; json?: true }): Promise<void> {
  const entries = await withOperations(await loadRunningConfig(), (operations) => operations.journal(limit));
  if (json) process.stdout.write(`${JSON.stringify(entries, null, 2)}\n`);
  else process.stdout.write(entries.length === 0 ? "Nothing was set aside.\n" : entries.map(describe).join(""));
}

function describe({ id, conversation, rule, at }: SetAside): string {
  return `${new Date(at).toISOString()}  ${printable(rule)}\n  ${printable(conversation)}  message ${printable(id)}\n`;
}
