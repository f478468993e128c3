/** The web chat for the channel contract: a browser's tab over a real server, with the page's way of sending until accepted. */
import { createParser } from "eventsource-parser";
import { setTimeout as sleep } from "node:timers/promises";
import { createServer } from "../../adapters/http/index.ts";
import { isFromPerson, readEntry } from "../../channels/web/entry.ts";
import { web, webSettings } from "../../channels/web/index.ts";
import { eventOf } from "../../channels/web/parse.ts";
import { plainText } from "../../src/markdown.ts";
import type { MediaKind } from "../../src/message.ts";
import type { TranscriptEntry } from "../../src/ports.ts";
import { replay, type ChannelContract, type Done, type Platform, type Running, type Shown } from "./channel.ts";
import { outbox, type Outbox } from "./web-outbox.ts";

/** A row of the transcript, where everything that a person does stands before it comes in, and the request it came by. */
export interface WebPayload {
  readonly session: string;
  readonly row: TranscriptEntry;
  readonly posted?: object;
}

export const read: ChannelContract["read"] = (payload, account) => {
  const { session, row } = payload as WebPayload;
  const placed = readEntry(row);
  return placed !== undefined && isFromPerson(placed) ? [eventOf(account, session, placed)] : [];
};

/** A session is the chat and the person in one. */
export const hostile: ChannelContract["hostile"] = ({ chat, user }) => ({
  session: `${chat}${user}`,
  row: { n: 1, key: "u-c1", at: 1, entry: { v: 1, client: "c1", kind: "user", text: "x", attachments: [] } },
});

interface PageMessage {
  readonly id: string;
  readonly role: "user" | "agent" | "notice";
  readonly text: string;
  readonly attachments: readonly { readonly type: string; readonly url: string }[];
  readonly buttons: readonly { readonly id: string; readonly label: string }[];
}

/** Addresses that are no one's: the page is asked under the one that it is served from. */
const page = "http://127.0.0.1";

export interface WebPlatform extends Platform {
  readonly box: Outbox;
  upload(bytes: Uint8Array, name: string): Promise<Response>;
  post(body: object): Done;
}

