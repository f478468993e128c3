/** What people wrote of themselves, for a terminal: without what would move its cursor or reorder its text. */
export function printable(text: string): string {
  return text.replace(/\p{C}/gu, "\u{fffd}");
}

/** The same, where lines stay lines. @param indent before all but the first. */
export function printableLines(text: string, indent = ""): string {
  return text.split("\n").map(printable).join(`\n${indent}`);
}
