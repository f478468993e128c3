/**
 * The operator's documents, in passages that are found by their words and by their sense. `adapters/vectors` implements it, on
 * SQLite and on PostgreSQL.
 *
 * A tenant's documents are nobody else's. Within a tenant a document belongs to one collection, and is known there by its source.
 */

import type { Payer } from "./budgets.ts";

/** Texts to vectors, by a model. */
export interface Embedder {
  /** As configured. Vectors of different models cannot be compared. */
  readonly model: string;
  /**
   * One vector of length 1 for each text, in their order.
   * @param payer in whose budgets it counts; in nobody's unless given.
   * @throws TerminalError once its own retries are used up or cannot help; the reason of `signal` when it aborts.
   */
  embed(texts: readonly string[], signal?: AbortSignal, payer?: Payer): Promise<readonly Float32Array[]>;
}

export interface Passage {
  readonly text: string;
  /** The headings that it stands under, outermost first, as one line. */
  readonly section?: string;
  /** From 1, where the format has pages. */
  readonly page?: number;
}

export interface DocumentRef {
  readonly collection: string;
  /** A file's path or a URL. */
  readonly source: string;
}

export interface StoredDocument extends DocumentRef {
  /** Short, unique within the tenant, the same for the same collection and source. */
  readonly id: string;
  readonly title: string;
  /** Of what it was made from: the same digest needs no reading again. */
  readonly digest: string;
  readonly passages: number;
  /** Only its beginning was read. */
  readonly cut: boolean;
  /** The model of its vectors; absent: it is found by its words alone. */
  readonly model?: string;
  readonly addedAt: number;
}

export interface NewDocument extends DocumentRef {
  readonly title: string;
  readonly digest: string;
  readonly cut: boolean;
  readonly passages: readonly Passage[];
  /** One vector for each passage. */
  readonly vectors?: { readonly model: string; readonly of: readonly Float32Array[] };
}

export interface Question {
  readonly text: string;
  readonly vector?: { readonly model: string; readonly of: Float32Array };
  /** All of the tenant's unless given. */
  readonly collections?: readonly string[];
  readonly limit: number;
  /**
   * What a passage must reach, in either: the share of the question's words in it, each weighed by how rare it is; the cosine
   * of the two vectors. What reaches neither does not fit.
   */
  readonly least: { readonly words: number; readonly sense: number };
}

export interface FoundPassage extends Passage {
  readonly document: Pick<StoredDocument, "id" | "title" | "source" | "collection">;
  readonly words: number;
  readonly sense?: number;
}

/** Any number of processes may have one open: what one writes the others see at once. */
export interface KnowledgeBase {
  /**
   * Has it ready before it is asked. Where nobody calls it, or it failed, the first question does it.
   * @throws InfrastructureError where it cannot be reached.
   */
  prepare(): Promise<void>;
  /**
   * All of it at once, in the place of what was known by this source: a process that dies meanwhile leaves what was there before.
   * @throws InputError where there is no room for it.
   */
  put(tenant: string, document: NewDocument): Promise<StoredDocument>;
  get(tenant: string, ref: DocumentRef): Promise<StoredDocument | undefined>;
  /** By collection and source. */
  list(tenant: string, collection?: string): Promise<readonly StoredDocument[]>;
  /** @returns false where there is none. */
  remove(tenant: string, id: string): Promise<boolean>;
  /** The best first. */
  search(tenant: string, question: Question): Promise<readonly FoundPassage[]>;
  close(): Promise<void>;
}
