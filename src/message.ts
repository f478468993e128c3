/**
 * The normalized message model: what channels hand to the core and what the core hands back.
 *
 * Everything that is stored or published is a versioned zod schema: `v` rises only with an incompatible change, and an
 * older row is upgraded where it is read. Times are milliseconds since the epoch, sizes are bytes.
 */
import { z } from "zod";
import type { AgentId, ConversationId, MessageId, ParticipantId, TurnId } from "./ids.ts";

const id = <Id extends string>() => z.custom<Id>((value) => typeof value === "string" && value.length > 0);

/** Where bytes are: in the gateway's own store, at the platform (fetched by the channel), or at a public address. */
const mediaSource = z.discriminatedUnion("from", [
  z.object({ from: z.literal("blob"), id: z.string() }),
  z.object({ from: z.literal("platform"), ref: z.string() }),
  z.object({ from: z.literal("url"), url: z.string() }),
]);

export const mediaKinds = ["image", "video", "audio", "voice", "file", "sticker"] as const;
export type MediaKind = (typeof mediaKinds)[number];

const text = z.object({
  kind: z.literal("text"),
  text: z.string(),
  /** "markdown" is CommonMark with GFM tables and strike-through; "plain" is shown as it is. */
  format: z.enum(["plain", "markdown"]),
});

const media = z.object({
  kind: z.enum(mediaKinds),
  source: mediaSource,
  /** Media type, for example "image/png". */
  type: z.string(),
  name: z.string().optional(),
  size: z.number().int().nonnegative().optional(),
  width: z.number().optional(),
  height: z.number().optional(),
  /** Seconds. */
  duration: z.number().optional(),
  /** What a person would be told who cannot see or hear it; an emoji for a sticker. */
  alt: z.string().optional(),
});
export type MediaPart = z.infer<typeof media>;

const location = z.object({
  kind: z.literal("location"),
  latitude: z.number(),
  longitude: z.number(),
  name: z.string().optional(),
  address: z.string().optional(),
});

const contact = z.object({
  kind: z.literal("contact"),
  name: z.string(),
  phone: z.string().optional(),
  vcard: z.string().optional(),
});

/** A button the person pressed: `button` is the id the agent gave it, `of` the message that carried it, where known. */
const press = z.object({
  kind: z.literal("press"),
  button: z.string(),
  label: z.string().optional(),
  of: z.string().optional(),
});

export const inboundPart = z.union([text, media, location, contact, press]);
export type InboundPart = z.infer<typeof inboundPart>;

/** How to reach a conversation: all that a channel needs to send there. Part of every event and every outbox entry. */
export const address = z.object({
  tenant: z.string(),
  channel: z.string(),
  account: z.string(),
  conversation: id<ConversationId>(),
  kind: z.enum(["direct", "group"]),
  /** The platform's own id of the chat. */
  chat: z.string(),
  /** The platform's own id of the thread, topic or forum post inside the chat. */
  thread: z.string().optional(),
  /** The agent that the sender asked for by its name in the configuration, where there is a choice; else the account's. */
  agent: z.string().optional(),
});
export type Address = z.infer<typeof address>;

export const participant = z.object({
  id: id<ParticipantId>(),
  /** The platform's own id of the person. */
  user: z.string(),
  name: z.string().optional(),
  handle: z.string().optional(),
  bot: z.boolean().optional(),
  /** BCP 47 tag, as the platform tells it. */
  locale: z.string().optional(),
  /** IANA name, as the channel tells it. */
  timeZone: z.string().optional(),
});
export type Participant = z.infer<typeof participant>;

/** What was said before a message, as its sender tells it: "note" is what neither side said. */
const told = z.object({ role: z.enum(["user", "agent", "note"]), text: z.string() });
export type Told = z.infer<typeof told>;

export const message = z.object({
  parts: z.array(inboundPart),
  /** The conversation so far, oldest first, where its sender keeps it: for one that the gateway has no memory of. */
  before: z.array(told).optional(),
  replyTo: z
    .object({
      id: id<MessageId>().optional(),
      text: z.string().optional(),
      /** The message replied to is the bot's own. */
      own: z.boolean().optional(),
    })
    .optional(),
  /** In a group: the bot was mentioned, replied to or commanded. Always true in a direct chat. */
  addressed: z.boolean(),
  /** It names another bot as the one that it is for: never this one's, also where all of a group's messages are answered. */
  forAnother: z.boolean().optional(),
  /** The agents that it came through, where agents ask for it: the first one first. See `chain.ts`. */
  chain: z.array(z.string()).optional(),
  /** A command such as /reset, without the slash and in lower case; `args` is the text behind it. */
  command: z.object({ name: z.string(), args: z.string() }).optional(),
});
export type Message = z.infer<typeof message>;

