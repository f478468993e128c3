/** A platform that posts each message, signed, and takes answers the same way: text only, in direct chats. */
import type { Channel, ChannelDeps, HttpHandler } from "../../src/channel.ts";
import { InputError, InfrastructureError, reasonOf, TerminalError } from "../../src/errors.ts";
import { dialect } from "./format.ts";
import { parse } from "./parse.ts";
import { createSend } from "./send.ts";
import type { SampleSettings } from "./settings.ts";
import { verify } from "./verify.ts";

export function sample(settings: SampleSettings, deps: ChannelDeps): Channel & HttpHandler {
  const { tenant, channel, account, inbound, clock, log } = deps;

  async function take(request: Request): Promise<Response> {
    const body = await request.bytes();
    if (!verify(request.headers, body, settings.secret)) return new Response(null, { status: 401 });
    await inbound.accept(parse(deps, body, clock.now()));
    return new Response(null, { status: 200 });
  }

  /** The platform posts it again after a 5xx, and after a 4xx tells its operator. */
  function refuse(error: unknown): Response {
    log.warn({ channel, account, reason: reasonOf(error) }, "sample: not accepted");
    if (error instanceof InputError) return new Response(null, { status: error.status });
    if (error instanceof TerminalError) return new Response(null, { status: 422 });
    const ms = error instanceof InfrastructureError ? error.retryAfterMs : undefined;
    const headers = { "retry-after": String(Math.max(1, Math.ceil((ms ?? 1_000) / 1_000))) };
    return new Response(null, { status: 503, headers });
  }

  return {
    tenant,
    channel,
    account,
    traits: {
      order: "arrival",
      text: { max: 1_000 },
      caption: { max: 0 },
      media: {},
      location: false,
      replies: false,
      receipts: false,
      idempotentMs: 86_400_000,
    },
    dialect,
    send: createSend(settings),
    paths: [account === "main" ? "/webhooks/sample" : `/webhooks/sample/${account}`],
    async handle(request) {
      if (request.method !== "POST") return new Response(null, { status: 405, headers: { allow: "POST" } });
      return take(request).catch(refuse);
    },
  };
}
