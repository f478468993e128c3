/** Agents that are defined in TypeScript: loaded before anything starts, and their tools as a source like any other. */
import { existsSync } from "node:fs";
import { dirname, isAbsolute, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { agentDefinition, type AgentDefinition, type AgentTool } from "../../agents/define.ts";
import { InputError } from "../errors.ts";
import type { ToolSource } from "../tools.ts";
import { ConfigError, type Config } from "./config.ts";

const sourceName = "own";

/** By the agent's name. @throws ConfigError that says for each what is wrong with it. */
export async function loadAgentModules(config: Config): Promise<ReadonlyMap<string, AgentDefinition>> {
  const problems: string[] = [];
  const loaded = new Map<string, AgentDefinition>();
  const beside = config.file !== undefined && existsSync(config.file) ? dirname(resolve(config.file)) : process.cwd();
  for (const [name, { module }] of Object.entries(config.agents)) {
    if (module === undefined) continue;
    const place = `agents.${name}.module`;
    const path = isAbsolute(module) ? module : resolve(beside, module);
    try {
      if (!existsSync(path)) throw new ConfigError([`there is no file ${path}: correct the path, from ${beside} on`]);
      const definition = read(await import(pathToFileURL(path).href));
      const unknown = (definition.handoffs ?? []).filter((other) => !Object.hasOwn(config.agents, other));
      problems.push(...unknown.map((other) => `${place}: handoffs: there is no agent "${other}"`));
      loaded.set(name, definition);
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      problems.push(...words.split("\n").map((line) => `${place}: ${line}`));
    }
  }
  if (loaded.size > 0 && Object.hasOwn(config.mcp, sourceName))
    problems.push(`mcp.${sourceName}: tools of agents in TypeScript have this name: give the server another one`);
  if (problems.length > 0) throw new ConfigError(problems);
  return loaded;
}

function read(of: unknown): AgentDefinition {
  const given = (of as { readonly default?: unknown }).default;
  if (given === undefined) throw new ConfigError(["has no default export: export default defineAgent({ … })"]);
  const parsed = agentDefinition.safeParse(given);
  if (!parsed.success)
    throw new ConfigError(
      parsed.error.issues.map(({ path, message }) => `${path.join(".") || "the export"}: ${message}`),
    );
  const definition = given as AgentDefinition;
  const problems = Object.entries(definition.tools ?? {}).flatMap(([name, { parameters }]) => unfit(name, parameters));
  if (problems.length > 0) throw new ConfigError(problems);
  return definition;
}

/** What no model can be told of. */
function unfit(name: string, parameters: z.ZodObject): string[] {
  const place = `tools.${name}.parameters`;
  try {
    return schemaOf(parameters)["type"] === "object" ? [] : [`${place}: must be an object: z.object({ … })`];
  } catch (error) {
    return [`${place}: cannot be written as a JSON schema: ${error instanceof Error ? error.message : String(error)}`];
  }
}

function schemaOf(parameters: z.ZodObject): Record<string, unknown> {
  return z.toJSONSchema(parameters, { io: "input" });
}

/** Each agent sees its own alone. Undefined where there are none. */
export function ownTools(modules: ReadonlyMap<string, AgentDefinition>): ToolSource | undefined {
  const tools = new Map([...modules].map(([name, { tools: own = {} }]) => [name, new Map(Object.entries(own))]));
  if ([...tools.values()].every(({ size }) => size === 0)) return undefined;
  return {
    name: sourceName,
    needs: "nothing",
    ofAgent: true,
    list: async ({ agentName }) =>
      [...(tools.get(agentName) ?? [])].map(([name, { description, parameters, effect = "once" }]) => ({
        name,
        description,
        parameters: schemaOf(parameters),
        effect,
      })),
    async call(name, { agentName, args, key, turn, to, participant, signal, progress }) {
      const tool = tools.get(agentName)?.get(name);
      if (tool === undefined) throw new InputError(`there is no tool "${name}"`);
      const said = await tool.run(await checked(tool, args), { key, turn, to, participant, signal, progress });
      return typeof said === "string" ? { text: said } : said;
    },
  };
}

async function checked({ parameters }: AgentTool, args: unknown): Promise<unknown> {
  const parsed = await parameters.safeParseAsync(args);
  if (parsed.success) return parsed.data;
  throw new InputError(parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "));
}
