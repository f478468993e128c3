import type { LoggedDelivery } from "../../subscriptions.ts";
import { loadRunningConfig } from "../config.ts";
import { withOperations } from "./operations.ts";

export async function log({ limit, json }: { limit: number; json?: true }): Promise<void> {
  const found = await withOperations(await loadRunningConfig(), (operations) => operations.webhooks(limit));
  if (json) process.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
  else process.stdout.write(found.length === 0 ? "No webhooks were sent.\n" : found.map(describe).join("\n"));
}

export async function replay(id: string): Promise<void> {
  const found = await withOperations(await loadRunningConfig(), (operations) => operations.replay(id));
  if (!found) throw new Error(`There is no delivery ${id}: \`ascent webhooks log\` shows those there are.`);
  process.stdout.write(`${id} is sent again.\n`);
}

function describe({ id, type, name, at, state, tries }: LoggedDelivery): string {
  const results = tries.map(({ at: when, status, reason }) => `    ${timeOf(when)}  ${status ?? reason ?? ""}\n`);
  return `${id}\n  ${timeOf(at)}  ${type}  to ${name}  ${state}\n${results.join("")}`;
}

const timeOf = (at: number) => new Date(at).toISOString();
