import type OpenAI from "openai";
import { APIError } from "openai";
import type { Finding } from "../../src/channel.ts";
import { failureOf, type FailureContext } from "./failures.ts";
import { keyNames } from "./spec.ts";

const checkMs = 10_000;
/** Names shown to the operator, and entries read of a list without end. */
const shown = 8;
const most = 2_000;

/** One GET of the list of models: says whether the server is reached, takes the key and has the model. */
export async function checkServer(
  client: OpenAI,
  model: string,
  context: FailureContext,
  signal: AbortSignal,
): Promise<Finding> {
  const { spec, host } = context;
  const names: string[] = [];
  try {
    const page = await client.models.list({ signal, maxRetries: 0, timeout: checkMs });
    for await (const { id } of page) {
      if (typeof id === "string") names.push(id.replace(/^models\//, ""));
      if (names.length >= most) break;
    }
  } catch (error) {
    if (signal.aborted) throw error;
    return unreached(error, { ...context, timeoutMs: checkMs });
  }
  if (names.length === 0) return { ok: true, text: `${spec}: ${host} answers; it does not list its models` };
  if (names.includes(model.replace(/^models\//, ""))) return { ok: true, text: `${spec}: ${host} answers and has it` };
  const some = names.toSorted().slice(0, shown).join(", ");
  const more = names.length > shown ? ` and ${names.length - shown} more` : "";
  return { ok: false, text: `${spec}: ${host} answers but has no such model`, next: `It has ${some}${more}.` };
}

function unreached(error: unknown, context: FailureContext): Finding {
  const { spec, vendor, host } = context;
  const status = error instanceof APIError ? error.status : undefined;
  if (status === 404 || status === 405 || status === 501) {
    return { ok: true, text: `${spec}: ${host} answers; it does not list its models` };
  }
  const text = failureOf(error, context).message;
  if (status === 401 || status === 403) return { ok: false, text, next: `Put a valid key into ${keyNames[vendor]}.` };
  if (status === 429) return { ok: false, text, next: "Wait, or raise the plan's limits." };
  if (status !== undefined && status >= 500) return { ok: false, text, next: "Try again in a few minutes." };
  if (status !== undefined) return { ok: false, text, next: "Check the address of the model server." };
  const setting = vendor === "gemini" ? "GEMINI_BASE_URL" : "OPENAI_BASE_URL";
  return { ok: false, text, next: `Check that the server runs and that this machine reaches it (${setting}).` };
}
