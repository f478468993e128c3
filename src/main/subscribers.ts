/** Those who subscribed to the gateway's webhooks, as the configuration names them. */
import { createKeys } from "../../channels/webhook/verify.ts";
import { reasonOf } from "../errors.ts";
import { retryAfterOf, type SafeFetch } from "../fetch.ts";
import type { Clock } from "../ports.ts";
import { AttemptError, subscriberKey, type Subscriber } from "../subscriptions.ts";
import type { Config } from "./config.ts";

const timeoutMs = 15_000;

export function subscribersOf({ webhooks }: Config, safeFetch: SafeFetch, clock: Clock): readonly Subscriber[] {
  return webhooks.subscribers.map(({ url, secret, events, accounts }) => {
    const keys = createKeys(secret, `The secret of ${new URL(url).host}`);
    return {
      key: subscriberKey(url),
      // Addresses of receivers hold tokens, in the path too.
      name: new URL(url).host,
      events,
      accounts,
      async send(webhookId, body) {
        const headers = { "content-type": "application/json", ...keys.sign(webhookId, body, clock.now()) };
        const request = { method: "POST", headers, body, timeoutMs, maxBytes: 0 } as const;
        const response = await safeFetch(url, request).catch((error: unknown) => {
          throw new AttemptError(reasonOf(error));
        });
        return taken(response, clock.now());
      },
    };
  });
}

function taken({ status, headers }: { status: number; headers: Headers }, nowMs: number): { readonly status: number } {
  if (status >= 200 && status < 300) return { status };
  if (status === 410) throw new AttemptError("it wants no more", { status, final: true });
  throw new AttemptError("it was not taken", { status, retryAfterMs: retryAfterOf(headers, nowMs) });
}
