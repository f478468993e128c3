/**
 * A broad question, divided: children of the task read for its parts, side by side, each within its share of the bounds and with
 * nothing of the task's context. What they found comes back with its sources, numbered anew.
 */
import { z } from "zod";
import { InputError } from "../../../src/errors.ts";
import type { ChildEnd, TaskHooks } from "../../../src/skilled.ts";
import { renumbered } from "../citations.ts";
import { skillTool, type SkillTool } from "../run.ts";
import type { Desk } from "./desk.ts";
import { findingIn, longestPartAddress, longestPartQuestion, messageOf, mostPartAddresses, type Plan } from "./plan.ts";
import type { ResearcherSettings } from "./settings.ts";

/** For the model's part of it, beside the time for reading. */
const answerMs = 120_000;
/** Of the answer to one part. */
const longestFinding = 8_000;

/** What was found for one part: its sources' numbers are the desk's. */
export interface Answered {
  readonly question: string;
  readonly text: string;
  readonly failed: boolean;
}

/** The model's run is to end with it: the parts are waited for with nothing else in hand. */
export function divideTool(desk: Desk, most: number, searches: boolean): SkillTool {
  const addresses = z
    .array(z.string().max(longestPartAddress))
    .max(mostPartAddresses)
    .describe(
      `to begin with, as they stand in the request or in what was read${searches ? "; none: it searches" : ""}`,
    );
  return skillTool({
    name: "divide",
    description:
      "Has others work on parts of the request, side by side, and gives you what they found. For a request that has parts which can be " +
      "looked into without each other. Each sees its own question and nothing else of the request. Call it once, before you read much.",
    parameters: z.object({
      parts: z
        .array(
          z.object({
            question: z.string().min(1).max(longestPartQuestion).describe("complete in itself"),
            addresses,
          }),
        )
        .min(2)
        .max(most),
    }),
    async run({ parts }) {
      if (desk.plan() !== undefined) throw new InputError("it is divided already");
      for (const { addresses: own } of parts) {
        const unknown = own.find((url) => desk.addresses.find(url) === undefined);
        if (unknown !== undefined)
          throw new InputError("only addresses that stand in the request or in what was read can be given to others");
        if (!searches && own.length === 0)
          throw new InputError("each part needs addresses to begin with: nobody can search here");
      }
      await desk.divide(parts, true);
      return "Others are at it.";
    },
  });
}

/** Waits for all of them; again in a run that is made again, they are the same. @returns in the plan's order. */
export async function workOnParts(
  { said, parts }: Plan,
  desk: Desk,
  hooks: Pick<TaskHooks, "child" | "progress">,
  { seconds }: Pick<ResearcherSettings, "seconds">,
): Promise<readonly Answered[]> {
  hooks.progress(`working on ${parts.length} parts`);
  const ends = await Promise.all(
    parts.map(async (part, at): Promise<ChildEnd> => {
      const progress = (text: string) => hooks.progress(`part ${at + 1} of ${parts.length}: ${text}`);
      const of = { parts: messageOf(part), forMs: seconds * 1_000 + answerMs, progress };
      try {
        return await hooks.child(`${said} ${at}`, of);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        return { kind: "failed", reason: error.message };
      }
    }),
  );
  return ends.map((end, at) => taken(end, parts[at]?.question ?? "", desk));
}

function taken(end: ChildEnd, question: string, desk: Desk): Answered {
  const found = end.kind === "completed" ? findingIn(end.parts) : undefined;
  if (found === undefined) {
    const text = end.kind === "failed" ? end.reason : "nothing came of it";
    desk.failed([`${JSON.stringify(question.slice(0, 80))}: ${text}`]);
    return { question, text, failed: true };
  }
  desk.failed(found.failures);
  const numbers = new Map(found.sources.map((source) => [source.number, desk.adopt(source)]));
  const text = renumbered(found.text, (number) => numbers.get(number)).text;
  return { question, text: text.slice(0, longestFinding).toWellFormed(), failed: false };
}
