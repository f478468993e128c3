import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createParser } from "eventsource-parser";
import { outbox } from "../../contract/web-outbox.ts";
import type { Got, SentFile, Stop, Visitor } from "./visitor.ts";

interface PageMessage {
  readonly id: string;
  readonly role: string;
  readonly text: string;
  readonly attachments: readonly { readonly name: string; readonly url: string }[];
  readonly buttons: readonly { readonly id: string; readonly label: string }[];
}

/** Browsers: they send under ids of their own until they are heard, and follow one stream that resumes where it was cut. */
export async function webStop(): Promise<Stop> {
  const closing = new AbortController();
  let gateway = "";

  async function visitor(): Promise<Visitor> {
    const seen: PageMessage[] = [];
    const deltas: string[] = [];
    let lastEventId = "0";
    let connection = new AbortController();
    const call = (path: string, init: RequestInit = {}, type = "application/json") =>
      fetch(`${gateway}${path}`, { ...init, headers: { origin: gateway, cookie, "content-type": type } });
    let cookie = "";
    const session = await call("/api/session", { method: "POST", body: "{}" });
    cookie = session.headers.getSetCookie()[0]?.split(";")[0] ?? "";

    async function follow(): Promise<void> {
      const parser = createParser({
        onEvent({ event, data, id }) {
          if (id !== undefined) lastEventId = id;
          if (event === "delta") deltas.push((JSON.parse(data) as { text: string }).text);
          if (event === "message") seen.push(JSON.parse(data) as PageMessage);
        },
      });
      const headers = { origin: gateway, cookie, "last-event-id": lastEventId };
      const signal = AbortSignal.any([connection.signal, closing.signal]);
      const { body, ok } = await fetch(`${gateway}/api/events`, { headers, signal });
      if (!ok) return void (await body?.cancel());
      const decoder = new TextDecoder();
      for await (const chunk of body ?? []) parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
    }
    void (async () => {
      for (; !closing.signal.aborted; await sleep(50)) await follow().catch(() => undefined);
    })();

    const box = outbox((body) => call("/api/messages", { method: "POST", body: JSON.stringify(body) }));
    box.resume();
    closing.signal.addEventListener("abort", () => void box.pause());
    const post = (body: object): string => {
      const id = randomUUID();
      box.add(id, { id, ...body });
      return id;
    };
    async function sendsFile(text: string, { name, type, bytes }: SentFile): Promise<void> {
      const init = { method: "POST", body: new Uint8Array(bytes) };
      const { id } = (await (await call(`/api/attachments?name=${name}`, init, type)).json()) as { id: string };
      post({ text, attachments: [{ id }] });
    }
    return {
      says: async (text) => post({ text }),
      again: (id) => box.again(id),
      sendsPicture: (text, bytes) => sendsFile(text, { name: "in.png", type: "image/png", bytes }),
      sendsDocument: sendsFile,
      async presses({ id }, label) {
        const button = seen.find((one) => one.id === id)?.buttons.find((one) => one.label === label);
        post({ press: { message: id, button: button?.id ?? "" } });
      },
      got: async () => seen.filter(({ role }) => role !== "user").map(shownOf),
      async opens({ id }) {
        const [file] = seen.find((one) => one.id === id)?.attachments ?? [];
        return Buffer.from(await (await call(file?.url ?? "")).arrayBuffer());
      },
      grew: () => deltas.length,
      drafts: () => deltas,
      async breaksOff() {
        const broken = connection;
        connection = new AbortController();
        broken.abort();
      },
    };
  }

  return {
    name: "web",
    env: () => ({}),
    account: {},
    secrets: [],
    deviations: {
      edits: "the page edits nothing that was sent",
      "slows down": "what the page shows is the gateway's own transcript: nobody could refuse it",
      "sent unheard": "what the page shows is the gateway's own transcript: nobody else could have taken it",
    },
    idempotent: true,
    open: async (url) => void (gateway = url),
    visitor,
    close: async () => closing.abort(),
  };
}

function shownOf({ id, text, buttons, attachments }: PageMessage): Got {
  const of = { id, text, buttons: buttons.map(({ label }) => label) };
  const file = attachments[0]?.name;
  return file === undefined ? of : { ...of, file };
}
