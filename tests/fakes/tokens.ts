/**
 * Tokens mark test messages so that an answer can be traced to the messages it covers: `m-<chat>-<n>`, n counting up
 * within the chat. The fake model's answer repeats them, and the invariants read them back from the platform's log.
 */
const TOKEN = /\bm-(-?\w+)-(\d+)(?![\w-])/g;

export function token(chat: number | string, n: number): string {
  return `m-${chat}-${n}`;
}

/** The distinct tokens of a text, in order of appearance. */
export function tokensIn(text: string): string[] {
  if (!text.includes("m-")) return [];
  return [...new Set(text.match(TOKEN))];
}

/** The number of a token within its chat. */
export function tokenNumber(value: string): number {
  return Number(value.slice(value.lastIndexOf("-") + 1));
}
