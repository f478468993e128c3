import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { appendFile, readFile, rename, rm, writeFile } from "node:fs/promises";
import { z } from "zod";
import { casesIn, type Case } from "../../../agents/evaluation/cases.ts";
import { evaluate } from "../../../agents/evaluation/evaluate.ts";
import { createJudge } from "../../../agents/evaluation/judge.ts";
import type { Player } from "../../../agents/evaluation/play.ts";
import {
  caseResult,
  report,
  tableOf,
  type CaseResult,
  type Price,
  type Report,
} from "../../../agents/evaluation/report.ts";
import { createSafeFetch } from "../../../adapters/fetch/index.ts";
import { createModels } from "../../../adapters/models/index.ts";
import { parseModelList } from "../../../adapters/models/spec.ts";
import { InputError } from "../../errors.ts";
import type { ToolSource } from "../../tools.ts";
import { loadAgentModules, ownTools } from "../agent-modules.ts";
import { modelsSettings, rolesOf, versionOf } from "../agents.ts";
import { systemClock } from "../clock.ts";
import { loadConfig, type Config } from "../config.ts";
import { createLog } from "../log.ts";
import { printableLines } from "./printable.ts";

export interface EvalOptions {
  readonly agent?: string;
  readonly model?: string;
  readonly instructions?: string;
  readonly against?: string;
  readonly judge?: string;
  readonly samples: number;
  readonly jobs: number;
  readonly out?: string;
  readonly baseline?: string;
  readonly threshold: number;
  readonly price?: Price;
  readonly run: readonly string[];
  readonly json?: true;
}

type Modules = Awaited<ReturnType<typeof loadAgentModules>>;

export async function evaluateFile(file: string, options: EvalOptions): Promise<void> {
  const cases = await readCases(file);
  const baseline = options.baseline === undefined ? undefined : await readReport(options.baseline);
  const config = await loadConfig();
  const modules = await loadAgentModules(config);
  const own = [ownTools(modules)].filter((source) => source !== undefined);
  const servers = await connected(config, options.run);
  const abort = new AbortController();
  process.once("SIGINT", () => abort.abort(new InputError("stopped; with --out the same command goes on")));
  try {
    const { players, judge, of } = await sidesOf(config, options, modules, [...own, ...servers.sources]);
    const { candidate, reference } = players;
    // Whom they may hand a conversation to, too.
    const versions = [candidate, ...(reference === undefined ? [] : [reference])].map(versionsOf);
    const partial = options.out === undefined ? undefined : `${options.out}.partial`;
    const results = await evaluate({
      ...players,
      cases,
      judge,
      jobs: options.jobs,
      digestOf: (one) =>
        digestOf(one, { of, versions, judge: options.judge, samples: options.samples, run: options.run }),
      known: await knownIn(partial),
      done: async (result) =>
        void (partial && (await appendFile(partial, `${JSON.stringify(result)}\n`, { mode: 0o600 }))),
      signal: abort.signal,
    });
    const made: Report = { v: 1, at: new Date().toISOString(), ...of, cases: [...results] };
    if (options.out !== undefined) await keep(options.out, made);
    const unjudged = judge === undefined ? cases.filter(({ rubric }) => rubric !== undefined).length : 0;
    const table = () => printableLines(tableOf(made, { baseline, price: options.price, unjudged }));
    process.stdout.write(`${options.json ? JSON.stringify(made, null, 2) : table()}\n`);
    const passed = results.filter(({ pass }) => pass).length;
    if (passed / results.length < options.threshold) process.exitCode = 1;
  } finally {
    await servers.close();
  }
}

