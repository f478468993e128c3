/** A part as the body of a message. */
import type { Outgoing } from "../../src/channel.ts";
import type { Button } from "../../src/message.ts";

/** As Discord counts: what is written, marks included. */
export const maxText = 2_000;

/** Nobody is ever notified by what an agent writes; not even the person that it replies to. */
export const noMentions = { parse: [], replied_user: false } as const;

export interface Body {
  readonly content: string;
  readonly components: readonly unknown[];
  readonly embeds: readonly unknown[];
  readonly allowed_mentions: typeof noMentions;
  readonly attachments?: readonly { readonly id: number; readonly filename: string }[];
}

/** @see https://discord.com/developers/docs/resources/message#create-message */
export function bodyOf(part: Exclude<Outgoing, { kind: "location" }>): Body {
  const components = part.buttons === undefined ? [] : componentsOf(part.buttons);
  const base = { components, embeds: [] as unknown[], allowed_mentions: noMentions };
  if (part.kind === "text") return { ...base, content: part.text };
  const { media, caption = "" } = part;
  if (media.source.from !== "url") return { ...base, content: caption };
  const { url } = media.source;
  if (media.kind === "image" && /^https?:/i.test(url))
    return { ...base, content: caption, embeds: [{ image: { url } }] };
  // Discord itself makes an embed of an address that has something to show.
  return {
    ...base,
    content: [caption, url]
      .filter((line) => line !== "")
      .join("\n")
      .slice(0, maxText),
  };
}

const buttonsPerRow = 5;
/** Beyond this a row of buttons is harder to read than a list to choose from. */
const mostAsButtons = 15;

/** @see https://discord.com/developers/docs/components/reference */
export function componentsOf(buttons: readonly Button[]): readonly unknown[] {
  if (buttons.length > mostAsButtons && buttons.every(({ url }) => url === undefined)) return [select(buttons)];
  const all = buttons.map(({ id, label, url }) =>
    url === undefined ? { type: 2, style: 2, label, custom_id: id } : { type: 2, style: 5, label, url },
  );
  return Array.from({ length: Math.ceil(all.length / buttonsPerRow) }, (_, row) => ({
    type: 1,
    components: all.slice(row * buttonsPerRow, (row + 1) * buttonsPerRow),
  }));
}

function select(buttons: readonly Button[]): unknown {
  const options = buttons.map(({ id, label }) => ({ label, value: id }));
  return { type: 1, components: [{ type: 3, custom_id: "choices", options, min_values: 1, max_values: 1 }] };
}

/** The same without buttons: a list, where Discord refuses them. */
export function withList(part: Exclude<Outgoing, { kind: "location" }>): typeof part {
  const { buttons = [], ...rest } = part;
  const list = buttons
    .map(({ label, url }, at) => `${at + 1}. ${label}${url === undefined ? "" : `: ${url}`}`)
    .join("\n");
  const words = (rest.kind === "text" ? rest.text : rest.caption) ?? "";
  const room = maxText - list.length - 2;
  const text = room < 0 ? words : `${words.slice(0, room)}\n\n${list}`.trim();
  return rest.kind === "text" ? { ...rest, text } : { ...rest, caption: text };
}
