/** The Graph API's side: messages, media and the number itself. @see https://developers.facebook.com/docs/whatsapp/cloud-api/reference */
import { createHash, createHmac } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { readBody, sendJson } from "../http.ts";
import { boundaryOf, multipartParser } from "../multipart.ts";
import { GraphRefusal, type GraphCall, type Json } from "./types.ts";
import { checkMessage } from "./validate.ts";
import type { World } from "./world.ts";

const uploadTypes =
  /^(?:audio\/(?:aac|mp4|mpeg|amr|ogg|opus)|application\/(?:pdf|msword|vnd\.ms-(?:excel|powerpoint)|vnd\.openxmlformats-officedocument\.\w+\.\w+)|text\/plain|image\/(?:jpeg|png|webp)|video\/(?:mp4|3gpp))$/;

/** False for a path that is not the API's. */
export function serveGraph(world: World, request: IncomingMessage, response: ServerResponse): boolean {
  const url = new URL(request.url ?? "/", world.url());
  const [, version = "", id = "", edge = ""] = url.pathname.split("/");
  if (url.pathname.startsWith("/files/"))
    void answer(world, request, response, "download", {}, () => file(world, url, response));
  else if (!/^v\d+\.\d+$/.test(version)) return false;
  else void route(world, request, response, { url, id, edge });
  return true;
}

async function route(
  world: World,
  request: IncomingMessage,
  response: ServerResponse,
  { url, id, edge }: { url: URL; id: string; edge: string },
): Promise<void> {
  if (request.method === "GET") {
    const own = id === world.phoneNumberId;
    return answer(world, request, response, own ? "number" : "media", { id }, () =>
      own ? number(world, url) : media(world, id),
    );
  }
  const body = await readBody(request);
  if (typeof body === "string") return;
  if (id !== world.phoneNumberId) {
    return answer(world, request, response, "message", {}, () => {
      throw new GraphRefusal(400, 33, "Unsupported post request. Object does not exist");
    });
  }
  if (edge === "media") return upload(world, request, response, body);
  const parsed = JSON.parse(body.toString()) as Json;
  if (parsed["status"] === "read") return answer(world, request, response, "read", parsed, () => read(world, parsed));
  return answer(world, request, response, "message", parsed, (call) => message(world, call, parsed));
}

type Handler = (call: GraphCall) => Json | undefined;

/** Logs, injects faults, checks the token, and answers. A handler without a result has answered by itself. */
async function answer(
  world: World,
  request: IncomingMessage,
  response: ServerResponse,
  operation: GraphCall["operation"],
  body: Json,
  handle: Handler,
  files?: GraphCall["files"],
): Promise<void> {
  const chat = typeof (body["to"] ?? body["recipient"]) === "string" ? world.chatOf(body) : undefined;
  const call = world.received({
    operation,
    body,
    ...(chat === undefined ? {} : { chat }),
    ...(files === undefined ? {} : { files }),
  });
  const fault = world.hit(call);
  try {
    if (request.headers.authorization !== `Bearer ${world.token}`)
      throw new GraphRefusal(401, 190, "Error validating access token: Session has expired");
    if (request.headers["user-agent"] === undefined) throw new GraphRefusal(403, 200, "no user agent");
    if (fault?.kind === "error") throw errorOf(fault.code, fault.status, fault.retryAfter);
    const silent = fault?.kind === "hang" || fault?.kind === "close";
    const result = silent && fault.accepted !== true ? undefined : handle(call);
    if (fault?.kind === "close") return void response.destroy();
    if (fault?.kind === "hang") return;
    if (result === undefined) return;
    call.status = 200;
    sendJson(response, 200, result);
  } catch (error) {
    if (!(error instanceof GraphRefusal)) throw error;
    call.status = error.status;
    const { message: words, code, details, status, headers } = error;
    const data = details === "" ? {} : { error_data: { messaging_product: "whatsapp", details } };
    sendJson(
      response,
      status,
      { error: { message: words, type: "OAuthException", code, ...data, fbtrace_id: "AbCdEf" } },
      headers,
    );
  }
}

function errorOf(code: number, status?: number, retryAfter?: number): GraphRefusal {
  const usual = code === 130_429 || code === 131_056 || code === 80_007 || code === 4 ? 429 : code < 3 ? 500 : 400;
  const headers: Record<string, string> = retryAfter === undefined ? {} : { "retry-after": String(retryAfter) };
  return new GraphRefusal(status ?? usual, code, `(#${code}) an injected fault`, "", headers);
}

function message(world: World, call: GraphCall, body: Json): Json {
  const text = checkMessage(body, (id) => world.media.has(id));
  const chat = call.chat ?? "";
  if (chat === "") throw new GraphRefusal(400, 131_008, "(#131008) Required parameter is missing", "to");
  if (body["type"] !== "template" && world.isOutside(chat))
    throw new GraphRefusal(400, 131_047, "(#131047) Re-engagement message", "more than 24 hours have passed");
  const id = world.send(call, chat, text);
  const input = String(body["to"] ?? body["recipient"]);
  const contact = body["recipient"] === undefined ? { input, wa_id: input } : { input, user_id: input };
  return { messaging_product: "whatsapp", contacts: [contact], messages: [{ id }] };
}

function read(world: World, body: Json): Json {
  if (!world.inbound.some(({ id }) => id === body["message_id"]))
    throw new GraphRefusal(400, 131_009, "(#131009) Parameter value is not valid", "message_id");
  return { success: true };
}

async function upload(world: World, request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> {
  const parser = multipartParser(boundaryOf(request.headers["content-type"] ?? "") ?? "");
  parser.push(body);
  const parsed = parser.end();
  const given = parsed?.files.get("file");
  const files = given === undefined ? [] : [{ name: given.name, size: given.data.length, mime: given.mime }];
  const handle = () => {
    if (parsed === undefined || given === undefined || parsed.fields["messaging_product"] !== "whatsapp")
      throw new GraphRefusal(400, 100, "(#100) The parameter file is required");
    if (!uploadTypes.test(given.mime))
      throw new GraphRefusal(400, 100, "(#100) Param file must be a file with one of the following types", given.mime);
    return { id: world.keep(given.data, given.mime) };
  };
  return answer(world, request, response, "upload", { fields: parsed?.fields ?? {} }, handle, files);
}

function media(world: World, id: string): Json {
  const known = world.media.get(id);
  if (known === undefined)
    throw new GraphRefusal(400, 100, "Unsupported get request. Object with this ID does not exist");
  const sha256 = createHash("sha256").update(known.data).digest("hex");
  const url = `${world.url()}/files/${id}?until=${Date.now() + world.mediaUrlMs}`;
  return {
    messaging_product: "whatsapp",
    url,
    mime_type: known.mime,
    sha256,
    file_size: String(known.data.length),
    id,
  };
}

/** Bytes, until the address runs out. */
function file(world: World, url: URL, response: ServerResponse): undefined {
  const known = world.media.get(url.pathname.split("/")[2] ?? "");
  if (known === undefined || Number(url.searchParams.get("until")) < Date.now()) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { "content-type": known.mime, "content-length": known.data.length });
  response.end(known.data);
}

function number(world: World, url: URL): Json {
  const proof = url.searchParams.get("appsecret_proof");
  if (proof !== null && proof !== createHmac("sha256", world.appSecret).update(world.token).digest("hex"))
    throw new GraphRefusal(400, 100, "Invalid appsecret_proof provided in the API argument");
  return {
    id: world.phoneNumberId,
    display_phone_number: `+${world.number}`,
    verified_name: "Ascent Test",
    quality_rating: "GREEN",
  };
}
