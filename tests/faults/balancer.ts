/** One address for several replicas, as a load balancer gives it: each request to the next one that lives. */
import { request, type IncomingMessage, type ServerResponse } from "node:http";
import { listen, readBody, type Listening } from "../fakes/http.ts";

export interface Balancer extends Pick<Listening, "url" | "close"> {
  /** Where requests go, by URL. */
  add(target: string): void;
}

const answerMs = 30_000;

/** What cannot be connected to is passed over. A request that was on its way when its replica died is answered with 502. */
export async function startBalancer(): Promise<Balancer> {
  const targets: string[] = [];
  let next = 0;

  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(incoming);
    if (typeof body === "string") return void response.destroy();
    const first = next++;
    for (let tried = 0; tried < targets.length; tried++) {
      const target = targets[(first + tried) % targets.length] ?? "";
      if ((await pass(target, incoming, body, response)) === "done") return;
    }
    response.writeHead(502).end();
  }

  const server = await listen((incoming, response) => {
    handle(incoming, response).catch(() => response.destroy());
  });
  return { url: server.url, close: server.close, add: (target) => void targets.push(target) };
}

function pass(
  target: string,
  { method, url, headers }: IncomingMessage,
  body: Buffer,
  response: ServerResponse,
): Promise<"done" | "refused"> {
  return new Promise((resolve) => {
    const sent = request(new URL(url ?? "/", target), { method, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
      answer.once("error", () => response.destroy());
      resolve("done");
    });
    sent.setTimeout(answerMs, () => sent.destroy());
    sent.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED") return resolve("refused");
      if (!response.headersSent) response.writeHead(502);
      response.end();
      resolve("done");
    });
    sent.end(body);
  });
}