/** The gateway's own sentences; the wording and the language are chosen when it is sent. */
export const noticeKeys = [
  "start",
  "help",
  "reset",
  "stopped",
  "failed",
  "timeout",
  "overloaded",
  "budgetDay",
  "budgetMonth",
  "usageList",
  "usageNone",
  "inLine",
  "unsaid",
  "undelivered",
  "unpaired",
  "paired",
  "tooMany",
  "refused",
  "linkCode",
  "linkUnknown",
  "linkLimited",
  "linkRefused",
  "linkTaken",
  "linked",
  "linkedHere",
  "unlinked",
  "notLinked",
  "busy",
  "memoryList",
  "memoryUnused",
  "memoryNone",
  "memoryHelp",
  "memoryDeleted",
  "memoryUnknown",
  "memoryCleared",
  "memoryOff",
  "memoryOn",
  "exported",
  "forgetAsk",
  "forgotten",
  "directOnly",
  "approvalWanted",
  "approve",
  "deny",
  "approvalByOperator",
  "approvalExpired",
  "personAsked",
  "noPerson",
  "personHere",
  "personGone",
  "nobodyCame",
  "toolAsks",
  "agentsHere",
  "agentPicked",
  "agentUnknown",
  "agentNamed",
  "agentGone",
  "ratherNot",
  "missionAnswered",
  "missionOver",
  "yes",
  "no",
  "withheld",
  "reviewWanted",
] as const;
export type NoticeKey = (typeof noticeKeys)[number];
/** What a sentence has places for. */
const noticeValues = z.record(z.string(), z.string());
export type NoticeValues = Readonly<z.infer<typeof noticeValues>>;

/** `id` comes back in the press; `url` makes it a link, which is never pressed. */
export const button = z.object({ id: z.string(), label: z.string(), url: z.string().optional() });
export type Button = z.infer<typeof button>;

/** What an agent answers with. Parts are sent in their order; buttons belong to the last text. */
export const answer = z.object({
  parts: z.array(z.union([text, media, location])),
  buttons: z.array(button).optional(),
  /** Set instead of parts when the gateway itself speaks. */
  notice: z.enum(noticeKeys).optional(),
  values: noticeValues.optional(),
});
export type Answer = z.infer<typeof answer>;

const header = {
  v: z.literal(1),
  /** The event's own id, derived from the platform's: a redelivered event has the same one. */
  id: id<MessageId>(),
  address,
  participant,
  /**
   * The platform's own time of the message, for an edit too; absent where the platform gives none that survives redelivery.
   */
  sentAt: z.number().optional(),
  /** Rises within a conversation in the order the person wrote; a channel gives it to all its events, or to none. */
  sequence: z.number().optional(),
  /** Given by the ingress: the order of arrival at one process. */
  arrival: z.object({ at: z.string(), n: z.number() }).optional(),
  /** When this gateway received it. */
  receivedAt: z.number(),
  /** The platform's payload as it came, for the record; never shown to an agent. */
  raw: z.unknown().optional(),
};

/** What comes in. `edited` carries the whole new message; `target` names the message an event is about. */
export const inboundEvent = z.discriminatedUnion("kind", [
  z.object({
    ...header,
    kind: z.literal("message"),
    message,
    /**
     * Nobody wrote it: the gateway tells its agent something, and the next turn is about it. `participant` is whom it is for.
     * Never a channel's.
     */
    note: z
      .object({
        topic: z.string(),
        /** The agent whose business it is, by its name in the configuration; else whoever answers there. */
        agent: z.string().optional(),
      })
      .optional(),
  }),
  z.object({ ...header, kind: z.literal("edited"), target: id<MessageId>(), message }),
  z.object({ ...header, kind: z.literal("deleted"), targets: z.array(id<MessageId>()) }),
  z.object({
    ...header,
    kind: z.literal("reacted"),
    target: id<MessageId>(),
    added: z.array(z.string()),
    removed: z.array(z.string()),
  }),
  z.object({ ...header, kind: z.literal("membership"), change: z.enum(["joined", "left"]) }),
  /** From the gateway itself, for the person and not the agent: never a channel's. */
  z.object({ ...header, kind: z.literal("notice"), notice: z.enum(noticeKeys), values: noticeValues.optional() }),
  /**
   * The agent's own words to the person, who did not ask. `listed`: the platform shows their buttons as a numbered list. `outside`:
   * they may come of content from outside. Never a channel's.
   */
  z.object({
    ...header,
    kind: z.literal("said"),
    answer,
    listed: z.boolean().optional(),
    outside: z.literal(true).optional(),
  }),
]);
export type InboundEvent = z.infer<typeof inboundEvent>;
export type InboundMessage = Extract<InboundEvent, { kind: "message" }>;
export type InboundNotice = Extract<InboundEvent, { kind: "notice" }>;
export type InboundSaid = Extract<InboundEvent, { kind: "said" }>;

