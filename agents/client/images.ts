import type { AgentInputItem } from "@openai/agents";
import type { TurnHooks } from "../../src/agent.ts";
import { reasonOf, TerminalError } from "../../src/errors.ts";
import type { InboundMessage, MediaPart } from "../../src/message.ts";
import type { Log } from "../../src/ports.ts";

const seen = /^image\/(png|jpeg|gif|webp)$/;
/** Of one turn: the newest pictures, and the bytes of each. */
const mostImages = 4;
const mostBytes = 5_000_000;

/**
 * The items with the pictures of their messages, for models that see. One that is gone for good leaves a note in its place;
 * one that is too large, or cannot be had now, stays what the text says of it.
 */
export async function withImages(
  items: readonly AgentInputItem[],
  messages: readonly InboundMessage[],
  hooks: Pick<TurnHooks, "openMedia" | "signal">,
  log: Log,
): Promise<AgentInputItem[]> {
  const wanted = messages.flatMap(({ message }, at) =>
    message.parts.flatMap((part) => (part.kind === "image" && seen.test(part.type) ? [{ at, part }] : [])),
  );
  const images = await Promise.all(
    wanted.slice(-mostImages).map(async ({ at, part }) => ({ at, shown: await shownOf(part, hooks, log) })),
  );
  return items.map((item, at) => {
    const own = images.flatMap(({ at: of, shown }) => (of === at && shown !== undefined ? [shown] : []));
    if (own.length === 0 || !("content" in item) || typeof item.content !== "string") return item;
    return {
      type: "message",
      role: "user",
      content: [{ type: "input_text", text: item.content }, ...own],
    };
  });
}

async function shownOf(part: MediaPart, hooks: Pick<TurnHooks, "openMedia" | "signal">, log: Log) {
  if ((part.size ?? 0) > mostBytes) return undefined;
  try {
    const { body, type } = await hooks.openMedia(part);
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of body) {
      size += chunk.byteLength;
      if (size > mostBytes) return undefined;
      chunks.push(chunk);
    }
    if (!seen.test(type)) return undefined;
    const image = `data:${type};base64,${Buffer.concat(chunks).toString("base64")}`;
    return { type: "input_image" as const, image };
  } catch (error) {
    hooks.signal.throwIfAborted();
    log.warn({ reason: reasonOf(error) }, "a picture could not be given to the model");
    if (!(error instanceof TerminalError)) return undefined;
    return {
      type: "input_text" as const,
      text: "[note] a picture of this message is gone: nobody can see it any more",
    };
  }
}
