/** Questions as a model answers them: it writes programs, and sees what they return. */
import { z } from "zod";
import { InputError } from "../../../src/errors.ts";
import type { Sandbox, SandboxFile } from "../../../src/sandbox.ts";
import type { TaskHooks, TaskMessage, TaskRun } from "../../../src/skilled.ts";
import type { Asking } from "../asking.ts";
import { runOnModel, skillTool, type ModelAnswer, type SkillModels } from "../run.ts";
import type { SkillSettings } from "../settings.ts";
import { describing, setup } from "./programs.ts";
import { madeOf, type Made } from "./results.ts";

const instructions = `
You compute. Whatever has to be computed, also simple sums, you compute with run_javascript, and never in your head; you tell what
came out, and nothing that did not come out of a program. Say what you assumed. Where the data does not have what is asked for, say that.

run_javascript takes the body of an async function, in plain JavaScript (ES2023, no modules, no network, no timers). Each run begins anew.
- files["<name>"] is what was sent: { rows, columns } of CSV and of JSON lists of objects (rows are objects by column; empty cells are
  null; a column is of numbers where all of it are), { value } of other JSON, { text } of text. Look at the data before you trust it.
- return what you need to know, in short: you are shown 8,000 characters. console.log works too.
- table(title, rows) shows the person a table; rows are objects, in the order that they shall have. Long ones become a file.
- chart(spec) shows a picture. spec is { kind: "bar" or "line", title, x, y, labels: ["Jan", …], series: [{ name, values: [1, null, …] }] },
  { kind: "pie", title, labels, values } with 12 slices at most, or { kind: "scatter", title, x, y, series: [{ name, points: [[1, 2], …] }] }.
  x and y name the axes, with their units. Sort bars by value unless they have an order of their own. 200 labels at most.
- Tables and charts of one title replace each other. They stand below your answer: do not repeat them in it. Make them where they were
  asked for or say more than a sentence.
- Titles and names are in the language of the request.

When a program fails, read why, and correct it. Ask the person only what neither the data nor common sense can tell.
`;

const whenAsking = `
Data that you do not have you may ask of the agents that you have as tools: put what they say into your programs as it stands, and name its source.
`;

const parameters = z.object({ code: z.string().describe("the body of an async function") });
const mostTurns = 12;
const turnsForAsking = 6;
const mostRuns = 10;
const mostMade = 8;
const longestReturn = 8_000;
const longestDescription = 12_000;

export interface ModelAnalysis {
  readonly settings: SkillSettings;
  readonly models: SkillModels;
  readonly sandbox: Sandbox;
  readonly files: readonly SandboxFile[];
  readonly run: TaskRun;
  readonly hooks: Pick<TaskHooks, "signal" | "progress">;
  readonly context: Readonly<Record<string, unknown>>;
  /** Others that may be asked. */
  readonly asking: Pick<Asking, "tools">;
}

/** @throws as {@link runOnModel}; InputError for files that cannot be read */
export async function analyseOnModel(
  of: ModelAnalysis,
): Promise<{ readonly answer: ModelAnswer; readonly made: readonly Made[] }> {
  const { settings, models, sandbox, files, run, hooks, context, asking } = of;
  const described = await descriptionOf(sandbox, files, hooks.signal);
  const made = new Map<string, Made>();
  let runs = 0;
  const tool = skillTool({
    name: "run_javascript",
    description: "Runs a program and tells what it returns.",
    parameters,
    outside: true,
    async run({ code }, signal) {
      runs += 1;
      if (runs > mostRuns) throw new InputError("there were enough programs: answer with what is known");
      hooks.progress("computing");
      const outcome = await sandbox.run({ setup, code, files }, signal);
      const printed = outcome.log === "" ? [] : [`printed: ${outcome.log}`];
      if (outcome.kind === "failed") return [`failed: ${outcome.problem}`, ...printed].join("\n");
      const lines = outcome.emitted.map((emitted) => {
        const one = madeOf(emitted);
        if ("problem" in one) return one.problem;
        if (!made.has(one.title) && made.size >= mostMade)
          return `not shown: ${mostMade} tables and charts are the most`;
        made.set(one.title, one);
        return `shown: the ${one.kind} ${JSON.stringify(one.title)}`;
      });
      return [`returned: ${returnedOf(outcome.value)}`, ...printed, ...lines].join("\n");
    },
  });
  const answer = await runOnModel({
    settings,
    models,
    instructions: asking.tools.length === 0 ? instructions : `${instructions.trim()}\n${whenAsking}`,
    tools: [tool, ...asking.tools],
    run,
    messages: withoutData(run.messages),
    hooks,
    maxTurns: mostTurns + (asking.tools.length === 0 ? 0 : turnsForAsking),
    context: { ...context, ...(files.length === 0 ? {} : { files: files.map(({ name }) => name) }) },
    mayAsk: true,
    shown: ({ name }) => (name === undefined ? undefined : described.get(name)),
  });
  return { answer, made: [...made.values()] };
}

function returnedOf(value: unknown): string {
  if (value === undefined) return "nothing: return what you want to know";
  const text = JSON.stringify(value);
  return text.length <= longestReturn ? text : `${text.slice(0, longestReturn)}… (cut)`;
}

/** What a data part holds is a file's, and need not be in the prompt whole. */
function withoutData(messages: readonly TaskMessage[]): readonly TaskMessage[] {
  return messages.map((message) => ({ ...message, parts: message.parts.filter(({ kind }) => kind !== "data") }));
}

/** By the file's name. */
async function descriptionOf(
  sandbox: Sandbox,
  files: readonly SandboxFile[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  if (files.length === 0) return new Map();
  const outcome = await sandbox.run({ code: describing, files }, signal);
  if (outcome.kind === "failed")
    throw new InputError("the files are too much to look through: send the rows that matter");
  const described = z.array(z.looseObject({ name: z.string() })).safeParse(outcome.value);
  const each = described.data ?? [];
  const most = Math.floor(longestDescription / Math.max(1, each.length));
  return new Map(each.map((one) => [one.name, JSON.stringify(one).slice(0, most)]));
}
