/**
 * The models an agent can run on, behind the Agents SDK's ModelProvider: `demo` (offline), `openai:<model>` (Responses),
 * `gemini:<model>` and `compatible:<model>` (Chat Completions).
 */
import {
  setSensitiveDataLoggingEnabled,
  setTraceProcessors,
  setTracingDisabled,
  setTracingExportApiKey,
  type Model,
  type ModelProvider,
} from "@openai/agents";
import type OpenAI from "openai";
import type { Meter } from "../../src/budgets.ts";
import type { Finding } from "../../src/channel.ts";
import { TerminalError } from "../../src/errors.ts";
import type { Embedder } from "../../src/knowledge.ts";
import type { ModelCaller } from "../../src/model-line.ts";
import type { Log } from "../../src/ports.ts";
import type { Transcriber } from "../../src/reading.ts";
import { createBreaker } from "./breaker.ts";
import { checkServer } from "./check.ts";
import type { DemoOptions } from "./demo/index.ts";
import { createEmbedder } from "./embedder.ts";
import type { FailureContext } from "./failures.ts";
import { createKeepAliveFetch, type KeepAliveFetch } from "./fetch.ts";
import { guarded } from "./guard.ts";
import { accessOf, clientAt, createProvider, type Access, type ProviderDeps, type ProviderLimits } from "./provider.ts";
import { routed } from "./route.ts";
import type { Candidate, RouteOptions } from "./search.ts";
import { parseEmbeddingSpec, parseModelList, parseModelSpec, parseTranscriptionSpec, type Vendor } from "./spec.ts";
import { createTranscriber } from "./transcriber.ts";

export interface ModelsSettings extends Access {
  /** For one request until its answer is whole; for a stream, until its first and between two of its events. 120 s. */
  readonly timeoutMs?: number;
  /** Further tries after 408, 409, 5xx and failed connections, after the server's Retry-After where it gives one. 2. */
  readonly maxRetries?: number;
  /** Of the models that answer; absent: what the vendor says itself. */
  readonly limits?: Partial<Readonly<Record<Vendor, ProviderLimits>>>;
  /** How long a request may stand in line. 15 minutes. */
  readonly waitMs?: number;
  /** How long it may where another model of its list is to be had sooner. 20 s. */
  readonly fallbackMs?: number;
  /** Lets the SDK send traces, with message text, to OpenAI. Off unless configured. */
  readonly tracing?: boolean;
  readonly demo?: DemoOptions;
  readonly transcription?: TranscriptionSettings;
  readonly embedding?: EmbeddingSettings;
}

export interface ModelsDeps extends ProviderDeps {
  /** Where anybody has a budget. */
  readonly meter?: Meter | undefined;
  /** Told of every change from one model to another. */
  readonly log?: Log;
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
   * The same object for the same spec, or list of specs. Its failures are TerminalError or RetryableError, its aborts the signal's reason.
   * @throws InputError for an unknown spec, TerminalError where the key or the address is missing.
   */
  getModel(spec?: string): Model;
  /** The same for one run, which keeps the model of the list that answers it, and stands in line as the caller's. */
  modelFor(spec: string, caller: ModelCaller): Model;
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

const nobody: ModelCaller = { tenant: "", line: "" };
const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** Called once per process: tracing is the SDK's global state, and the lines are those of all who ask. */
export function createModels(settings: ModelsSettings, deps: ModelsDeps): Models {
  const { clock, meter, log = silent } = deps;
  const timeoutMs = settings.timeoutMs ?? 120_000;
  const tracing = settings.tracing ?? false;
  configureTracing(tracing, settings.apiKeys?.openai);

  const fetch = createKeepAliveFetch(timeoutMs);
  const provide = (vendor: Vendor) =>
    createProvider({ vendor, access: settings, limits: settings.limits?.[vendor] ?? {}, timeoutMs, fetch }, deps);
  const providerOf = once(provide);
  const isLimited = (vendor: Vendor) =>
    Object.values(settings.limits?.[vendor] ?? {}).some((limit) => limit !== undefined);
  const contextOf = (vendor: Vendor, spec: string): FailureContext => {
    return { spec, vendor, host: new URL(providerOf(vendor).client.baseURL).host, timeoutMs, tries: 1 };
  };
  const options = {
    meter,
    clock,
    log,
    retries: settings.maxRetries ?? 2,
    waitMs: settings.waitMs ?? 900_000,
    fallbackMs: settings.fallbackMs ?? 20_000,
  } satisfies RouteOptions & { meter: Meter | undefined };
  const candidateOf = once((spec: string): Candidate => {
    const parsed = parseModelSpec(spec);
    if (parsed.vendor === "demo") throw new TerminalError("The demo model has no server.");
    const { vendor, model } = parsed;
    // What nobody said is limited as a whole may refuse one model alone: the others are not held up.
    const { gate, models } = isLimited(vendor) ? providerOf(vendor) : provide(vendor);
    const inner = later(() => models.getModel(model));
    const countsTokens = settings.limits?.[vendor]?.tokensPerMinute !== undefined;
    return { spec, model: guarded(inner, contextOf(vendor, spec)), gate, breaker: createBreaker(clock), countsTokens };
  });
  /** What makes a run's model of a spec. */
  const routeOf = once((spec: string): ((caller: ModelCaller) => Model) => {
    const [first, ...others] = parseModelList(spec);
    if (first === "demo") {
      const demo = later(async () => (await import("./demo/index.ts")).createDemoModel(clock, settings.demo));
      return () => demo;
    }
    const list = [candidateOf(first), ...others.map(candidateOf)] as const;
    return (caller) => routed(list, options, caller);
  });
  const modelOf = once((spec: string): Model => {
    const runs = routeOf(spec);
    return {
      getResponse: (request) => runs(nobody).getResponse(request),
      getStreamedResponse: (request) => runs(nobody).getStreamedResponse(request),
    };
  });

  const transcription =
    settings.transcription === undefined
      ? undefined
      : {
          ...otherOf(settings, settings.transcription, parseTranscriptionSpec, fetch),
          maxBytes: settings.transcription.maxBytes,
          meter,
        };
  const embedding =
    settings.embedding === undefined
      ? undefined
      : { ...otherOf(settings, settings.embedding, parseEmbeddingSpec, fetch), meter };
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
    getModel: (spec = "demo") => modelOf(spec),
    modelFor: (spec, caller) => routeOf(spec)(caller),
    async check(spec, signal) {
      const parsed = parseModelSpec(spec);
      if (parsed.vendor === "demo") {
        return { ok: true, text: "The demo model answers: offline, without a key. Set ASCENT_MODEL for a real one." };
      }
      const { vendor, model } = parsed;
      return check(
        () => providerOf(vendor).client,
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

/** The same for the same key, made when it is first asked for. */
function once<Key, Value>(make: (key: Key) => Value): (key: Key) => Value {
  const made = new Map<Key, Value>();
  return (key) => {
    const known = made.get(key);
    if (known !== undefined) return known;
    const value = make(key);
    made.set(key, value);
    return value;
  };
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
