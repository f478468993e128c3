/** From a question to its answer: known or new, waited for or streamed. */
import type { ChannelDeps } from "../../src/channel.ts";
import { InputError } from "../../src/errors.ts";
import type { SafeFetch } from "../../src/fetch.ts";
import { conversationId } from "../../src/ids.ts";
import type { Told } from "../../src/message.ts";
import { partsOf } from "./attachments.ts";
import { answerOf, type Calls, type StoredCall } from "./calls.ts";
import type { Conversations } from "./conversations.ts";
import { createCounter } from "../../src/counter.ts";
import { refuse, RequestError } from "./errors.ts";
import { callOfId, chatCompletion, failureOf, response } from "./format.ts";
import { type Asked, bounded, callIdOf, chatOf, digestOf, eventOf, isNamed, jsonOf } from "./parse.ts";
import { readText } from "../../src/request-text.ts";
import type { OpenaiSettings } from "./settings.ts";
import { eventStream, growthOf, tellChat, tellResponse } from "./stream.ts";

export interface Surroundings {
  /** The agents that may be asked for, by name. */
  readonly agents: readonly string[];
  readonly safeFetch: SafeFetch;
}

export interface AskParts {
  readonly settings: OpenaiSettings;
  readonly deps: ChannelDeps;
  readonly surroundings: Surroundings;
  readonly calls: Calls;
  readonly conversations: Conversations;
  readonly knows: (model: string) => boolean;
}

type Content = Parameters<typeof eventOf>[3];
type Parse = (headers: Headers, body: Record<string, unknown>) => Asked;

export function createAsk({ settings, deps, surroundings, calls, conversations, knows }: AskParts) {
  const { clock, inbound } = deps;
  const open = createCounter(settings.requestsPerKey);

  /** The call, once it is durable and, where it is not answered yet, the core has it. */
  async function begin(caller: string, request: Request, api: Asked["api"], parse: Parse) {
    const body = jsonOf(await readText(request, settings.bodyBytes));
    const asked = bounded(parse(request.headers, body), settings.textLength);
    if (!knows(asked.model)) {
      throw new RequestError(`There is no model "${asked.model.slice(0, 80)}": GET /v1/models lists those there are.`, {
        status: 404,
        param: "model",
        code: "model_not_found",
      });
    }
    const key = keyOf(request.headers);
    const id = key === undefined ? deps.newId() : callIdOf(caller, key);
    const digest = digestOf(api, request.headers, body);
    const found = key === undefined ? undefined : await calls.find(id);
    if (found !== undefined) sameQuestion(found, digest);
    if (found?.done === true) return { call: found, asked };
    // What can be refused is refused before anything is kept of it; what is known was let in before.
    const owner = conversationId(deps, chatOf(caller, asked, id));
    const parts = await partsOf(asked.given, deps, owner, found === undefined ? surroundings.safeFetch : undefined);
    const before = await Promise.all(asked.before.map((one) => toldOf(caller, one)));
    const call = found ?? (await record({ caller, id, digest }, asked, { parts, before }));
    sameQuestion(call, digest);
    if (!call.done) await handOver(call, asked, { parts, before });
    return { call, asked };
  }

  function sameQuestion(call: StoredCall, digest: string): void {
    if (call.digest === digest) return;
    const message = "Another question came under this Idempotency-Key before: a new one needs a new key.";
    throw new RequestError(message, { status: 422, code: "idempotency_key_reused" });
  }

  /** @throws RefusedError, and nothing is recorded. */
  async function record(
    { caller, id, digest }: Pick<StoredCall, "caller" | "id" | "digest">,
    asked: Asked,
    content: Content,
  ): Promise<StoredCall> {
    const { api, model, metadata, previous } = asked;
    const chat = previous === undefined ? chatOf(caller, asked, id) : await chatOfPrevious(caller, previous, model);
    const own = previous === undefined ? {} : { previous };
    const question = { v: 1, id, caller, api, model, digest, at: clock.now(), chat, ...own, metadata } as const;
    const event = eventOf(deps, question, asked, content);
    await inbound.admit(event);
    const [call] = await Promise.all([
      calls.open({ ...question, parts: [], done: false, failed: false }),
      isNamed(chat) ? undefined : deps.endings.note(event, settings.unnamedDays),
    ]);
    return call;
  }

  /** The core knows the event again where it has it. */
  async function handOver(call: StoredCall, asked: Asked, content: Content): Promise<void> {
    if (isNamed(call.chat)) {
      const text = asked.given.map((one) => (one.kind === "text" ? one.text : `[${one.media}]`)).join("\n");
      await conversations.add(conversationId(deps, call.chat), `asked ${call.id}`, { role: "user", text });
    }
    await inbound.accept([eventOf(deps, call, asked, content)], { admitted: true });
  }

  async function chatOfPrevious(caller: string, previous: string, model: string): Promise<string> {
    const known = await calls.find(callOfId(previous));
    const param = "previous_response_id";
    if (known?.caller !== caller || known.api !== "responses") {
      throw new RequestError("There is no such previous response.", { param, code: "previous_response_not_found" });
    }
    if (known.model === model) return known.chat;
    throw new RequestError(`The previous response is one of model "${known.model}".`, { param });
  }

  async function toldOf(caller: string, one: Asked["before"][number]): Promise<Told> {
    if (!("ref" in one)) return one;
    const known = await calls.find(callOfId(one.ref));
    if (known?.caller === caller && known.done) return { role: "agent", text: answerOf(known) };
    throw new RequestError("There is no such item.", { status: 404, param: "input", code: "item_not_found" });
  }

  async function wait(call: StoredCall, signal: AbortSignal, retries: boolean): Promise<Response> {
    for await (const grown of growthOf(calls, call, clock, signal, settings.waitSeconds * 1000)) {
      if (grown.kind !== "done") continue;
      const { call: done } = grown;
      // Asked again, it would be the same failure, or without a key another question.
      if (done.failed) return Response.json({ error: failureOf(done) }, { status: 500, headers: noRetry });
      return Response.json(done.api === "chat" ? chatCompletion(done) : response(done));
    }
    const message =
      "The answer takes longer than a request is held: stream it, or ask again by the same Idempotency-Key.";
    return refuse(504, "still_running", message, retries ? { "retry-after": "1" } : noRetry);
  }

  return async function ask(caller: string, request: Request, api: Asked["api"], parse: Parse): Promise<Response> {
    const leave = open.enter(caller);
    if (leave === undefined) {
      const message = `This key has ${settings.requestsPerKey} requests open: wait for their answers.`;
      return refuse(429, "rate_limit_exceeded", message, { "retry-after": "2" });
    }
    let streams = false;
    try {
      const { call, asked } = await begin(caller, request, api, parse);
      if (!asked.stream) return await wait(call, request.signal, request.headers.has(idempotencyKey));
      streams = true;
      const gone = new AbortController();
      const growth = growthOf(calls, call, clock, AbortSignal.any([gone.signal, request.signal]));
      const teller = call.api === "chat" ? tellChat(call) : tellResponse(call);
      const body = eventStream(growth, teller, () => {
        gone.abort();
        leave();
      });
      return new Response(body, { headers: eventHeaders });
    } finally {
      if (!streams) leave();
    }
  };
}

const idempotencyKey = "idempotency-key";
/** The official clients heed it. */
const noRetry = { "x-should-retry": "false" };
const eventHeaders = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

function keyOf(headers: Headers): string | undefined {
  const key = headers.get(idempotencyKey);
  if (key === null) return undefined;
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new InputError("Idempotency-Key: must be 1 to 255 characters of ASCII without spaces");
}
