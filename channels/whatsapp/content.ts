/** What a WhatsApp message contains, as parts. Media are referred to by their id, which `fetchMedia` takes. */
import { InputError } from "../../src/errors.ts";
import type { InboundPart, MediaKind } from "../../src/message.ts";
import type { Media, Written } from "./payload.ts";

/** What nobody wrote: it becomes no event. */
const service = new Set(["system", "request_welcome"]);

/** The parts of a message; empty for service messages. @throws InputError for a type that is not known, or lacks what it names. */
export function partsOf(message: Written, of: (id: string) => string): InboundPart[] {
  const { type } = message;
  if (service.has(type)) return [];
  const parts = partsOfType(message, of);
  if (parts === undefined) throw new InputError(`whatsapp: a message of type "${type.slice(0, 40)}" cannot be read`);
  return parts;
}

function partsOfType(message: Written, of: (id: string) => string): InboundPart[] | undefined {
  switch (message.type) {
    case "text":
      return message.text && [plain(message.text.body)];
    case "image":
    case "video":
    case "document":
    case "sticker":
    case "audio": {
      const medium = message[message.type];
      return medium && mediaParts(message.type, medium);
    }
    case "location": {
      if (message.location === undefined) return undefined;
      const { latitude, longitude, name, address } = message.location;
      return [
        {
          kind: "location",
          latitude,
          longitude,
          ...(name === undefined ? {} : { name }),
          ...(address === undefined ? {} : { address }),
        },
      ];
    }
    case "contacts":
      return message.contacts?.map(contactPart);
    case "interactive":
    case "button":
      return pressed(message, of);
    default:
      return described(message);
  }
}

function plain(text: string): InboundPart {
  return { kind: "text", text, format: "plain" };
}

const defaultTypes = {
  image: "image/jpeg",
  video: "video/mp4",
  audio: "audio/ogg",
  document: "application/octet-stream",
  sticker: "image/webp",
} as const;

function mediaParts(type: keyof typeof defaultTypes, medium: Media): InboundPart[] {
  const kind: MediaKind = type === "document" ? "file" : type === "audio" && medium.voice === true ? "voice" : type;
  const part: InboundPart = {
    kind,
    source: { from: "platform", ref: medium.id },
    // "audio/ogg; codecs=opus": the parameters tell nobody here anything.
    type: medium.mime_type?.split(";")[0]?.trim() ?? defaultTypes[type],
    ...(medium.filename === undefined ? {} : { name: medium.filename }),
  };
  return medium.caption === undefined || medium.caption === "" ? [part] : [part, plain(medium.caption)];
}

function contactPart({ name, phones, vcard }: NonNullable<Written["contacts"]>[number]): InboundPart {
  const full = [name?.first_name, name?.last_name].filter((word) => word !== undefined).join(" ");
  const phone = phones?.[0]?.phone ?? phones?.[0]?.wa_id;
  return {
    kind: "contact",
    name: name?.formatted_name ?? (full === "" ? (phone ?? "") : full),
    ...(phone === undefined ? {} : { phone }),
    ...(vcard === undefined ? {} : { vcard }),
  };
}

function pressed({ interactive, button, context }: Written, of: (id: string) => string): InboundPart[] | undefined {
  const carried = typeof context?.id === "string" ? { of: of(context.id) } : {};
  const choice = interactive?.button_reply ?? interactive?.list_reply;
  if (choice !== undefined) {
    return [
      { kind: "press", button: choice.id, ...(choice.title === undefined ? {} : { label: choice.title }), ...carried },
    ];
  }
  if (button !== undefined) {
    const { payload = button.text ?? "", text } = button;
    return [{ kind: "press", button: payload, ...(text === undefined ? {} : { label: text }), ...carried }];
  }
  const form = interactive?.nfm_reply;
  return form && [plain([form.body, form.response_json].filter((one) => one !== undefined).join("\n"))];
}

/** What a person sent that has no part of its own, in words. */
function described({ type, order, unsupported }: Written): InboundPart[] | undefined {
  if (type === "order" && order !== undefined) {
    const items = order.product_items.map(
      ({ product_retailer_id: id = "?", quantity = "1" }) => `- ${quantity} × ${id}`,
    );
    return [plain([order.text ?? "(an order)", ...items].join("\n"))];
  }
  if (type !== "unsupported") return undefined;
  const what = unsupported?.type;
  return [
    plain(`(a message that WhatsApp does not pass on${what === undefined ? "" : `: ${what.replaceAll("_", " ")}`})`),
  ];
}
