/** What is found in the documents in the course of one task, numbered. */
import type { Payer } from "../../../src/budgets.ts";
import { reasonOf, TerminalError } from "../../../src/errors.ts";
import type { Embedder, FoundPassage, KnowledgeBase, Question } from "../../../src/knowledge.ts";
import type { Log } from "../../../src/ports.ts";
import type { KnowledgeSettings } from "./settings.ts";

export interface FindingDeps {
  readonly base: KnowledgeBase;
  readonly embedder: Embedder | undefined;
  readonly log: Log;
}

export type Limits = Pick<KnowledgeSettings, "collections" | "passages" | "leastWords" | "leastSense">;

/** Where the model for vectors cannot be reached the words alone have to do. */
export async function findPassages(
  { base, embedder, log }: FindingDeps,
  who: Payer,
  text: string,
  limits: Limits,
  signal?: AbortSignal,
): Promise<readonly FoundPassage[]> {
  const { collections, passages, leastWords, leastSense } = limits;
  const vector = embedder && (await vectorOf(embedder, who, text, log, signal));
  const question: Question = {
    text,
    limit: passages,
    least: { words: leastWords, sense: leastSense },
    ...(vector === undefined ? {} : { vector }),
    ...(collections === undefined ? {} : { collections }),
  };
  return base.search(who.tenant, question);
}

async function vectorOf(embedder: Embedder, who: Payer, text: string, log: Log, signal: AbortSignal | undefined) {
  try {
    const [of] = await embedder.embed([text], signal, who);
    return of === undefined ? undefined : { model: embedder.model, of };
  } catch (error) {
    if (!(error instanceof TerminalError)) throw error;
    log.warn(
      { model: embedder.model, reason: reasonOf(error) },
      "a question has no vector: it is searched by its words",
    );
    return undefined;
  }
}

/** The same passage has the same number, however often it is found. */
export function createNumbers() {
  const found: FoundPassage[] = [];
  return {
    found: found as readonly FoundPassage[],
    of(passage: FoundPassage): number {
      const known = found.findIndex((one) => one.document.id === passage.document.id && one.text === passage.text);
      return known < 0 ? found.push(passage) : known + 1;
    },
  };
}

/** "Handbook, Leave › Sick leave, page 3". */
export function placeOf({ document, section, page }: FoundPassage): string {
  return [document.title, section, page === undefined ? undefined : `page ${page}`]
    .filter((part) => part !== undefined && part !== "")
    .join(", ");
}

/** A path of the operator's machine is nobody else's business: of a file its name. */
export function sourceName({ document }: FoundPassage): string {
  if (/^https?:/.test(document.source)) return document.source;
  return document.source.split(/[/\\]/).findLast((part) => part !== "") ?? document.source;
}
