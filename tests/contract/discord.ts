/** Discord for the channel contract: the fake of tests/fakes, whose gateway the channel is connected to. */
import { readableOf } from "../fakes/discord/readable.ts";
import { componentsOf } from "../fakes/discord/people.ts";
import type { Message } from "../fakes/discord/types.ts";
import { discordToken, startDiscordFake, type DiscordFake } from "../fakes/discord.ts";
import { discord } from "../../channels/discord/index.ts";
import { parse, type Dispatch } from "../../channels/discord/parse.ts";
import type { MediaKind } from "../../src/message.ts";
import type { Records } from "../../src/ports.ts";
import { replay, type ChannelContract, type Done, type Platform, type Refusal, type Shown } from "./channel.ts";
import { probe } from "./channel-deps.ts";

/** Ids of the recorded payloads. */
export const recorded = {
  me: "1290000000000000001",
  role: "1290000000000000077",
  person: "1290000000000000100",
  application: "1290000000000000009",
};

/** Every reading is at another time: nothing of it may get into an id. */
let time = 1_795_430_000_000;
export const read: ChannelContract["read"] = (payload, account) => {
  const event = parse(payload as Dispatch, {
    ...account,
    me: recorded.me,
    ownRoles: new Set([recorded.role]),
    application: recorded.application,
    session: "0f1e2d3c4b5a",
    authorOf: (channel) => (channel === "1290000000000000200" ? recorded.person : undefined),
    receivedAt: (time += 1_000),
  });
  return event === undefined ? [] : [event];
};

export const hostile: ChannelContract["hostile"] = ({ chat, user }) => ({
  t: "MESSAGE_CREATE",
  s: 3,
  d: {
    id: "1310000000000000001",
    channel_id: chat,
    type: 0,
    author: { id: user, username: "x", discriminator: "0", global_name: null, avatar: null },
    content: "x",
    mentions: [],
    attachments: [],
  },
});

export async function makeDiscord(): Promise<Platform> {
  const fake = await startDiscordFake({ token: `${discordToken}-${"x".repeat(8)}` });
  const person = fake.person("ann");
  const chat = person.direct();
  const group = fake.channel("general");
  // The runtime's records outlive a process.
  const { records } = probe({ tenant: "", channel: "", account: "" }).deps;
  const done = ({ id }: { id: string }): Done => ({ id });

  return {
    secrets: [fake.token, ...fake.interactions().map(({ token }) => token)],
    chat,
    group,
    async start(deps) {
      const settings = { token: fake.token, apiRoot: fake.apiRoot, publicKey: fake.publicKey };
      const channel = discord(settings, { ...deps, records });
      const end = new AbortController();
      const connection = await channel.connect?.(end.signal);
      return {
        channel,
        async stop() {
          end.abort();
          await connection?.closed;
          channel.close?.();
        },
      };
    },
    says: async (text) => done(person.says(chat, text)),
    sendsFile: async (bytes, name) => done(person.says(chat, "", { files: [{ name, bytes: Buffer.from(bytes) }] })),
    presses: async (message, button) => done(await person.presses(message, button)),
    redelivers: async ({ id }) => fake.redeliver(id),
    // A message without an author: Discord never sends it, a changed one might.
    sendsGarbage: async () =>
      fake.gateway.dispatch("MESSAGE_CREATE", { id: "1", channel_id: chat, content: "?" }, undefined),
    acknowledged: ({ id }) => isDurable(records, chat, id),
    shown: async () =>
      fake
        .messages(chat)
        .filter((one) => one.author.id === fake.me && !isDraft(one))
        .map(shownOf),
    signs: async () => ({
      typing: fake.requests.filter(({ path, method }) => method === "POST" && path.endsWith("/typing")).length,
      previews: fake.requests.flatMap(({ body }) => {
        const content = body["content"];
        return typeof content === "string" && content.endsWith("▌") ? [content] : [];
      }),
    }),
    refuses: async (how) => fake.fault({ ...faults[how], method: "POST", path: `/channels/${chat}/messages` }),
    requests: requestsTo(fake),
    close: fake.close,
  };
}

/** History is fetched from behind this message on. */
async function isDurable(records: Records, channel: string, id: string): Promise<boolean> {
  const last = await records.get(`acme:discord:main:last:${channel}`);
  return last !== undefined && BigInt((last.value as { id: string }).id) >= BigInt(id);
}

const isDraft = ({ content }: Message) => content.endsWith("▌");

const faults = {
  rate: { kind: "rate", retryAfter: 7 },
  outage: { kind: "error", status: 502 },
  "hang up": { kind: "close" },
  gone: { kind: "error", status: 403, code: 50_007 },
} as const satisfies Record<Refusal, object>;

function requestsTo(fake: DiscordFake): NonNullable<Platform["requests"]> {
  const url = "http://127.0.0.1/webhooks/discord";
  const post = (body: string, headers: Readonly<Record<string, string>>) =>
    new Request(url, { method: "POST", headers, body });
  /** Discord posts what it would dispatch. */
  const bodyOf = (payload: unknown) =>
    JSON.stringify(typeof payload === "object" && payload !== null && "d" in payload ? payload.d : payload);
  return {
    genuine: (payload) => post(bodyOf(payload), fake.signed(bodyOf(payload))),
    forged: (payload) => {
      const body = bodyOf(payload);
      const { "x-signature-ed25519": signature = "", "x-signature-timestamp": at = "", ...rest } = fake.signed(body);
      const flipped = (signature.startsWith("0") ? "1" : "0") + signature.slice(1);
      return {
        missing: post(body, rest),
        "without a time": post(body, { ...rest, "x-signature-ed25519": signature }),
        empty: post(body, { ...rest, "x-signature-ed25519": "", "x-signature-timestamp": at }),
        wrong: post(body, { ...rest, "x-signature-ed25519": flipped, "x-signature-timestamp": at }),
        "of another time": post(body, {
          ...rest,
          "x-signature-ed25519": signature,
          "x-signature-timestamp": `${Number(at) - 1}`,
        }),
        "of another body": post(`${body} `, fake.signed(body)),
        stale: post(body, fake.signed(body, Date.now() - 6 * 60_000)),
        "from the future": post(body, fake.signed(body, Date.now() + 6 * 60_000)),
      };
    },
  };
}

function shownOf(message: Message): Shown {
  const [file] = message.attachments;
  const kind = file === undefined ? undefined : kindOf(file.content_type ?? "");
  return {
    id: message.id,
    text: readableOf(message.content),
    buttons: componentsOf(message).flatMap(({ custom_id: id, label = "", url, options }) =>
      options === undefined
        ? [{ label, ...(id === undefined ? {} : { id }), ...(url === undefined ? {} : { url }) }]
        : options.map((option) => ({ id: option.value, label: option.label })),
    ),
    ...(kind === undefined ? {} : { media: kind }),
    ...(file === undefined ? {} : { size: file.size }),
    ...(message.message_reference === undefined ? {} : { replyTo: message.message_reference.message_id }),
  };
}

/** Discord shows a file by its type; a recording looks like any other sound. */
function kindOf(type: string): MediaKind {
  if (type === "audio/ogg") return "voice";
  const [family] = type.split("/");
  return family === "image" || family === "video" || family === "audio" ? family : "file";
}

/** What the suite is told; the channel's own tests are where a deviation says "below". */
export const contracts: readonly ChannelContract[] = [
  {
    name: "discord",
    channel: "discord",
    make: makeDiscord,
    genuine: replay("discord"),
    read,
    hostile,
    deviations: { "reports delivery": "Discord tells no bot whether anybody read it" },
  },
];
