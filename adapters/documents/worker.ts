/** The thread that reads one document: whatever it does there, the process goes on. */
import { parentPort, workerData } from "node:worker_threads";
import { InputError } from "../../src/errors.ts";
import type { DocumentText } from "../../src/reading.ts";
import { decode } from "./decode.ts";
import type { Format } from "./formats.ts";
import { readHtml } from "./html.ts";
import { docxText, odtText, pptxText, xlsxText } from "./office.ts";
import { pdfText } from "./pdf.ts";
import { openArchive } from "./zip.ts";

export interface Job {
  readonly bytes: Uint8Array;
  readonly format: Exclude<Format, "text">;
  readonly maxChars: number;
  /** What a document may hold once it is unpacked. */
  readonly maxUnpacked: number;
  /** After this the text so far has to do. */
  readonly enoughMs: number;
  readonly marked: boolean;
}
/** `refused` is safe to tell whoever sent the document. */
export type Done = { readonly done: DocumentText } | { readonly refused: string };

async function read({ bytes, format, maxChars, maxUnpacked, enoughMs, marked }: Job): Promise<DocumentText> {
  const whole = (text: string, pages?: number) => ({ text, cut: false, ...(pages === undefined ? {} : { pages }) });
  if (format === "html") return { ...readHtml(decode(bytes), maxChars, marked), cut: false };
  if (format === "pdf") return pdfText(bytes, maxChars, performance.now() + enoughMs, marked ? "\f" : "\n\n");
  const archive = openArchive(bytes, maxUnpacked);
  if (format === "docx") return whole(docxText(archive, maxChars, marked));
  if (format === "odt") return whole(odtText(archive, maxChars, marked));
  if (format === "xlsx") return whole(xlsxText(archive, maxChars));
  const { text, pages } = pptxText(archive, maxChars);
  return whole(text, pages);
}

const answer = await read(workerData as Job).then(
  (done): Done => ({ done }),
  (error: unknown): Done => ({
    refused: error instanceof InputError ? error.message : "it is damaged, or not what its type says",
  }),
);
parentPort?.postMessage(answer);
