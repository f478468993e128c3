import { controlCall, listen, sendJson, serveControl } from "./http.ts";
import { createLimiter, type RateLimit } from "./openai/limit.ts";
import { createRules } from "./openai/reply.ts";
import { serveOpenAi, type OpenAiServerState, type Script } from "./openai/server.ts";
import type { Pace, RequestEntry, Rule } from "./openai/types.ts";

export interface OpenAiFakeOptions {
  /** Default 0: any free port. */
  readonly port?: number;
  readonly models?: readonly string[];
  /** Any key is taken when absent. */
  readonly apiKey?: string;
  /** Time to the first byte. Default 0. */
  readonly latencyMs?: number;
  /** Words per second of a stream. Default 0: at once, in one write. */
  readonly tokensPerSecond?: number;
}

/** What can be asked of the fake, here or from another process. */
export interface OpenAiControl {
  /** Adds a reply by rule; the first added that fits wins. Without one, the model echoes ("reply.ts"). */
  rule(rule: Rule): Promise<void>;
  clearRules(): Promise<void>;
  /** Changes the pace of the requests that come from now on. */
  pace(pace: Partial<Pace>): Promise<void>;
  requests(): Promise<RequestEntry[]>;
  clearLog(): Promise<void>;
}

/** An OpenAI-compatible server: chat completions, responses, models, transcriptions. */
export interface OpenAiFake extends OpenAiControl {
  readonly port: number;
  readonly url: string;
  /** What clients take as `baseURL`. */
  readonly baseURL: string;
  readonly log: readonly RequestEntry[];
  /** Decides each reply before the rules; undefined takes it away. */
  script(script: Script | undefined): void;
  /** Refuses with 429 what is more; undefined takes it away. */
  limit(limit: RateLimit | undefined): void;
  close(): Promise<void>;
}

export async function startOpenAiFake(options: OpenAiFakeOptions = {}): Promise<OpenAiFake> {
  const state: OpenAiServerState = {
    seq: 0,
    requests: [],
    rules: createRules(),
    models: options.models ?? ["fake-model"],
    apiKey: options.apiKey,
    script: undefined,
    limiter: undefined,
    pace: { latencyMs: options.latencyMs ?? 0, tokensPerSecond: options.tokensPerSecond ?? 0 },
  };
  const control = controlOf(state);
  const server = await listen((request, response) => {
    if (serveOpenAi(state, request, response) || serveControl(control, request, response)) return;
    const message = `Invalid URL (${request.method} ${request.url})`;
    sendJson(response, 404, { error: { message, type: "invalid_request_error", param: null, code: null } });
  }, options.port);
  return {
    ...control,
    port: server.port,
    url: server.url,
    baseURL: `${server.url}/v1`,
    log: state.requests,
    script(script) {
      state.script = script;
    },
    limit(limit) {
      state.limiter = limit && createLimiter(limit);
    },
    close: server.close,
  };
}

/** The control of a fake that runs in another process, at its root URL. */
export function connectOpenAiFake(url: string): OpenAiControl {
  const call = <T>(command: keyof OpenAiControl, body?: unknown) => controlCall<T>(url, command, body);
  return {
    rule: (rule) => call("rule", rule),
    clearRules: () => call("clearRules"),
    pace: (pace) => call("pace", pace),
    requests: () => call("requests"),
    clearLog: () => call("clearLog"),
  };
}

function controlOf(state: OpenAiServerState): OpenAiControl {
  return {
    async rule(rule) {
      state.rules.add(rule);
    },
    async clearRules() {
      state.rules.clear();
    },
    async pace(pace) {
      state.pace = { ...state.pace, ...pace };
    },
    requests: async () => state.requests,
    async clearLog() {
      state.requests.length = 0;
    },
  };
}
