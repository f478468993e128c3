/** The JSON-RPC transport: the SDK's own, in both versions of the protocol. */
import { A2A_VERSION_HEADER } from "@a2a-js/sdk";
import { LegacyJsonRpcTransportHandler } from "@a2a-js/sdk/compat/v0_3/server";
import { RequestMalformedError } from "@a2a-js/sdk/errors";
import {
  JsonRpcTransportHandler,
  validateVersion,
  type A2ARequestHandler,
  type ServerCallContext,
} from "@a2a-js/sdk/server";
import type { Clock } from "../../src/ports.ts";
import { shownFailures } from "./handler.ts";
import { eventHeaders, eventStream } from "./sse.ts";

export interface Asked {
  readonly request: Request;
  readonly body: Record<string, unknown>;
  readonly context: ServerCallContext;
  /** The caller went away, or has all. */
  readonly gone: () => void;
}

/** Who names no version speaks 0.3. */
export const versionOf = (request: Request): string => request.headers.get(A2A_VERSION_HEADER) ?? "0.3";

export function createRpc(handler: A2ARequestHandler, clock: Clock) {
  const current = new JsonRpcTransportHandler(handler);
  const legacy = new LegacyJsonRpcTransportHandler(handler);

  return async function answer({ request, body, context, gone }: Asked): Promise<Response> {
    const version = versionOf(request);
    const isLegacy = version === "0.3";
    const errorOf = isLegacy
      ? LegacyJsonRpcTransportHandler.mapToLegacyJSONRPCError
      : JsonRpcTransportHandler.mapToJSONRPCError;
    const id = idOf(body);
    const failure = (error: unknown) => ({ jsonrpc: "2.0", id, error: errorOf(error) });
    try {
      validateVersion(version, await handler.getAgentCard(), "JSONRPC");
      // What the SDK reads of parameters it reads unchecked: a wrong form may throw anything.
      const result = await (isLegacy ? legacy : current).handle(body, context);
      if (!(Symbol.asyncIterator in result)) return Response.json(plain(result, errorOf));
      const events = result[Symbol.asyncIterator]();
      const first = await events.next();
      return new Response(eventStream(first, events, { clock, gone, failure }), { headers: eventHeaders });
    } catch (error) {
      gone();
      return Response.json(failure(error instanceof TypeError ? malformed() : error));
    }
  };
}

const malformed = () => new RequestMalformedError("The parameters do not have the form that the method takes.");

/** What the SDK's own reading of the parameters threw is told in its words, which are no caller's business. */
function plain<Result extends { error?: unknown }>(result: Result, errorOf: (error: unknown) => unknown): Result {
  const { code, message } = (result.error ?? {}) as { code?: number; message?: string };
  if (code !== internalError || shownFailures.includes(message ?? "")) return result;
  return { ...result, error: errorOf(malformed()) };
}
const internalError = -32603;

function idOf({ id }: Record<string, unknown>): string | number | null {
  return typeof id === "string" || typeof id === "number" ? id : null;
}
