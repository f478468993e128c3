/** The configuration: ascent.yaml where there is one, then the environment, validated as a whole before anything starts. */
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { z } from "zod";
import { budgetProblems } from "./budget-problems.ts";
import { besideDapr } from "./dapr/beside.ts";
import { isMap, variableOf, withEnvironment, type Environment } from "./environment.ts";
import { modelProblems } from "./model-settings.ts";
import { storedSettings, withSecrets } from "./sidecar-settings.ts";
import { settings, type Settings } from "./settings.ts";
import { tenantProblems } from "./tenant-settings.ts";

/** What is wrong with the configuration, a line each; every line says where and what to do. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

export interface Config extends Settings {
  /** The file it came from, or the store, in words. */
  readonly file: string | undefined;
  /** The model of agents that name none, or a list with commas between, and why it is that one. */
  readonly model: { readonly spec: string; readonly because: string };
}

const defaultFile = "ascent.yaml";
/** The models taken when only a key says which provider is meant. */
const modelOfKey = { openai: "openai:gpt-5-mini", gemini: "gemini:gemini-2.5-flash" } as const;

/** For a command: that of the gateway which `npm run dapr` runs here, where it does. @throws ConfigError */
export function loadRunningConfig(): Promise<Config> {
  return loadConfig(besideDapr(process.env));
}

/** @throws ConfigError */
export async function loadConfig(own: Environment = process.env): Promise<Config> {
  const named = own["ASCENT_CONFIG"];
  const file = named ?? (existsSync(defaultFile) ? defaultFile : undefined);
  if (file !== undefined && !existsSync(file))
    throw new ConfigError([`${file} does not exist: correct ASCENT_CONFIG, or unset it`]);
  const text = file === undefined ? await storedSettings(own) : readFileSync(file, "utf8");
  const source = file ?? (text === undefined ? undefined : "ascent.yaml in Dapr's configuration store");
  const environment = await withSecrets(own, referencesIn(text ?? ""));
  const given = source === undefined ? {} : await readSettings(source, text ?? "", environment);
  const { settings: merged, problems, empty } = withEnvironment(given, environment);
  const parsed = settings.safeParse(withA2a(merged), { reportInput: true });
  // What is said of an empty variable is not said again of the place that it leaves unset.
  const issues = parsed.error?.issues.filter(({ path }) => !empty.includes(variableOf(path) ?? "")) ?? [];
  problems.push(...issues.map(problemOf));
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  const model = chooseModel(parsed.data);
  checkAgents(parsed.data);
  checkNames(parsed.data);
  checkDelegates(parsed.data);
  checkTenants(parsed.data);
  checkMcp(parsed.data);
  checkOperators(parsed.data);
  checkSubscribers(parsed.data);
  checkDapr(parsed.data);
  checkModels(parsed.data, model.spec);
  checkBudgets(parsed.data, model.spec);
  return { ...parsed.data, data: resolve(parsed.data.data), file: source, model };
}

async function readSettings(file: string, text: string, environment: Environment): Promise<unknown> {
  const { parseDocument } = await import("yaml");
  const document = parseDocument(text);
  if (document.errors.length > 0) throw new ConfigError(document.errors.map((error) => `${file}: ${error.message}`));
  const problems: string[] = [];
  const content: unknown = document.toJS() ?? {};
  if (!isMap(content)) throw new ConfigError([`${file} must hold settings by name, as ascent.example.yaml shows them`]);
  const value = interpolate(content, environment, [], problems, file);
  if (problems.length > 0) throw new ConfigError(problems);
  return value;
}

const reference = /\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}/g;

function referencesIn(text: string): string[] {
  return [...text.matchAll(reference)].flatMap(([, name]) => name ?? []);
}

/** `${NAME}` and `${NAME:-default}` in any text. A value that is only a reference to a number or boolean stays text. */
function interpolate(
  value: unknown,
  environment: Environment,
  path: string[],
  problems: string[],
  file: string,
): unknown {
  if (typeof value === "string") {
    return value.replace(reference, (_whole, name: string, fallback: string | undefined) => {
      const found = environment[name] ?? fallback;
      if (found === undefined) {
        problems.push(
          `${file}: ${path.join(".")} uses \${${name}}, which is not set: set it, or write \${${name}:-default}`,
        );
      }
      return found ?? "";
    });
  }
  if (Array.isArray(value)) {
    return value.map((item, at) => interpolate(item, environment, [...path, String(at)], problems, file));
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, interpolate(item, environment, [...path, key], problems, file)]),
  );
}

