/** A request's JSON, bounded in size and depth. */
import { InputError } from "../../src/errors.ts";

const mostDepth = 64;

/** @throws InputError past the limits, or where it is no JSON object. */
export async function readJson(request: Request, mostBytes: number): Promise<Record<string, unknown>> {
  const text = await readText(request, mostBytes);
  checkDepth(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InputError("The body must be JSON.", { cause: error });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new InputError("The body must be one JSON object; batches are not taken.");
}

async function readText(request: Request, mostBytes: number): Promise<string> {
  const tooLarge = () => new InputError(`The body is larger than ${mostBytes} bytes.`, { status: 413 });
  if (Number(request.headers.get("content-length") ?? 0) > mostBytes) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > mostBytes) throw tooLarge();
    chunks.push(chunk);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch (error) {
    throw new InputError("The body must be JSON in UTF-8.", { cause: error });
  }
}

/** Before it is parsed: what goes through it afterwards calls itself for every level. */
function checkDepth(text: string): void {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (quoted) {
      if (char === "\\") at++;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === "{" || char === "[") {
      if (++depth > mostDepth) throw new InputError(`The body is nested deeper than ${mostDepth} levels.`);
    } else if (char === "}" || char === "]") depth--;
  }
}

/** The same of what was no JSON when it came. */
export function isTooDeep(value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > mostDepth) return true;
    const isNested = (one: unknown): one is object =>
      typeof one === "object" && one !== null && !ArrayBuffer.isView(one);
    level = level.filter(isNested).flatMap((one) => Object.values(one) as unknown[]);
  }
  return false;
}
