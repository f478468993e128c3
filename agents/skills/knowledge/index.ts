/**
 * The operator's documents, asked. What it says rests on passages that were found and that it names; an answer that names none is
 * not passed on. Documents are data: what stands in them changes neither the tools nor whose documents are searched.
 */
import type { Payer } from "../../../src/budgets.ts";
import { z } from "zod";
import { InputError } from "../../../src/errors.ts";
import type { FoundPassage } from "../../../src/knowledge.ts";
import type { SkilledAgent, TaskHooks, TaskOutcome, TaskRun } from "../../../src/skilled.ts";
import { citedIn, quoteFrom } from "../citations.ts";
import { requestIn } from "../request.ts";
import { runOnModel, skillTool, type SkillModels, type SkillTool } from "../run.ts";
import { runsOnDemo, type SkillSettings } from "../settings.ts";
import { createNumbers, findPassages, placeOf, sourceName, type FindingDeps } from "./finding.ts";
import { profile } from "./profile.ts";
import type { KnowledgeSettings } from "./settings.ts";

export interface KnowledgeDeps extends FindingDeps {
  readonly models: SkillModels;
}

const instructions = `
You answer questions from the operator's documents and from nothing else. Search them with the tool, several times and in other words where the
first search does not find it; search in the language of the documents, too, where that is another one. Then answer in a few sentences, and put
after each statement the number of the passage that it rests on, such as [2]. Leave out what no passage says, whatever you know otherwise.
Where the passages do not answer the question, say only that the documents do not say it, without any number.
`;

const mostTurns = 8;
const mostSearches = 12;
const longestQuestion = 1_000;
const shownOnDemo = 3;

type Numbers = ReturnType<typeof createNumbers>;

export function createKnowledge(
  settings: KnowledgeSettings & Pick<SkillSettings, "model">,
  deps: KnowledgeDeps,
): SkilledAgent {
  const { base, models } = deps;

  async function execute(run: TaskRun, hooks: TaskHooks): Promise<TaskOutcome> {
    const { tenant, id: person } = run.caller;
    const payer = { tenant, person };
    const question = requestIn(run.messages).slice(0, longestQuestion).trim();
    if (question === "") return { kind: "rejected", reason: "Ask a question in words." };
    const known = await collectionsOf(tenant);
    if (known.length === 0) {
      return completed(
        "There are no documents yet. The operator adds them with: ascent knowledge add <file, directory or URL>",
      );
    }
    hooks.progress("searching the documents");
    if (runsOnDemo(settings)) return demonstrate(payer, question, hooks);
    const numbers = createNumbers();
    const answer = await runOnModel({
      settings,
      models,
      instructions,
      tools: [searchTool(payer, known, numbers, hooks)],
      run,
      messages: run.messages,
      hooks,
      maxTurns: mostTurns,
      ...(known.length > 1 ? { context: { collections: known } } : {}),
    });
    return completed(grounded(answer.kind === "said" ? answer.text : answer.question, numbers));
  }

  async function collectionsOf(tenant: string): Promise<readonly string[]> {
    const all = [...new Set((await base.list(tenant)).map(({ collection }) => collection))];
    return settings.collections === undefined ? all : all.filter((one) => settings.collections?.includes(one));
  }

  function searchTool(payer: Payer, known: readonly string[], numbers: Numbers, hooks: TaskHooks): SkillTool {
    let searches = 0;
    return skillTool({
      name: "search",
      description: "Finds passages of the documents that fit a question. Each has its number.",
      parameters: z.object({
        question: z.string().min(1).max(longestQuestion).describe("what is looked for, in whole words"),
        collection: z.string().max(200).nullable().describe("the one collection to search; null: all"),
      }),
      outside: true,
      async run({ question, collection }, signal) {
        if (collection !== null && !known.includes(collection)) {
          throw new InputError(`there is no such collection; there are ${known.join(", ")}`);
        }
        searches += 1;
        if (searches > mostSearches) throw new InputError("that is enough searching: answer with what was found");
        hooks.progress("searching the documents");
        const collections = collection === null ? [...known] : [collection];
        const found = await findPassages(deps, payer, question, { ...settings, collections }, signal);
        return found.length === 0 ? "No passage fits." : found.map((one) => shown(one, numbers.of(one))).join("\n\n");
      },
    });
  }

  async function demonstrate(payer: Payer, question: string, hooks: TaskHooks): Promise<TaskOutcome> {
    const limits = { ...settings, passages: shownOnDemo };
    const found = await findPassages(deps, payer, question, limits, hooks.signal);
    if (found.length === 0) return completed(nothing);
    const numbers = createNumbers();
    const lines = found.map((one) => `- ${quoteFrom(one.text, question, 400)} [${numbers.of(one)}]`);
    const words = "I run on the demo model and do not reason: these passages of the documents fit the question best.";
    return completed(
      [
        words,
        ...lines,
        "",
        sourcesOf(
          numbers.found,
          [...lines.keys()].map((at) => at + 1),
          question,
        ),
      ].join("\n"),
    );
  }

  return { profile, execute };
}

const nothing = "The documents do not answer this: no passage in them fits the question.";

/** An answer without a source is the model's own, and is not passed on. */
function grounded(said: string, { found }: Numbers): string {
  if (found.length === 0) return nothing;
  const { text, numbers } = citedIn(said, (number) => number >= 1 && number <= found.length);
  if (numbers.length > 0) return `${text}\n\n${sourcesOf(found, numbers, said)}`;
  const nearest = [...new Set(found.map(placeOf))].slice(0, shownOnDemo);
  return `The documents do not answer this. What comes nearest: ${nearest.join("; ")}.`;
}

function sourcesOf(found: readonly FoundPassage[], numbers: readonly number[], said: string): string {
  const lines = numbers.flatMap((number) => {
    const passage = found[number - 1];
    if (passage === undefined) return [];
    return [`[${number}] ${placeOf(passage)} (${sourceName(passage)}): “${quoteFrom(passage.text, said)}”`];
  });
  return ["Sources:", ...lines].join("\n");
}

function shown(passage: FoundPassage, number: number): string {
  return `[${number}] ${placeOf(passage)}\n${passage.text}`;
}

function completed(text: string): TaskOutcome {
  return { kind: "completed", parts: [{ kind: "text", text }] };
}
