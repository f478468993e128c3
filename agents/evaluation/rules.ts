/** Grading by rules: what the case expects of a turn, and what is wrong with it. Pure. */
import { z } from "zod";
import { matchesName } from "../../src/tool-policy.ts";
import { fits } from "../client/pattern.ts";
import type { Expectation } from "./cases.ts";
import type { PlayedTurn } from "./play.ts";
import { includes, valueAt } from "./values.ts";

/** @returns a sentence for everything that is not as it should be. */
export function failuresOf(expect: Expectation | undefined, turn: PlayedTurn): readonly string[] {
  if (turn.failed !== undefined) return [`no answer: ${turn.failed}`];
  if (expect === undefined) return [];
  const { contains = [], matches: patterns = [], not = {}, json, calls = [], tokens, ms, doubts = [] } = expect;
  const { answer } = turn;
  const has = (text: string) => answer.toLowerCase().includes(text.toLowerCase());
  const used = turn.inputTokens + turn.outputTokens;
  return [
    ...contains.filter((text) => !has(text)).map((text) => `does not contain ${JSON.stringify(text)}`),
    ...(not.contains ?? []).filter(has).map((text) => `contains ${JSON.stringify(text)}`),
    ...patterns.filter((one) => !fits(one, answer)).map((one) => `does not match /${one}/`),
    ...(not.matches ?? []).filter((one) => fits(one, answer)).map((one) => `matches /${one}/`),
    ...(json === undefined ? [] : jsonFailures(json, answer)),
    ...calls
      .filter((wanted) => !turn.calls.some((made) => isCall(wanted, made)))
      .map(({ tool, args }) => `did not call ${tool}${args === undefined ? "" : ` with ${JSON.stringify(args)}`}`),
    ...(not.calls ?? [])
      .filter((tool) => turn.calls.some((made) => matchesName(tool, made.tool)))
      .map((tool) => `called ${tool}`),
    ...(tokens !== undefined && used > tokens ? [`took ${used} tokens, not ${tokens}`] : []),
    ...(ms !== undefined && turn.ms > ms ? [`took ${Math.round(turn.ms)} ms, not ${ms}`] : []),
    ...doubts.filter((one) => !turn.doubts.includes(one)).map((one) => `shows no doubt (${one})`),
  ];
}

function isCall(
  wanted: { readonly tool: string; readonly args?: unknown },
  { tool, args }: PlayedTurn["calls"][number],
): boolean {
  return matchesName(wanted.tool, tool) && (wanted.args === undefined || includes(args, wanted.args));
}

function jsonFailures({ schema, at = {} }: NonNullable<Expectation["json"]>, answer: string): readonly string[] {
  const value = jsonIn(answer);
  if (value === undefined) return ["is no JSON, and has no block of it"];
  const problem = schema === undefined ? undefined : misfitOf(schema, value.json);
  return [
    ...(problem === undefined ? [] : [problem]),
    ...Object.entries(at)
      .filter(([path, wanted]) => !includes(valueAt(value.json, path), wanted))
      .map(
        ([path, wanted]) =>
          `has ${JSON.stringify(valueAt(value.json, path))} at ${path}, not ${JSON.stringify(wanted)}`,
      ),
  ];
}

function misfitOf(schema: Readonly<Record<string, unknown>>, value: unknown): string | undefined {
  try {
    const [issue] = z.fromJSONSchema(schema).safeParse(value).error?.issues ?? [];
    return issue && `does not fit the schema at ${issue.path.join(".") || "its root"}: ${issue.message}`;
  } catch (error) {
    return `the schema cannot be used: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function jsonIn(answer: string): { readonly json: unknown } | undefined {
  for (const text of [answer, /```(?:json)?\s*\n([^]*?)```/.exec(answer)?.[1] ?? ""]) {
    try {
      return { json: JSON.parse(text) as unknown };
    } catch {
      // The next one may be some.
    }
  }
  return undefined;
}
