/** What the channel contract needs of WhatsApp's Cloud API: a Graph API on loopback, and a person who writes to a number. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { whatsapp } from "../../channels/whatsapp/index.ts";
import { parse } from "../../channels/whatsapp/parse.ts";
import type { WhatsAppSettings } from "../../channels/whatsapp/settings.ts";
import type { Channel } from "../../src/channel.ts";
import type { MediaKind } from "../../src/message.ts";
import { startWhatsAppFake, type WhatsAppFake, type WhatsAppFakeOptions } from "../fakes/whatsapp.ts";
import type { GraphCall, Json } from "../fakes/whatsapp/types.ts";
import { optionsOf } from "../fakes/whatsapp/validate.ts";
import { replay, type ChannelContract, type Platform, type Refusal, type Running, type Shown } from "./channel.ts";

export const ann = { phone: "16505551234", name: "Ann Lee" } as const;

/** Every reading is at another time: nothing of it may get into an id. */
let time = 1_795_430_000_000;
export const read: ChannelContract["read"] = (payload, account) => {
  const context = { phoneNumberId: "106540352242922", receivedAt: (time += 1_000) } as const;
  return parse(payload, { ...account, ...context }).events;
};

/** In a group the chat and the author have ids of their own. */
export const hostile: ChannelContract["hostile"] = ({ chat, user }) => {
  const metadata = { display_phone_number: "15550783881", phone_number_id: "106540352242922" };
  const message = {
    from_user_id: user,
    group_id: chat,
    id: "wamid.x",
    timestamp: "1795430000",
    type: "text",
    text: { body: "x" },
  };
  const value = { messaging_product: "whatsapp", metadata, messages: [message] };
  return { object: "whatsapp_business_account", entry: [{ id: "1", changes: [{ field: "messages", value }] }] };
};

export function settingsOf(fake: WhatsAppFake): WhatsAppSettings {
  const { token, phoneNumberId, appSecret, verifyToken, url } = fake;
  return { token, phoneNumberId, appSecret, verifyToken, apiRoot: url };
}

export interface WhatsAppPlatform extends Platform {
  readonly fake: WhatsAppFake;
}

export async function makeWhatsApp(
  more: Partial<WhatsAppSettings> = {},
  options: WhatsAppFakeOptions = {},
): Promise<WhatsAppPlatform> {
  const fake = await startWhatsAppFake({ retryUnitMs: 20, ...options });
  fake.person(ann);
  const door = await openDoor();
  fake.leadTo(door.url);
  const entryOf = (id: string) => fake.inbound.find((one) => one.id === id);

  return {
    fake,
    secrets: [fake.token, fake.appSecret, fake.verifyToken, ann.phone],
    chat: ann.phone,
    async start(deps): Promise<Running> {
      const channel = whatsapp({ ...settingsOf(fake), ...more }, deps, tmpdir());
      const leave = door.leadTo(channel);
      return {
        channel,
        async stop() {
          await leave();
          channel.close?.();
        },
      };
    },
    says: async (text) => fake.says(ann, text),
    sendsFile: async (bytes, name) => fake.sendsFile(ann, bytes, name),
    presses: async (message, button) => fake.presses(ann, message, button),
    redelivers: async ({ id }) => void (await fake.redeliver(id)),
    // Nobody wrote it: WhatsApp never sends it, a changed one might.
    sendsGarbage: async () =>
      fake.posts({ messages: [{ id: "wamid.garbage", type: "text", text: { body: "garbage" } }] }),
    acknowledged: async ({ id }) => entryOf(id)?.confirmedAt !== undefined,
    shown: async () => fake.said(ann.phone).map((call) => shownOf(fake, call)),
    signs: async () => ({
      typing: fake.calls.filter(({ body }) => body["typing_indicator"] !== undefined).length,
      previews: [],
    }),
    refuses: async (how) => fake.fault({ ...faults[how], times: 1 }),
    async reports(message, what) {
      if (what === "failed") fake.reports(message, "failed", 131_026);
      else fake.reports(message, what);
    },
    requests: requestsTo(fake, door.url),
    async close() {
      await fake.close();
      await door.close();
    },
  };
}

const faults = {
  rate: { kind: "error", code: 130_429, retryAfter: 7 },
  outage: { kind: "error", code: 2, status: 503 },
  "hang up": { kind: "close" },
  gone: { kind: "error", code: 131_026 },
} as const satisfies Record<Refusal, object>;

