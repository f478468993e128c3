import { loadRunningConfig } from "../config.ts";
import { withOperations } from "./operations.ts";

export async function receipts(conversation: string, { json }: { json?: true }): Promise<void> {
  const marks = await withOperations(await loadRunningConfig(), (operations) => operations.marks(conversation));
  if (json) return void process.stdout.write(`${JSON.stringify(marks, null, 2)}\n`);
  const lines = (["delivered", "read"] as const).flatMap((kind) => {
    const mark = marks[kind];
    return mark === undefined ? [] : [`${kind} up to answer ${mark.seq}, ${new Date(mark.at).toISOString()}\n`];
  });
  process.stdout.write(lines.length === 0 ? "Its platform has told nothing of its answers.\n" : lines.join(""));
}
