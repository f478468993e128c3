import type { Decision } from "../../operations.ts";
import type { Asked } from "../../operators.ts";
import { loadRunningConfig } from "../config.ts";
import { withOperations } from "./operations.ts";
import { printable } from "./printable.ts";

export async function list({ json }: { json?: true }): Promise<void> {
  const asked = await withOperations(await loadRunningConfig(), (operations) => operations.asked());
  if (json) process.stdout.write(`${JSON.stringify(asked, null, 2)}\n`);
  else process.stdout.write(asked.length === 0 ? "Nobody asks to be let in.\n" : asked.map(describe).join(""));
}

export async function decide(who: string, state: Decision): Promise<void> {
  const { channel, account, user } = await withOperations(await loadRunningConfig(), (operations) =>
    operations.decide(who, state),
  );
  const what = state === "approved" ? "may write from now on" : "is given no code for a day";
  process.stdout.write(`${channel}/${account}/${printable(user)} ${what}.\n`);
}

function describe({ code, channel, account, user, name, handle, at, until }: Asked): string {
  const called = [name, handle === undefined ? undefined : `@${handle}`].filter((one) => one !== undefined).join(", ");
  const times = `asked ${new Date(at).toISOString()}, good until ${new Date(until).toISOString()}`;
  return `${code}  ${channel}/${account}/${printable(user)}${called === "" ? "" : `  (calls itself ${printable(called)})`}\n  ${times}\n`;
}
