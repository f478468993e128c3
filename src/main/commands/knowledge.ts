/** The documents that the agent `knowledge` answers from. They are apart from the gateway's data: one that runs sees each change at once. */
import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, join, resolve, sep } from "node:path";
import { createSafeFetch } from "../../../adapters/fetch/index.ts";
import { createModels } from "../../../adapters/models/index.ts";
import { findPassages, placeOf } from "../../../agents/skills/knowledge/finding.ts";
import { ingest } from "../../../agents/skills/knowledge/ingest.ts";
import { InputError, RetryableError, TerminalError } from "../../errors.ts";
import type { StoredDocument } from "../../knowledge.ts";
import type { Documents, Medium } from "../../reading.ts";
import { modelsSettings } from "../agents.ts";
import { systemClock } from "../clock.ts";
import { loadRunningConfig, type Config } from "../config.ts";
import { createLibrary, knowledgeOf } from "../library.ts";
import { createLog } from "../log.ts";
import { isUrl, walk } from "./knowledge-files.ts";
import { printable } from "./printable.ts";

interface OfTenant {
  readonly tenant: string;
}
export interface AddOptions extends OfTenant {
  readonly collection: string;
  readonly prune?: true;
}
export interface ListOptions extends OfTenant {
  readonly collection?: string;
  readonly json?: true;
}
export type RemoveOptions = Omit<ListOptions, "json">;

const clock = systemClock;

async function withLibrary<Result>(
  work: (parts: Awaited<ReturnType<typeof openLibrary>>) => Promise<Result>,
): Promise<Result> {
  const parts = await openLibrary(await loadRunningConfig());
  try {
    return await work(parts);
  } finally {
    await parts.knowledge.close();
  }
}

async function openLibrary(config: Config) {
  const log = createLog("error");
  const { embedder } = createModels(modelsSettings(config), { clock });
  const safeFetch = createSafeFetch({ allowHosts: config.webhooks.allowHosts });
  return { ...(await createLibrary(config, { clock, log })), config, embedder, safeFetch, log };
}

/** Each by itself: one that cannot be read is named, and leaves the others alone. */
export async function add(what: readonly string[], { tenant, collection, prune }: AddOptions): Promise<void> {
  await withLibrary(async ({ documents, knowledge, embedder, safeFetch }) => {
    const counts = { added: 0, changed: 0, nothing: 0, failed: 0 };
    const deps = { base: knowledge, documents, embedder };
    const take = async (source: string, read: () => Promise<Medium>) => {
      try {
        const { did, document } = await ingest(deps, tenant, { collection, source }, await read());
        counts[did] += 1;
        if (did !== "nothing") print(`${did === "added" ? "+" : "~"} ${told(document)}`);
      } catch (error) {
        if (!(error instanceof InputError || error instanceof TerminalError || isSystem(error))) throw error;
        counts.failed += 1;
        print(`! ${source}: ${error.message}`);
      }
    };
    for (const one of what) {
      if (isUrl(one)) await take(one, () => fetched(one, documents, safeFetch));
      else for await (const path of walk(resolve(one), documents)) await take(path, () => fileOf(path, documents));
    }
    const known = prune === true ? await knowledge.list(tenant, collection) : [];
    const gone = known.filter(({ source }) => what.some((one) => isUnder(source, one)) && !existsSync(source));
    for (const { id, source } of gone) {
      await knowledge.remove(tenant, id);
      print(`- ${source}`);
    }
    const { added, changed, nothing: same, failed } = counts;
    print(`${added} added, ${changed} changed, ${same} unchanged, ${gone.length} removed, ${failed} not read.`);
    if (embedder === undefined)
      print("They are found by their words; EMBEDDING_MODEL lets them be found by their sense, too.");
    if (failed > 0) process.exitCode = 1;
  });
}

export async function list({ tenant, collection, json }: ListOptions): Promise<void> {
  await withLibrary(async ({ knowledge, embedder }) => {
    const all = await knowledge.list(tenant, collection);
    if (json) return printJson(all);
    for (const document of all) {
      const other =
        document.model === embedder?.model ? "" : `; vectors of ${document.model ?? "no model"}: add it again`;
      print(`${document.id}  ${told(document)}${other}`);
    }
    if (all.length === 0) print("There are no documents: `ascent knowledge add` takes files, directories and URLs.");
  });
}

export async function remove(what: readonly string[], { tenant, collection }: RemoveOptions): Promise<void> {
  await withLibrary(async ({ knowledge }) => {
    const all = await knowledge.list(tenant, collection);
    for (const one of what) {
      const found = all.filter(({ id, source }) => id === one || isUnder(source, one));
      if (found.length === 0)
        throw new Error(`There is no document ${one}: \`ascent knowledge list\` shows those there are.`);
      for (const { id, source } of found) {
        await knowledge.remove(tenant, id);
        print(`- ${source}`);
      }
    }
  });
}

export async function search(question: string, { tenant, collection, json }: ListOptions): Promise<void> {
  await withLibrary(async ({ knowledge, embedder, config, log }) => {
    const limits = knowledgeOf(config);
    const within = collection === undefined ? limits : { ...limits, collections: [collection] };
    const found = await findPassages({ base: knowledge, embedder, log }, { tenant }, question, within);
    if (json) return printJson(found);
    for (const passage of found) {
      const { document, text, words, sense } = passage;
      const scores = [`words ${words.toFixed(2)}`, ...(sense === undefined ? [] : [`sense ${sense.toFixed(2)}`])];
      const beginning = text.replace(/\s+/g, " ").slice(0, 300).toWellFormed();
      print(`${placeOf(passage)}  (${scores.join(", ")})\n  ${document.source}\n  ${beginning}\n`);
    }
    if (found.length === 0) print("No passage fits.");
  });
}

async function fetched(
  url: string,
  { maxBytes }: Documents,
  safeFetch: ReturnType<typeof createSafeFetch>,
): Promise<Medium> {
  try {
    const { status, headers, body } = await safeFetch(url, { maxBytes, timeoutMs: 60_000 });
    if (status !== 200) throw new InputError(`the server answered ${status}`);
    return { bytes: body, type: headers.get("content-type") ?? "text/html", name: basename(new URL(url).pathname) };
  } catch (error) {
    if (error instanceof RetryableError) throw new InputError(error.message, { cause: error });
    throw error;
  }
}

async function fileOf(path: string, { maxBytes }: Documents): Promise<Medium> {
  const { size } = await stat(path);
  if (size > maxBytes) throw new InputError(`it has more than ${Math.round(maxBytes / 1_000_000)} MB`);
  return { bytes: await readFile(path), type: "application/octet-stream", name: basename(path) };
}

/** The file or URL itself, or a file of the directory. */
function isUnder(source: string, given: string): boolean {
  if (isUrl(given) || isUrl(source)) return source === given;
  const path = resolve(given);
  return source === path || source.startsWith(path.endsWith(sep) ? path : join(path, sep));
}

function told({ title, source, collection, passages, cut }: StoredDocument): string {
  const size = `${passages} ${passages === 1 ? "passage" : "passages"}${cut ? ", its beginning alone" : ""}`;
  return `${title}  (${collection}, ${size})  ${source}`;
}

function isSystem(error: unknown): error is Error {
  return error instanceof Error && "syscall" in error;
}

function print(line: string): void {
  process.stdout.write(`${line.split("\n").map(printable).join("\n")}\n`);
}

function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
