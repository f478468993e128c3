import { opendir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Documents } from "../../reading.ts";

const mostFiles = 10_000;
const deepest = 20;

export function isUrl(given: string): boolean {
  return /^https?:\/\//i.test(given);
}

/**
 * A file itself; of a directory all files that can be read as documents, by name, except hidden ones and `node_modules`. Links are
 * not followed.
 * @throws Error where there is nothing, or too much.
 */
export async function* walk(path: string, documents: Documents): AsyncGenerator<string> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw new Error(`There is no file ${path}.`);
  if (found.isFile()) {
    yield path;
    return;
  }
  let files = 0;
  for await (const file of filesIn(path, documents, 0)) {
    files += 1;
    if (files > mostFiles) throw new Error(`${path} has more than ${mostFiles} documents: add parts of it.`);
    yield file;
  }
}

async function* filesIn(directory: string, documents: Documents, depth: number): AsyncGenerator<string> {
  if (depth > deepest) return;
  const entries = [];
  for await (const entry of await opendir(directory)) entries.push(entry);
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(directory, entry.name);
    if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
    if (entry.isDirectory()) yield* filesIn(path, documents, depth + 1);
    else if (entry.isFile() && documents.reads({ type: "application/octet-stream", name: basename(path) })) yield path;
  }
}
