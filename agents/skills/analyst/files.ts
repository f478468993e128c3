/** The files that a task is about. */
import { InputError } from "../../../src/errors.ts";
import type { Blobs } from "../../../src/ports.ts";
import type { Sandbox, SandboxFile } from "../../../src/sandbox.ts";
import type { TaskMessage } from "../../../src/skilled.ts";

const mostFiles = 10;
const longestName = 80;

/**
 * Of all of the caller's messages; one of the same name stands for the one before it. Data parts are files too.
 * @throws InputError that says what to send instead
 */
export async function filesOf(
  messages: readonly TaskMessage[],
  blobs: Blobs,
  sandbox: Pick<Sandbox, "maxBytes" | "reads">,
): Promise<readonly SandboxFile[]> {
  const files = new Map<string, SandboxFile>();
  let left = sandbox.maxBytes;
  for (const part of messages.filter(({ role }) => role === "user").flatMap(({ parts }) => parts)) {
    if (part.kind === "text") continue;
    const name = part.kind === "data" ? `data-${files.size + 1}.json` : nameOf(part.name, part.type, files.size + 1);
    const type = part.kind === "data" ? "application/json" : part.type;
    if (!sandbox.reads({ name, type }))
      throw new InputError(`${name} is no table that I can read: send it as CSV or JSON`);
    const bytes =
      part.kind === "data"
        ? new TextEncoder().encode(JSON.stringify(part.data) ?? "null")
        : await read(part.blob, name, left, blobs);
    left = left - bytes.byteLength + (files.get(name)?.bytes.byteLength ?? 0);
    if (left < 0) throw new InputError(tooMuch(sandbox.maxBytes));
    files.set(name, { name, type, bytes });
    if (files.size > mostFiles) throw new InputError(`a question is about ${mostFiles} files at most`);
  }
  return [...files.values()];
}

function nameOf(given: string | undefined, type: string, at: number): string {
  const plain = given?.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}/\\]/gu, "").trim() ?? "";
  if (plain !== "") return plain.length <= longestName ? plain : plain.slice(-longestName);
  return `file-${at}.${type.includes("json") ? "json" : type.startsWith("text/csv") ? "csv" : "txt"}`;
}

async function read(id: string, name: string, most: number, blobs: Blobs): Promise<Uint8Array> {
  const blob = await blobs.get(id);
  if (blob === undefined) throw new InputError(`${name} is not here any more: send it again`);
  if (blob.size > most) {
    await blob.body.cancel();
    throw new InputError(tooMuch(most));
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of blob.body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const tooMuch = (most: number) =>
  `that is more than ${Math.floor(most / 1_000_000)} MB in all: send the rows and columns that matter`;
