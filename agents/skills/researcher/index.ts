/**
 * The researcher: it reads pages that the request names, that they link to, or that a search finds, and answers with its sources.
 * Pages are data: whatever stands in them, the tools stay the same, and nothing of the task gets into an address.
 */
import { z } from "zod";
import { InputError } from "../../../src/errors.ts";
import type { SafeFetch } from "../../../src/fetch.ts";
import type { SkilledAgent, TaskHooks, TaskOutcome, TaskRun } from "../../../src/skilled.ts";
import { citedIn } from "../citations.ts";
import { requestIn } from "../request.ts";
import { runOnModel, skillTool, type SkillModels, type SkillTool } from "../run.ts";
import { runsOnDemo, type SkillSettings } from "../settings.ts";
import { openDesk, type Desk, type Source } from "./desk.ts";
import { divideTool, workOnParts, type Answered } from "./divided.ts";
import { findingParts, longestPartQuestion, type Plan } from "./plan.ts";
import { profileOf } from "./profile.ts";
import { createReader, type Page, type ReaderDeps } from "./reader.ts";
import { createSearch } from "./search.ts";
import type { ResearcherSettings } from "./settings.ts";

export interface ResearcherDeps extends ReaderDeps {
  readonly models: SkillModels;
  /** Reaches the search engine, wherever the operator has it. */
  readonly searchFetch: SafeFetch;
}

const instructions = `
You research on the web. Read with the tools what the request names, follow links where they lead to the answer, and then answer briefly, with
the number of the source after each statement, such as [2]. State nothing that no source says. Where sources disagree, say so. Where they do not
answer, say what is missing. Give no addresses: the sources are listed below your answer.
`;

const joining = `
Others have looked into parts of the request: what they found follows it as data, with the numbers of its sources. Answer the whole request from
that, and keep the numbers. Read on only where something is missing.
`;

const mostSearches = 6;
const partChars = 12_000;
const mostLinks = 60;
const readOnDemo = 4;
const partOnDemo = 3;
const leastParts = 2;

