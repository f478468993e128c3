/** The OpenAI API for the channel contract: a program with a key that posts questions and reads its conversation. */
import { createHash } from "node:crypto";
import { createSafeFetch } from "../../adapters/fetch/index.ts";
import { parseChat } from "../../channels/openai/chat.ts";
import type { Given } from "../../channels/openai/content.ts";
import { openai } from "../../channels/openai/index.ts";
import { openaiSettings } from "../../channels/openai/settings.ts";
import { bounded, callIdOf, chatOf, eventOf } from "../../channels/openai/parse.ts";
import { parseResponses } from "../../channels/openai/responses.ts";
import { createCallers } from "../../channels/openai/verify.ts";
import { InputError } from "../../src/errors.ts";
import { plainText } from "../../src/markdown.ts";
import type { InboundPart } from "../../src/message.ts";
import { replay, type ChannelContract, type Platform, type Running, type Shown } from "./channel.ts";
import { outbox, type Outbox } from "./web-outbox.ts";

export interface OpenaiPayload {
  readonly path: "chat/completions" | "responses";
  /** Its Idempotency-Key. */
  readonly key: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export const apiKey = "sk-a-key-of-the-contracts-tests";
export const otherKey = "sk-another-key-of-these-tests";
const maxText = 100_000;
const base = "http://127.0.0.1/v1";
const conversation = "main";
const authorization = `Bearer ${apiKey}`;
const caller = createCallers([apiKey]).of(new Headers({ authorization })) ?? "";

/** Every reading is at another time: nothing of it may get into an id. */
let time = 1_795_430_000_000;
export const read: ChannelContract["read"] = (payload, account) => {
  const { path, key, body } = payload as OpenaiPayload;
  try {
    const asked = bounded((path === "responses" ? parseResponses : parseChat)(new Headers(), { ...body }), maxText);
    const id = callIdOf(caller, key);
    const call = { id, at: (time += 1_000), chat: chatOf(caller, asked, id), caller };
    const before = asked.before.filter((one) => "text" in one);
    return [eventOf(account, call, asked, { parts: asked.given.map(partOf), before })];
  } catch (error) {
    // Refused with 400: the caller is told, and nothing comes in.
    if (error instanceof InputError) return [];
    throw error;
  }
};

function partOf(given: Given): InboundPart {
  if (given.kind === "text") return { ...given, format: "plain" };
  const { media: kind, type, name, from } = given;
  const id = "url" in from ? "" : createHash("sha256").update(Buffer.from(from.base64, "base64")).digest("hex");
  const source = "url" in from ? ({ from: "url", url: from.url } as const) : ({ from: "blob", id } as const);
  return { kind, source, type, ...(name !== undefined && { name }) };
}

export const hostile: ChannelContract["hostile"] = ({ chat, user }): OpenaiPayload => ({
  path: "responses",
  key: "k-1",
  body: { conversation: chat, user, input: "x" },
});

export interface OpenaiPlatform extends Platform {
  readonly box: Outbox;
  post(body: object): { id: string };
  /** Of one payload, streamed, so that its answer begins when it is accepted. */
  request(payload: OpenaiPayload, headers?: Readonly<Record<string, string | null>>): Request;
}

function requestOf(payload: OpenaiPayload, wrong: Readonly<Record<string, string | null>> = {}): Request {
  const { path, key, body } = payload;
  const headers = new Headers({ authorization, "content-type": "application/json", "idempotency-key": key });
  for (const [name, value] of Object.entries(wrong)) {
    if (value === null) headers.delete(name);
    else headers.set(name, value);
  }
  return new Request(`${base}/${path}`, { method: "POST", headers, body: JSON.stringify({ ...body, stream: true }) });
}

export async function makeOpenai(): Promise<OpenaiPlatform> {
  let channel: Running["channel"] | undefined;
  let ids = 0;
  const box = outbox(async (body, key) => {
    const answered = await channel?.handle?.(requestOf({ path: "responses", key, body: { ...body } }));
    if (answered === undefined) throw new Error("nobody listens");
    return answered;
  });
  const post = (body: object) => {
    const id = `k-${++ids}`;
    box.add(id, { conversation, ...body });
    return { id };
  };

  return {
    box,
    post,
    request: requestOf,
    secrets: [apiKey, otherKey],
    chat: chatOf(caller, { model: "ascent", user: "", conversation }, ""),
    async start(deps) {
      const settings = openaiSettings.parse({ keys: [otherKey, apiKey], textLength: maxText });
      const made = openai(settings, deps, { agents: ["assistant"], safeFetch: createSafeFetch({ allowHosts: [] }) });
      channel = made;
      box.resume();
      return {
        channel: made,
        async stop() {
          await box.pause();
          channel = undefined;
        },
      };
    },
    says: async (text) => post({ input: text }),
    redelivers: async ({ id }) => box.again(id),
    acknowledged: async ({ id }) => box.accepted(id),
    shown: () => shown((path) => channel?.handle?.(new Request(`${base}${path}`, { headers: { authorization } }))),
    signs: async () => ({ typing: 0, previews: [] }),
    refuses: () => Promise.reject(new Error("there is no platform that could refuse: name a deviation")),
    requests: {
      genuine: (payload) =>
        requestOf(isPayload(payload) ? payload : { path: "responses", key: "k-garbage", body: { input: 7 } }),
      forged: (payload) => {
        const of = (value: string | null) => requestOf(payload as OpenaiPayload, { authorization: value });
        return {
          missing: of(null),
          empty: of("Bearer "),
          "of another scheme": of(`Basic ${apiKey}`),
          "cut off": of(authorization.slice(0, -1)),
          "with more behind it": of(`${authorization}x`),
          "its digest": of(`Bearer sha256:${createHash("sha256").update(apiKey).digest("hex")}`),
          "all keys at once": of(`Bearer ${otherKey},${apiKey}`),
        };
      },
    },
    close: () => box.pause(),
  };
}

function isPayload(payload: unknown): payload is OpenaiPayload {
  return typeof payload === "object" && payload !== null && "body" in payload;
}

interface Listed {
  readonly data: readonly {
    readonly id: string;
    readonly role: string;
    readonly content: readonly { text: string }[];
  }[];
  readonly has_more: boolean;
  readonly last_id: string;
}

async function shown(get: (path: string) => Promise<Response> | undefined): Promise<Shown[]> {
  const all: Shown[] = [];
  for (let after = ""; ;) {
    const response = await get(`/conversations/${conversation}/items?limit=100${after}`);
    if (response === undefined) throw new Error("nobody listens");
    const { data, has_more: more, last_id: last } = (await response.json()) as Listed;
    const answers = data.filter(({ role }) => role === "assistant");
    all.unshift(
      ...answers.toReversed().map(({ id, content }) => ({ id, text: plainText(content[0]?.text ?? ""), buttons: [] })),
    );
    if (!more) return all;
    after = `&after=${last}`;
  }
}

const genuine = replay("openai");
const noPlatform = "sending is writing into the gateway's own records: there is no platform in between that could fail";

/** What the suite is told; the channel's own tests are where a deviation says "below". */
export const contracts: readonly ChannelContract[] = [
  {
    name: "openai",
    channel: "openai",
    make: makeOpenai,
    genuine,
    read,
    hostile,
    deviations: {
      "reports delivery": "the caller has the answer with its response",
      "that nobody can read is set aside visibly and blocks nothing":
        "the caller is told with 400 and nothing was acknowledged: below",
      "and can never be accepted is set aside visibly and blocks nothing":
        "the caller is told with 422 and nothing was acknowledged: below",
      "can be a file, whose bytes can be fetched and are bounded":
        "files come within the request and go into the gateway's own store: below",
      "has buttons whose press comes back with the same id": "the API has no buttons: it gets a numbered list",
      "say when to come back if the platform asked to slow down": noPlatform,
      "of the platform or the network are tried again": noPlatform,
      "that no retry helps are terminal": noPlatform,
      "show no secret and no text, in errors and in the log": `${noPlatform}; what else can fail: below`,
      "are there when declared, and only then":
        "a growing answer is shown to whoever streams the question, and what is shown cannot be taken back: below",
    },
  },
];
