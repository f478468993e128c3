/** What POST /messages takes, by the limits of Meta's reference. */
import { GraphRefusal, type Json } from "./types.ts";

const wrong = (details: string, code = 131_009): never => {
  throw new GraphRefusal(400, code, `(#${code}) Parameter value is not valid`, details);
};

const object = (value: unknown, name: string): Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Json)
    : wrong(`${name} must be an object`, 100);

function words(value: unknown, name: string, most: number): string {
  if (typeof value !== "string" || value === "") return wrong(`${name} is required`, 131_008);
  return Array.from(value).length > most ? wrong(`${name} is longer than ${most} characters`, 100) : value;
}

/** @returns what a person sees of it in words. @throws GraphRefusal */
export function checkMessage(body: Json, isMedia: (id: string) => boolean): string {
  if (body["messaging_product"] !== "whatsapp") wrong("messaging_product must be whatsapp", 100);
  const type = words(body["type"], "type", 40);
  const content = object(body[type], type);
  switch (type) {
    case "text":
      return words(content["body"], "text.body", 4_096);
    case "image":
    case "video":
    case "document":
    case "audio":
    case "sticker":
      return checkMedia(type, content, isMedia);
    case "location":
      if (typeof content["latitude"] !== "number" || typeof content["longitude"] !== "number")
        wrong("a place needs numbers", 100);
      return String(content["name"] ?? "");
    case "interactive":
      return checkInteractive(content, isMedia);
    case "template":
      return checkTemplate(content);
    default:
      return wrong(`type ${type} is not known`, 131_051);
  }
}

function checkMedia(type: string, content: Json, isMedia: (id: string) => boolean): string {
  const { id, link, caption } = content as { id?: unknown; link?: unknown; caption?: unknown };
  if ((id === undefined) === (link === undefined)) wrong("either id or link", 100);
  if (id !== undefined && !isMedia(String(id))) wrong("the medium is not known", 131_053);
  if (caption === undefined) return "";
  if (type === "audio" || type === "sticker") wrong(`${type} takes no caption`, 100);
  return words(caption, "caption", 1_024);
}

function checkInteractive(content: Json, isMedia: (id: string) => boolean): string {
  const type = content["type"];
  const action = object(content["action"], "action");
  const text = words(object(content["body"], "body")["text"], "body.text", type === "list" ? 4_096 : 1_024);
  const header = content["header"] as Json | undefined;
  if (header !== undefined) {
    const kind = String(header["type"]);
    if (!["image", "video", "document", "text"].includes(kind) || type !== "button")
      wrong("this header is not possible", 100);
    if (kind !== "text") checkMedia(kind, object(header[kind], "header"), isMedia);
  }
  if (type === "cta_url") {
    const { display_text: label, url } = object(action["parameters"], "parameters");
    words(label, "display_text", 20);
    if (!/^https?:\/\//.test(String(url))) wrong("url is no address", 100);
    return text;
  }
  const options = optionsOf(content);
  const [mostOptions, mostTitle, mostId] = type === "button" ? [3, 20, 256] : [10, 24, 200];
  if (options.length === 0 || options.length > mostOptions) wrong(`1 to ${mostOptions} options`);
  for (const { id, title } of options) {
    words(title, "title", mostTitle);
    words(id, "id", mostId);
  }
  if (new Set(options.map(({ id }) => id)).size < options.length) wrong("ids must be unique");
  if (type === "button" && new Set(options.map(({ title }) => title)).size < options.length)
    wrong("titles must be unique");
  if (type === "list") words(action["button"], "button", 20);
  return text;
}

/** The choices that a message offers. */
export function optionsOf(interactive: Json): { id: string; title: string }[] {
  const action = (interactive["action"] ?? {}) as Json;
  if (interactive["type"] === "button")
    return ((action["buttons"] ?? []) as { reply: { id: string; title: string } }[]).map(({ reply }) => reply);
  if (interactive["type"] !== "list") return [];
  return ((action["sections"] ?? []) as { rows: { id: string; title: string }[] }[]).flatMap(({ rows }) => rows);
}

function checkTemplate(content: Json): string {
  words(content["name"], "template.name", 512);
  words(object(content["language"], "language")["code"], "language.code", 20);
  const [body] = (content["components"] ?? []) as { parameters?: { text?: string }[] }[];
  const parameters = body?.parameters ?? [];
  if (parameters.length !== 1) throw new GraphRefusal(400, 132_000, "(#132000) Number of parameters does not match");
  const text = words(parameters[0]?.text, "parameter", 1_024);
  if (/[\n\t]| {5}/.test(text))
    throw new GraphRefusal(400, 132_018, "(#132018) a parameter has line breaks or runs of spaces");
  return text;
}