/** Whose answers are graded, and with whose they are compared. */
async function sidesOf(config: Config, options: EvalOptions, modules: Modules, real: readonly ToolSource[]) {
  const models = createModels(modelsSettings(config), { clock: systemClock });
  const log = createLog("error");
  const instructions = options.instructions === undefined ? undefined : await textOf(options.instructions);
  const playerOf = (name: string, changed: { readonly model?: string; readonly instructions?: string }): Player => {
    const roles = rolesOf(config, modules, log, { [name]: changed });
    const role = roles.get(name);
    if (role === undefined)
      throw new InputError(`there is no agent "${name}"; there are ${[...roles.keys()].join(", ")}`);
    parseModelList(role.settings.model);
    return { name, roles, models, clock: systemClock, log, real, mayRun: options.run };
  };
  const name = options.agent ?? Object.keys(config.agents)[0] ?? "";
  const { model, against } = options;
  const candidate = playerOf(name, {
    ...(model !== undefined && { model }),
    ...(instructions !== undefined && { instructions }),
  });
  const isAgent = against !== undefined && Object.hasOwn(config.agents, against);
  const reference =
    against === undefined ? undefined : isAgent ? playerOf(against, {}) : playerOf(name, { model: against });
  if (options.judge !== undefined) parseModelList(options.judge);
  const { samples } = options;
  const judge = options.judge === undefined ? undefined : createJudge({ models, model: options.judge, samples, log });
  const of = {
    candidate: sideOf(candidate),
    ...(reference && { reference: sideOf(reference) }),
    ...(options.judge !== undefined && { judge: options.judge }),
  };
  return { players: { candidate, reference }, judge, of };
}

function versionsOf({ roles }: Player) {
  return [...roles].map(([name, { settings }]) => ({ agent: name, ...versionOf(settings) }));
}

function sideOf(of: Player) {
  const side = versionsOf(of).find(({ agent }) => agent === of.name);
  if (side === undefined) throw new TypeError(`there is no agent "${of.name}"`);
  return side;
}

/** Nobody is connected where nothing may really run. */
async function connected(config: Config, run: readonly string[]) {
  const none = { sources: [] as readonly ToolSource[], close: async () => undefined };
  if (run.length === 0 || Object.keys(config.mcp).length === 0) return none;
  const { createMcpClients } = await import("../../../adapters/mcp/client/index.ts");
  const nothing = {
    records: { get: async () => undefined, put: async () => "1", remove: async () => undefined },
    blobs: {
      put: () => Promise.reject(new InputError("files of tools are not kept in an evaluation")),
      get: async () => undefined,
      remove: async () => undefined,
    },
  };
  const safeFetch = createSafeFetch({ allowHosts: config.webhooks.allowHosts });
  return createMcpClients({ servers: config.mcp, safeFetch, ...nothing, clock: systemClock, log: createLog("error") });
}

async function textOf(file: string): Promise<string> {
  if (!existsSync(file)) throw new InputError(`there is no file ${file}`);
  return readFile(file, "utf8");
}

async function readCases(file: string): Promise<readonly Case[]> {
  const text = await textOf(file);
  try {
    if (file.endsWith(".jsonl")) {
      const lines = text.split("\n").filter((line) => line.trim() !== "");
      return casesIn(lines.map((line) => JSON.parse(line) as unknown));
    }
    const { parse } = await import("yaml");
    return casesIn(parse(text));
  } catch (error) {
    const words = error instanceof z.ZodError ? z.prettifyError(error) : error instanceof Error ? error.message : "";
    throw new InputError(`${file} holds no cases that can be read: ${words}`, { cause: error });
  }
}

async function readReport(file: string): Promise<Report> {
  const text = await textOf(file);
  try {
    return report.parse(JSON.parse(text));
  } catch (error) {
    throw new InputError(`${file} is no report of \`ascent eval\``, { cause: error });
  }
}

/** A line that was cut off at the end is played again, and ended, so that the next one begins a line of its own. */
async function knownIn(partial: string | undefined): Promise<ReadonlyMap<string, CaseResult>> {
  if (partial === undefined || !existsSync(partial)) return new Map();
  const known = new Map<string, CaseResult>();
  const text = await readFile(partial, "utf8");
  if (text !== "" && !text.endsWith("\n")) await appendFile(partial, "\n");
  for (const line of text.split("\n")) {
    try {
      const one = caseResult.parse(JSON.parse(line));
      known.set(one.digest, one);
    } catch {
      continue;
    }
  }
  return known;
}

async function keep(out: string, made: Report): Promise<void> {
  const next = `${out}.next`;
  await writeFile(next, `${JSON.stringify(made, null, 2)}\n`, { mode: 0o600 });
  await rename(next, out);
  await rm(`${out}.partial`, { force: true });
}

function digestOf(of: Case, played: object): string {
  return createHash("sha256")
    .update(JSON.stringify([of, played]))
    .digest("base64url")
    .slice(0, 22);
}
