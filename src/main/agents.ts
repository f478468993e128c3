/** The agents that the configuration names, and which of them answers where. */
import { createClientAgent, type ClientAgentDeps } from "../../agents/client/index.ts";
import { traitsOf } from "../../agents/client/settings.ts";
import { createDocuments } from "../../adapters/documents/index.ts";
import type { Models, ModelsSettings } from "../../adapters/models/index.ts";
import type { ProviderLimits } from "../../adapters/models/provider.ts";
import { modelsOfAgent } from "../../adapters/models/spec.ts";
import type { CoreOptions } from "../core.ts";
import type { Blobs, Clock, Log } from "../ports.ts";
import type { Profile } from "../skilled.ts";
import { accountKey, accountsOf } from "./accounts.ts";
import type { Config } from "./config.ts";

export interface Agents {
  /** In the order of the configuration. */
  readonly names: readonly string[];
  readonly of: CoreOptions["agentOf"];
  /** How a channel presents an agent to people; undefined: the first one. */
  introduce(name: string | undefined): { readonly name: string; readonly demo: boolean };
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

export function createAgents({ config, models, clock, log, blobs, outside }: AgentsOptions): Agents {
  const documents = createDocuments({ clock, log });
  const { transcriber, tracing } = models;
  const made = new Map(
    Object.entries(config.agents).map(([name, given]) => {
      const settings = { ...given, model: modelsOfAgent(given) ?? config.model.spec };
      const deps = { name, models, clock, blobs, log, transcriber, documents, tracing, outside };
      const agent = createClientAgent(settings, deps);
      return [name, { name, agent, traits: traitsOf(settings), settings }] as const;
    }),
  );
  const chosen = new Map(
    accountsOf(config).map(({ name, account, own }) => [
      accountKey({ tenant: own.tenant, channel: name, account }),
      own.agent,
    ]),
  );
  const first = [...made.values()][0];
  if (first === undefined) throw new Error("no agent is configured");
  return {
    names: [...made.keys()],
    of: (to) => made.get(to.agent ?? "") ?? made.get(chosen.get(accountKey(to)) ?? first.name) ?? first,
    introduce(name: string | undefined) {
      const { settings } = made.get(name ?? first.name) ?? first;
      return { name: settings.name, demo: settings.model === "demo" };
    },
    profiles: [...made.values()].map(({ name, settings }) => profileOf(name, settings.name)),
  };
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
