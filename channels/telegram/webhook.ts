/** Updates that Telegram posts: verified, durable, then acknowledged by the response. */
import type { Update } from "grammy/types";
import type { ChannelDeps, HttpHandler } from "../../src/channel.ts";
import { InfrastructureError, reasonOf, RetryableError, TerminalError } from "../../src/errors.ts";
import type { Intake } from "./intake.ts";
import { verify } from "./verify.ts";

/** An update is small: files are named, not contained. */
const longestUpdate = 1024 * 1024;

export interface WebhookParts {
  readonly intake: Intake;
  readonly secret: string;
  readonly stopping: () => boolean;
}

export interface Webhook extends HttpHandler {
  /** Resolves when no update is being handed over. */
  idle(): Promise<void>;
}

export function createWebhook(deps: ChannelDeps, { intake, secret, stopping }: WebhookParts): Webhook {
  const { channel, account, log } = deps;
  const running = new Set<Promise<unknown>>();

  async function answer(request: Request): Promise<Response> {
    if (request.method !== "POST") return new Response(null, { status: 405, headers: { allow: "POST" } });
    if (!verify(request.headers, secret)) return new Response(null, { status: 401 });
    if (stopping()) return comeBack(1_000);
    if (Number(request.headers.get("content-length") ?? 0) > longestUpdate) return new Response(null, { status: 413 });
    const update = readUpdate(await request.text());
    if (update === undefined) {
      log.error({ channel, account }, "telegram: a request with the right secret carries no update; refused");
      return new Response(null, { status: 400 });
    }
    try {
      await intake.accept([update]);
      return new Response(null, { status: 200 });
    } catch (error) {
      log.warn(
        { channel, account, updateId: update.update_id, reason: reasonOf(error) },
        "telegram: update not accepted",
      );
      if (!(error instanceof RetryableError || error instanceof TerminalError))
        return new Response(null, { status: 500 });
      return comeBack(error instanceof InfrastructureError ? error.retryAfterMs : undefined);
    }
  }

  const path = account === "main" ? "/webhooks/telegram" : `/webhooks/telegram/${encodeURIComponent(account)}`;
  return {
    paths: [path],
    handle(request) {
      const answered = answer(request);
      running.add(answered);
      return answered.finally(() => running.delete(answered));
    },
    idle: async () => void (await Promise.allSettled(running)),
  };
}

function comeBack(afterMs = 2_000): Response {
  return new Response(null, {
    status: 503,
    headers: { "retry-after": String(Math.max(1, Math.ceil(afterMs / 1_000))) },
  });
}

function readUpdate(body: string): Update | undefined {
  try {
    const value: unknown = JSON.parse(body);
    const is =
      typeof value === "object" && value !== null && "update_id" in value && Number.isSafeInteger(value.update_id);
    return is ? (value as Update) : undefined;
  } catch {
    return undefined; // no JSON: the caller logs and refuses it
  }
}
