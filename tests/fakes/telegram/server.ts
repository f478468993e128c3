import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { sendText } from "../http.ts";
import type { Upload } from "../multipart.ts";
import { parseJson, readParams, type Body } from "./body.ts";
import { refusal, type FaultKind, type Faults } from "./faults.ts";
import type { CallEntry, FakeLog } from "./log.ts";
import { botMethods } from "./methods/bot.ts";
import { editMethods } from "./methods/edit.ts";
import { mediaMethods } from "./methods/media.ts";
import { RawJson, type Method, type MethodContext } from "./methods/method.ts";
import { sendMethods } from "./methods/send.ts";
import { updateMethods } from "./methods/updates.ts";
import { isObject } from "./params.ts";
import { ApiError, type Params } from "./types.ts";
import type { World } from "./world.ts";

const NO_FILES: ReadonlyMap<string, Upload> = new Map();
const NEVER = new AbortController().signal;
const METHODS = new Map<string, Method>(
  Object.entries({ ...updateMethods, ...botMethods, ...sendMethods, ...mediaMethods, ...editMethods }),
);

export interface BotApiOptions {
  readonly worlds: ReadonlyMap<string, World>;
  readonly log: FakeLog;
  readonly faults: Faults;
  readonly webhookRetryUnitMs: number;
  readonly webhookTimeoutMs: number;
  /** Throws where a platform limit refuses the call; undefined enforces none. */
  readonly limit: ((method: string, params: Params) => void) | undefined;
}

/** Serves `/bot<token>/<method>` and `/file/bot<token>/<path>` ("Making requests"); false for any other path. */
export function createBotApi(options: BotApiOptions): (...args: Parameters<RequestListener>) => boolean {
  const { worlds, log, faults } = options;

  const contextOf = (world: World, files: Body["files"], gone: AbortSignal): MethodContext => ({
    world,
    files,
    gone,
    webhookRetryUnitMs: options.webhookRetryUnitMs,
    webhookTimeoutMs: options.webhookTimeoutMs,
    runAnswer: (body) => void runWebhookAnswer(world, body),
  });

  const act = async (context: MethodContext, entry: CallEntry): Promise<unknown> => {
    const method = METHODS.get(entry.method);
    if (method === undefined) throw new ApiError(404, "Not Found: method not found");
    options.limit?.(entry.method, entry.params);
    const result = method(context, entry.params);
    const settled = result instanceof Promise ? ((await result) as unknown) : result;
    recordResult(entry, settled);
    log.accepted(entry);
    return settled;
  };

  const runWebhookAnswer = async (world: World, body: string) => {
    const params = parseJson(body);
    const method = typeof params?.["method"] === "string" ? params["method"].toLowerCase() : "";
    if (params === undefined || method === "" || /^(?:get|setwebhook|deletewebhook)/.test(method)) return;
    const entry = log.received(describe(world, method, params));
    await act(contextOf(world, NO_FILES, NEVER), entry).catch((error: unknown) => {
      const refused = asApiError(error);
      Object.assign(entry, { status: refused.code, description: refused.message });
    });
  };

  const handle = async (request: IncomingMessage, response: ServerResponse, world: World, method: string) => {
    const body = await readParams(request);
    if (body === "closed") return;
    const files = body instanceof ApiError ? NO_FILES : body.files;
    const entry = log.received(describe(world, method, body instanceof ApiError ? {} : body.params, files));
    const fault = faults.hit(entry);
    const answer = async () => {
      if (body instanceof ApiError) throw body;
      if (fault?.kind === "error" || fault?.kind === "rate_limit") throw refusal(fault);
      if (withheld(fault, false)) return hold(response, fault);
      if (fault?.kind === "delay" && fault.accepted !== true) await pause(fault.ms);
      const result = await act(contextOf(world, files, goneSignal(response, method)), entry);
      if (withheld(fault, true)) return hold(response, fault);
      if (fault?.kind === "delay" && fault.accepted === true) await pause(fault.ms);
      const json = result instanceof RawJson ? result.body : JSON.stringify(result);
      finish(response, entry, 200, `{"ok":true,"result":${json}}`);
    };
    await answer().catch((error: unknown) => {
      const refused = asApiError(error);
      entry.description = refused.message;
      finish(response, entry, refused.code, errorBody(refused));
    });
  };

  const finish = (response: ServerResponse, entry: CallEntry, status: number, body: string) => {
    entry.status = status;
    entry.answeredAt = log.now();
    sendText(response, status, body, { "content-type": "application/json" });
  };

  const download = (response: ServerResponse, world: World, path: string) => {
    const entry = log.received({ bot: world.me.id, method: "file", params: { path } });
    const fault = faults.hit(entry);
    if (fault?.kind === "hang" || fault?.kind === "close") return hold(response, fault);
    const file = world.fileByPath(path);
    if (fault !== undefined && fault.kind !== "delay") return refuse(response, refusal(fault));
    if (file === undefined) return refuse(response, new ApiError(404, "Not Found"));
    log.accepted(entry);
    const data = file.data ?? Buffer.alloc(file.size);
    const send = () => response.writeHead(200, { "content-type": file.mime, "content-length": data.length }).end(data);
    if (fault === undefined) send();
    else setTimeout(send, fault.ms);
  };

  return (request, response) => {
    const path = /^\/(file\/)?bot([^/]+)\/([^?]+)/.exec(request.url ?? "");
    if (path === null) return false;
    const world = worlds.get(path[2] ?? "");
    const rest = path[3] ?? "";
    if (world === undefined) {
      log.received({ bot: 0, method: rest.toLowerCase(), params: {}, status: 401, description: "Unauthorized" });
      refuse(response, new ApiError(401, "Unauthorized"));
    } else if (path[1] !== undefined) download(response, world, rest);
    else void handle(request, response, world, rest.toLowerCase());
    return true;
  };
}