function requestsTo(fake: WhatsAppFake, url: string): NonNullable<Platform["requests"]> {
  const post = (body: string, headers: Record<string, string>) =>
    new Request(url, { method: "POST", headers: { "content-type": "application/json", ...headers }, body });
  const name = "x-hub-signature-256";
  return {
    genuine(payload) {
      const body = JSON.stringify(payload);
      return post(body, { [name]: fake.sign(body) });
    },
    forged(payload) {
      const body = JSON.stringify(payload);
      const signature = fake.sign(body);
      return {
        missing: post(body, {}),
        empty: post(body, { [name]: "" }),
        "without its scheme": post(body, { [name]: signature.slice(7) }),
        "of other bytes": post(`${body} `, { [name]: signature }),
        "of another secret": post(body, { [name]: signature.replace(/.$/, (last) => (last === "0" ? "1" : "0")) }),
        "of SHA-1": post(body, { "x-hub-signature": signature }),
      };
    },
  };
}

const kinds: Readonly<Record<string, MediaKind>> = {
  image: "image",
  video: "video",
  audio: "audio",
  document: "file",
  sticker: "sticker",
};

/** What a person sees of a message. */
export function shownOf(fake: WhatsAppFake, call: GraphCall): Shown {
  const { body } = call;
  const type = String(body["type"]);
  const content = (body[type] ?? {}) as Json & { id?: string; voice?: boolean };
  const interactive = (body["interactive"] ?? {}) as { type?: string; header?: Json & { type: string }; action?: Json };
  const header = interactive.header?.[interactive.header.type] as { id?: string } | undefined;
  const kind = content.voice === true ? "voice" : kinds[interactive.header?.type ?? type];
  const size = fake.calls.filter(({ operation }) => operation === "upload").at(-1)?.files?.[0]?.size;
  const link = interactive.action?.["parameters"] as { display_text: string; url: string } | undefined;
  const links = link === undefined ? [] : [{ label: link.display_text, url: link.url }];
  const reply = (body["context"] as { message_id?: string } | undefined)?.message_id;
  const { latitude, longitude } = content as { latitude?: number; longitude?: number };
  return {
    id: call.id ?? "",
    text: fake.textOf(call),
    buttons: [...optionsOf(interactive as Json).map(({ id, title }) => ({ id, label: title })), ...links],
    ...(kind === undefined ? {} : { media: kind }),
    ...(size === undefined || (content.id ?? header?.id) === undefined ? {} : { size }),
    ...(latitude === undefined || longitude === undefined ? {} : { location: { latitude, longitude } }),
    ...(reply === undefined ? {} : { replyTo: reply }),
  };
}

/** An HTTP server that leads to the channel, as the gateway's does, and to nobody where none runs. */
async function openDoor() {
  let channel: Channel | undefined;
  const running = new Set<Promise<unknown>>();
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const headers = Object.entries(incoming.headers).flatMap(([name, value]) =>
        typeof value === "string" ? [[name, value] as [string, string]] : [],
      );
      const request = new Request(url, { method: "POST", headers, body: Buffer.concat(chunks) });
      const answered = channel?.handle?.(request) ?? Promise.resolve(new Response(null, { status: 503 }));
      running.add(answered);
      void answered
        .then(({ status, headers: sent }) => outgoing.writeHead(status, Object.fromEntries(sent)).end())
        .finally(() => running.delete(answered));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/whatsapp`;
  return {
    url,
    leadTo(next: Channel) {
      channel = next;
      return async () => {
        channel = undefined;
        await Promise.allSettled(running);
      };
    },
    async close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** What the suite is told; the channel's own tests are where a deviation says "below". */
export const contracts: readonly ChannelContract[] = [
  {
    name: "whatsapp by the Cloud API",
    channel: "whatsapp",
    make: () => makeWhatsApp(),
    genuine: replay("whatsapp"),
    read,
    hostile,
    deviations: {
      "has buttons whose press comes back with the same id":
        "WhatsApp shows no link among choices: it stands in the text, below",
      "is every kind of medium that is declared, with the longest caption":
        "WhatsApp shows no words under a sound: they are a message of their own, below",
      "are there when declared, and only then": "WhatsApp shows typing as an answer to a message that came in: below",
    },
  },
];
