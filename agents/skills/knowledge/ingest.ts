/** Documents into the base: read, cut into passages, given vectors where there is a model for them. */
import { createHash } from "node:crypto";
import { InputError } from "../../../src/errors.ts";
import type { DocumentRef, Embedder, KnowledgeBase, Passage, StoredDocument } from "../../../src/knowledge.ts";
import type { Documents, Medium } from "../../../src/reading.ts";
import { passagesOf } from "./passages.ts";

export interface IngestDeps {
  readonly base: KnowledgeBase;
  readonly documents: Documents;
  readonly embedder: Embedder | undefined;
}

export interface Ingested {
  readonly did: "added" | "changed" | "nothing";
  readonly document: StoredDocument;
}

/** Of one document. */
const mostChars = 2_000_000;
/** Raised when documents are to be read again, since what is made of them has changed. */
const version = 1;
const longestTitle = 200;

/**
 * What was read before and is the same is not read again. A process that dies meanwhile leaves the document as it was.
 * @throws InputError that says why it cannot be taken; a TerminalError of the embedder.
 */
export async function ingest(
  { base, documents, embedder }: IngestDeps,
  tenant: string,
  ref: DocumentRef,
  medium: Medium,
  signal?: AbortSignal,
): Promise<Ingested> {
  const digest = digestOf(medium, embedder?.model);
  const known = await base.get(tenant, ref);
  if (known?.digest === digest) return { did: "nothing", document: known };
  const read = await documents.read(medium, mostChars, { marked: true });
  const marked = isMarkdown(medium) ? /^# +(.+)$/m.exec(read.text)?.[1] : undefined;
  const title = titleOf(read.title ?? marked, ref.source);
  const passages = passagesOf(read.text).map((passage) => underTitle(passage, title));
  if (passages.length === 0)
    throw new InputError("it holds no text: if it is a scan, run text recognition on it first");
  const vectors = embedder && {
    model: embedder.model,
    of: await embedder.embed(
      passages.map(({ text, section }) => `${section === undefined ? title : `${title} › ${section}`}\n${text}`),
      signal,
    ),
  };
  signal?.throwIfAborted();
  const document = await base.put(tenant, {
    ...ref,
    title,
    digest,
    cut: read.cut,
    passages,
    ...(vectors === undefined ? {} : { vectors }),
  });
  return { did: known === undefined ? "added" : "changed", document };
}

function digestOf({ bytes, type, name }: Medium, model: string | undefined): string {
  const about = JSON.stringify([version, model ?? "", type, name ?? ""]);
  return createHash("sha256").update(about).update("\0").update(bytes).digest("hex");
}

function isMarkdown({ type, name }: Medium): boolean {
  return type.startsWith("text/markdown") || /\.(?:md|markdown)$/i.test(name ?? "");
}

/** Without the title, which stands before it wherever it is shown. */
function underTitle(passage: Passage, title: string): Passage {
  const { section, ...rest } = passage;
  if (section === undefined || section === title) return rest;
  const prefix = `${title} › `;
  return section.startsWith(prefix) ? { ...rest, section: section.slice(prefix.length) } : passage;
}

function titleOf(given: string | undefined, source: string): string {
  const plain = (given ?? "").replace(/\s+/g, " ").trim();
  const last = source.split(/[/\\]/).findLast((part) => part !== "") ?? source;
  return (plain === "" ? last : plain).slice(0, longestTitle).toWellFormed();
}
