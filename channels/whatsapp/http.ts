/** A thin HTTP client over node:http: a send costs a fraction of the CPU that it costs through fetch. */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Readable } from "node:stream";

export interface HttpRequest {
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body?: string | Readable;
  readonly signal: AbortSignal;
}

export interface Http {
  /** Resolves with the head; the body is the caller's to read or destroy. Rejects with what the connection says. */
  request(url: string, request: HttpRequest): Promise<IncomingMessage>;
  close(): void;
}

export function createHttp(): Http {
  const plain = new HttpAgent({ keepAlive: true });
  const secure = new HttpsAgent({ keepAlive: true });
  return {
    request(url, { body, ...options }) {
      return new Promise((resolve, reject) => {
        const { protocol } = new URL(url);
        const target =
          protocol === "https:"
            ? httpsRequest(url, { ...options, agent: secure })
            : httpRequest(url, { ...options, agent: plain });
        target.on("error", reject);
        target.on("response", resolve);
        if (typeof body === "object") body.on("error", (error) => target.destroy(error)).pipe(target);
        else target.end(body);
      });
    },
    close() {
      plain.destroy();
      secure.destroy();
    },
  };
}

/** @throws what the connection says when it breaks, or Error past `most` bytes. */
export async function textOf(response: IncomingMessage, most = 4 * 1024 * 1024): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > most) throw new Error("the answer is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
