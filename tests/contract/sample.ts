/** The sample channel's platform: it posts what people write until that is accepted, and shows what it is sent, once per key. */
import type { ServerResponse } from "node:http";
import { sign, signatureHeader } from "../sample-channel/verify.ts";
import { listen, readBody } from "../fakes/http.ts";
import type { Refusal, Shown } from "./channel.ts";
import { outbox, type Outbox } from "./web-outbox.ts";

export const secret = "a-secret-of-the-sample-channel";

export interface SamplePlatform {
  /** What SAMPLE_URL takes. */
  readonly url: string;
  readonly box: Outbox;
  readonly shown: readonly Shown[];
  readonly refusals: Refusal[];
  /** @returns the message's id. */
  says(text: string): string;
  close(): Promise<void>;
}

/** @param post takes a message to the gateway. */
export async function startSamplePlatform(post: (request: Request) => Promise<Response>): Promise<SamplePlatform> {
  const shown: Shown[] = [];
  const refusals: Refusal[] = [];
  let ids = 0;
  const server = await listen((request, response) => {
    void readBody(request).then((raw) => {
      const refusal = refusals.shift();
      if (refusal !== undefined) return faults[refusal](response);
      if (typeof raw === "string" || request.headers[signatureHeader] !== sign(raw, secret))
        return response.writeHead(401).end();
      const { key, text } = JSON.parse(String(raw)) as { key: string; text: string };
      if (!shown.some(({ id }) => id === key)) shown.push({ id: key, text, buttons: [] });
      return response.writeHead(200).end();
    });
  });
  const box = outbox((body) => post(signed(body)));
  return {
    url: server.url,
    box,
    shown,
    refusals,
    says(text) {
      const id = String(++ids);
      box.add(id, { id, chat: "c1", from: { id: "ann" }, text });
      return id;
    },
    async close() {
      await box.pause();
      await server.close();
    },
  };
}

/** A message as the platform posts it, or with another signature; null: with none. */
export function signed(payload: unknown, signature?: string | null): Request {
  const body = JSON.stringify(payload);
  const headers = new Headers({ "content-type": "application/json" });
  if (signature !== null) headers.set(signatureHeader, signature ?? sign(body, secret));
  return new Request("http://127.0.0.1/webhooks/sample", { method: "POST", headers, body });
}

const faults: Readonly<Record<Refusal, (response: ServerResponse) => unknown>> = {
  rate: (response) => response.writeHead(429, { "retry-after": "7" }).end(),
  outage: (response) => response.writeHead(502).end(),
  "hang up": (response) => response.destroy(),
  gone: (response) => response.writeHead(410).end(),
};
