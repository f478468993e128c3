import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import type { LookupFunction } from "node:net";
import { RetryableError, TerminalError } from "../../src/errors.ts";
import type { SafeRequest } from "../../src/fetch.ts";
import type { Target } from "./target.ts";

export interface Exchange {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/**
 * One request to one checked target, on a connection of its own: a pooled one would have been checked for an earlier request.
 * Compression is not offered, so that the bytes counted are the bytes received.
 */
export async function exchange(
  target: Target,
  request: SafeRequest,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Exchange> {
  const response = await send(target, request, signal);
  try {
    const body = maxBytes === 0 ? new Uint8Array() : await read(response, maxBytes, target.host);
    return { status: response.statusCode ?? 0, headers: headersOf(response), body };
  } finally {
    response.destroy();
  }
}

function send({ url, host, addresses }: Target, request: SafeRequest, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { request: open } = url.protocol === "https:" ? https : http;
    const outgoing = open(url, {
      method: request.method ?? "GET",
      headers: { "user-agent": "Ascent", "accept-encoding": "identity", ...request.headers },
      agent: false,
      lookup: pinned(addresses),
      maxHeaderSize: 16 * 1024,
      signal,
    });
    outgoing.once("response", resolve);
    outgoing.once("error", (error) => reject(new RetryableError(`no answer from "${host}"`, { cause: error })));
    outgoing.end(request.body);
  });
}

/** The look-up of the connection: the addresses that were checked, whatever the name resolves to by now. */
function pinned(addresses: Target["addresses"]): LookupFunction {
  return (_host, options, done) => {
    const [first] = addresses;
    if (options.all === true) done(null, [...addresses]);
    else done(null, first?.address ?? "", first?.family ?? 4);
  };
}

async function read(response: IncomingMessage, maxBytes: number, host: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > maxBytes) throw new TerminalError(`the answer of "${host}" is larger than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof TerminalError) throw error;
    throw new RetryableError(`the answer of "${host}" broke off`, { cause: error });
  }
  return Buffer.concat(chunks);
}

function headersOf(response: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(response.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  return headers;
}
