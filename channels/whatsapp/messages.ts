/**
 * One part as what WhatsApp takes. Where WhatsApp has no single message for it (choices under a sound or a long list under
 * a picture, words under a voice note) it becomes two, in this order.
 *
 * @see https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages
 */
import type { Outgoing } from "../../src/channel.ts";
import { partsOf, type MessageId } from "../../src/ids.ts";
import type { Address, Button, MediaKind, MediaPart } from "../../src/message.ts";

export const maxText = 4_096;
export const maxCaption = 1_024;
export const maxChoices = 10;
/** Of a row in a list. */
export const maxLabel = 24;
/** Of a reply button. */
const maxButtonLabel = 20;
const maxButtonText = 1_024;
const mostButtons = 3;

/** A message whose medium is still to be uploaded. */
export type Step =
  | { readonly body: Readonly<Record<string, unknown>> }
  | { readonly media: MediaPart; readonly of: MediaBody };
type MediaBody = (file: { readonly id: string } | { readonly link: string }) => Readonly<Record<string, unknown>>;

export function stepsOf(part: Outgoing, listButton: string): Step[] {
  if (part.kind === "location") {
    const { latitude, longitude, name } = part;
    const place = { latitude, longitude, ...(name === undefined || name === "" ? {} : { name, address: name }) };
    return [{ body: { type: "location", location: place } }];
  }
  const choices = (part.buttons ?? []).filter(({ url }) => url === undefined);
  const links = (part.buttons ?? []).filter(({ url }) => url !== undefined);
  if (part.kind === "text") return textSteps(part.text, choices, links, listButton);
  return mediaSteps(part.media, part.caption ?? "", choices, links, listButton);
}

/** The same in words, for a refusal of its form. */
export function asWords(part: Outgoing): string {
  if (part.kind === "location") return "";
  const lines = (part.buttons ?? []).map(
    ({ label, url }, at) => `${at + 1}. ${label}${url === undefined ? "" : `: ${url}`}`,
  );
  const words = part.kind === "text" ? part.text : (part.caption ?? "");
  return [words, lines.join("\n")].filter((one) => one !== "").join("\n\n");
}

export function textBody(body: string): Readonly<Record<string, unknown>> {
  return { type: "text", text: { body, preview_url: true } };
}

function textSteps(text: string, choices: readonly Button[], links: readonly Button[], listButton: string): Step[] {
  if (choices.length === 0 && links.length === 0) return [{ body: textBody(text) }];
  const [link] = links;
  if (choices.length === 0 && links.length === 1 && link?.url !== undefined && text.length <= maxButtonText) {
    if (link.label.length <= maxButtonLabel) return [{ body: linkBody(text, link.label, link.url) }];
  }
  // WhatsApp shows no link among choices: it stands in the text.
  const lines = links.map(({ label, url }) => `${label}: ${url}`).join("\n");
  const whole = [text, lines].filter((one) => one !== "").join("\n\n");
  if (choices.length === 0 && whole.length <= maxText) return [{ body: textBody(whole) }];
  if (whole.length <= maxText) return [{ body: choiceBody(whole, choices, listButton) }];
  const rest = lines === "" ? silent : lines.slice(0, maxText);
  const second = choices.length === 0 ? textBody(rest) : choiceBody(rest, choices, listButton);
  return [{ body: textBody(text) }, { body: second }];
}

function mediaSteps(
  media: MediaPart,
  caption: string,
  choices: readonly Button[],
  links: readonly Button[],
  listButton: string,
): Step[] {
  const type = typeOf(media);
  const words = type === "audio" || type === "sticker" ? "" : caption;
  const alone: Step = { media, of: (file) => ({ type, [type]: contentOf(type, media, file, words) }) };
  const left = words === "" ? caption : "";
  if (choices.length === 0 && links.length === 0) return left === "" ? [alone] : [alone, { body: textBody(left) }];
  const heads = type === "image" || type === "video" || type === "document";
  if (!heads || links.length > 0 || !areButtons(choices) || caption === "") {
    const { media: bare } = {
      media: { media, of: (file: Parameters<MediaBody>[0]) => ({ type, [type]: contentOf(type, media, file, "") }) },
    };
    return [bare, ...textSteps(caption === "" ? silent : caption, choices, links, listButton)];
  }
  const of: MediaBody = (file) => {
    const header = { type, [type]: contentOf(type, media, file, "") };
    return { type: "interactive", interactive: { ...buttonsOf(caption, choices), header } };
  };
  return [{ media, of }];
}

