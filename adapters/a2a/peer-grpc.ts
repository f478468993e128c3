/** A peer by gRPC: the SDK's messages on a channel of our own, whose bounds its transport would not let us set. Loaded where a card wants it. */
import { Client, credentials, Metadata, status, type MethodDefinition, type ServiceError } from "@grpc/grpc-js";
import { fromGrpcError } from "@a2a-js/sdk/errors/grpc";
import { A2AService } from "@a2a-js/sdk/server/grpc";
import type { RequestOptions } from "@a2a-js/sdk/client";
import { TerminalError } from "../../src/errors.ts";
import { NotReachedError } from "./peer-errors.ts";
import type { PeerCalls } from "./peer-calls.ts";

export interface GrpcPeer {
  readonly peer: string;
  /** An origin: "https://…" is spoken to by TLS, "http://…" is not. */
  readonly origin: string;
  /** As its card says. */
  readonly tenant: string;
  /** Of one answer. */
  readonly mostBytes: number;
}

/** A connection that is not there by then is none. Nothing was sent before. */
const connectMs = 3_000;
const idleMs = 60_000;
const keepalive = { everyMs: 60_000, silentMs: 20_000 };

export function grpcCalls({ peer, origin, tenant, mostBytes }: GrpcPeer): PeerCalls {
  const { protocol, hostname, port } = new URL(origin);
  const isSecure = protocol === "https:";
  const target = `dns:${hostname}:${port === "" ? (isSecure ? 443 : 80) : port}`;
  const client = new Client(target, isSecure ? credentials.createSsl() : credentials.createInsecure(), {
    "grpc.max_receive_message_length": mostBytes,
    "grpc.client_idle_timeout_ms": idleMs,
    "grpc.keepalive_time_ms": keepalive.everyMs,
    "grpc.keepalive_timeout_ms": keepalive.silentMs,
    // What is not known to be done is asked again by who knows how.
    "grpc.enable_retries": 0,
  });

  const connected = () =>
    new Promise<void>((resolve, reject) => {
      client.waitForReady(Date.now() + connectMs, (error) => {
        if (error === undefined || error === null) resolve();
        else reject(new NotReachedError(`agent "${peer}" was not reached by gRPC`, { cause: error }));
      });
    });

  function failure(error: ServiceError): Error {
    const { code, details, metadata } = error;
    if (code === status.UNAUTHENTICATED || code === status.PERMISSION_DENIED)
      return new TerminalError(`agent "${peer}" does not take the key (gRPC ${status[code]})`);
    if (code === status.RESOURCE_EXHAUSTED && details.startsWith("Received message larger"))
      return new TerminalError(`agent "${peer}" says more than ${mostBytes} bytes at once`);
    // Whoever answered there does not know the protocol: the protocol's own refusals carry their reason.
    if (code === status.UNIMPLEMENTED && metadata.get("grpc-status-details-bin").length === 0)
      return new NotReachedError(`agent "${peer}" is not served by gRPC where its card says`);
    return fromGrpcError(error);
  }

  async function unary<Request, Response>(
    { path, requestSerialize, responseDeserialize }: MethodDefinition<Request, Response>,
    asked: Request,
    options: RequestOptions = {},
  ): Promise<Response> {
    options.signal?.throwIfAborted();
    await connected();
    return new Promise((resolve, reject) => {
      const call = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        asked,
        metadataOf(options),
        (error, answer) => {
          options.signal?.removeEventListener("abort", cancel);
          if (error !== null) reject(failure(error));
          else if (answer === undefined) reject(new Error("no answer and no error"));
          else resolve(answer);
        },
      );
      const cancel = () => call.cancel();
      if (options.signal?.aborted === true) cancel();
      options.signal?.addEventListener("abort", cancel, { once: true });
    });
  }

  return {
    isLegacy: false,
    async sendMessage(params, options) {
      const { payload } = await unary(A2AService.sendMessage, { ...params, tenant }, options);
      if (payload === undefined) throw new Error("an answer without a task or a message");
      return payload.value;
    },
    getTask: (params, options) => unary(A2AService.getTask, { ...params, tenant }, options),
    listTasks: (params, options) => unary(A2AService.listTasks, { ...params, tenant }, options),
    cancelTask: (params, options) => unary(A2AService.cancelTask, { ...params, tenant }, options),
    async *resubscribeTask(params, options = {}) {
      const { path, requestSerialize, responseDeserialize } = A2AService.subscribeToTask;
      await connected();
      const asked = { ...params, tenant };
      const call = client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        asked,
        metadataOf(options),
      );
      const cancel = () => call.cancel();
      if (options.signal?.aborted === true) cancel();
      options.signal?.addEventListener("abort", cancel, { once: true });
      try {
        yield* call;
      } catch (error) {
        throw isServiceError(error) ? failure(error) : error;
      } finally {
        options.signal?.removeEventListener("abort", cancel);
        call.cancel();
      }
    },
    close: () => client.close(),
  };
}

function metadataOf({ serviceParameters }: RequestOptions): Metadata {
  const metadata = new Metadata();
  metadata.set("a2a-version", "1.0");
  for (const [name, value] of Object.entries(serviceParameters ?? {})) metadata.set(name, String(value));
  return metadata;
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "metadata" in error && "details" in error;
}
