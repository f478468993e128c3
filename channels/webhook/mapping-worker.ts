/** Evaluates a mapping's expressions away from the gateway's thread, which can end this one whatever an expression does. */
import { parentPort, workerData } from "node:worker_threads";
import jsonata from "jsonata";
import type { MappingReply, MappingRequest, MappingSource } from "./mapping.ts";

const { expressions, timeoutMs, longest } = workerData as MappingSource;
const stack = 400;
const compiled = Object.entries(expressions).map(
  ([field, expression]) => [field, jsonata(expression, { timeout: timeoutMs, stack })] as const,
);

async function evaluate({ body, headers }: MappingRequest): Promise<MappingReply> {
  const values: Record<string, string> = {};
  for (const [field, expression] of compiled) {
    try {
      const value: unknown = await expression.evaluate(body, { headers });
      if (value === undefined || value === null) continue;
      if (typeof value === "object" || typeof value === "function")
        return { problem: `${field}: gives a list or an object, not text` };
      const text = String(value as string | number | boolean);
      if (text.length > longest) return { problem: `${field}: gives more than ${longest} characters` };
      values[field] = text;
    } catch (error) {
      return { problem: `${field}: ${describe(error)}` };
    }
  }
  return { values };
}

/** The library's messages name the values that they are about: its codes do not. */
function describe(error: unknown): string {
  const { code, position } = error as { code?: unknown; position?: unknown };
  if (typeof code !== "string") return "cannot be evaluated";
  return `fails with JSONata's error ${code}${typeof position === "number" ? ` at character ${position}` : ""}`;
}

parentPort?.on("message", (request: MappingRequest) => {
  void evaluate(request).then((reply) => parentPort?.postMessage(reply));
});
parentPort?.postMessage("ready");
