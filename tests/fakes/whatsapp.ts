/** A server that speaks Meta's Graph API for one WhatsApp number on loopback, and the people who write to it. */
import { listen, sendText } from "./http.ts";
import { serveGraph } from "./whatsapp/graph.ts";
import { createPusher, sign } from "./whatsapp/push.ts";
import { createWorld } from "./whatsapp/world.ts";
import type { Content, Fault, GraphCall, InboundEntry, Json, Person } from "./whatsapp/types.ts";
import { optionsOf } from "./whatsapp/validate.ts";

export interface WhatsAppFakeOptions {
  readonly token?: string;
  readonly appSecret?: string;
  readonly verifyToken?: string;
  readonly phoneNumberId?: string;
  /** The first pause before a webhook is posted again. Default 100. */
  readonly retryUnitMs?: number;
  /** How long the address of a medium lasts. Default five minutes. */
  readonly mediaUrlMs?: number;
}

export interface WhatsAppFake {
  /** WHATSAPP_API_ROOT. */
  readonly url: string;
  readonly token: string;
  readonly appSecret: string;
  readonly verifyToken: string;
  readonly phoneNumberId: string;
  readonly calls: readonly GraphCall[];
  readonly inbound: readonly InboundEntry[];
  /** Registers the webhook as an operator does at Meta, with the handshake. @returns the handshake's status and answer. */
  register(webhook: string, verifyToken?: string): Promise<{ status: number; answered: boolean }>;
  /** Posts there from now on, without a handshake. */
  leadTo(webhook: string): void;
  person(person: Person): Person;
  /** Writes and posts it; `more` are further fields of the message. */
  says(person: Person, content: Content, more?: Json): InboundEntry;
  /** Writes them all and posts them in one webhook, in the order given by `order` (positions), else as they were written. */
  saysAtOnce(said: readonly (readonly [Person, Content])[], order?: readonly number[]): InboundEntry[];
  sendsFile(
    person: Person,
    bytes: Uint8Array,
    name: string,
    more?: { readonly type?: "document" | "image" | "audio"; readonly mime?: string },
  ): InboundEntry;
  /** Presses a choice of a message of the number's. */
  presses(person: Person, message: string, button: string): InboundEntry;
  /** One webhook with this value beside the metadata, as it is. */
  posts(value: Json): void;
  /** Posts a message again, out of band. Resolves to the statuses. */
  redeliver(id: string, times?: number): Promise<number[]>;
  /** The header for a body. */
  sign(body: string): string;
  fault(fault: Fault): void;
  /** Posts a status of a message that was taken, as Meta does in any order and more than once. */
  reports(id: string, status: "sent" | "delivered" | "read" | "failed", code?: number): void;
  /** The person has not written for 24 hours. */
  age(chat: string): void;
  /** What the number said in a chat, in order: accepted messages. */
  said(chat: string): readonly GraphCall[];
  textOf(call: GraphCall): string;
  close(): Promise<void>;
}

export async function startWhatsAppFake(options: WhatsAppFakeOptions = {}): Promise<WhatsAppFake> {
  const token = options.token ?? "EAAfake-token-of-the-test-number";
  const appSecret = options.appSecret ?? "0123456789abcdef0123456789abcdef";
  const verifyToken = options.verifyToken ?? "a-verify-token-of-the-tests";
  const phoneNumberId = options.phoneNumberId ?? "106540352242922";
  const pusher = createPusher(options.retryUnitMs ?? 100);
  const people = new Map<string, Person>();
  const own = { token, appSecret, phoneNumberId, number: "15550783881", mediaUrlMs: options.mediaUrlMs ?? 300_000 };
  const world = createWorld(own, pusher, () => server.url);
  const server = await listen((request, response) => {
    if (!serveGraph(world, request, response)) sendText(response, 404, "Not Found", { "content-type": "text/plain" });
  });
  const known = (person: Person) => (people.set(person.phone, person), world.person(person));
  const said = (chat: string) =>
    world.calls.filter((call) => call.accepted && call.operation === "message" && call.chat === chat);
  const leadTo = (url: string) => pusher.leadTo({ url, appSecret });

  function says(person: Person, content: Content, more?: Json): InboundEntry {
    const entry = world.write(known(person), content, more);
    world.post([entry], [person]);
    return entry;
  }

  return {
    url: server.url,
    token,
    appSecret,
    verifyToken,
    phoneNumberId,
    calls: world.calls,
    inbound: world.inbound,
    leadTo,
    async register(webhook, given = verifyToken) {
      const challenge = String(1_158_201_444);
      const query = new URLSearchParams({
        "hub.mode": "subscribe",
        "hub.challenge": challenge,
        "hub.verify_token": given,
      });
      const response = await fetch(`${webhook}?${query.toString()}`);
      const answered = response.status === 200 && (await response.text()) === challenge;
      if (answered) leadTo(webhook);
      return { status: response.status, answered };
    },
    person: known,
    says,
    saysAtOnce(given, order) {
      const entries = given.map(([person, content]) => world.write(known(person), content));
      const sorted = order === undefined ? entries : order.flatMap((at) => entries[at] ?? []);
      world.post(sorted, [...new Set(given.map(([person]) => person))]);
      return entries;
    },
    sendsFile(person, bytes, name, { type = "document", mime = "application/octet-stream" } = {}) {
      const id = world.keep(Buffer.from(bytes), mime);
      const more = type === "document" ? { filename: name } : type === "audio" ? { voice: true } : {};
      return says(person, { type, [type]: { id, mime_type: mime, sha256: "x", ...more } });
    },
    presses(person, message, button) {
      const call = world.calls.find(({ id }) => id === message);
      const interactive = (call?.body["interactive"] ?? {}) as Json;
      const option = optionsOf(interactive).find(({ id }) => id === button);
      if (option === undefined) throw new Error(`there is no choice ${button} on ${message}`);
      const type = interactive["type"] === "list" ? "list_reply" : "button_reply";
      return says(
        person,
        { type: "interactive", interactive: { type, [type]: option } },
        { context: { from: world.number, id: message } },
      );
    },
    posts: (value) => world.postValue(value, "value"),
    redeliver(id, times = 1) {
      const entry = world.inbound.find((one) => one.id === id);
      const person = people.get(entry?.chat ?? "");
      if (entry === undefined || person === undefined) throw new Error(`no message ${id}`);
      return Promise.all(Array.from({ length: times }, () => pusher.again(world.bodyOf([entry], [person]))));
    },
    sign: (body) => sign(body, appSecret),
    fault: world.fault,
    reports: world.report,
    age: world.age,
    said,
    textOf,
    async close() {
      pusher.close();
      await server.close();
    },
  };
}

/** What a person reads of a message. */
function textOf({ body }: GraphCall): string {
  const content = (body[String(body["type"])] ?? {}) as {
    body?: string | { text?: string };
    caption?: string;
    components?: { parameters: { text: string }[] }[];
  };
  if (typeof content.body === "string") return content.body;
  return content.body?.text ?? content.caption ?? content.components?.[0]?.parameters[0]?.text ?? "";
}
