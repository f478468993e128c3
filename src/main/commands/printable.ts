/** What people wrote of themselves, for a terminal: without what would move its cursor or reorder its text. */
export function printable(text: string): string {
  return text.replace(/\p{C}/gu, "\u{fffd}");
}
