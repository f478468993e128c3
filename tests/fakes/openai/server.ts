import type { IncomingMessage, ServerResponse } from "node:http";
import { readBody, sendJson, sendText } from "../http.ts";
import { boundaryOf, multipartParser } from "../multipart.ts";
import type { Answer, Frame } from "./answer.ts";
import { chatCompletion, chatFrames } from "./chat.ts";
import { chatPrompt, embeddingPrompt, repeatedTokens, responsesPrompt, transcriptionPrompt } from "./prompt.ts";
import { vectorOf } from "./vectors.ts";
import type { Limiter } from "./limit.ts";
import { echo, summaryOf, type Rules } from "./reply.ts";
import { responseFrames, responseObject } from "./responses.ts";
import type { Failure, Pace, Prompt, Reply, RequestEntry } from "./types.ts";

/** Decides a reply in process; undefined leaves it to the rules and the echo. */
export type Script = (prompt: Prompt) => Reply | undefined | Promise<Reply | undefined>;

export interface OpenAiServerState {
  seq: number;
  readonly requests: RequestEntry[];
  readonly rules: Rules;
  readonly models: readonly string[];
  /** Refuses other keys with 401; undefined takes any. */
  readonly apiKey: string | undefined;
  script: Script | undefined;
  pace: Pace;
  /** Of the models that answer. */
  limiter: Limiter | undefined;
}

type Handler = (
  state: OpenAiServerState,
  body: Buffer,
  request: IncomingMessage,
  response: ServerResponse,
) => Promise<void> | void;