/** Choices need words above them; this is none in any language. */
const silent = "👇";

type MessageType = "image" | "video" | "audio" | "document" | "sticker";
const typeOfKind: Readonly<Record<MediaKind, MessageType>> = {
  image: "image",
  video: "video",
  audio: "audio",
  voice: "audio",
  file: "document",
  sticker: "sticker",
};
/** What WhatsApp shows as such; anything else goes out as a document. */
const shown: Readonly<Record<Exclude<MessageType, "document">, readonly string[]>> = {
  image: ["image/jpeg", "image/png"],
  video: ["video/mp4", "video/3gpp"],
  audio: ["audio/aac", "audio/mp4", "audio/mpeg", "audio/amr", "audio/ogg", "audio/opus"],
  sticker: ["image/webp"],
};
const documents = [
  "application/pdf",
  "application/msword",
  "application/vnd.ms-excel",
  "application/vnd.ms-powerpoint",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  "application/vnd.openxmlformats-officedocument.presentationml.presentation",
  "text/plain",
];
const uploadable = new Set([...documents, ...Object.values(shown).flat()]);

function typeOf({ kind, type }: MediaPart): MessageType {
  const wanted = typeOfKind[kind];
  return wanted === "document" || shown[wanted].includes(type) ? wanted : "document";
}

/** The type to upload it as: Meta takes a short list, and phones open a document by its name. */
export function uploadType(type: string): string {
  return uploadable.has(type) ? type : "text/plain";
}

function contentOf(
  type: MessageType,
  { kind, name }: MediaPart,
  file: Parameters<MediaBody>[0],
  caption: string,
): Readonly<Record<string, unknown>> {
  return {
    ...file,
    ...(caption === "" ? {} : { caption }),
    ...(type === "document" && name !== undefined ? { filename: name } : {}),
    ...(kind === "voice" && type === "audio" ? { voice: true } : {}),
  };
}

function areButtons(choices: readonly Button[]): boolean {
  const labels = new Set(choices.map(({ label }) => label));
  return (
    choices.length <= mostButtons &&
    labels.size === choices.length &&
    choices.every(({ label }) => label.length <= maxButtonLabel)
  );
}

function buttonsOf(text: string, choices: readonly Button[]) {
  const buttons = choices.map(({ id, label }) => ({ type: "reply", reply: { id, title: label } }));
  return { type: "button", body: { text }, action: { buttons } };
}

function choiceBody(text: string, choices: readonly Button[], listButton: string): Readonly<Record<string, unknown>> {
  if (areButtons(choices) && text.length <= maxButtonText)
    return { type: "interactive", interactive: buttonsOf(text, choices) };
  const rows = choices.map(({ id, label }) => ({ id, title: label }));
  const action = { button: listButton, sections: [{ rows }] };
  return { type: "interactive", interactive: { type: "list", body: { text }, action } };
}

function linkBody(text: string, label: string, url: string): Readonly<Record<string, unknown>> {
  const action = { name: "cta_url", parameters: { display_text: label, url } };
  return { type: "interactive", interactive: { type: "cta_url", body: { text }, action } };
}

/** A person whose number is hidden is written to by the id that this business knows. */
export const scoped = /^[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]+$/;

export function recipientOf({ kind, chat }: Address): Readonly<Record<string, string>> {
  if (kind === "group") return { recipient_type: "group", to: chat };
  return { recipient_type: "individual", ...(scoped.test(chat) ? { recipient: chat } : { to: chat }) };
}

/** Meta hands back at most so much with a status. */
const longestKey = 512;

/** What Meta hands back with every status of a message. */
export function keyBody(key: string): Readonly<Record<string, string>> {
  return key.length <= longestKey ? { biz_opaque_callback_data: key } : {};
}

/** The wamid of a message of this chat. */
export function wamidOf(id: string, chat: string): string | undefined {
  const [where, wamid, ...more] = partsOf(id as MessageId) ?? [];
  return where === chat && more.length === 0 && wamid?.startsWith("wamid.") === true ? wamid : undefined;
}
