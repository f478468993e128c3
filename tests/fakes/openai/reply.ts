import { tokensIn } from "../tokens.ts";
import type { Prompt, Reply, Rule } from "./types.ts";

/**
 * The default answer: `answer to: <last user text>`, then the tokens of the turn's earlier messages, then what tools said.
 * It names every message it covers and nothing of older history, so that merged answers can be recognised.
 */
export function echo({ turn, tokens, toolOutputs }: Prompt): string {
  const last = turn.at(-1) ?? "";
  const named = tokensIn(last);
  const earlier = tokens.filter((token) => !named.includes(token));
  const merged = earlier.length === 0 ? "" : ` (with ${earlier.join(", ")})`;
  const said = toolOutputs.length === 0 ? "" : ` (tools said: ${toolOutputs.join("; ")})`;
  return `answer to: ${last}${merged}${said}`;
}

/** The tokens of what people said, and of the summary before: whoever reads it sees which messages it stands for. */
export function summaryOf(toSummarize: string): string {
  const said = toSummarize.split("\n").filter((line) => /^(?:user|summary):/.test(line));
  return ["so far:", ...tokensIn(said.join("\n"))].join(" ");
}

export interface Rules {
  add(rule: Rule): void;
  clear(): void;
  /** The reply of the first rule that fits, counted. */
  reply(prompt: Prompt): Reply | undefined;
}

export function createRules(): Rules {
  let rules: { readonly rule: Rule; readonly pattern: RegExp | undefined; left: number }[] = [];
  return {
    add(rule) {
      const pattern = rule.pattern === undefined ? undefined : new RegExp(rule.pattern);
      rules.push({ rule, pattern, left: rule.times ?? Infinity });
    },
    clear() {
      rules = [];
    },
    reply(prompt) {
      if (rules.length === 0) return undefined;
      const text = prompt.turn.join("\n");
      const used = rules.find(({ rule, pattern }) => fits(rule, pattern, prompt, text));
      if (used === undefined) return undefined;
      used.left -= 1;
      if (used.left <= 0) rules = rules.filter((other) => other !== used);
      return used.rule.reply;
    },
  };
}

function fits(rule: Rule, pattern: RegExp | undefined, prompt: Prompt, text: string): boolean {
  const calls = rule.reply.toolCalls ?? [];
  return (
    (rule.contains === undefined || text.includes(rule.contains)) &&
    (pattern === undefined || pattern.test(text)) &&
    (rule.model === undefined || rule.model === prompt.model) &&
    (calls.length === 0 || (prompt.toolOutputs.length === 0 && calls.every((call) => prompt.tools.includes(call.name))))
  );
}
