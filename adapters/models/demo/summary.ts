/** Lines that a summary keeps, and characters of each. */
const mostLines = 16;
const longestLine = 120;

/**
 * The demo's summary: what was kept before and the first sentence of each of the person's messages, the newest lines.
 * The prompt's lines are `summary: …`, `user: …`, `agent: …` and `note: …`.
 */
export function extract(prompt: string): string {
  const kept: string[] = [];
  let inSummary = false;
  for (const line of prompt.split("\n")) {
    const [, role, text = ""] = /^(summary|user|agent|note): (.*)$/.exec(line) ?? [];
    if (role === "summary") inSummary = true;
    else if (role !== undefined) inSummary = false;
    if (inSummary) keep(kept, (role === undefined ? line : text).replace(/^- /, ""));
    else if (role === "user") keep(kept, firstSentence(text.replace(/^\[[^\]]*\] ?/, "")));
  }
  return kept.slice(-mostLines).join("\n");
}

function keep(kept: string[], text: string): void {
  const line = `- ${text.trim().slice(0, longestLine).toWellFormed()}`;
  if (line !== "- " && line !== "-" && !kept.includes(line)) kept.push(line);
}

function firstSentence(text: string): string {
  return /^.+?[.!?](?=\s|$)/.exec(text)?.[0] ?? text;
}
