/** What a person sees of a message's markdown, as far as the tests look: marks taken away, escapes undone, code as it is. */
export function readableOf(content: string): string {
  return content
    .split(/(```[^]*?```|`[^`\n]*`)/)
    .map((piece, at) => (at % 2 === 1 ? codeOf(piece) : wordsOf(piece)))
    .join("")
    .replaceAll("\u200b", "");
}

function codeOf(piece: string): string {
  return piece.startsWith("```") ? piece.replace(/^```(?:[\w+#.-]+(?=\n))?\n?|\n?```$/g, "") : piece.slice(1, -1);
}

function wordsOf(piece: string): string {
  return piece
    .replace(/^#{1,3} /gm, "")
    .replace(/(\\.)|\*\*|__|~~|\*/g, (_all, escaped?: string) => escaped ?? "")
    .replace(/\\([^\w\s])/g, "$1")
    .replace(/(\d)\\(?=\.)/g, "$1");
}
