/**
 * The agents by gRPC, protocol 1.0, on a port of its own: the SDK's service, a call at a time, before the handlers that serve the other
 * transports too. Who calls is known before anything of the message is taken; the request's tenant says which agent is meant.
 *
 * Without TLS, as the HTTP server is: what ends TLS stands before it.
 *
 * @see https://a2a-protocol.org/v1.0/specification#10-grpc-protocol-binding
 */
import { HTTP_EXTENSION_HEADER, type StreamResponse } from "@a2a-js/sdk";
import type { A2ARequestHandler } from "@a2a-js/sdk/server";
import { A2AService, grpcService, UserBuilder } from "@a2a-js/sdk/server/grpc";
import {
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  status,
  type Metadata,
  type sendUnaryData,
  type ServerInterceptor,
  type ServerUnaryCall,
  type ServerWritableStream,
} from "@grpc/grpc-js";
import { once } from "node:events";
import { isTooDeep } from "./body.ts";
import { contextOf } from "./context.ts";
import type { Door } from "./server.ts";

export interface GrpcOptions {
  readonly door: Door;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Of the agents' HTTP addresses, for their cards. */
  readonly origin: string;
  /** Of one message, also when it is unpacked. */
  readonly messageBytes: number;
}

export interface GrpcServer {
  readonly port: number;
  /** Takes no new calls, ends streams, and waits for what runs; what still does after `graceMs` is broken off. */
  drain(graceMs: number): Promise<void>;
}

/** Calls that one connection may have open: many people may be behind one. */
const mostCalls = 1_000;
const idleMs = 300_000;
const keepalive = { everyMs: 60_000, silentMs: 20_000 };
/** Who names no version speaks the one that the service's name has. */
const version = "1.0";

interface Asked {
  readonly tenant: string;
}
type Call = ServerUnaryCall<Asked, unknown> | ServerWritableStream<Asked, unknown>;
type Operation = (call: Call, callback?: sendUnaryData<unknown>) => Promise<void>;

/** @throws Error that says what to do when the address cannot be had. */
export async function openGrpc(options: GrpcOptions): Promise<GrpcServer> {
  const { door, origin } = options;
  const stopping = new AbortController();
  const server = new Server({
    "grpc.max_receive_message_length": options.messageBytes,
    "grpc.max_concurrent_streams": mostCalls,
    "grpc.max_connection_idle_ms": idleMs,
    "grpc.keepalive_time_ms": keepalive.everyMs,
    "grpc.keepalive_timeout_ms": keepalive.silentMs,
    interceptors: [authenticating(door)],
  });

  function serve(name: keyof typeof A2AService, call: Call, callback?: sendUnaryData<unknown>): void {
    const refuse = (code: status, details: string): void => {
      if (callback === undefined) call.emit("error", { code, details });
      else callback({ code, details });
    };
    const caller = door.callerOf(headersOf(call.metadata));
    if (caller === undefined) return refuse(status.UNAUTHENTICATED, noKey);
    const handler = door.handlerOf(call.request.tenant, origin);
    if (handler === undefined) return refuse(status.NOT_FOUND, noAgent);
    if (isTooDeep(call.request)) return refuse(status.INVALID_ARGUMENT, "The message is nested too deeply.");
    const gone = new AbortController();
    call.on("cancelled", () => gone.abort());
    const signal = AbortSignal.any([gone.signal, stopping.signal]);
    const service = grpcService({
      requestHandler: callback === undefined ? paced(handler, call as ServerWritableStream<Asked, unknown>) : handler,
      userBuilder: UserBuilder.noAuthentication,
      contextBuilder: ({ requestedVersion = version }) =>
        contextOf({
          caller,
          signal,
          extensions: headersOf(call.metadata).get(HTTP_EXTENSION_HEADER) ?? "",
          version: requestedVersion,
        }),
    });
    void (service[name] as unknown as Operation)(call, callback);
  }

  const names = Object.keys(A2AService) as (keyof typeof A2AService)[];
  server.addService(
    A2AService,
    Object.fromEntries(
      names.map((name) => [name, (call: Call, callback?: sendUnaryData<unknown>) => serve(name, call, callback)]),
    ),
  );
  const port = await bound(server, options);

  return {
    port,
    async drain(graceMs) {
      stopping.abort();
      const ended = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      const late = setTimeout(() => server.forceShutdown(), graceMs);
      await ended;
      clearTimeout(late);
    },
  };
}

const noKey = 'The key is missing or wrong: send it in the metadata, as "authorization: Bearer <key>".';
const noAgent = "There is no such agent: the request's tenant names it, as the agent's card says.";

/** Refuses before the message comes in. */
function authenticating(door: Door): ServerInterceptor {
  return (_method, call) =>
    new ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMetadata(metadata, go) {
            if (door.callerOf(headersOf(metadata)) !== undefined) return go(metadata);
            call.sendStatus({ code: status.UNAUTHENTICATED, details: noKey });
          },
        });
      },
    });
}

const read = ["authorization", "x-api-key", "x-ascent-caller", "x-ascent-for", HTTP_EXTENSION_HEADER.toLowerCase()];

function headersOf(metadata: Metadata): Headers {
  const headers = new Headers();
  for (const name of read) for (const value of metadata.get(name)) headers.append(name, String(value));
  return headers;
}

/** Who reads slowly is told no faster: what is not written yet waits where it is made. */
function paced(handler: A2ARequestHandler, call: ServerWritableStream<Asked, unknown>): A2ARequestHandler {
  async function* slowly(events: AsyncGenerator<StreamResponse, void, undefined>) {
    for await (const event of events) {
      yield event;
      if (call.writableNeedDrain && !call.cancelled) await Promise.race([once(call, "drain"), once(call, "cancelled")]);
    }
  }
  return {
    ...handler,
    sendMessageStream: (params, context) => slowly(handler.sendMessageStream(params, context)),
    resubscribe: (params, context) => slowly(handler.resubscribe(params, context)),
  };
}

function bound(server: Server, { host, port }: GrpcOptions): Promise<number> {
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, taken) => {
      if (error === null) return resolve(taken);
      const what = `${address} cannot be had: stop what uses it, or set ASCENT_A2A_GRPC_PORT to another port`;
      reject(new Error(`The gRPC server cannot listen: ${what}.`, { cause: error }));
    });
  });
}
