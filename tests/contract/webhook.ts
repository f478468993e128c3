/** Webhooks for the channel contract: a system that posts signed messages and receives signed answers at its own address. */
import type { ServerResponse } from "node:http";
import { Webhook } from "standardwebhooks";
import { createSafeFetch } from "../../adapters/fetch/index.ts";
import { createCalls } from "../../channels/webhook/calls.ts";
import { webhook } from "../../channels/webhook/index.ts";
import { webhookSettings } from "../../channels/webhook/settings.ts";
import { eventOf, parseBody } from "../../channels/webhook/parse.ts";
import { InputError } from "../../src/errors.ts";
import { conversationId } from "../../src/ids.ts";
import { plainText } from "../../src/markdown.ts";
import { listen, readBody } from "../fakes/http.ts";
import { replay, type ChannelContract, type Platform, type Refusal, type Running, type Shown } from "./channel.ts";
import { outbox, type Outbox } from "./web-outbox.ts";

interface WebhookPayload {
  readonly id: string;
  readonly body: unknown;
}

const secret = `whsec_${Buffer.from("a secret of the contract's tests").toString("base64")}`;
const signer = new Webhook(secret);
const person = "crm:alice@example.org";
const maxText = 100_000;

/** Every reading is at another time: nothing of it may get into an id. */
let time = 1_795_430_000_000;
export const read: ChannelContract["read"] = (payload, account) => {
  const { id, body } = payload as WebhookPayload;
  try {
    return [eventOf(account, id, parseBody(id, JSON.stringify(body), maxText), (time += 1_000))];
  } catch (error) {
    // Refused with 400: the sender is told, and nothing comes in.
    if (error instanceof InputError) return [];
    throw error;
  }
};

export const hostile: ChannelContract["hostile"] = ({ chat, user }) => ({
  id: "msg_1",
  body: { conversation: chat, participant: user, text: "x" },
});

export interface WebhookPlatform extends Platform {
  readonly box: Outbox;
  post(body: object): { id: string };
}

/** A request that this system signed, or that lacks what `wrong` says. */
function signed(payload: WebhookPayload, wrong: Readonly<Record<string, string | null>> = {}, at = new Date()) {
  const body = typeof payload.body === "string" ? payload.body : JSON.stringify(payload.body);
  const headers = new Headers({
    "content-type": "application/json",
    "webhook-id": payload.id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
    "webhook-signature": signer.sign(payload.id, at, body),
  });
  for (const [name, value] of Object.entries(wrong)) {
    if (value === null) headers.delete(name);
    else headers.set(name, value);
  }
  return new Request("http://127.0.0.1/webhooks/in", { method: "POST", headers, body });
}

export async function makeWebhook(): Promise<WebhookPlatform> {
  const got: Shown[] = [];
  const refusals: Refusal[] = [];
  const receiver = await listen((request, response) => {
    void readBody(request).then((raw) => {
      const refusal = refusals.shift();
      if (refusal !== undefined) return faults[refusal](response);
      // Throws, and with it fails the run, where the signature does not hold.
      const answer = signer.verify(String(raw), request.headers as Record<string, string>) as Answer;
      got.push(shownOf(String(request.headers["webhook-id"]), answer));
      return response.writeHead(204).end();
    });
  });
  let channel: Running["channel"] | undefined;
  let ids = 0;
  const box = outbox(async (body, id) => {
    const answered = await channel?.handle?.(signed({ id, body }));
    if (answered === undefined) throw new Error("nobody listens");
    return answered;
  });
  const post = (body: object) => {
    const id = `msg_${++ids}`;
    box.add(id, { conversation: "main", participant: person, callbackUrl: receiver.url, ...body });
    return { id };
  };

  return {
    box,
    post,
    secrets: [secret, secret.slice("whsec_".length)],
    chat: person,
    group: "room 5",
    async start(deps) {
      const settings = webhookSettings.parse({ secret, textLength: maxText });
      const made = webhook(settings, deps, createSafeFetch({ allowHosts: ["127.0.0.1"] }));
      // As after an earlier message with a callback: the conversation knows where its answers go.
      await createCalls(deps).setTarget(conversationId(deps, person), receiver.url);
      channel = made;
      box.resume();
      return {
        channel: made,
        async stop() {
          await box.pause();
          channel = undefined;
        },
      };
    },
    says: async (text) => post({ text }),
    redelivers: async ({ id }) => box.again(id),
    acknowledged: async ({ id }) => box.accepted(id),
    shown: async () => got,
    signs: async () => ({ typing: 0, previews: [] }),
    refuses: async (how) => void refusals.push(how),
    requests: {
      genuine: (payload) => signed(isPayload(payload) ? payload : { id: "msg_garbage", body: payload }),
      forged: (payload) => forged(payload as WebhookPayload),
    },
    async close() {
      await box.pause();
      await receiver.close();
    },
  };
}

