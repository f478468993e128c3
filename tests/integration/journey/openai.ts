import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import OpenAI from "openai";
import type { Got, Stop, Visitor } from "./visitor.ts";
import { fileIn, listIn } from "./webhook.ts";

type Content = OpenAI.Chat.ChatCompletionUserMessageParam["content"];
const apiKey = "sk-canary-of-the-journey-0123456789";

/** A program with the official client, streaming, that asks again under its key until its answer is whole. */
export async function openaiStop(): Promise<Stop> {
  const closing = new AbortController();
  let gateway = "";

  async function visitor(name: string): Promise<Visitor> {
    const client = new OpenAI({ apiKey, baseURL: `${gateway}/v1`, maxRetries: 0, timeout: 30_000 });
    const heard = new Map<string, string>();
    const got: Got[] = [];
    const asked = new Map<string, Content>();
    let connection = new AbortController();
    let chunks = 0;

    async function ask(key: string): Promise<void> {
      const headers = { "Idempotency-Key": key, "X-Conversation-Id": name };
      const body = {
        model: "ascent",
        stream: true,
        messages: [{ role: "user", content: asked.get(key) ?? "" }],
      } as const;
      const signal = AbortSignal.any([connection.signal, closing.signal]);
      let id = "";
      let text = "";
      let ended = false;
      for await (const chunk of await client.chat.completions.create(
        { ...body, messages: [...body.messages] },
        { headers, signal },
      )) {
        const [choice] = chunk.choices;
        id = chunk.id;
        text += choice?.delta.content ?? "";
        ended ||= choice?.finish_reason === "stop";
        chunks += 1;
      }
      if (!ended) throw new TypeError("the answer was cut off");
      // One answer may cover several questions, and is the response to each. Asked again a question has the same one.
      const isKnown = (heard.get(key) ?? text) === text && got.some((one) => one.text === text);
      heard.set(key, text);
      if (!isKnown) got.push({ id, text, buttons: listIn(text), ...fileIn(text) });
    }

    async function insist(key: string): Promise<void> {
      for (let left = 2_000; left > 0 && !closing.signal.aborted; left--) {
        try {
          return await ask(key);
        } catch {
          await sleep(50); // cut off, or not yet there: it stays asked until it is answered
        }
      }
    }

    function says(content: Content): string {
      const key = randomUUID();
      asked.set(key, content);
      void insist(key);
      return key;
    }

    return {
      says: async (text) => says(text),
      again: (key) => ask(key),
      async sendsPicture(text, bytes) {
        const url = `data:image/png;base64,${bytes.toString("base64")}`;
        says([
          { type: "text", text },
          { type: "image_url", image_url: { url } },
        ]);
      },
      presses: async ({ buttons }, label) => void says(String(buttons.indexOf(label) + 1)),
      got: async () => got,
      grew: () => chunks - got.length,
      async breaksOff() {
        const broken = connection;
        connection = new AbortController();
        broken.abort();
      },
    };
  }

  return {
    name: "openai",
    env: () => ({ ASCENT_API_KEYS: apiKey }),
    account: {},
    secrets: [apiKey],
    deviations: {
      edits: "a question is not edited",
      "slows down": "the answer is the response to the question: nobody could refuse it",
      "sent unheard": "who did not hear the answer asks again under the same key",
    },
    idempotent: true,
    open: async (url) => void (gateway = url),
    visitor,
    close: async () => closing.abort(),
  };
}