function problemOf(issue: z.core.$ZodIssue): string {
  const variable = variableOf(issue.path);
  const place = issue.path.join(".");
  const where = variable === undefined ? place : `${place} (${variable})`;
  const words = wordsOf(issue);
  return `${where === "" ? "the configuration" : where}: ${words}`;
}

function wordsOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "unrecognized_keys") {
    return `has no setting ${issue.keys.join(", ")}; ascent.example.yaml shows those there are`;
  }
  // Channels have words of their own for what they need; these are for zod's.
  const isZods = /^Invalid (?:input|URL)/.test(issue.message);
  if (isZods && issue.code === "invalid_type" && issue.input === undefined) return "is not set: give it a value";
  if (isZods && issue.code === "invalid_format" && issue.format === "url")
    return "must be a URL that begins with http:// or https://";
  if (issue.code === "invalid_key") return issue.issues.map(({ message }) => message).join(", ");
  return issue.message;
}

function chooseModel({ models }: Settings): Config["model"] {
  if (models.default !== undefined) return { spec: models.default, because: "it is configured" };
  if (models.compatible.baseUrl !== undefined) {
    throw new ConfigError(["OPENAI_BASE_URL is set: say which model it serves with ASCENT_MODEL=compatible:<model>"]);
  }
  if (models.openai.apiKey !== undefined) return { spec: modelOfKey.openai, because: "OPENAI_API_KEY is set" };
  if (models.gemini.apiKey !== undefined) return { spec: modelOfKey.gemini, because: "GEMINI_API_KEY is set" };
  return { spec: "demo", because: "no key is set" };
}

function checkAgents({ agents, channels }: Settings): void {
  const problems = Object.entries(channels).flatMap(([channel, accounts]) =>
    Object.entries(accounts as Record<string, { agent?: string }>).flatMap(([account, { agent }]) =>
      agent === undefined || Object.hasOwn(agents, agent)
        ? []
        : [
            `channels.${channel}.${account}.agent: there is no agent "${agent}"; there are ${Object.keys(agents).join(", ")}`,
          ],
    ),
  );
  if (Object.keys(agents).length === 0) problems.push("agents: at least one is needed");
  if (problems.length > 0) throw new ConfigError(problems);
}

/** Who may ask agents by A2A may ask every client agent. */
function withA2a(given: unknown): unknown {
  if (!isMap(given) || !isMap(given["a2a"]) || !Array.isArray(given["a2a"]["keys"])) return given;
  if (given["a2a"]["keys"].length === 0) return given;
  const channels = isMap(given["channels"]) ? given["channels"] : {};
  return { ...given, channels: { ...channels, a2a: channels["a2a"] ?? { main: {} } } };
}

/** Client agents and skilled ones have one address each. */
function checkNames({ agents, skills, a2a, channels, secret }: Settings): void {
  const clash = Object.keys(agents).filter((name) => Object.hasOwn(skills, name));
  const problems = clash.map((name) => `agents.${name}: a skilled agent has this name: give it another one`);
  if (a2a.keys.length === 0 && Object.keys(channels["a2a"] ?? {}).length > 0)
    problems.push("channels.a2a: nobody could ask there: set a2a.keys (ASCENT_A2A_KEYS)");
  if (a2a.grpcPort !== undefined && a2a.keys.length === 0 && secret === undefined)
    problems.push("a2a.grpcPort: nobody could ask there: set a2a.keys (ASCENT_A2A_KEYS)");
  if (a2a.keys.length > 0)
    for (const name of Object.keys(agents))
      if (!/^[\w.-]+$/.test(name))
        problems.push(
          `agents.${name}: cannot stand in an A2A address: use letters, digits, dashes, dots and underscores`,
        );
  if (problems.length > 0) throw new ConfigError(problems);
}