const STREAM_HEADERS = { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" };

const ROUTES = new Map<string, Handler>([
  ["POST /v1/chat/completions", generate(chatPrompt, chatCompletion, chatFrames)],
  ["POST /v1/responses", generate(responsesPrompt, responseObject, responseFrames)],
  ["POST /v1/audio/transcriptions", transcribe],
  ["POST /v1/embeddings", embed],
  ["GET /v1/models", listModels],
]);

/** Serves the OpenAI API. False for a path it does not have. */
export function serveOpenAi(state: OpenAiServerState, request: IncomingMessage, response: ServerResponse): boolean {
  const handler = ROUTES.get(`${request.method} ${request.url?.split("?")[0]}`);
  if (handler === undefined) return false;
  if (state.apiKey !== undefined && request.headers.authorization !== `Bearer ${state.apiKey}`) {
    sendError(response, 401, "Incorrect API key provided.", "invalid_request_error", "invalid_api_key");
    return true;
  }
  readBody(request)
    .then(async (body) => {
      if (typeof body !== "string") await handler(state, body, request, response);
    })
    .catch((error: unknown) => sendError(response, 500, `the fake's script failed: ${String(error)}`, "server_error"));
  return true;
}

function generate(
  read: (body: Record<string, unknown>) => Prompt,
  whole: (prompt: Prompt, answer: Answer) => unknown,
  frames: (prompt: Prompt, answer: Answer) => Frame[],
): Handler {
  return async (state, body, _request, response) => {
    const parsed = parseObject(body);
    if (parsed === undefined) {
      return sendError(response, 400, "We could not parse the JSON body of your request.", "invalid_request_error");
    }
    const prompt = read(parsed);
    const entry = record(state, prompt, response);
    const { taken, headers = {} } = state.limiter?.take(entry.at) ?? { taken: true };
    if (!taken) {
      entry.outcome = "failed";
      return sendError(response, 429, "Rate limit reached.", "requests", "rate_limit_exceeded", headers);
    }
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    const reply = (await state.script?.(prompt)) ?? state.rules.reply(prompt) ?? {};
    const latencyMs = reply.latencyMs ?? state.pace.latencyMs;
    if (latencyMs > 0) await pause(latencyMs);
    if (reply.failure !== undefined && reply.failure.kind !== "half") {
      entry.outcome = "failed";
      return fail(response, prompt, reply.failure);
    }
    const toolCalls = reply.toolCalls ?? [];
    const text = reply.text ?? (toolCalls.length > 0 ? undefined : defaultText(prompt));
    const answer = { id: `fake${entry.seq}`, text, toolCalls };
    const cut = reply.failure !== undefined;
    if (cut) entry.outcome = "failed";
    if (!prompt.stream)
      return cut ? sendHalf(response, whole(prompt, answer)) : sendJson(response, 200, whole(prompt, answer));
    const all = frames(prompt, answer);
    response.writeHead(200, STREAM_HEADERS);
    const tokensPerSecond = reply.tokensPerSecond ?? state.pace.tokensPerSecond;
    await stream(response, cut ? all.slice(0, all.length >> 1) : all, tokensPerSecond);
    if (cut) response.socket?.destroySoon();
    else response.end();
  };
}

function defaultText(prompt: Prompt): string {
  return prompt.toSummarize === undefined ? echo(prompt) : summaryOf(prompt.toSummarize);
}

/** Writes frames, the paced ones no faster than told. Everything up to the next wait is one write. */
async function stream(response: ServerResponse, frames: readonly Frame[], tokensPerSecond: number): Promise<void> {
  if (tokensPerSecond === 0) return void response.write(frames.map((frame) => frame.data).join(""));
  const began = performance.now();
  let paced = 0;
  for (const frame of frames) {
    if (frame.paced) {
      paced += 1;
      const wait = began + (paced * 1_000) / tokensPerSecond - performance.now();
      if (wait > 0) await pause(wait);
    }
    if (response.destroyed) return;
    response.write(frame.data);
  }
}

function fail(response: ServerResponse, prompt: Prompt, failure: Exclude<Failure, { kind: "half" }>): void {
  switch (failure.kind) {
    case "hang":
      return;
    case "close":
      response.socket?.destroy();
      return;
    case "garbage":
      if (prompt.stream) sendText(response, 200, 'data: {"id": <<<\n\ndata: ???\n\n', STREAM_HEADERS);
      else sendText(response, 200, "<html>not what you asked for", { "content-type": "application/json" });
      return;
    case "status": {
      const limited = failure.status === 429;
      const type = limited ? "requests" : failure.status >= 500 ? "server_error" : "invalid_request_error";
      const message =
        failure.message ?? (limited ? "Rate limit reached." : "The server had an error while processing your request.");
      const headers = failure.retryAfter === undefined ? {} : { "retry-after": String(failure.retryAfter) };
      sendError(response, failure.status, message, type, limited ? "rate_limit_exceeded" : null, headers);
    }
  }
}

function sendHalf(response: ServerResponse, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.write(text.slice(0, text.length >> 1));
  response.socket?.destroySoon();
}

/** The form of "Error codes". */
function sendError(
  response: ServerResponse,
  status: number,
  message: string,
  type: string,
  code: string | null = null,
  headers: Readonly<Record<string, string>> = {},
): void {
  sendJson(response, status, { error: { message, type, param: null, code } }, headers);
}

function record(state: OpenAiServerState, prompt: Prompt, response: ServerResponse): RequestEntry {
  const { api, model, stream: streamed, messages, characters, tokens } = prompt;
  const summary = prompt.toSummarize !== undefined;
  const repeated = repeatedTokens(prompt.body, api);
  return log(state, response, { api, model, stream: streamed, messages, characters, tokens, summary, repeated });
}

function log(
  state: OpenAiServerState,
  response: ServerResponse,
  request: Omit<RequestEntry, "seq" | "at">,
): RequestEntry {
  const entry: RequestEntry = { seq: (state.seq += 1), at: performance.now(), ...request };
  state.requests.push(entry);
  response.once("close", () => {
    entry.endedAt = performance.now();
    if (response.headersSent) entry.status = response.statusCode;
    entry.outcome ??= response.writableFinished ? "answered" : "aborted";
  });
  return entry;
}

/** Formats that the platform takes, by the end of the file's name ("Create transcription", `file`). */
const HEARD = /\.(flac|mp3|mp4|mpeg|mpga|m4a|ogg|wav|webm)$/;

/** "Create transcription": names the file and repeats the tokens found in its bytes, unless a rule says otherwise. */
async function transcribe(
  state: OpenAiServerState,
  body: Buffer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const parser = multipartParser(boundaryOf(request.headers["content-type"] ?? "") ?? "");
  parser.push(body);
  const parsed = parser.end();
  const file = parsed?.files.get("file");
  const model = parsed?.fields["model"];
  if (file === undefined || model === undefined) {
    return sendError(response, 400, "You must provide a file and a model.", "invalid_request_error");
  }
  if (!HEARD.test(file.name)) return sendError(response, 400, "Unrecognized file format.", "invalid_request_error");
  const prompt = transcriptionPrompt(model, file);
  const entry = record(state, prompt, response);
  const reply = (await state.script?.(prompt)) ?? state.rules.reply(prompt) ?? {};
  const latencyMs = reply.latencyMs ?? state.pace.latencyMs;
  if (latencyMs > 0) await pause(latencyMs);
  const spoken = [`transcript of ${file.name}, ${file.data.length} bytes`, ...prompt.tokens].join(" ");
  const text = reply.text ?? spoken;
  if (reply.failure !== undefined) {
    entry.outcome = "failed";
    return reply.failure.kind === "half" ? sendHalf(response, { text }) : fail(response, prompt, reply.failure);
  }
  if (parsed?.fields["response_format"] === "text") sendText(response, 200, text, { "content-type": "text/plain" });
  else sendJson(response, 200, { text });
}

/** "Create embeddings": a vector of the words of each text. A reply's text is none of its business; its failure is. */
async function embed(
  state: OpenAiServerState,
  body: Buffer,
  _request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const parsed = parseObject(body);
  if (parsed === undefined || parsed["encoding_format"] !== "float") {
    return sendError(response, 400, "Only floats are made here.", "invalid_request_error");
  }
  const prompt = embeddingPrompt(parsed);
  const entry = record(state, prompt, response);
  const reply = (await state.script?.(prompt)) ?? state.rules.reply(prompt) ?? {};
  const latencyMs = reply.latencyMs ?? state.pace.latencyMs;
  if (latencyMs > 0) await pause(latencyMs);
  const data = prompt.turn.map((text, index) => ({ object: "embedding", index, embedding: vectorOf(text) }));
  const answer = {
    object: "list",
    model: prompt.model,
    data: data.toReversed(),
    usage: { prompt_tokens: 1, total_tokens: 1 },
  };
  if (reply.failure === undefined) return sendJson(response, 200, answer);
  entry.outcome = "failed";
  if (reply.failure.kind === "half") sendHalf(response, answer);
  else fail(response, prompt, reply.failure);
}

function listModels(
  { models }: OpenAiServerState,
  _body: Buffer,
  _request: IncomingMessage,
  response: ServerResponse,
): void {
  const data = models.map((id) => ({ id, object: "model", created: 1_700_000_000, owned_by: "fake" }));
  sendJson(response, 200, { object: "list", data });
}

function parseObject(body: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString());
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // answered with 400 by the caller
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
