/** Those who subscribed to the gateway's webhooks, as the configuration names them. */
import { reasonOf, TerminalError } from "../errors.ts";
import { retryAfterOf, type SafeFetch } from "../fetch.ts";
import type { Bindings, Clock } from "../ports.ts";
import { AttemptError, subscriberKey, type Subscriber } from "../subscriptions.ts";
import type { Config } from "./config.ts";

export interface Ways {
  readonly safeFetch: SafeFetch;
  readonly clock: Clock;
  readonly bindings: Bindings | undefined;
}
type Webhooks = Config["webhooks"];

const timeoutMs = 15_000;

export function subscribersOf({ webhooks }: Config, ways: Ways): readonly Subscriber[] {
  return [
    ...webhooks.subscribers.map((given) => byUrl(given, ways)),
    ...webhooks.bindings.map((given) => byBinding(given, ways)),
    ...webhooks.topics.map((given) => byTopic(given, ways)),
  ];
}

function byUrl(
  { url, secret, events, accounts }: Webhooks["subscribers"][number],
  { safeFetch, clock }: Ways,
): Subscriber {
  // Addresses of receivers hold tokens, in the path too.
  const { host: name } = new URL(url);
  return {
    key: subscriberKey(url),
    name,
    events,
    accounts,
    async send(webhookId, body) {
      const { createKeys } = await import("../../channels/webhook/verify.ts");
      const signed = createKeys(secret).sign(webhookId, body, clock.now());
      const headers = { "content-type": "application/json", ...signed };
      const request = { method: "POST", headers, body, timeoutMs, maxBytes: 0 } as const;
      const response = await safeFetch(url, request).catch((error: unknown) => {
        throw new AttemptError(reasonOf(error));
      });
      const { status } = response;
      if (status >= 200 && status < 300) return { status };
      if (status === 410) throw new AttemptError("it wants no more", { status, final: true });
      const retryAfterMs = retryAfterOf(response.headers, clock.now());
      throw new AttemptError("it was not taken", { status, retryAfterMs });
    },
  };
}

/** The component gets the event with its id in it: it has no headers. */
function byBinding(
  { name, operation, metadata, events, accounts }: Webhooks["bindings"][number],
  { bindings }: Ways,
): Subscriber {
  return {
    key: subscriberKey(`binding:${name}`),
    name: `binding ${name}`,
    events,
    accounts,
    async send(webhookId, body) {
      const data = { id: webhookId, ...(JSON.parse(body) as object) };
      return attempted(bindings?.send(name, operation, data, metadata));
    },
  };
}

function byTopic({ pubsub, topic, events, accounts }: Webhooks["topics"][number], { bindings }: Ways): Subscriber {
  return {
    key: subscriberKey(`topic:${pubsub}/${topic ?? ""}`),
    name: `topic ${topic ?? "by event"} of ${pubsub}`,
    events,
    accounts,
    async send(id, body) {
      const { type, ...data } = JSON.parse(body) as { type: string };
      return attempted(bindings?.publish(pubsub, topic ?? type, { id, type, data }));
    },
  };
}

async function attempted(work: Promise<void> | undefined): Promise<object> {
  try {
    await work;
    return {};
  } catch (error) {
    throw new AttemptError(reasonOf(error), error instanceof TerminalError ? { final: true } : {});
  }
}
