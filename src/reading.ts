/** What turns media into text for agents: speech and documents. */
import type { Payer } from "./budgets.ts";

/** Speech to text, by a model. */
export interface Transcriber {
  /** Larger recordings are not given to it. */
  readonly maxBytes: number;
  /**
   * Bounded in time by itself.
   * @param payer in whose budgets it counts; in nobody's unless given.
   * @returns what was said; empty where nobody speaks.
   * @throws TerminalError once its own retries are used up or cannot help.
   */
  transcribe(recording: Medium, payer?: Payer): Promise<string>;
}

/** The text of documents. */
export interface Documents {
  /** Larger documents are not given to it. */
  readonly maxBytes: number;
  /** Whether it reads such documents: told by their type and name, before a byte of them is fetched. */
  reads(of: Pick<Medium, "type" | "name">): boolean;
  /**
   * Bounded in time and memory by itself, whatever the document holds.
   * @param maxChars the most text that is of use; the rest is not looked for.
   * @param options.marked the text tells how it is built: headings as lines of "# ", pages (of a PDF) separated by form feeds.
   * @throws InputError that says why there is none, safe to tell whoever sent it.
   */
  read(document: Medium, maxChars: number, options?: { readonly marked?: boolean }): Promise<DocumentText>;
}

export interface Medium {
  readonly bytes: Uint8Array;
  /** Media type. */
  readonly type: string;
  readonly name?: string | undefined;
}

export interface DocumentText {
  readonly text: string;
  /** Where the format has pages. */
  readonly pages?: number;
  /** The document goes on where the text ends. */
  readonly cut: boolean;
  /** Of a web page. */
  readonly title?: string;
  /** Of a web page: where it leads, as it says it, in its order, some hundred at most. */
  readonly links?: readonly PageLink[];
  /** Of a web page: what its addresses are relative to, as it says it, instead of its own. */
  readonly base?: string;
}

export interface PageLink {
  readonly text: string;
  /** May be relative. */
  readonly href: string;
}