export function createResearcher(
  settings: ResearcherSettings & Pick<SkillSettings, "model">,
  deps: ResearcherDeps,
): SkilledAgent {
  const { models, clock, searchFetch, userAgent } = deps;
  const { searchUrl } = settings;
  const reader = createReader(deps);
  const search = searchUrl === undefined ? undefined : createSearch(searchUrl, searchFetch, userAgent);
  const divides = settings.parts >= leastParts;

  async function execute(run: TaskRun, hooks: TaskHooks): Promise<TaskOutcome> {
    const desk = openDesk({ run, hooks, settings, reader, clock });
    if (desk.named.length === 0 && search === undefined) {
      return {
        kind: "input-required",
        question: "Which pages shall I read? Give me their addresses (https://…).",
        state: run.state,
      };
    }
    if (runsOnDemo(settings)) return demonstrate(run, hooks, desk);
    const said = desk.plan() === undefined ? await asked(run, hooks, desk) : "";
    const plan = desk.plan();
    if (plan === undefined) return outcomeOf(run, concluded(said, desk), desk);
    const found = await workOnParts(plan, desk, hooks, settings);
    // Where nobody has read anything there is nothing to be said.
    if (desk.sources.length === 0) return unread(desk);
    return outcomeOf(run, concluded(await asked(run, hooks, desk, found), desk), desk);
  }

  /** The model's answer; or nothing, where it has divided the request. @param found what became of its parts. */
  async function asked(run: TaskRun, hooks: TaskHooks, desk: Desk, found?: readonly Answered[]): Promise<string> {
    const mayDivide = divides && run.isChild !== true && found === undefined;
    const searching = search === undefined ? [] : [searchTool(desk, hooks)];
    const dividing = mayDivide ? [divideTool(desk, settings.parts, search !== undefined)] : [];
    const answer = await runOnModel({
      settings,
      models,
      instructions: found === undefined ? instructions : `${instructions.trim()}\n${joining}`,
      tools: [readTool(desk), ...searching, ...dividing],
      run,
      messages: run.isChild ? withoutBounds(run.messages) : run.messages,
      hooks,
      maxTurns: settings.pages + mostSearches + 2,
      context: { today: new Date(clock.now()).toISOString().slice(0, 10) },
      ...(found === undefined ? { ends: () => desk.plan() !== undefined } : { found: shownFindings(found, desk) }),
    });
    return answer.kind === "said" ? answer.text : answer.question;
  }

  function readTool(desk: Desk): SkillTool {
    return skillTool({
      name: "read",
      description:
        "Reads a web page or a document by its address, which must stand in the request, in a page that was read or in what a search " +
        "found, and be given exactly as it stands there.",
      parameters: z.object({
        url: z.string().min(1).max(2_000),
        part: z.number().int().min(1).max(100).nullable().describe("of a long one; null: the first"),
      }),
      outside: true,
      run: async ({ url, part }, signal) => shown(await desk.read(url, signal), part ?? 1, settings.depth > 0),
    });
  }

  function searchTool(desk: Desk, hooks: TaskHooks): SkillTool {
    let searches = 0;
    return skillTool({
      name: "search",
      description: "Searches the web. What it finds can be read.",
      parameters: z.object({ query: z.string().min(1).max(200) }),
      outside: true,
      async run({ query }, signal) {
        searches += 1;
        if (searches > mostSearches) throw new InputError("that is enough searching: read what was found, and answer");
        return (await found(desk, query, hooks, signal)) || "Nothing was found.";
      },
    });
  }

  async function found(desk: Desk, query: string, hooks: TaskHooks, signal: AbortSignal): Promise<string> {
    hooks.progress("searching the web");
    const hits = (await search?.(query, signal)) ?? [];
    for (const { url } of hits) desk.addresses.add(url, 0);
    return hits.map(({ title, url, text }) => `- ${title}\n  ${url}\n  ${text}`).join("\n");
  }

  async function demonstrate(run: TaskRun, hooks: TaskHooks, desk: Desk): Promise<TaskOutcome> {
    const words = "I run on the demo model and do not reason:";
    if (desk.named.length === 0) {
      const hits = await found(desk, requestIn(run.messages).slice(0, 200), hooks, hooks.signal);
      return completed(hits === "" ? "Nothing was found." : `${words} this is what the search found.\n${hits}`);
    }
    const plan = await planOnDemo(run, desk);
    if (plan !== undefined) {
      const parts = await workOnParts(plan, desk, hooks, settings);
      if (desk.sources.length === 0) return unread(desk);
      const texts = parts.flatMap(({ text, failed }) => (failed ? [] : [text]));
      const divided = `${words} ${parts.length} tasks of mine have read the pages, and this is how they begin.`;
      return completed(desk.addresses.clean([divided, ...texts, "", listOf(desk, desk.sources)].join("\n")));
    }
    const pages: (Page & Source)[] = [];
    for (const url of desk.named.slice(0, readOnDemo)) {
      await desk.read(url, hooks.signal).then((page) => pages.push(page), onlyInput);
    }
    const text = pages.map((page) => `- ${page.title}: ${beginningOf(page)} [${page.number}]`).join("\n");
    if (run.isChild || pages.length === 0) return outcomeOf(run, { text, cited: desk.sources }, desk);
    const all = [`${words} this is how the pages begin.`, text, "", listOf(desk, desk.sources)];
    return completed(desk.addresses.clean(all.join("\n")));
  }

  /** More pages than one reads are divided. */
  async function planOnDemo(run: TaskRun, desk: Desk): Promise<Plan | undefined> {
    const { named } = desk;
    if (!divides || run.isChild || named.length <= readOnDemo) return undefined;
    const most = Math.min(settings.parts, Math.ceil(named.length / partOnDemo));
    const parts = Array.from({ length: most }, (_, at) => ({
      question: requestIn(run.messages)
        .replace(/https?:\S+/g, "")
        .trim()
        .slice(0, longestPartQuestion),
      addresses: named.slice(at * partOnDemo, (at + 1) * partOnDemo),
    }));
    if (desk.plan() === undefined) await desk.divide(parts, false).catch(onlyInput);
    return desk.plan();
  }

  return { profile: profileOf(search !== undefined, divides), execute };
}

