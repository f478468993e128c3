/** Interactions that Discord posts: verified, durable, then acknowledged by the response. */
import type { ChannelDeps, HttpHandler } from "../../src/channel.ts";
import { InfrastructureError, reasonOf, RetryableError } from "../../src/errors.ts";
import { immediate, responseTo } from "./callbacks.ts";
import type { Intake } from "./intake.ts";
import { isInteraction } from "./interaction.ts";
import type { Tokens } from "./tokens.ts";
import { publicKeyOf, verify } from "./verify.ts";

/** An interaction is small: files are named, not contained. */
const longestBody = 1024 * 1024;

export interface WebhookParts {
  readonly intake: Intake;
  readonly tokens: Tokens;
  readonly publicKey: string;
  readonly stopping: () => boolean;
}

export function createWebhook(deps: ChannelDeps, { intake, tokens, publicKey, stopping }: WebhookParts): HttpHandler {
  const { channel, account, log, clock } = deps;
  const key = publicKeyOf(publicKey);

  async function handle(request: Request): Promise<Response> {
    if (request.method !== "POST") return new Response(null, { status: 405, headers: { allow: "POST" } });
    if (Number(request.headers.get("content-length") ?? 0) > longestBody) return new Response(null, { status: 413 });
    const body = await readAtMost(request, longestBody);
    if (body === undefined) return new Response(null, { status: 413 });
    if (!verify(request.headers, body, key, clock.now())) return new Response(null, { status: 401 });
    const interaction = readJson(body);
    if (!isInteraction(interaction)) {
      log.error({ channel, account }, "discord: a request with the right signature is no interaction; refused");
      return new Response(null, { status: 400 });
    }
    const now = immediate(interaction);
    if (now !== undefined) return Response.json(now);
    if (stopping()) return comeBack(1_000);
    try {
      await tokens.keep(interaction);
      await intake.accept([{ t: "INTERACTION_CREATE", s: null, d: interaction, session: "webhook" }], 0);
      return Response.json(responseTo(interaction, intake));
    } catch (error) {
      log.warn({ channel, account, reason: reasonOf(error) }, "discord: an interaction was not accepted");
      if (!(error instanceof RetryableError)) return new Response(null, { status: 500 });
      return comeBack(error instanceof InfrastructureError ? error.retryAfterMs : undefined);
    }
  }

  const path = account === "main" ? "/webhooks/discord" : `/webhooks/discord/${encodeURIComponent(account)}`;
  return { paths: [path], handle };
}

/** Undefined where there is more. */
async function readAtMost(request: Request, most: number): Promise<Buffer | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > most) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function readJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined; // no JSON: the caller refuses it
  }
}

function comeBack(afterMs = 2_000): Response {
  const seconds = Math.max(1, Math.ceil(afterMs / 1_000));
  return new Response(null, { status: 503, headers: { "retry-after": String(seconds) } });
}
