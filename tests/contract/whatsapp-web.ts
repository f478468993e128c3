/** What the channel contract needs of WhatsApp Web: the real client in a real browser, before a page on this machine. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { whatsappSettings } from "../../channels/whatsapp/settings.ts";
import { whatsappWeb } from "../../channels/whatsapp/web/index.ts";
import { parseWeb } from "../../channels/whatsapp/web/parse.ts";
import type { MediaKind } from "../../src/message.ts";
import { startWhatsAppWebFake, webText, type SentByWeb, type WhatsAppWebFake } from "../fakes/whatsapp-web.ts";
import { probe } from "./channel-deps.ts";
import { replay, type ChannelContract, type Platform, type Refusal, type Running, type Shown } from "./channel.ts";

const ann = "16505551234@c.us";
const me = "15550783881@c.us";

/** Every reading is at another time: nothing of it may get into an id. */
let time = 1_795_430_000_000;
const read: ChannelContract["read"] = (payload, account) => {
  const event = parseWeb(payload, { ...account, own: [me], receivedAt: (time += 1_000) });
  return event === undefined ? [] : [event];
};

/** In a group the chat and the author have ids of their own. */
const hostile: ChannelContract["hostile"] = ({ chat, user }) => ({
  id: { fromMe: false, remote: `${chat}@g.us`, id: "3A00", _serialized: "false_x_3A00" },
  type: "chat",
  body: "x",
  t: 1_795_430_000,
  from: `${chat}@g.us`,
  author: user,
});

export interface WhatsAppWebPlatform extends Platform {
  readonly fake: WhatsAppWebFake;
}

/** @param browser the program of the real browser. */
export async function makeWhatsAppWeb(browser: string): Promise<WhatsAppWebPlatform> {
  const fake = await startWhatsAppWebFake(browser);
  const home = await mkdtemp(join(tmpdir(), "ascent-web-"));
  return {
    fake,
    secrets: [ann.slice(0, 11)],
    chat: ann,
    async start(deps): Promise<Running> {
      const options = whatsappSettings.parse({ web: "on", chromium: fake.chromium });
      const channel = whatsappWeb(options, deps, { directory: join(home, "session"), print: () => undefined });
      const end = new AbortController();
      const connection = await channel.connect?.(end.signal);
      return {
        channel,
        async stop() {
          end.abort();
          await connection?.closed;
        },
      };
    },
    async says(text) {
      const message = webText(ann, text);
      await fake.says(message);
      return { id: message.id._serialized };
    },
    async sendsFile(bytes, filename) {
      const medium = { type: "document", mimetype: "application/octet-stream", filename, size: bytes.length };
      const message = webText(ann, "", { ...medium, directPath: fake.keep(bytes) });
      await fake.says(message);
      return { id: message.id._serialized };
    },
    redelivers: ({ id }) => fake.repeats(id),
    sendsGarbage: () => fake.says(webText(ann, "?", { type: "hologram" })),
    acknowledged: async () => true,
    shown: async () => fake.sent.filter(({ chat }) => chat === ann).map(shownOf),
    signs: async () => ({ typing: fake.signs.filter(([sign]) => sign === "typing").length, previews: [] }),
    refuses: (how) => fake.refuses(refusals[how]),
    reports: (message, what) => fake.acks(message, levels[what]),
    async close() {
      await fake.close();
      await rm(home, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

const levels = { delivered: 2, read: 3, failed: -1 } as const;
const refusals = {
  rate: "the page fails",
  outage: "the page fails",
  "hang up": "the page is cut off",
  gone: "no such chat",
} as const satisfies Record<Refusal, string>;

const kinds: Readonly<Record<string, MediaKind>> = {
  image: "image",
  video: "video",
  audio: "audio",
  ptt: "voice",
  document: "file",
  sticker: "sticker",
};

/** What a person sees of a message. */
export function shownOf({ id, body, caption, type, size, lat, lng, quotedStanzaID }: SentByWeb): Shown {
  const media = kinds[type];
  return {
    id,
    text: caption ?? body ?? "",
    buttons: [],
    ...(media === undefined ? {} : { media }),
    ...(media === undefined || size === undefined ? {} : { size }),
    ...(lat === undefined || lng === undefined ? {} : { location: { latitude: lat, longitude: lng } }),
    ...(quotedStanzaID === undefined ? {} : { replyTo: quotedStanzaID }),
  };
}

/** What the suite is told; the channel's own tests are where a deviation says "below". */
export function contractOf(browser: string): ChannelContract {
  const noRequests = "it answers no requests: the browser holds a socket";
  return {
    name: "whatsapp by WhatsApp Web",
    channel: "whatsapp",
    make: () => makeWhatsAppWeb(browser),
    genuine: replay("whatsapp-web"),
    read,
    hostile,
    // Of all processes of a check: how far the chats were read stands there.
    stores() {
      const { records, transcript } = probe({ tenant: "acme", channel: "whatsapp", account: "main" }).deps;
      return { records, transcript };
    },
    deviations: {
      "is acknowledged only after inbound has it":
        "WhatsApp counts it as delivered when the page has it; what is not durable then is read again from the chats: see the next process",
      "does not come again after an orderly end":
        "what came in the last hour is read again at the start, under the same ids: below",
      "has buttons whose press comes back with the same id": "choices are a numbered list",
      "is every kind of medium that is declared, with the longest caption":
        "WhatsApp shows no words under a sound: they are a message of their own, below",
      "say when to come back if the platform asked to slow down": "the page says nothing of the kind: it fails",
      "without the platform's signature are refused and nothing comes in": noRequests,
      "that are no events are refused for good; those that come too soon may come back": noRequests,
    },
  };
}
