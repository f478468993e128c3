/** The listener by which replicas on Dapr ask the one that holds a channel's socket. */
import { createHash, timingSafeEqual } from "node:crypto";
import { networkInterfaces } from "node:os";
import { createServer } from "../../adapters/http/index.ts";
import { sendDeadlineMs } from "../delivery.ts";
import type { HeldChannel } from "../holder.ts";
import type { Log } from "../ports.ts";
import type { Config } from "./config.ts";

export interface Replicas {
  /** @returns the address that the others reach. @throws Error that says what to do where it cannot be had. */
  listen(): Promise<string>;
  close(): Promise<void>;
}

/** From the secret that all replicas sign with. */
export function replicaToken(secret: string): string {
  return createHash("sha256").update(`${secret}:replicas`).digest("base64url");
}

export function createReplicas(
  { replicaHost, replicaPort }: Config["dapr"],
  { held, token, log }: { readonly held: readonly HeldChannel[]; readonly token: string; readonly log: Log },
): Replicas {
  const wanted = createHash("sha256").update(`Bearer ${token}`).digest();
  const server = createServer({
    host: replicaHost ?? ownAddress(),
    port: replicaPort,
    log,
    health: () => undefined,
    // Nothing moves on a connection while a long upload goes on behind it.
    limits: { silenceMs: sendDeadlineMs.media + 60_000 },
    channels: held.map(({ path, answer }) => ({
      paths: [path],
      async handle(request) {
        const given = createHash("sha256")
          .update(request.headers.get("authorization") ?? "")
          .digest();
        if (!timingSafeEqual(given, wanted)) return new Response(null, { status: 401 });
        return request.method === "POST" ? answer(request) : new Response(null, { status: 405 });
      },
    })),
  });
  return {
    async listen() {
      return (await server.listen()).url;
    },
    close: () => server.drain(1_000),
  };
}

/** Of this machine or pod in its network; loopback where it has none. */
function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((of) => of ?? []);
  const outside = all.filter(({ internal, address }) => !internal && !address.startsWith("fe80:"));
  return (outside.find(({ family }) => family === "IPv4") ?? outside[0])?.address ?? "127.0.0.1";
}
