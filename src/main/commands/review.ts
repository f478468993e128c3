import { userInfo } from "node:os";
import { caseOf, type DoneOrder, type ShownReview } from "../../feedback-operations.ts";
import { loadRunningConfig } from "../config.ts";
import { withOperations } from "./operations.ts";
import { printable, printableLines } from "./printable.ts";

export type DoneOptions = Omit<DoneOrder, "id"> & { readonly as?: string };

export async function list({ done, limit, json }: { done?: true; limit: number; json?: true }): Promise<void> {
  const config = await loadRunningConfig();
  const all = await withOperations(config, (operations) => operations.reviews({ limit, done: done === true }));
  if (json) print(JSON.stringify(all, null, 2));
  else print(all.length === 0 ? "There is nothing to review." : all.map(line).join("\n"));
}

export async function next({ count, json, as = whoami() }: { count: number; json?: true; as?: string }): Promise<void> {
  const config = await loadRunningConfig();
  const batch = await withOperations(config, (operations) => operations.nextReviews({ count, as }));
  if (json) print(JSON.stringify(batch, null, 2));
  else print(batch.length === 0 ? "There is nothing to review." : batch.map(whole).join("\n\n"));
}

export async function done(id: string, { as = whoami(), ...said }: DoneOptions): Promise<void> {
  await withOperations(await loadRunningConfig(), (operations) => operations.review({ id, as, ...said }));
  print("Noted.");
}

export async function exported({ limit }: { limit: number }): Promise<void> {
  const config = await loadRunningConfig();
  const all = await withOperations(config, (operations) => operations.reviews({ limit, done: true }));
  for (const one of all) {
    const made = caseOf(one);
    if (made !== undefined) print(JSON.stringify(made));
  }
}

function line({ id, reasons, channel, account, added, agent, taken, done: said }: ShownReview): string {
  const who =
    said === undefined ? (taken === undefined ? "" : `  ${taken.by} has it`) : `  ${said.verdict}, says ${said.by}`;
  return `${id}  ${new Date(added).toISOString()}  ${channel}/${account}  ${agent ?? ""}  ${reasons.join(", ")}${printable(who)}`;
}

function whole(of: ShownReview): string {
  const said = of.items.map(({ role, name, text, answer }) => {
    const who = `${answer === true ? "▶ " : "  "}${role}${name === undefined ? "" : ` ${name}`}`;
    return `${printable(who)}: ${printableLines(text, "    ")}`;
  });
  return [line(of), ...said].join("\n");
}

function whoami(): string {
  return userInfo().username;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