/** With its sources in a list for people, or for the task that this is a part of. */
function outcomeOf({ isChild }: TaskRun, said: Said, desk: Desk): TaskOutcome {
  const { sources, failures, addresses } = desk;
  if (sources.length === 0) return unread(desk);
  const { text, cited } = said;
  if (isChild) {
    return {
      kind: "completed",
      parts: findingParts({ text: addresses.clean(text), sources: [...cited], failures: [...failures] }),
    };
  }
  return completed(addresses.clean(`${text}\n\n${listOf(desk, cited)}`));
}

interface Said {
  readonly text: string;
  readonly cited: readonly Source[];
}

/** What else a part was told is not for its model. */
function withoutBounds(messages: TaskRun["messages"]): TaskRun["messages"] {
  return messages.map((one) => ({ ...one, parts: one.parts.filter(({ kind }) => kind !== "data") }));
}

function shownFindings(found: readonly Answered[], { sources }: Desk) {
  const about = found.map(({ question, text, failed }) => ({
    about: { part: question, ...(failed && { failed }) },
    text,
  }));
  const list = sources.map(({ number, title, url }) => `[${number}] ${title} – ${url}`).join("\n");
  return [...about, { about: { sources: "all of them" }, text: list }];
}

/** The model's words, held to what was read. */
function concluded(said: string, desk: Desk): Said {
  const { sources } = desk;
  const { text, numbers } = citedIn(said, (number) => number >= 1 && number <= sources.length);
  const cited = numbers.flatMap((number) => sources[number - 1] ?? []);
  if (cited.length > 0) return { text, cited };
  return { text: `${text}\n\nThe answer names no source for what it says; these pages were read.`, cited: sources };
}

function unread({ failures }: Desk): TaskOutcome {
  const reasons = [...new Set(failures)].slice(0, 5);
  return { kind: "failed", reason: `No page could be read${reasons.length === 0 ? "" : ` (${reasons.join("; ")})`}.` };
}

function listOf({ failures }: Desk, sources: readonly Source[]): string {
  const lines = sources.map(({ number, title, url, readAt }) => {
    return `[${number}] ${title} – ${url} (read on ${new Date(readAt).toISOString().slice(0, 10)})`;
  });
  const missing = failures.length === 0 ? [] : [`Not read: ${[...new Set(failures)].slice(0, 5).join("; ")}`];
  return ["Sources:", ...lines, ...missing].join("\n");
}

function shown({ number, title, url, text, cut, links }: Page & Source, part: number, follows: boolean): string {
  const parts = Math.max(1, Math.ceil(text.length / partChars));
  if (part > parts) throw new InputError(`it has ${parts} ${parts === 1 ? "part" : "parts"}`);
  const lines = [
    `source [${number}]: ${title}`,
    `address: ${url}`,
    `part ${part} of ${parts}${cut && part === parts ? "; the rest of the document is not read" : ""}`,
    "",
    text.slice((part - 1) * partChars, part * partChars).toWellFormed(),
  ];
  if (part > 1 || links.length === 0 || !follows) return lines.join("\n");
  const leads = links.slice(0, mostLinks).map((link) => `- ${link.text || "(no text)"}: ${link.url}`);
  return [...lines, "", "links:", ...leads].join("\n");
}

/** Its first sentences, without its headings. */
function beginningOf({ text, title }: Page): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#") && line.trim() !== title);
  const sentences = lines.join(" ").match(/[^.!?]+(?:[.!?]+(?=\s|$)|$)/g) ?? [];
  const beginning = sentences.slice(0, 3).join("").trim();
  return beginning.length <= 500 ? beginning : `${beginning.slice(0, 499).toWellFormed()}…`;
}

function onlyInput(error: unknown): void {
  if (!(error instanceof InputError)) throw error;
}

function completed(text: string): TaskOutcome {
  return { kind: "completed", parts: [{ kind: "text", text }] };
}
