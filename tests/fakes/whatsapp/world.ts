/** What the fake knows: the number, its people, what was said, and the media. */
import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import type { Pusher } from "./push.ts";
import type { Content, Fault, GraphCall, InboundEntry, Json, Person } from "./types.ts";

export interface WorldOptions {
  readonly token: string;
  readonly appSecret: string;
  readonly phoneNumberId: string;
  /** Digits. */
  readonly number: string;
  /** How long the address of a medium lasts; Meta says five minutes. */
  readonly mediaUrlMs: number;
}

export interface World extends WorldOptions {
  url(): string;
  readonly calls: GraphCall[];
  readonly inbound: InboundEntry[];
  readonly media: Map<string, { readonly data: Buffer; readonly mime: string }>;
  received(call: Omit<GraphCall, "seq" | "at" | "accepted">): GraphCall;
  fault(fault: Fault): void;
  hit(call: GraphCall): Fault | undefined;
  person(person: Person): Person;
  chatOf(body: Json): string;
  /** True when the person has not written for 24 hours, as far as the fake is told by {@link age}. */
  isOutside(chat: string): boolean;
  age(chat: string): void;
  keep(data: Buffer, mime: string): string;
  /** The number sent something: its status follows by webhook. @returns its wamid. */
  send(call: GraphCall, chat: string, text: string): string;
  /** Says of a message that was sent what became of it. */
  report(id: string, status: string, code?: number): void;
  /** A person's message, not yet posted. */
  write(person: Person, content: Content, more?: Json): InboundEntry;
  /** One webhook with all of these messages, in this order. */
  post(messages: readonly InboundEntry[], people: readonly Person[]): void;
  /** One webhook with this value, as it is. */
  postValue(value: Json, lane: string): void;
  bodyOf(messages: readonly InboundEntry[], people: readonly Person[]): string;
}

let wamids = 0;
function wamid(): string {
  wamids += 1;
  return `wamid.HBgLMTY1MDM4Nzk0MzkVAgARGBI${randomBytes(9).toString("hex").toUpperCase()}${wamids}==`;
}

export function createWorld(options: WorldOptions, pusher: Pusher, url: () => string): World {
  const calls: GraphCall[] = [];
  const inbound: InboundEntry[] = [];
  const media: World["media"] = new Map();
  const people = new Map<string, Person>();
  const aged = new Set<string>();
  const texts = new Map<string, string>();
  let faults: { readonly fault: Fault; left: number }[] = [];
  let seq = 0;
  const metadata = { display_phone_number: options.number, phone_number_id: options.phoneNumberId };

  const envelope = (value: Json) =>
    JSON.stringify({
      object: "whatsapp_business_account",
      entry: [
        {
          id: "102290129340398",
          changes: [{ value: { messaging_product: "whatsapp", metadata, ...value }, field: "messages" }],
        },
      ],
    });
  const contactOf = (person: Person): Json => ({
    profile: { name: person.name, ...(person.username === undefined ? {} : { username: person.username }) },
    ...(person.hidden === true ? {} : { wa_id: person.phone }),
    ...(person.userId === undefined ? {} : { user_id: person.userId }),
  });
  const bodyOf: World["bodyOf"] = (messages, of) =>
    envelope({ contacts: of.map(contactOf), messages: messages.map(({ message }) => message) });

  function statusOf(call: GraphCall, id: string, chat: string, status: string, code?: number): void {
    const key = call.body["biz_opaque_callback_data"];
    const errors =
      code === undefined
        ? {}
        : { errors: [{ code, title: "failed", message: "failed", error_data: { details: "failed" } }] };
    const of = {
      id,
      status,
      timestamp: String(Math.floor(Date.now() / 1_000)),
      recipient_id: chat,
      ...(typeof key === "string" ? { biz_opaque_callback_data: key } : {}),
      ...errors,
    };
    pusher.post({ body: envelope({ statuses: [of] }), lane: `status ${chat}`, delivered() {}, confirmed() {} });
  }

  return {
    ...options,
    url,
    calls,
    inbound,
    media,
    received(call) {
      seq += 1;
      const entry: GraphCall = { seq, at: performance.now(), accepted: false, ...call };
      calls.push(entry);
      return entry;
    },
    fault: (fault) => void faults.push({ fault, left: fault.times ?? Infinity }),
    hit(call) {
      const rule = faults.find(
        ({ fault }) =>
          (fault.operation ?? "message") === call.operation && (fault.chat === undefined || fault.chat === call.chat),
      );
      if (rule === undefined) return undefined;
      rule.left -= 1;
      if (rule.left <= 0) faults = faults.filter((other) => other !== rule);
      return rule.fault;
    },
    person(person) {
      people.set(person.phone, person);
      return person;
    },
    chatOf(body) {
      const recipient = body["recipient"];
      if (typeof body["to"] === "string") return body["to"];
      return [...people.values()].find(({ userId }) => userId === recipient)?.phone ?? String(recipient);
    },
    isOutside: (chat) => aged.has(chat),
    age: (chat) => void aged.add(chat),
    keep(data, mime) {
      const id = String(1_000_000_000_000 + media.size + 1);
      media.set(id, { data, mime });
      return id;
    },
    send(call, chat, text) {
      const id = wamid();
      call.id = id;
      call.accepted = true;
      call.acceptedAt = performance.now();
      texts.set(id, text);
      const later = faults.find(({ fault }) => fault.kind === "fails later");
      if (later?.fault.kind === "fails later") {
        faults = faults.filter((other) => other !== later);
        statusOf(call, id, chat, "failed", later.fault.code);
        return id;
      }
      for (const status of ["sent", "delivered", "read"]) statusOf(call, id, chat, status);
      return id;
    },
    report(id, status, code) {
      const call = calls.find((one) => one.id === id && one.accepted);
      if (call === undefined) throw new Error(`no message ${id} was sent`);
      statusOf(call, id, call.chat ?? "", status, code);
    },
    write(person, content, more = {}) {
      people.set(person.phone, person);
      aged.delete(person.phone);
      const fields: Json = typeof content === "string" ? { type: "text", text: { body: content } } : content;
      const id = wamid();
      const message: Json = {
        ...(person.hidden === true ? {} : { from: person.phone }),
        ...(person.userId === undefined ? {} : { from_user_id: person.userId }),
        id,
        timestamp: String(Math.floor(Date.now() / 1_000)),
        ...fields,
        ...more,
      };
      const caption = (fields[String(fields["type"])] as { caption?: string; body?: string } | undefined) ?? {};
      const text = caption.body ?? caption.caption;
      const entry: InboundEntry = {
        id,
        chat: person.phone,
        message,
        deliveredAt: [],
        ...(text === undefined ? {} : { text }),
      };
      inbound.push(entry);
      return entry;
    },
    post(messages, of) {
      pusher.post({
        body: bodyOf(messages, of),
        lane: messages[0]?.chat ?? "",
        delivered: () => messages.forEach((one) => one.deliveredAt.push(performance.now())),
        confirmed: () => messages.forEach((one) => (one.confirmedAt ??= performance.now())),
      });
    },
    postValue: (value, lane) => pusher.post({ body: envelope(value), lane, delivered() {}, confirmed() {} }),
    bodyOf,
  };
}
