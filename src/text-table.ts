/** A table as text, for platforms that know none. */

/** Columns under each other, where a monospaced font shows them. The first row is the header. */
export function textTable(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map((cell) => cell.replaceAll("\n", " ")));
  const widths: number[] = [];
  for (const row of cells) for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, width(cell));
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => cell + " ".repeat((widths[at] ?? 0) - width(cell)))
      .join(" │ ")
      .trimEnd();
  const [header = [], ...body] = cells;
  return [line(header), widths.map((count) => "─".repeat(count)).join("─┼─"), ...body.map(line)].join("\n");
}

/** Columns a text takes: two for East Asian wide characters and emoji, none for combining marks. */
function width(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let columns = 0;
  for (const character of text) {
    if (/\p{Mn}|\u200d|\ufe0f/u.test(character)) continue;
    columns +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60]|\p{Emoji_Presentation}/u.test(
        character,
      )
        ? 2
        : 1;
  }
  return columns;
}
