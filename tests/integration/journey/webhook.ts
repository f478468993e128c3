import type { ServerResponse } from "node:http";
import { Webhook } from "standardwebhooks";
import { plainText } from "../../../src/markdown.ts";
import { outbox } from "../../contract/web-outbox.ts";
import { listen, readBody } from "../../fakes/http.ts";
import type { Got, Stop, Visitor } from "./visitor.ts";

const secret = `whsec_${Buffer.from("the canary of the journey's tests").toString("base64")}`;
const picture = "/in.png";

/** Another system that posts until it is heard and waits for the answer; what counts is what comes to its callback. */
export async function webhookStop(): Promise<Stop> {
  const signer = new Webhook(secret);
  const boxes: { pause(): Promise<void> }[] = [];
  const answers = new Map<string, (raw: string, id: string, response: ServerResponse) => void>();
  let bytes = Buffer.alloc(0);
  let gateway = "";
  const receiver = await listen((request, response) => {
    if (request.url === picture) return void response.writeHead(200, { "content-type": "image/png" }).end(bytes);
    return void readBody(request).then((raw) => {
      const text = String(raw);
      signer.verify(text, request.headers as Record<string, string>);
      answers.get(request.url?.slice(1) ?? "")?.(text, String(request.headers["webhook-id"]), response);
    });
  });

  async function visitor(name: string): Promise<Visitor> {
    const got = new Map<string, Got>();
    const moods: ("slow down" | "say nothing")[] = [];
    let connection = new AbortController();
    let ids = 0;
    answers.set(name, (raw, id, response) => {
      const mood = moods.shift();
      if (mood === "slow down") return void response.writeHead(429, { "retry-after": "1" }).end();
      const { answer } = JSON.parse(raw) as { answer: { text: string } };
      const known = got.get(id);
      // It comes again under its id, and with other words it is another answer.
      got.set(known === undefined || known.text === answer.text ? id : `${id} again`, {
        id,
        text: answer.text,
        buttons: listIn(answer.text),
        ...fileIn(answer.text),
      });
      if (mood === undefined) response.writeHead(204).end();
    });
    const box = outbox((body, id) => {
      const text = JSON.stringify(body);
      const now = new Date();
      return fetch(`${gateway}/webhooks/in`, {
        method: "POST",
        body: text,
        headers: {
          "content-type": "application/json",
          "webhook-id": id,
          "webhook-timestamp": String(Math.floor(now.getTime() / 1_000)),
          "webhook-signature": signer.sign(id, now, text),
        },
        signal: AbortSignal.any([connection.signal, AbortSignal.timeout(30_000)]),
      });
    });
    box.resume();
    boxes.push(box);
    const post = (body: object): string => {
      const id = `${name}-${(ids += 1)}`;
      box.add(id, {
        conversation: "orders",
        participant: name,
        callbackUrl: `${receiver.url}/${name}`,
        wait: 1,
        ...body,
      });
      return id;
    };
    return {
      says: async (text) => post({ text }),
      again: (id) => box.again(id),
      async sendsPicture(text, given) {
        bytes = Buffer.from(given);
        post({ text, attachments: [{ url: `${receiver.url}${picture}`, type: "image/png", name: "in.png" }] });
      },
      presses: async ({ buttons }, label) => void post({ text: String(buttons.indexOf(label) + 1) }),
      got: async () => [...got.values()],
      slowsDown: async () => void moods.push("slow down"),
      takesUnheard: async () => void moods.push("say nothing"),
      async breaksOff() {
        const broken = connection;
        connection = new AbortController();
        broken.abort();
      },
    };
  }

  return {
    name: "webhook",
    env: () => ({ WEBHOOK_SECRET: secret, WEBHOOK_ALLOW_HOSTS: "127.0.0.1" }),
    account: {},
    secrets: [secret.slice("whsec_".length)],
    deviations: { grows: "a callback is posted once, whole", edits: "a posted message is not edited" },
    idempotent: true,
    open: async (url) => void (gateway = url),
    visitor,
    async close() {
      await Promise.all(boxes.map((box) => box.pause()));
      await receiver.close();
    },
  };
}

/** Where a file can only be named, its name stands in the text. */
export function fileIn(text: string): { readonly file?: string } {
  const [file] = /\b[\w-]+\.csv\b/.exec(text) ?? [];
  return file === undefined ? {} : { file };
}

/** Where there are no buttons, their labels stand in a list. */
export function listIn(text: string): string[] {
  return [...plainText(text).matchAll(/^\d+\. (.+)$/gm)].map(([, label = ""]) => label);
}
