/** Telegram for the channel contract: the fake Bot API of tests/fakes, by polling and by webhook. */
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { telegram } from "../../channels/telegram/index.ts";
import { parse } from "../../channels/telegram/parse.ts";
import type { Channel } from "../../src/channel.ts";
import type { MediaKind } from "../../src/message.ts";
import type { CallEntry } from "../fakes/telegram/log.ts";
import { startTelegramFake } from "../fakes/telegram.ts";
import { replay, type ChannelContract, type Platform, type Refusal, type Running, type Shown } from "./channel.ts";

export const webhookSecret = "a-webhook-secret-of-the-tests_1";
const person = 7_200_001;
const group = -1_002_233_445_566;

/** Every reading is at another time: nothing of it may get into an id. */
let time = 1_795_430_000_000;
export const read: ChannelContract["read"] = (payload, account) => {
  const context = {
    ...account,
    me: { id: 1_000_001, username: "ascent_test_bot" },
    receivedAt: (time += 1_000),
  } as const;
  const event = parse(payload as Parameters<typeof parse>[0], context);
  return event === undefined ? [] : [event];
};

export const hostile: ChannelContract["hostile"] = ({ chat, user }) => ({
  update_id: 1,
  message: {
    message_id: 1,
    date: 1_795_430_000,
    chat: { id: chat, type: "private", first_name: "X" },
    from: { id: user, is_bot: false, first_name: "X" },
    text: "x",
  },
});

export async function makeTelegram(mode: "polling" | "webhook"): Promise<Platform> {
  const fake = await startTelegramFake({ webhookRetryUnitMs: 20 });
  const user = fake.user(person);
  // The chat comes into being, as when a person opens it.
  await user.sends(person, "/start");
  await fake.defineChat({ id: group, type: "supergroup", title: "Team" });
  const door = mode === "webhook" ? await openDoor() : undefined;
  const updateOf = async (id: string) => (await fake.updates()).find(({ updateId }) => String(updateId) === id);
  const done = ({ updateId }: { updateId: number }) => ({ id: String(updateId) });
  let begun = false;

  async function start(deps: Parameters<Platform["start"]>[0]): Promise<Running> {
    const hook = door === undefined ? {} : { webhookUrl: door.url, webhookSecret };
    const channel = telegram({ token: fake.token, apiRoot: fake.url, pollSeconds: 5, ...hook }, deps);
    if (!begun) await forgetUpdates(fake.url, fake.token);
    begun = true;
    door?.leadTo(channel);
    const end = new AbortController();
    const connection = await channel.connect?.(end.signal);
    return {
      channel,
      async stop() {
        end.abort();
        await connection?.closed;
      },
    };
  }

  return {
    secrets: [fake.token, fake.token.split(":")[1] ?? "", webhookSecret],
    chat: String(person),
    group: String(group),
    start,
    says: async (text) => done(await user.sends(person, text)),
    sendsFile: async (bytes, name) => {
      return done(await user.sends(person, { kind: "document", data: Buffer.from(bytes).toString("base64"), name }));
    },
    presses: async (message, data) => done(await user.presses(person, Number(message), data)),
    ...(mode === "webhook" ? { redelivers: async ({ id }) => void (await fake.redeliver(Number(id))) } : {}),
    // A message without a chat: the Bot API never sends it, a changed one might.
    sendsGarbage: async () => {
      const garbage = { update_id: 99_999_999, message: { message_id: 1, text: "garbage" } };
      if (door !== undefined) return void (await fetch(requestsTo(door.url).genuine(garbage)));
      const { updateId } = await user.sends(person, "garbage");
      const update = await updateOf(String(updateId));
      if (update === undefined) throw new Error("the fake lost an update");
      Object.assign(update, { body: JSON.stringify({ ...garbage, update_id: updateId }) });
    },
    acknowledged: async ({ id }) => (await updateOf(id))?.confirmedAt !== undefined,
    shown: async () => (await fake.calls()).filter((call) => call.accepted && call.chat === person).flatMap(shownOf),
    signs: async () => {
      const calls = await fake.calls();
      // Also what the platform refused: it must not be asked.
      const previews = calls.filter(({ method }) => method === "sendmessagedraft");
      return {
        typing: calls.filter(({ method }) => method === "sendchataction").length,
        previews: previews.map(({ text }) => text ?? ""),
      };
    },
    refuses: (how) => fake.fault({ ...faults[how], method: "sendMessage", times: 1 }),
    ...(door === undefined ? {} : { requests: requestsTo(door.url) }),
    async close() {
      await door?.close();
      await fake.close();
    },
  };
}

