/**
 * The rules of one side, in their order. Each sees what those before it have left; the first that takes all of it ends them.
 *
 * None may hang: patterns of the operator's run on RE2, which takes time linear in the text, and the model that judges has a time-out.
 */
import { RE2JS } from "re2js";
import { visible } from "../plain.ts";
import { cleanLinks } from "./links.ts";
import { cleanSecrets } from "./secrets.ts";
import type { GuardRule, JudgeRule } from "./settings.ts";

/** A rule takes all of the text. */
export interface Trip {
  readonly check: GuardRule["check"];
  readonly action: "refuse" | "review";
}

export interface Verdict {
  /** Without what was left out of it. */
  readonly text: string;
  readonly trip?: Trip;
}

export interface CheckOptions {
  /** Addresses that were given: see `links.ts`. */
  readonly given: () => ReadonlySet<string>;
  /** What a model says: the rule applies. */
  readonly judge: (rule: JudgeRule, text: string) => Promise<boolean>;
}

/** As much of what is not said at all as stands for it. */
const leftOut = "[left out]";

type Simple = Exclude<GuardRule, { check: "judge" }>;
type Clean = (text: string, given: () => ReadonlySet<string>) => { readonly text: string; readonly found: number };

export interface Checks {
  /** There is nothing to check. */
  readonly none: boolean;
  check(text: string, options: CheckOptions): Promise<Verdict>;
  /** Without a model: what of the text may be remembered. Undefined: nothing. @param whole nothing else stands in it, so that its length counts. */
  remembered(text: string, whole: boolean): string | undefined;
  /** What rules that mask leave of it. */
  masked(text: string): string;
}

export function createChecks(rules: readonly GuardRule[]): Checks {
  const made = rules.map((rule) => ({ rule, clean: rule.check === "judge" ? undefined : cleanerOf(rule) }));

  function applied(text: string, { rule, clean }: (typeof made)[number], given: () => ReadonlySet<string>): Verdict {
    const result = clean?.(text, given);
    if (result === undefined || result.found === 0) return { text };
    return rule.action === "mask" ? { text: result.text } : { text, trip: { check: rule.check, action: rule.action } };
  }

  return {
    none: rules.length === 0,
    async check(given, options) {
      let text = visible(given);
      for (const one of made) {
        if (one.rule.check === "judge") {
          const { check, action } = one.rule;
          if (await options.judge(one.rule, text)) return { text, trip: { check, action } };
          continue;
        }
        const verdict = applied(text, one, options.given);
        if (verdict.trip !== undefined) return verdict;
        ({ text } = verdict);
      }
      return { text };
    },
    masked: (given) =>
      made
        .filter(({ rule }) => rule.action === "mask")
        .reduce((text, one) => applied(text, one, () => new Set()).text, visible(given)),
    remembered(given, whole) {
      let text = visible(given);
      for (const one of made) {
        if (one.rule.check === "length" && !whole) continue;
        const verdict = applied(text, one, () => new Set());
        if (verdict.trip !== undefined) return undefined;
        ({ text } = verdict);
      }
      return text;
    },
  };
}

function cleanerOf(rule: Simple): Clean {
  switch (rule.check) {
    case "length":
      return (text) => ({ text, found: text.length > rule.most ? 1 : 0 });
    case "words":
      return counting(wordsOf(rule.words));
    case "pattern": {
      const pattern = RE2JS.compile(rule.pattern);
      return (text) => {
        const matcher = pattern.matcher(text);
        if (!matcher.find()) return { text, found: 0 };
        return { text: matcher.reset().replaceAll(leftOut), found: 1 };
      };
    }
    case "secrets":
      return (text) => cleanSecrets(text, rule.kinds);
    case "links":
      return (text, given) => cleanLinks(text, { which: rule.which, domains: rule.allow, given: given() });
  }
}

/** Whole words, in letters of any case. */
function wordsOf(words: readonly string[]): RegExp {
  const escaped = (part: string) => part.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  const any = words.map((word) => word.split(/\s+/).map(escaped).join("\\s+")).join("|");
  return new RegExp(`(?<![\\p{L}\\p{N}_])(?:${any})(?![\\p{L}\\p{N}_])`, "giu");
}

function counting(pattern: RegExp): Clean {
  return (text) => {
    let found = 0;
    const clean = text.replace(pattern, () => {
      found += 1;
      return leftOut;
    });
    return { text: clean, found };
  };
}
