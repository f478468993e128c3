import { InputError } from "../../src/errors.ts";
import type { DocumentText } from "../../src/reading.ts";

/**
 * The words of a PDF, page by page, until there are enough of them or `until` (as performance.now) has come.
 * @throws InputError
 */
export async function pdfText(
  bytes: Uint8Array,
  maxChars: number,
  until: number,
  between: string,
): Promise<DocumentText> {
  const { getDocumentProxy } = await import("unpdf");
  const document = await getDocumentProxy(bytes, { verbosity: 0, stopAtErrors: false }).catch((cause: unknown) => {
    const locked = cause instanceof Error && cause.name === "PasswordException";
    throw new InputError(locked ? "it is protected by a password" : "it is damaged, or not what its type says", {
      cause,
    });
  });
  let text = "";
  let number = 1;
  for (; number <= document.numPages && text.length <= maxChars && performance.now() < until; number += 1) {
    const page = await document.getPage(number);
    const { items } = await page.getTextContent();
    for (const item of items) if ("str" in item) text += wordsOf(item.str, item.hasEOL);
    text += between;
    page.cleanup();
  }
  return { text, pages: document.numPages, cut: number <= document.numPages };
}

/** A form feed in a document's own words would pass for a page's end. */
function wordsOf(str: string, endsLine: boolean): string {
  return `${str.replaceAll("\f", " ")}${endsLine ? "\n" : ""}`;
}
