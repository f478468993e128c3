import type { ShownRating } from "../../feedback-operations.ts";
import { loadRunningConfig } from "../config.ts";
import { withOperations } from "./operations.ts";
import { printable } from "./printable.ts";

export async function list({ limit, json }: { limit: number; json?: true }): Promise<void> {
  const all = await ratings(limit);
  if (json) process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
  else process.stdout.write(all.length === 0 ? "Nobody has rated an answer.\n" : all.map(describe).join(""));
}

export async function exported({ limit }: { limit: number }): Promise<void> {
  for (const one of await ratings(limit)) process.stdout.write(`${JSON.stringify(one)}\n`);
}

async function ratings(limit: number): Promise<readonly ShownRating[]> {
  return withOperations(await loadRunningConfig(), (operations) => operations.feedback(limit));
}

function describe({ id, at, up, down, channel, account, conversation, agent, model, version, voices }: ShownRating) {
  const by = agent === undefined ? "" : `  ${agent} (${model ?? ""}, ${version ?? ""})`;
  const words = voices.flatMap((voice) => (voice.words === undefined ? [] : [`  “${printable(voice.words)}”\n`]));
  return (
    `${id}  👍 ${up}  👎 ${down}  ${new Date(at).toISOString()}  ${channel}/${account}${by}\n` +
    `  ${conversation}\n${words.join("")}`
  );
}