function isPayload(payload: unknown): payload is WebhookPayload {
  return typeof payload === "object" && payload !== null && "body" in payload;
}

function forged(payload: WebhookPayload): Readonly<Record<string, Request>> {
  const genuine = signed(payload);
  const signature = genuine.headers.get("webhook-signature") ?? "";
  const other = new Webhook(Buffer.from("another secret, just as long as it").toString("base64"));
  const body = JSON.stringify(payload.body);
  const late = (ms: number) => new Date(Date.now() + ms);
  return {
    missing: signed(payload, { "webhook-signature": null }),
    empty: signed(payload, { "webhook-signature": "" }),
    "of another secret": signed(payload, { "webhook-signature": other.sign(payload.id, new Date(), body) }),
    "cut off": signed(payload, { "webhook-signature": signature.slice(0, -2) }),
    "without an id": signed(payload, { "webhook-id": null }),
    "of another id": signed(payload, { "webhook-id": "msg_other" }),
    "without a time": signed(payload, { "webhook-timestamp": null }),
    "of ten minutes ago": signed(payload, {}, late(-600_000)),
    "of ten minutes ahead": signed(payload, {}, late(600_000)),
    "of a body that was altered since": new Request(genuine.url, {
      method: "POST",
      headers: genuine.headers,
      body: `${body} `,
    }),
  };
}

const faults: Readonly<Record<Refusal, (response: ServerResponse) => unknown>> = {
  rate: (response) => response.writeHead(429, { "retry-after": "7" }).end(),
  outage: (response) => response.writeHead(502).end(),
  "hang up": (response) => response.destroy(),
  gone: (response) => response.writeHead(410).end(),
};

interface Answer {
  readonly answer: {
    readonly text: string;
    readonly parts: readonly (
      | { readonly kind: "text"; readonly text: string }
      | { readonly kind: "location"; readonly latitude: number; readonly longitude: number }
    )[];
  };
}

function shownOf(id: string, { answer }: Answer): Shown {
  const place = answer.parts.find((part) => part.kind === "location");
  return {
    id,
    text: plainText(answer.text),
    buttons: [],
    ...(place?.kind === "location" && { location: { latitude: place.latitude, longitude: place.longitude } }),
  };
}

const genuine = replay("webhook");

/** What the suite is told; the channel's own tests are where a deviation says "below". */
export const contracts: readonly ChannelContract[] = [
  {
    name: "webhook",
    channel: "webhook",
    make: makeWebhook,
    genuine,
    read,
    hostile,
    deviations: {
      "reports delivery": "the receiver has the answer when it answers 2xx",
      "that nobody can read is set aside visibly and blocks nothing":
        "the sender is told with 400 and nothing was acknowledged: below",
      "and can never be accepted is set aside visibly and blocks nothing":
        "the sender is told with 422 and nothing was acknowledged: below",
      "can be a file, whose bytes can be fetched and are bounded":
        "attachments are public addresses, which the core's guarded fetch reads: below",
      "has buttons whose press comes back with the same id":
        "another system presses no buttons: it gets a numbered list",
    },
  },
];
