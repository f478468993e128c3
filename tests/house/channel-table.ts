/**
 * What each channel can do, as a table for the README: taken from the traits and abilities that the core itself goes by.
 * `npm run readme` writes it between its two marks; a test fails where it is out of date.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { channelKinds, type ChannelName } from "../../src/main/channels.ts";
import type { Channel } from "../../src/channel.ts";
import { createSafeFetch } from "../../adapters/fetch/index.ts";
import { mediaKinds } from "../../src/message.ts";
import { probe } from "../contract/channel-deps.ts";

const secret = `whsec_${Buffer.from("a secret of the documentation").toString("base64")}`;
const marks = { begin: "<!-- channels: npm run readme -->", end: "<!-- /channels -->" };

/** Accounts that show everything their channel can do; nothing is connected. */
export const accounts: readonly { readonly title: string; readonly name: ChannelName; readonly settings: object }[] = [
  { title: "Web page", name: "web", settings: {} },
  { title: "Telegram", name: "telegram", settings: { token: "1:telegram" } },
  { title: "Discord", name: "discord", settings: { token: "MQ.discord", publicKey: "0".repeat(64) } },
  {
    title: "WhatsApp",
    name: "whatsapp",
    settings: { token: "t", phoneNumberId: "1", appSecret: "s", verifyToken: "v" },
  },
  { title: "WhatsApp Web", name: "whatsapp", settings: { web: true } },
  { title: "Webhooks", name: "webhook", settings: { secret } },
  { title: "A2A", name: "a2a", settings: {} },
  { title: "OpenAI API", name: "openai", settings: { keys: ["sk-documentation-0123456789abcdef"] } },
];

type Row = readonly [title: string, cell: (channel: Channel) => string];

const rows: readonly Row[] = [
  ["text in one message", ({ traits }) => count(traits.text.max)],
  [
    "text under a medium",
    ({ traits }) => (traits.caption.max === 0 ? "a message of its own" : count(traits.caption.max)),
  ],
  ["media it sends, up to", mediaOf],
  ["buttons", ({ traits }) => (traits.buttons === undefined ? "numbered choices" : `up to ${traits.buttons.max}`)],
  ["places on a map", ({ traits }) => (traits.location ? "yes" : "a link")],
  ["replies that show what they answer", ({ traits }) => yes(traits.replies)],
  ["can be written to first", ({ reach }) => yes(reach !== undefined)],
  ["answers can be rated", ratedBy],
  ["typing", ({ typing }) => yes(typing !== undefined)],
  ["the answer as it grows", previewOf],
  ["delivery receipts", ({ traits }) => yes(traits.receipts !== false)],
  ["a repeated send is recognised", ({ traits }) => spanOf(traits.idempotentMs)],
  [
    "order within a chat by",
    ({ traits }) => ({ sequence: "the platform's count", time: "its time", arrival: "arrival" })[traits.order],
  ],
];

function ratedBy({ channel, traits, ratedAs }: Channel): string {
  if (ratedAs === undefined) return "no";
  if (traits.reactions !== undefined) return "by a reaction";
  return channel === "web" ? "by a button" : "by a request";
}

export async function channelTable(): Promise<string> {
  const channels: Channel[] = [];
  for (const { name, settings } of accounts) {
    const kind = channelKinds[name];
    const { deps } = probe({ tenant: "default", channel: name, account: "main" });
    const make = await kind.load();
    const channel = make(kind.settings.parse(settings), deps, {
      agent: { name: "assistant", demo: false },
      agents: ["assistant"],
      pageDirectory: "",
      documents: [],
      safeFetch: createSafeFetch({}),
      groups: "mention",
      data: "",
      profiles: [],
      host: () => {
        throw new Error("no agent is served here");
      },
    });
    channels.push(channel);
  }
  const lines = [
    ["", ...accounts.map(({ title }) => title)],
    ["---", ...accounts.map(() => "---")],
    ...rows.map(([title, cell]) => [title, ...channels.map(cell)]),
  ];
  for (const channel of channels) channel.close?.();
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** @returns the text with the table of today between its marks. @throws Error where it has no marks. */
export async function withChannelTable(text: string): Promise<string> {
  const [from, to] = [text.indexOf(marks.begin), text.indexOf(marks.end)];
  if (from === -1 || to < from) throw new Error(`README.md has no ${marks.begin} … ${marks.end}`);
  return `${text.slice(0, from + marks.begin.length)}\n\n${await channelTable()}\n\n${text.slice(to)}`;
}

function mediaOf({ traits }: Channel): string {
  const kinds = mediaKinds.flatMap((kind) => {
    const bytes = traits.media[kind];
    return bytes === undefined ? [] : [{ kind, mb: bytes / 1_048_576 }];
  });
  const bySize = Map.groupBy(kinds, ({ mb }) => mb);
  if (bySize.size === 0) return "links";
  return [...bySize]
    .map(
      ([mb, of]) => `${of.length === mediaKinds.length ? "all" : of.map(({ kind }) => kind).join(", ")}: ${sizeOf(mb)}`,
    )
    .join("; ");
}

function sizeOf(mb: number): string {
  if (!Number.isFinite(mb)) return "any size";
  return mb < 1 ? `${Math.round(mb * 1_024)} kB` : `${Math.round(mb)} MB`;
}

function previewOf({ preview, traits }: Channel): string {
  if (preview === undefined || traits.preview === undefined) return "no";
  return traits.preview.in.length === 1 ? `in ${traits.preview.in[0]} chats` : "yes";
}

function spanOf(ms: number | undefined): string {
  if (ms === undefined) return "no";
  if (!Number.isFinite(ms)) return "always";
  return ms >= 86_400_000 ? `${ms / 86_400_000} days` : `${Math.round(ms / 60_000)} minutes`;
}

const yes = (can: boolean): string => (can ? "yes" : "no");
const count = (characters: number): string =>
  Number.isFinite(characters) ? characters.toLocaleString("en") : "any length";

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  writeFileSync("README.md", await withChannelTable(readFileSync("README.md", "utf8")));
