import { badRequest, type Params } from "./types.ts";

/**
 * Readers of method parameters. JSON bodies carry typed values; urlencoded and multipart ones carry strings, with
 * objects JSON-serialized: every reader takes both ("Making requests").
 */
export function text(params: Params, key: string): string {
  const value = params[key];
  if (typeof value === "string") return value;
  return value === undefined || value === null ? "" : String(value as number | boolean);
}

/** An integer, or `fallback` when absent or unreadable, clamped to the range as the Bot API server does. */
export function integer(params: Params, key: string, fallback = 0, min = -Infinity, max = Infinity): number {
  const value = params[key];
  const parsed = typeof value === "number" ? value : typeof value === "string" ? Number.parseInt(value, 10) : NaN;
  return Number.isFinite(parsed) ? Math.min(max, Math.max(min, parsed)) : fallback;
}

export function flag(params: Params, key: string): boolean {
  const value = params[key];
  return value === true || value === "true" || value === "True" || value === "yes" || value === "1" || value === 1;
}

/** A structured parameter, whether sent as JSON or as a JSON-serialized string. */
export function json(params: Params, key: string): unknown {
  const value = params[key];
  if (typeof value !== "string") return value ?? undefined;
  if (value === "") return undefined;
  try {
    return JSON.parse(value);
  } catch {
    throw badRequest(`can't parse ${key.replaceAll("_", " ")} JSON object`);
  }
}

export function object(params: Params, key: string): Params | undefined {
  const value = json(params, key);
  if (value === undefined) return undefined;
  if (!isObject(value)) throw badRequest(`object expected as ${key.replaceAll("_", " ")}`);
  return value;
}

export function array(params: Params, key: string): unknown[] | undefined {
  const value = json(params, key);
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw badRequest(`expected an Array of ${key.replaceAll("_", " ")}`);
  return value;
}

export function isObject(value: unknown): value is Params {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
