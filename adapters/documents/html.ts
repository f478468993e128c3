import { piecesOf } from "./markup.ts";

const blocks = new Set(
  (
    "p div section article header footer main nav aside h1 h2 h3 h4 h5 h6 ul ol li table tr br hr pre blockquote dl dt dd form " +
    "figure figcaption title body option"
  ).split(" "),
);

const cells = new Set(["td", "th"]);

/** The text of a page as a person reads it, a block on a line; a little more than `maxChars` at most. */
export function htmlText(source: string, maxChars: number): string {
  const lines: string[] = [];
  let line = "";
  let length = 0;
  const flush = (): void => {
    const text = line.replace(/[^\S\t]+/g, " ").trim();
    line = "";
    if (text === "") return;
    lines.push(text);
    length += text.length + 1;
  };
  for (const piece of piecesOf(source, true)) {
    if (piece.kind === "text") line += piece.text.replace(/\s+/g, " ");
    else if (blocks.has(piece.name)) {
      flush();
      if (piece.kind === "open" && piece.name === "li") line = "- ";
    } else if (piece.kind === "open" && cells.has(piece.name) && line.trim() !== "") line += "\t";
    if (length + line.length > maxChars * 2) break;
    if (length > maxChars) break;
  }
  flush();
  return lines.join("\n");
}