const faults = {
  rate: { kind: "rate_limit", retryAfter: 7 },
  outage: { kind: "error", code: 502 },
  "hang up": { kind: "close" },
  gone: { kind: "error", code: 403, description: "Forbidden: bot was blocked by the user" },
} as const satisfies Record<Refusal, object>;

function requestsTo(url: string): NonNullable<Platform["requests"]> {
  const post = (payload: unknown, headers: Record<string, string>) =>
    new Request(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(payload),
    });
  const name = "x-telegram-bot-api-secret-token";
  return {
    genuine: (payload) => post(payload, { [name]: webhookSecret }),
    forged: (payload) => ({
      missing: post(payload, {}),
      empty: post(payload, { [name]: "" }),
      wrong: post(payload, { [name]: `${webhookSecret.slice(0, -1)}2` }),
      longer: post(payload, { [name]: `${webhookSecret}1` }),
      "under another name": post(payload, { authorization: `Bearer ${webhookSecret}` }),
    }),
  };
}

const kinds: Record<string, MediaKind> = {
  sendphoto: "image",
  sendvideo: "video",
  sendaudio: "audio",
  sendvoice: "voice",
  senddocument: "file",
  sendsticker: "sticker",
};

function shownOf(call: CallEntry): Shown[] {
  const media = kinds[call.method];
  const { params } = call;
  if (media === undefined && !["sendmessage", "sendlocation", "sendvenue"].includes(call.method)) return [];
  const object = (key: string) =>
    (typeof params[key] === "string" ? JSON.parse(params[key]) : params[key]) as Record<string, unknown> | undefined;
  const keyboard = (object("reply_markup")?.["inline_keyboard"] ?? []) as {
    text: string;
    callback_data?: string;
    url?: string;
  }[][];
  const reply = object("reply_parameters")?.["message_id"];
  return [
    {
      id: String(call.messageId),
      text: call.text ?? "",
      buttons: keyboard.flat().map((key) => ({
        label: key.text,
        ...(key.callback_data === undefined ? {} : { id: key.callback_data }),
        ...(key.url === undefined ? {} : { url: key.url }),
      })),
      ...(media === undefined ? {} : { media }),
      ...(call.files?.[0] === undefined ? {} : { size: call.files[0].size }),
      ...(call.method === "sendlocation"
        ? { location: { latitude: Number(params["latitude"]), longitude: Number(params["longitude"]) } }
        : {}),
      ...(reply === undefined ? {} : { replyTo: String(reply) }),
    },
  ];
}

/** An HTTP server that leads to the channel, as the gateway's does. */
async function openDoor() {
  let channel: Channel | undefined;
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const headers = Object.entries(incoming.headers).flatMap(([name, value]) =>
        typeof value === "string" ? [[name, value] as [string, string]] : [],
      );
      const request = new Request(url, { method: "POST", headers, body: Buffer.concat(chunks) });
      const answered = channel?.handle?.(request) ?? Promise.resolve(new Response(null, { status: 404 }));
      void answered.then(({ status, headers: sent }) => outgoing.writeHead(status, Object.fromEntries(sent)).end());
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/telegram`;
  return {
    url,
    leadTo: (next: Channel) => (channel = next),
    async close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** The update of opening the chat is no part of what is tried. */
async function forgetUpdates(root: string, token: string): Promise<void> {
  await fetch(`${root}/bot${token}/deleteWebhook?drop_pending_updates=true`);
}

const genuine = replay("telegram");

/** What the suite is told; the channel's own tests are where a deviation says "below". */
export const contracts: readonly ChannelContract[] = [
  {
    name: "telegram by polling",
    channel: "telegram",
    make: () => makeTelegram("polling"),
    genuine,
    read,
    hostile,
    deviations: {
      "reports delivery": "the Bot API has no delivery receipts",
      "has the same id when the platform delivers it again":
        "Telegram redelivers by polling only what was not confirmed: see the next process that takes over",
      "without the platform's signature are refused and nothing comes in": "a bot that polls answers no requests",
      "that are no events are refused for good; those that come too soon may come back":
        "a bot that polls answers no requests",
    },
  },
  {
    name: "telegram by webhook",
    channel: "telegram",
    make: () => makeTelegram("webhook"),
    genuine,
    read,
    hostile,
    deviations: { "reports delivery": "the Bot API has no delivery receipts" },
  },
];