function checkDelegates({ delegates, skills, runtime }: Settings): void {
  const running = Object.entries(skills as Record<string, { enabled?: boolean }>).flatMap(([name, { enabled }]) =>
    enabled === false ? [] : [name],
  );
  const problems = Object.entries(delegates).flatMap(([name, { app, local }]) => {
    if (app !== undefined && runtime !== "dapr")
      return [`delegates.${name}.app: only the Dapr runtime has them: set ASCENT_RUNTIME=dapr, or give its url`];
    if (local === undefined || running.includes(local)) return [];
    return [
      `delegates.${name}.local: there is no skilled agent "${local}" here; there are ${running.join(", ") || "none"}`,
    ];
  });
  if (problems.length > 0) throw new ConfigError(problems);
}

/** A model that cannot answer is found at the start, not by the first person who writes. */
function checkModels(given: Settings, spec: string): void {
  const problems = modelProblems(given, spec);
  if (problems.length > 0) throw new ConfigError(problems);
}

function checkBudgets(given: Settings, spec: string): void {
  const problems = budgetProblems(given, spec);
  if (problems.length > 0) throw new ConfigError(problems);
}

function checkTenants(given: Settings): void {
  const problems = tenantProblems(given);
  if (problems.length > 0) throw new ConfigError(problems);
}

function checkOperators({ operators = [], channels }: Settings): void {
  const tenants = Object.values(channels).flatMap((of) =>
    Object.values(of as Record<string, { tenant: string }>).map(({ tenant }) => tenant),
  );
  const problems = operators.flatMap(({ tenant }, at) =>
    tenant === undefined || tenants.includes(tenant)
      ? []
      : [
          `operators.${at}.tenant: no account is of the tenant "${tenant}"; there are ${[...new Set(tenants)].join(", ")}`,
        ],
  );
  if (problems.length > 0) throw new ConfigError(problems);
}

function checkMcp({ agents, mcp, mcpServer, tenants }: Settings): void {
  const problems = Object.entries(mcp).flatMap(([server, { agents: named = [] }]) =>
    named
      .filter((name) => !Object.hasOwn(agents, name))
      .map((name) => `mcp.${server}.agents: there is no agent "${name}"; there are ${Object.keys(agents).join(", ")}`),
  );
  for (const [at, { tenant }] of mcpServer.keys.entries()) {
    if (tenants !== undefined && !Object.hasOwn(tenants, tenant))
      problems.push(
        `mcpServer.keys.${at}.tenant: there is no tenant "${tenant}"; tenants names ${Object.keys(tenants).join(", ")}`,
      );
  }
  if (problems.length > 0) throw new ConfigError(problems);
}

function checkSubscribers({ runtime, webhooks, channels }: Settings): void {
  const accounts = Object.entries(channels).flatMap(([channel, of]) =>
    Object.keys(of).map((account) => `${channel}/${account}`),
  );
  const all = [
    ...webhooks.subscribers.map((of, at) => ({ ...of, place: `subscribers.${at}.url`, target: of.url })),
    ...webhooks.bindings.map((of, at) => ({ ...of, place: `bindings.${at}.name`, target: of.name })),
    ...webhooks.topics.map((of, at) => ({ ...of, place: `topics.${at}`, target: `${of.pubsub}/${of.topic ?? ""}` })),
  ];
  const problems = all.flatMap(({ place, target, accounts: wanted = [] }, at) => [
    ...wanted
      .filter((account) => !accounts.includes(account))
      .map((account) => `webhooks.${place}: there is no account "${account}"; there are ${accounts.join(", ")}`),
    ...(all.findIndex((other) => other.target === target) < at
      ? [`webhooks.${place}: stands there twice: name all its events in one place`]
      : []),
  ]);
  for (const kind of ["bindings", "topics"] as const) {
    if (runtime !== "dapr" && webhooks[kind].length > 0)
      problems.push(`webhooks.${kind}: only the Dapr runtime has them: set ASCENT_RUNTIME=dapr`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
}

function checkDapr({ runtime, dapr }: Settings): void {
  if (runtime !== "dapr" || dapr.appToken !== undefined) return;
  throw new ConfigError([
    "dapr.appToken (APP_API_TOKEN): is not set, so that anybody who reaches the sidecar's port could speak for it: " +
      "give the gateway and its sidecar the same value",
  ]);
}
