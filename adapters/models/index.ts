/**
 * The models an agent can run on, behind the Agents SDK's ModelProvider: `demo` (offline), `openai:<model>` (Responses),
 * `gemini:<model>` and `compatible:<model>` (Chat Completions).
 */
import {
  OpenAIProvider,
  setSensitiveDataLoggingEnabled,
  setTraceProcessors,
  setTracingDisabled,
  setTracingExportApiKey,
  type Model,
  type ModelProvider,
} from "@openai/agents";
import OpenAI from "openai";
import type { Finding } from "../../src/channel.ts";
import { TerminalError } from "../../src/errors.ts";
import type { Clock } from "../../src/ports.ts";
import { checkServer } from "./check.ts";
import { createDemoModel, type DemoOptions } from "./demo/index.ts";
import type { FailureContext } from "./failures.ts";
import { createKeepAliveFetch } from "./fetch.ts";
import { guarded } from "./guard.ts";
import { keyNames, parseModelSpec, type Vendor } from "./spec.ts";

export interface ModelsSettings {
  readonly apiKeys?: Partial<Readonly<Record<Vendor, string | undefined>>>;
  /** Where the vendor is reached, with the version in the path. `compatible` has no default. */
  readonly baseURLs?: Partial<Readonly<Record<Vendor, string | undefined>>>;
  /** For one request until its answer is whole; for a stream, until its first and between two of its events. 120 s. */
  readonly timeoutMs?: number;
  /** Further tries after 408, 409, 429, 5xx and failed connections, after the server's Retry-After where it gives one. 2. */
  readonly maxRetries?: number;
  /** Lets the SDK send traces, with message text, to OpenAI. Off unless configured. */
  readonly tracing?: boolean;
  readonly demo?: DemoOptions;
}

export interface Models extends ModelProvider {
  /** Whether runs on these models are traced. */
  readonly tracing: boolean;
  /**
   * The same object for the same spec. Its failures are TerminalError or RetryableError, its aborts the signal's reason.
   * @throws InputError for an unknown spec, TerminalError where the key or the address is missing.
   */
  getModel(spec?: string): Model;
  /** For `ascent doctor`: asks the server for its list of models, which costs nothing. */
  check(spec: string, signal: AbortSignal): Promise<Finding>;
}

const defaultURLs: Partial<Record<Vendor, string>> = {
  openai: "https://api.openai.com/v1",
  gemini: "https://generativelanguage.googleapis.com/v1beta/openai/",
};

/** Called once per process: tracing is the SDK's global state. */
export function createModels(settings: ModelsSettings, deps: { readonly clock: Clock }): Models {
  const timeoutMs = settings.timeoutMs ?? 120_000;
  const maxRetries = settings.maxRetries ?? 2;
  const tracing = settings.tracing ?? false;
  configureTracing(tracing, settings.apiKeys?.openai);

  const fetch = createKeepAliveFetch(timeoutMs);
  const clients = new Map<Vendor, OpenAI>();
  const providers = new Map<Vendor, OpenAIProvider>();
  const models = new Map<string, Model>();

  const clientOf = (vendor: Vendor): OpenAI => {
    const known = clients.get(vendor);
    if (known !== undefined) return known;
    const { apiKey, baseURL } = accessOf(vendor, settings);
    // Nulls keep the client from reading its own environment variables; its log would print what a server sent.
    const environment = { organization: null, project: null, webhookSecret: null, adminAPIKey: null } as const;
    const client = new OpenAI({
      ...environment,
      apiKey,
      baseURL,
      timeout: timeoutMs,
      maxRetries,
      fetch,
      logLevel: "off",
    });
    clients.set(vendor, client);
    return client;
  };
  const providerOf = (vendor: Vendor): OpenAIProvider => {
    const known = providers.get(vendor);
    if (known !== undefined) return known;
    const made = new OpenAIProvider({ openAIClient: clientOf(vendor), useResponses: vendor === "openai" });
    providers.set(vendor, made);
    return made;
  };
  const contextOf = (vendor: Vendor, spec: string): FailureContext => ({
    spec,
    vendor,
    host: new URL(clientOf(vendor).baseURL).host,
    timeoutMs,
    tries: maxRetries + 1,
  });
  const make = (spec: string): Model => {
    const parsed = parseModelSpec(spec);
    if (parsed.vendor === "demo") return createDemoModel(deps.clock, settings.demo);
    const { vendor, model } = parsed;
    const inner = later(() => providerOf(vendor).getModel(model));
    return guarded(inner, contextOf(vendor, spec));
  };

  return {
    tracing,
    getModel(spec = "demo") {
      const known = models.get(spec);
      if (known !== undefined) return known;
      const model = make(spec);
      models.set(spec, model);
      return model;
    },
    async check(spec, signal) {
      const parsed = parseModelSpec(spec);
      if (parsed.vendor === "demo") {
        return { ok: true, text: "The demo model answers: offline, without a key. Set ASCENT_MODEL for a real one." };
      }
      const { vendor, model } = parsed;
      try {
        return await checkServer(clientOf(vendor), model, { ...contextOf(vendor, spec), tries: 1 }, signal);
      } catch (error) {
        if (!(error instanceof TerminalError)) throw error;
        return { ok: false, text: error.message, next: `Set it, or choose another model in ASCENT_MODEL.` };
      }
    },
  };
}

/** @throws TerminalError that names the setting to set. */
function accessOf(vendor: Vendor, settings: ModelsSettings): { readonly apiKey: string; readonly baseURL: string } {
  const apiKey = settings.apiKeys?.[vendor] || (vendor === "compatible" ? "none" : undefined);
  const baseURL = settings.baseURLs?.[vendor] || defaultURLs[vendor];
  if (apiKey === undefined) throw new TerminalError(`${vendor} needs a key: ${keyNames[vendor]} is not set`);
  if (baseURL === undefined) throw new TerminalError(`${vendor} needs an address: OPENAI_BASE_URL is not set`);
  if (!URL.canParse(baseURL)) throw new TerminalError(`The address of ${vendor} is not a URL`);
  return { apiKey, baseURL };
}

/** The provider hands out its models by promise; nobody should have to wait for one. */
function later(get: () => Promise<Model>): Model {
  let model: Promise<Model> | undefined;
  const ready = () => (model ??= get());
  return {
    getResponse: async (request) => (await ready()).getResponse(request),
    async *getStreamedResponse(request) {
      yield* (await ready()).getStreamedResponse(request);
    },
  };
}

/** The SDK's own default is to send every run to OpenAI where OPENAI_API_KEY is set, and to log on the console. */
function configureTracing(tracing: boolean, key: string | undefined): void {
  setSensitiveDataLoggingEnabled(false);
  setTracingDisabled(!tracing);
  if (!tracing) setTraceProcessors([]);
  else if (key !== undefined) setTracingExportApiKey(key);
}
