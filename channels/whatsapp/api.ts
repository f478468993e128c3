/** The calls of Meta's Graph API that WhatsApp needs. @see https://developers.facebook.com/docs/whatsapp/cloud-api/reference */
import { createHmac, randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { z } from "zod";
import { TerminalError } from "../../src/errors.ts";
import { GraphError } from "./errors.ts";
import { createHttp, textOf } from "./http.ts";
import type { CloudOptions } from "./settings.ts";

export interface Upload {
  readonly body: ReadableStream<Uint8Array>;
  readonly size: number;
  readonly type: string;
  readonly name: string;
}

export interface GraphApi {
  /** POST messages. @returns the message's id, a wamid; empty for what is no message. @throws GraphError and others. */
  messages(body: object, signal: AbortSignal): Promise<string>;
  /** @returns the medium's id. */
  upload(medium: Upload, signal: AbortSignal): Promise<string>;
  /** Where a medium's bytes are for about five minutes. */
  media(id: string, signal: AbortSignal): Promise<z.infer<typeof mediaAnswer>>;
  download(url: string, signal: AbortSignal): Promise<IncomingMessage>;
  /** With `proof` Meta also says whether the app's secret is the right one for this token. */
  phoneNumber(signal: AbortSignal, proof?: boolean): Promise<z.infer<typeof phoneAnswer>>;
  close(): void;
}

const sentAnswer = z.looseObject({ messages: z.array(z.looseObject({ id: z.string() })).default([]) });
const idAnswer = z.looseObject({ id: z.string() });
const mediaAnswer = z.looseObject({
  url: z.string(),
  mime_type: z.string().optional(),
  file_size: z.coerce.number().optional(),
});
const phoneAnswer = z.looseObject({
  display_phone_number: z.string().optional(),
  verified_name: z.string().optional(),
  quality_rating: z.string().optional(),
});
const errorAnswer = z.object({
  error: z.looseObject({
    message: z.string().default(""),
    code: z.number().default(-1),
    error_data: z.looseObject({ details: z.string().default("") }).optional(),
  }),
});

const callMs = 30_000;
const uploadMs = 600_000;
/** Meta's file server turns away clients that do not say who they are. */
const agent = "Ascent/0.1";

export function createApi({ token, appSecret, phoneNumberId, apiRoot, apiVersion }: CloudOptions): GraphApi {
  const http = createHttp();
  const root = `${apiRoot}/${apiVersion}`;
  const own = `${root}/${phoneNumberId}`;
  const base = { authorization: `Bearer ${token}`, "user-agent": agent };
  const within = (signal: AbortSignal, ms: number) => AbortSignal.any([signal, AbortSignal.timeout(ms)]);

  async function ask<Answer>(url: string, answer: z.ZodType<Answer>, signal: AbortSignal): Promise<Answer> {
    const ends = within(signal, callMs);
    return read(await http.request(url, { method: "GET", headers: base, signal: ends }), answer);
  }

  return {
    async messages(body, signal) {
      const text = JSON.stringify({ messaging_product: "whatsapp", ...body });
      const headers = { ...base, "content-type": "application/json", "content-length": Buffer.byteLength(text) };
      const request = { method: "POST", headers, body: text, signal: within(signal, callMs) } as const;
      const { messages } = await read(await http.request(`${own}/messages`, request), sentAnswer);
      return messages[0]?.id ?? "";
    },
    async upload(medium, signal) {
      const { body, headers } = multipart(medium);
      const ends = within(signal, uploadMs);
      const sent = http.request(`${own}/media`, {
        method: "POST",
        headers: { ...base, ...headers },
        body,
        signal: ends,
      });
      try {
        return (await read(await sent, idAnswer)).id;
      } finally {
        // An upload that fails leaves the rest of the file unread, and so open.
        body.destroy();
      }
    },
    media: (id, signal) =>
      ask(`${root}/${encodeURIComponent(id)}?phone_number_id=${phoneNumberId}`, mediaAnswer, signal),
    download(url, signal) {
      const { protocol, origin } = new URL(url);
      // The token goes along: only to where Meta itself points, and never in the clear past the root's own host.
      if (protocol !== "https:" && origin !== new URL(apiRoot).origin)
        throw new TerminalError("whatsapp media: its address is not secure");
      return http.request(url, { method: "GET", headers: base, signal });
    },
    phoneNumber(signal, proof = false) {
      const more = proof ? `&appsecret_proof=${createHmac("sha256", appSecret).update(token).digest("hex")}` : "";
      return ask(`${own}?fields=display_phone_number,verified_name,quality_rating${more}`, phoneAnswer, signal);
    },
    close: http.close,
  };
}

async function read<Answer>(response: IncomingMessage, answer: z.ZodType<Answer>): Promise<Answer> {
  const status = response.statusCode ?? 0;
  const text = await textOf(response);
  if (status < 200 || status >= 300) throw refusalOf(status, text, response.headers["retry-after"]);
  return answer.parse(JSON.parse(text));
}

function refusalOf(status: number, text: string, retryAfter: string | undefined): GraphError {
  const seconds = Number(retryAfter);
  const retryAfterMs = retryAfter !== undefined && Number.isFinite(seconds) ? seconds * 1_000 : undefined;
  let parsed: ReturnType<typeof errorAnswer.safeParse> | undefined;
  try {
    parsed = errorAnswer.safeParse(JSON.parse(text));
  } catch {
    // Not Graph's own answer but that of something before it: the status alone counts.
  }
  if (parsed?.success !== true)
    return new GraphError(`HTTP ${status}`, { code: status === 401 ? 190 : -1, status, retryAfterMs });
  const { message, code, error_data: data } = parsed.data.error;
  const words = [message, data?.details ?? ""].filter((one) => one !== "").join(": ");
  return new GraphError(words, { code, status, retryAfterMs });
}

/** multipart/form-data as it is read: a file is never in memory as a whole. */
function multipart({ body, size, type, name }: Upload): { body: Readable; headers: Record<string, string | number> } {
  const boundary = `----ascent${randomBytes(12).toString("hex")}`;
  const field = (of: string, value: string) =>
    `--${boundary}\r\ncontent-disposition: form-data; name="${of}"\r\n\r\n${value}\r\n`;
  const file = name.replace(/["\r\n\\]/g, "_");
  const head = Buffer.from(
    `${field("messaging_product", "whatsapp")}${field("type", type)}` +
      `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="${file}"\r\ncontent-type: ${type}\r\n\r\n`,
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  async function* all(): AsyncGenerator<Uint8Array> {
    yield head;
    yield* body;
    yield tail;
  }
  return {
    body: Readable.from(all(), { objectMode: false }),
    headers: {
      "content-type": `multipart/form-data; boundary=${boundary}`,
      "content-length": head.length + size + tail.length,
    },
  };
}
