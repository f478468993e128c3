import type { WaitingCall } from "../../operations.ts";
import { loadRunningConfig } from "../config.ts";
import { withOperations } from "./operations.ts";
import { printable } from "./printable.ts";

export async function list({ json }: { json?: true }): Promise<void> {
  const waiting = await withOperations(await loadRunningConfig(), (operations) => operations.approvals());
  if (json) process.stdout.write(`${JSON.stringify(waiting, null, 2)}\n`);
  else process.stdout.write(waiting.length === 0 ? "Nothing waits for a word.\n" : waiting.map(describe).join(""));
}

export async function decide(id: string, approved: boolean, note: string | undefined): Promise<void> {
  const { channel, account, user } = await withOperations(await loadRunningConfig(), (operations) =>
    operations.approve(id, { approved, note }),
  );
  process.stdout.write(`${approved ? "Approved" : "Denied"}: ${channel}/${account}/${printable(user)} hears of it.\n`);
}

function describe({ id, by, calls, channel, account, user, name, until }: WaitingCall): string {
  const who = `${channel}/${account}/${printable(user)}${name === undefined ? "" : `  (calls itself ${printable(name)})`}`;
  const what = calls.map(({ tool, args }) => `  ${printable(`${tool} ${args}`)}\n`).join("");
  return `${id}  ${who}\n  asked of ${by === "operator" ? "an operator" : "the person"}, until ${new Date(until).toISOString()}\n${what}`;
}