/** From the gateway itself: nobody was heard by it. */
export function isOwn(event: InboundEvent): boolean {
  return event.kind === "notice" || event.kind === "said" || (event.kind === "message" && event.note !== undefined);
}

/** Those of them that people wrote: what a platform knows of, and an answer can reply to. */
export function fromPeople(messages: readonly InboundMessage[]): readonly InboundMessage[] {
  return messages.filter(({ note }) => note === undefined);
}

/** A call of a tool that waits for somebody's word, and the people's messages that led to it. See `asks.ts`. */
const askedFor = z.object({ id: z.string(), by: z.enum(["person", "operator"]), from: z.array(id<MessageId>()) });
export type AskedFor = Readonly<z.infer<typeof askedFor>>;

/** Which agent made an answer, and where it was in doubt of it: said where answers are rated. See `feedback.ts`. */
export const made = z.object({
  turn: id<TurnId>(),
  /** The agent's name in the configuration. */
  agent: z.string(),
  model: z.string(),
  /** The same as long as its instructions, model and tools are. */
  version: z.string(),
  doubts: z.array(z.string()).optional(),
});
export type Made = Readonly<z.infer<typeof made>>;

/** One entry of the outbox, and the event on topic "outbound". `seq` counts from 1 within the conversation. */
export const outboundEvent = z.object({
  v: z.literal(1),
  agent: id<AgentId>(),
  to: address,
  seq: z.number().int().positive(),
  /** The messages it answers: one, or all that were merged into the turn. Empty when the agent writes first. */
  answers: z.array(id<MessageId>()),
  /** What the gateway itself asked for with it: the words that it is, the notes that it comes of. See `proactive.ts`. */
  requests: z.array(id<MessageId>()).optional(),
  /** It says that a call waits for a word. */
  asks: askedFor.optional(),
  /** It is what came of such a call, or of nobody's word. */
  decides: askedFor.optional(),
  /** Language of the person, for the gateway's own sentences. */
  locale: z.string().optional(),
  /** The agent that answers, where there are several: its name in the configuration, and the one that people are shown. */
  by: z.object({ name: z.string(), title: z.string() }).optional(),
  made: made.optional(),
  answer,
  at: z.number(),
});
export type OutboundEvent = z.infer<typeof outboundEvent>;

/** What comes back from delivery: only failures reach the agent. */
export const receiptEvent = z.object({
  v: z.literal(1),
  kind: z.literal("failed"),
  agent: id<AgentId>(),
  to: address,
  seq: z.number().int().positive(),
  /** What failed was the gateway's own notice: nobody is told of that. */
  notice: z.boolean(),
  /** Nobody waits for it: the agent had written first. */
  unasked: z.boolean().optional(),
  /** The error's own words: channel, operation and cause, without message text. */
  reason: z.string(),
  at: z.number(),
});
export type ReceiptEvent = z.infer<typeof receiptEvent>;

/** The gateway's own store has their bytes. */
export function blobsIn(parts: readonly (InboundPart | Answer["parts"][number])[]): string[] {
  return parts.flatMap((part) => ("source" in part && part.source.from === "blob" ? [part.source.id] : []));
}

/**
 * A message in one text for the agent and the history: its words, and what else it carries in square brackets.
 * @param read what stands for a medium, by its place among the parts, where more is known of it than that it came.
 */
export function describe(of: Message, read: readonly { readonly part: number; readonly text: string }[] = []): string {
  const known = (at: number) => read.find((one) => one.part === at)?.text;
  const texts = of.parts.map((part, at) => ("source" in part ? known(at) : undefined) ?? describePart(part));
  return texts.filter(Boolean).join("\n");
}

/** What the agent said, for its own history: the words, what it attached and what it offered. */
export function describeAnswer(of: Answer): string {
  const offered = of.buttons?.map(({ label }) => label).join(" | ");
  return [...of.parts.map(describePart), offered === undefined ? "" : `[offered: ${offered}]`]
    .filter(Boolean)
    .join("\n");
}

function describePart(part: InboundPart): string {
  switch (part.kind) {
    case "text":
      return part.text;
    case "press":
      return `[pressed the button "${part.label ?? part.button}"]`;
    case "location":
      return `[location ${part.latitude}, ${part.longitude}${part.name === undefined ? "" : `: ${part.name}`}]`;
    case "contact":
      return `[contact ${part.name}${part.phone === undefined ? "" : `, ${part.phone}`}]`;
    default:
      return `[${[part.kind, part.alt ?? part.name, part.type, part.size === undefined ? "" : `${part.size} bytes`].filter(Boolean).join(", ")}]`;
  }
}
