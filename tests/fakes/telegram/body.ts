import type { IncomingMessage } from "node:http";
import { readBody } from "../http.ts";
import { boundaryOf, multipartParser, type Upload } from "../multipart.ts";
import { isObject } from "./params.ts";
import { ApiError, badRequest, type Params } from "./types.ts";

/** Upload limit of the public Bot API server ("Sending files"). */
const MAX_BODY = 50 * 1024 * 1024;
const NO_FILES: ReadonlyMap<string, Upload> = new Map();

export interface Body {
  readonly params: Params;
  readonly files: ReadonlyMap<string, Upload>;
}

/** The parameters of a call, from its query and its body in any of the four encodings ("Making requests"). */
export async function readParams(request: IncomingMessage): Promise<Body | ApiError | "closed"> {
  const type = request.headers["content-type"] ?? "";
  const query = request.url?.split("?")[1];
  const params: Params = query === undefined ? {} : Object.fromEntries(new URLSearchParams(query));
  if (type.startsWith("multipart/form-data")) return multipartBody(request, type, params);
  const body = await readBody(request, MAX_BODY);
  if (body === "closed") return body;
  if (body === "too large") return new ApiError(413, "Request Entity Too Large");
  if (body.length === 0) return { params, files: NO_FILES };
  if (type.startsWith("application/x-www-form-urlencoded")) {
    return { params: { ...params, ...Object.fromEntries(new URLSearchParams(body.toString())) }, files: NO_FILES };
  }
  const parsed = parseJson(body.toString());
  return parsed === undefined
    ? badRequest("can't parse JSON object")
    : { params: { ...params, ...parsed }, files: NO_FILES };
}

async function multipartBody(
  request: IncomingMessage,
  type: string,
  params: Params,
): Promise<Body | ApiError | "closed"> {
  const parser = multipartParser(boundaryOf(type) ?? "");
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size <= MAX_BODY) parser.push(chunk);
    }
  } catch {
    return "closed"; // the caller went away in the middle of its upload
  }
  if (size > MAX_BODY) return new ApiError(413, "Request Entity Too Large");
  const parsed = parser.end();
  return parsed === undefined
    ? badRequest("can't parse multipart body")
    : { files: parsed.files, params: { ...params, ...parsed.fields } };
}

/** A JSON object, or undefined for anything else. */
export function parseJson(body: string): Params | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined; // answered with 400 by the caller
  }
}