function describe(world: World, method: string, params: Params, files?: ReadonlyMap<string, Upload>) {
  const chat = Number(params["chat_id"]);
  const words = params["text"] ?? params["caption"];
  return {
    bot: world.me.id,
    method,
    params,
    ...(params["chat_id"] !== undefined && Number.isFinite(chat) ? { chat } : {}),
    ...(typeof words === "string" ? { text: words } : {}),
    ...(files === undefined || files.size === 0
      ? {}
      : { files: [...files.values()].map(({ field, name, data }) => ({ field, name, size: data.length })) }),
  };
}

/** Notes what a call made, in the platform's own terms: the chat's number, the parsed text, the message's id. */
function recordResult(entry: CallEntry, result: unknown): void {
  const message: unknown = Array.isArray(result) ? result[0] : result;
  if (!isObject(message) || typeof message["message_id"] !== "number") return;
  entry.messageId = message["message_id"];
  entry.chat = (message["chat"] as { id: number }).id;
  const words = message["text"] ?? message["caption"];
  if (typeof words === "string") entry.text = words;
}

function withheld(fault: FaultKind | undefined, accepted: boolean): fault is FaultKind & { kind: "hang" | "close" } {
  return (fault?.kind === "hang" || fault?.kind === "close") && (fault.accepted ?? false) === accepted;
}

/** Leaves the caller without an answer: forever, or by closing the connection. */
function hold(response: ServerResponse, fault: { readonly kind: "hang" | "close" }): void {
  if (fault.kind === "close") response.socket?.destroy();
}

function goneSignal(response: ServerResponse, method: string): AbortSignal {
  if (method !== "getupdates") return NEVER;
  const controller = new AbortController();
  response.once("close", () => controller.abort());
  return controller.signal;
}

function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  process.emitWarning(error instanceof Error ? error : String(error));
  return new ApiError(500, "Internal Server Error: the fake itself failed, see its standard error");
}

function errorBody(error: ApiError): string {
  const { code, message, parameters } = error;
  return JSON.stringify({ ok: false, error_code: code, description: message, parameters });
}

function refuse(response: ServerResponse, error: ApiError): void {
  sendText(response, error.code, errorBody(error), { "content-type": "application/json" });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
