/** Answers as server-sent events, while they grow. */
import type { Clock } from "../../src/ports.ts";
import { answerOf, type Calls, type StoredCall } from "./calls.ts";
import { chatChunk, answerId, failureOf, outputMessage, outputText, response } from "./format.ts";
import { problem } from "./errors.ts";

/** Sooner than any proxy gives up on a silent connection. */
const pingMs = 15_000;
/** Longer than any turn. */
const longestMs = 15 * 60_000;

export type Growth =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "ping" }
  | { readonly kind: "done"; readonly call: StoredCall };

/** Ends with "done", or without it when the signal aborts or nothing came for too long. */
export async function* growthOf(
  calls: Calls,
  call: StoredCall,
  clock: Clock,
  signal: AbortSignal,
  mostMs = longestMs,
): AsyncGenerator<Growth, void, undefined> {
  if (call.done) return yield { kind: "done", call };
  const watch = calls.watch(call.id);
  const end = clock.monotonic() + mostMs;
  let pingAt = clock.monotonic() + pingMs;
  let shown: string | undefined;
  try {
    while (!signal.aborted) {
      if (watch.isBehind()) {
        const known = await calls.find(call.id);
        if (known?.done === true) return yield { kind: "done", call: known };
      }
      const now = clock.monotonic();
      if (now >= end) return;
      const text = watch.draft?.text;
      if (text !== undefined && text !== shown) {
        shown = text;
        yield { kind: "text", text };
      } else if (now >= pingAt) {
        pingAt = now + pingMs;
        yield { kind: "ping" };
      } else await watch.changed(Math.min(pingAt, end) - now, signal);
    }
  } finally {
    watch.close();
  }
}

/**
 * What is new of a text that grows. Nothing that was given can be taken back: a text that starts anew is not shown before the
 * answer itself, which then follows whole, behind a blank line.
 */
export function createDeltas() {
  let given = "";
  return {
    get given() {
      return given;
    },
    /** White space at the end may be none of the answer's, and half a character is none at all. */
    grow(text: string): string {
      const sure = text.trim().replace(/[\uD800-\uDBFF]$/, "");
      if (!sure.startsWith(given)) return "";
      const delta = sure.slice(given.length);
      given = sure;
      return delta;
    },
    end(answer: string): string {
      const delta = answer.startsWith(given) ? answer.slice(given.length) : `\n\n${answer}`;
      given += delta;
      return delta;
    },
  };
}

/** Gives the events of one answer, one after the other. */
export interface Teller {
  start(): string;
  grow(text: string): string;
  end(call: StoredCall): string;
  /** No answer came in time. */
  late(): string;
}

const late = problem(504, "The answer takes too long: ask for it by its Idempotency-Key.", null, "still_running");

export function tellChat(call: StoredCall): Teller {
  const deltas = createDeltas();
  const data = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
  const chunk = (content: string) => (content === "" ? "" : data(chatChunk(call, { content })));
  return {
    start: () => data(chatChunk(call, { role: "assistant", content: "" })),
    grow: (text) => chunk(deltas.grow(text)),
    end: (done) =>
      done.failed
        ? data({ error: failureOf(done) })
        : `${chunk(deltas.end(answerOf(done)))}${data(chatChunk(call, {}, true))}data: [DONE]\n\n`,
    late: () => data({ error: late }),
  };
}

export function tellResponse(call: StoredCall): Teller {
  const deltas = createDeltas();
  let number = 0;
  const event = (type: string, fields: object) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: number++, ...fields })}\n\n`;
  const running = { ...call, done: false };
  const item = { output_index: 0, item_id: answerId(call) };
  const place = { ...item, content_index: 0 };
  const delta = (text: string) =>
    text === "" ? "" : event("response.output_text.delta", { ...place, delta: text, logprobs: [] });

  function complete(done: StoredCall): string {
    const rest = delta(deltas.end(answerOf(done)));
    const text = deltas.given;
    return [
      rest,
      event("response.output_text.done", { ...place, text, logprobs: [] }),
      event("response.content_part.done", { ...place, part: outputText(text) }),
      event("response.output_item.done", { output_index: 0, item: outputMessage(done, "completed", text) }),
      event("response.completed", { response: response(done, text) }),
    ].join("");
  }

  return {
    start: () =>
      event("response.created", { response: response(running) }) +
      event("response.in_progress", { response: response(running) }) +
      event("response.output_item.added", { output_index: 0, item: outputMessage(call, "in_progress") }) +
      event("response.content_part.added", { ...place, part: outputText("") }),
    grow: (text) => delta(deltas.grow(text)),
    end: (done) => (done.failed ? event("response.failed", { response: response(done) }) : complete(done)),
    late: () => event("error", { code: late.code, message: late.message, param: null }),
  };
}

/** The events as a body. Its client's going away ends the watching, and nothing else: the answer is stored all the same. */
export function eventStream(growth: AsyncGenerator<Growth>, teller: Teller, leave: () => void): ReadableStream {
  const encoder = new TextEncoder();
  const tell = (one: Growth) => {
    if (one.kind === "done") return teller.end(one.call);
    return one.kind === "ping" ? ": ping\n\n" : teller.grow(one.text);
  };
  let ended = false;
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => controller.enqueue(encoder.encode(teller.start())),
      async pull(controller) {
        try {
          for (let text = ""; text === "";) {
            const { value, done } = await growth.next();
            if (done === true) {
              if (!ended) controller.enqueue(encoder.encode(teller.late()));
              controller.close();
              return leave();
            }
            ended ||= value.kind === "done";
            text = tell(value);
            if (text !== "") controller.enqueue(encoder.encode(text));
          }
        } catch (error) {
          // The connection breaks, which clients tell from an end.
          leave();
          throw error;
        }
      },
      cancel: leave,
    },
    { highWaterMark: 0 },
  );
}
