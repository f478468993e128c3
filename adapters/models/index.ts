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
import type { Embedder } from "../../src/knowledge.ts";
import type { Clock } from "../../src/ports.ts";
import type { Transcriber } from "../../src/reading.ts";
import { checkServer } from "./check.ts";
import type { DemoOptions } from "./demo/index.ts";
import { createEmbedder } from "./embedder.ts";
import type { FailureContext } from "./failures.ts";
import { createKeepAliveFetch, type KeepAliveFetch } from "./fetch.ts";
import { guarded } from "./guard.ts";
import { keyNames, parseEmbeddingSpec, parseModelSpec, parseTranscriptionSpec, type Vendor } from "./spec.ts";
import { createTranscriber } from "./transcriber.ts";

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
  readonly transcription?: TranscriptionSettings;
  readonly embedding?: EmbeddingSettings;
}

/** A model of another kind than those that answer. */
export interface OtherModelSettings {
  readonly model: string;
  /** Where it is not the vendor's own. */
  readonly baseURL?: string | undefined;
  readonly apiKey?: string | undefined;
  /** For one request. */
  readonly timeoutMs: number;
}

/** `openai:<model>` or `compatible:<model>`. */
export interface TranscriptionSettings extends OtherModelSettings {
  readonly maxBytes: number;
}

/** `openai:<model>`, `gemini:<model>` or `compatible:<model>`. */
export type EmbeddingSettings = OtherModelSettings;

export interface Models extends ModelProvider {
  /** Whether runs on these models are traced. */
  readonly tracing: boolean;
  /**
   * The same object for the same spec. Its failures are TerminalError or RetryableError, its aborts the signal's reason.
   * @throws InputError for an unknown spec, TerminalError where the key or the address is missing.
   */
  getModel(spec?: string): Model;
  /** Undefined where none is configured. */
  readonly transcriber: Transcriber | undefined;
  /** Undefined where none is configured. */
  readonly embedder: Embedder | undefined;
  /** For `ascent doctor`: asks the server for its list of models, which costs nothing. */
  check(spec: string, signal: AbortSignal): Promise<Finding>;
  /** The same for the model that transcribes, where there is one. */
  checkTranscription(signal: AbortSignal): Promise<Finding | undefined>;
  /** And for the one that makes vectors. */
  checkEmbedding(signal: AbortSignal): Promise<Finding | undefined>;
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
    const client = clientAt(accessOf(vendor, settings), timeoutMs, maxRetries, fetch);
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
    if (parsed.vendor === "demo")
      return later(async () => (await import("./demo/index.ts")).createDemoModel(deps.clock, settings.demo));
    const { vendor, model } = parsed;
    const inner = later(() => providerOf(vendor).getModel(model));
    return guarded(inner, contextOf(vendor, spec));
  };

  const transcription =
    settings.transcription === undefined
      ? undefined
      : {
          ...otherOf(settings, settings.transcription, parseTranscriptionSpec, fetch),
          maxBytes: settings.transcription.maxBytes,
        };
  const embedding =
    settings.embedding === undefined ? undefined : otherOf(settings, settings.embedding, parseEmbeddingSpec, fetch);
  const check = async (client: () => OpenAI, model: string, context: () => FailureContext, signal: AbortSignal) => {
    try {
      return await checkServer(client(), model, { ...context(), tries: 1 }, signal);
    } catch (error) {
      if (!(error instanceof TerminalError)) throw error;
      return { ok: false, text: error.message, next: "Set it, or choose another model." };
    }
  };

  const checkOther = async (of: ReturnType<typeof otherOf> | undefined, signal: AbortSignal) =>
    of && check(of.client, of.model, of.context, signal);

  return {
    tracing,
    transcriber: transcription && createTranscriber(transcription),
    embedder: embedding && createEmbedder(embedding),
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
      return check(
        () => clientOf(vendor),
        model,
        () => contextOf(vendor, spec),
        signal,
      );
    },
    checkTranscription: (signal) => checkOther(transcription, signal),
    checkEmbedding: (signal) => checkOther(embedding, signal),
  };
}

/** A client of its own: its time and its address may differ from those of the models that answer. */
function otherOf(
  settings: ModelsSettings,
  own: OtherModelSettings,
  parse: typeof parseTranscriptionSpec,
  fetch: KeepAliveFetch,
) {
  const { vendor, model } = parse(own.model);
  const tries = (settings.maxRetries ?? 2) + 1;
  // The vendor's key goes to the vendor's address only.
  const apiKey = own.apiKey ?? (own.baseURL === undefined ? settings.apiKeys?.[vendor] : undefined);
  const access = {
    apiKeys: { ...settings.apiKeys, [vendor]: apiKey },
    baseURLs: { ...settings.baseURLs, [vendor]: own.baseURL ?? settings.baseURLs?.[vendor] },
  };
  let made: OpenAI | undefined;
  const client = () => (made ??= clientAt(accessOf(vendor, access), own.timeoutMs, tries - 1, fetch));
  const context = (): FailureContext => {
    return { spec: own.model, vendor, host: new URL(client().baseURL).host, timeoutMs: own.timeoutMs, tries };
  };
  return { client, model, context };
}

/** Nulls keep the client from reading its own environment variables; its log would print what a server sent. */
function clientAt(
  access: { readonly apiKey: string; readonly baseURL: string },
  timeout: number,
  maxRetries: number,
  fetch: KeepAliveFetch,
): OpenAI {
  const environment = { organization: null, project: null, webhookSecret: null, adminAPIKey: null } as const;
  return new OpenAI({ ...environment, ...access, timeout, maxRetries, fetch, logLevel: "off" });
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
