/** The agents that the configuration names, and which of them answers where. */
import { createHash } from "node:crypto";
import { createClientAgent, type ClientAgentDeps } from "../../agents/client/index.ts";
import { roleOf, type Role } from "../../agents/client/role.ts";
import { traitsOf, type ClientAgentSettings } from "../../agents/client/settings.ts";
import type { AgentDefinition } from "../../agents/define.ts";
import { createDocuments } from "../../adapters/documents/index.ts";
import type { Models, ModelsSettings } from "../../adapters/models/index.ts";
import type { ProviderLimits } from "../../adapters/models/provider.ts";
import { modelsOfAgent } from "../../adapters/models/spec.ts";
import type { Offered } from "../agent-choice.ts";
import type { AgentVersion } from "../agent.ts";
import type { Command } from "../commands.ts";
import type { CoreOptions } from "../core.ts";
import type { AccountRef } from "../ids.ts";
import type { Blobs, Clock, Log } from "../ports.ts";
import type { Profile } from "../skilled.ts";
import type { Config } from "./config.ts";
import { createRouting } from "./routing.ts";

export interface Agents {
  /** In the order of the configuration. */
  readonly names: readonly string[];
  readonly of: CoreOptions["agentOf"];
  readonly offered: NonNullable<CoreOptions["offered"]>;
  /** How an account presents the agent that answers there to people. */
  introduce(to: AccountRef): { readonly name: string; readonly demo: boolean };
  /** Of those that people may choose at an account. */
  commandsAt(to: AccountRef): readonly Command[];
  /** As other agents know them. */
  readonly profiles: readonly Profile[];
}

export interface AgentsOptions {
  readonly config: Config;
  /** The same as skilled agents': the lines before them are everybody's. */
  readonly models: Models;
  readonly clock: Clock;
  readonly log: Log;
  readonly blobs: Blobs;
  /** Tools from outside, and the ledger of what they change. */
  readonly outside?: ClientAgentDeps["outside"];
  /** Those that are defined in TypeScript, by their names. */
  readonly modules?: ReadonlyMap<string, AgentDefinition>;
}

/** A compatible server is given OPENAI_API_KEY where it has no key of its own. */
export function modelsSettings({ models }: Config): ModelsSettings {
  const { openai, gemini, compatible, transcription, embedding, timeoutSeconds, retries, tracing } = models;
  return {
    apiKeys: { openai: openai.apiKey, gemini: gemini.apiKey, compatible: compatible.apiKey ?? openai.apiKey },
    baseURLs: { openai: openai.baseUrl, gemini: gemini.baseUrl, compatible: compatible.baseUrl },
    limits: { openai: limitsOf(openai), gemini: limitsOf(gemini), compatible: limitsOf(compatible) },
    timeoutMs: timeoutSeconds * 1_000,
    maxRetries: retries,
    waitMs: models.queueSeconds * 1_000,
    fallbackMs: models.fallbackSeconds * 1_000,
    tracing,
    ...(transcription.model === undefined
      ? {}
      : {
          transcription: {
            model: transcription.model,
            baseURL: transcription.baseUrl,
            apiKey: transcription.apiKey,
            maxBytes: transcription.maxBytes,
            timeoutMs: transcription.timeoutSeconds * 1_000,
          },
        }),
    ...(embedding.model === undefined
      ? {}
      : {
          embedding: {
            model: embedding.model,
            baseURL: embedding.baseUrl,
            apiKey: embedding.apiKey,
            timeoutMs: embedding.timeoutSeconds * 1_000,
          },
        }),
  };
}

function limitsOf({ requestsPerMinute, tokensPerMinute, concurrency }: ProviderLimits): ProviderLimits {
  return { requestsPerMinute, tokensPerMinute, concurrency };
}

export function createAgents(options: AgentsOptions): Agents {
  const { config, models, clock, log, blobs, outside, modules = new Map() } = options;
  const documents = createDocuments({ clock, log });
  const { transcriber, tracing } = models;
  const roles = new Map<string, Role>();
  const made = new Map(
    Object.entries(config.agents).map(([name, given]) => {
      const defined = modules.get(name);
      const settings = settingsOf({ ...given, model: modelsOfAgent(given) ?? config.model.spec }, defined);
      const written = typeof defined?.instructions === "function" ? defined.instructions : undefined;
      roles.set(name, roleOf(name, settings, log, written));
      const deps = { name, models, clock, blobs, log, transcriber, documents, tracing, outside, roles: () => roles };
      const agent = createClientAgent(settings, deps);
      const made = config.feedback.enabled ? { made: versionOf(settings) } : {};
      return [name, { name, agent, traits: traitsOf(settings), settings, ...made }] as const;
    }),
  );
  const routing = createRouting(config, (name) => made.get(name)?.settings.handoffs ?? []);
  const first = [...made.values()][0];
  if (first === undefined) throw new Error("no agent is configured");
  const several = made.size > 1;
  return {
    names: [...made.keys()],
    of(to, who = {}) {
      const { name, base } = routing.agentFor(to, who);
      const { settings, ...answering } = made.get(name) ?? first;
      return { ...answering, name, base, ...(several ? { title: settings.name } : {}) };
    },
    offered: { at: routing.offeredAt, commands: routing.commands },
    introduce(to) {
      const { settings } = made.get(routing.at({ ...to, kind: "direct", chat: "" }).agent) ?? first;
      return { name: settings.name, demo: settings.model === "demo" };
    },
    commandsAt: (to) => routing.offeredAt({ ...to, kind: "direct", chat: "" }, { user: "" }).flatMap(commandOf),
    profiles: [...made.values()].map(({ name, settings }) => profileOf(name, settings.name)),
  };
}

/** At most 100 characters, as Discord takes them. */
function commandOf({ title, about, command }: Offered): Command[] {
  if (command === undefined) return [];
  const called = about ?? title;
  const words = { en: `talk to ${title}`, de: `mit ${title} sprechen`, es: `hablar con ${title}` };
  const own = about === undefined ? words : { en: called, de: called, es: called };
  const clipped = { en: own.en.slice(0, 100), de: own.de.slice(0, 100), es: own.es.slice(0, 100) };
  const said = { en: "What you want to say", de: "Was du sagen willst", es: "Lo que quieres decir" };
  return [{ name: command, words: clipped, argument: { name: "message", words: said } }];
}

function settingsOf(given: ClientAgentSettings, defined: AgentDefinition | undefined): ClientAgentSettings {
  if (defined === undefined) return given;
  const { instructions, handoffs = [], about } = defined;
  return {
    ...given,
    ...(typeof instructions === "string" ? { instructions } : {}),
    ...(about === undefined ? {} : { about }),
    handoffs: [...new Set([...given.handoffs, ...handoffs])],
  };
}

/** Whatever of an agent's settings can change its answers. */
export function versionOf(settings: ClientAgentSettings): AgentVersion {
  const digest = createHash("sha256").update(JSON.stringify(settings)).digest("base64url");
  return { model: settings.model, version: digest.slice(0, 10) };
}

/** What a client agent can do is its instructions' business: others are told that they can talk to it. */
function profileOf(name: string, title: string): Profile {
  const chat = { id: "chat", name: "Chat", description: `Answers what ${title} is asked.`, tags: ["chat"] };
  return {
    name,
    title,
    description: `${title} answers in plain language, remembers its conversation and may use tools.`,
    version: "1",
    skills: [chat],
    inputModes: ["text/plain", "application/json", "image/*", "audio/*", "application/pdf", "*/*"],
    outputModes: ["text/plain", "application/json", "*/*"],
  };
}