export async function makeWeb(): Promise<WebPlatform> {
  let base = "";
  let cookie = "";
  let session = "";
  let clients = 0;
  const seen: { readonly event: string; readonly data: string }[] = [];

  const call = (path: string, init: RequestInit = {}, headers: Record<string, string> = {}) =>
    fetch(`${base}${path}`, { ...init, headers: { origin: base, cookie, ...headers } });
  const messageRequest = (url: string, body: unknown, headers: Record<string, string>) =>
    new Request(`${url}/api/messages`, {
      method: "POST",
      headers: { origin: url, cookie, "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  const box = outbox((body) => fetch(messageRequest(base, body, {})));
  const post = (body: object): Done => {
    const id = `c${++clients}`;
    box.add(id, { id, ...body });
    return { id };
  };

  async function open(): Promise<void> {
    const response = await call("/api/session", { method: "POST" });
    if (cookie !== "") return;
    cookie = response.headers.get("set-cookie")?.split(";")[0] ?? "";
    session = cookie.split(".")[1] ?? "";
  }

  /** Follows the events until `signal`. */
  async function follow(signal: AbortSignal): Promise<void> {
    const { body } = await call("/api/events?after=0", { signal });
    const parser = createParser({ onEvent: ({ event = "", data }) => seen.push({ event, data }) });
    const decoder = new TextDecoder();
    void (async () => {
      for await (const chunk of body ?? []) parser.feed(decoder.decode(chunk, { stream: true }));
    })().catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }

  async function start(deps: Parameters<Platform["start"]>[0]): Promise<Running> {
    const settings = webSettings.parse({ pageDirectory: "/nowhere", agent: { name: "Ada" } });
    const channel = web(settings, deps);
    const { log } = deps;
    const server = createServer({ host: "127.0.0.1", port: 0, channels: [channel], health: () => undefined, log });
    ({ url: base } = await server.listen());
    await open();
    const end = new AbortController();
    await follow(end.signal);
    box.resume();
    return {
      channel,
      async stop() {
        await box.pause();
        end.abort();
        await server.drain(2_000);
      },
    };
  }

  return {
    get secrets() {
      return [cookie, cookie.split(".")[2] ?? cookie];
    },
    get chat() {
      return session;
    },
    start,
    box,
    post,
    upload: (bytes, name) => {
      const init = { method: "POST", body: Buffer.from(bytes) };
      return call(`/api/attachments?name=${name}`, init, { "content-type": "application/octet-stream" });
    },
    says: async (text) => post({ text }),
    presses: async (message, button) => post({ press: { message, button } }),
    redelivers: async ({ id }) => box.again(id),
    acknowledged: async ({ id }) => box.accepted(id),
    shown: () => shown(call),
    signs: async () => {
      // What the stream holds is here within a moment.
      await sleep(150);
      return {
        typing: seen.filter(({ event }) => event === "typing").length,
        previews: seen.flatMap(({ event, data }) =>
          event === "delta" ? [(JSON.parse(data) as { text: string }).text] : [],
        ),
      };
    },
    refuses: () => Promise.reject(new Error("there is no platform that could refuse: name a deviation")),
    requests: {
      genuine: (payload) => messageRequest(page, (payload as WebPayload).posted ?? payload, {}),
      forged: (payload) => {
        const body = (payload as WebPayload).posted;
        const [version, id, signature = ""] = cookie.split(".");
        const flipped = `${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`;
        return {
          missing: messageRequest(page, body, { cookie: "" }),
          "without a signature": messageRequest(page, body, { cookie: `${version}.${id}` }),
          "with an empty one": messageRequest(page, body, { cookie: `${version}.${id}.` }),
          "with a wrong one": messageRequest(page, body, { cookie: `${version}.${id}.${flipped}` }),
          "of another session": messageRequest(page, body, { cookie: `${version}.${id}x.${signature}` }),
        };
      },
    },
    close: () => box.pause(),
  };
}

const kinds: Readonly<Record<string, MediaKind>> = {
  "image/png": "image",
  "video/mp4": "video",
  "audio/mpeg": "audio",
  // The page tells a voice message and a sticker by their usual types alone.
  "audio/ogg": "voice",
  "image/webp": "sticker",
  "application/octet-stream": "file",
};

async function shown(call: (path: string) => Promise<Response>): Promise<Shown[]> {
  const { messages } = (await (await call("/api/messages")).json()) as { messages: PageMessage[] };
  return Promise.all(messages.filter(({ role }) => role !== "user").map((one) => shownOf(one, call)));
}

/** As the page shows it: markdown read, a line that is only a link standing among the buttons. */
async function shownOf(message: PageMessage, call: (path: string) => Promise<Response>): Promise<Shown> {
  const { id, text, attachments, buttons } = message;
  const links = [...text.matchAll(/^\[([^\]]*)\]\(<([^>]*)>\)$/gm)];
  const [file] = attachments;
  const bytes = file && (await (await call(file.url)).arrayBuffer());
  return {
    id,
    text: plainText(text),
    buttons: [...buttons, ...links.map(([, label = "", url = ""]) => ({ label, url }))],
    ...(file !== undefined && { media: kinds[file.type] ?? "file", size: bytes?.byteLength ?? 0 }),
  };
}

const genuine = replay("web");
const noPlatform =
  "sending is writing into the gateway's own transcript: there is no platform in between that could fail";

/** What the suite is told; the channel's own tests are where a deviation says "below". */
export const contracts: readonly ChannelContract[] = [
  {
    name: "web",
    channel: "web",
    make: makeWeb,
    genuine,
    read,
    hostile,
    deviations: {
      "reports delivery": "the page shows what it has, and tells nobody who read it",
      "that nobody can read is set aside visibly and blocks nothing":
        "the browser is told with 400 and nothing was acknowledged: below",
      "and can never be accepted is set aside visibly and blocks nothing":
        "the browser is told with 422 and shows it at the message: below",
      "can be a file, whose bytes can be fetched and are bounded":
        "files are uploaded into the gateway's own store before the message: below",
      "say when to come back if the platform asked to slow down": noPlatform,
      "of the platform or the network are tried again": noPlatform,
      "that no retry helps are terminal": noPlatform,
      "show no secret and no text, in errors and in the log": `${noPlatform}; what else can fail: below`,
    },
  },
];
