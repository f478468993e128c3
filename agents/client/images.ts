import type { AgentInputItem } from "@openai/agents";
import { InputError } from "../../src/errors.ts";
import type { MediaPart } from "../../src/message.ts";
import { bytesOf, type Opener } from "./bytes.ts";

const taken = /^image\/(png|jpeg|gif|webp)$/;
const mostBytes = 5_000_000;

export interface Picture {
  readonly type: "input_image";
  readonly image: string;
}

export function isPicture({ kind, type }: MediaPart): boolean {
  return kind === "image" || (kind === "file" && type.startsWith("image/"));
}

/**
 * The picture as models take it.
 * @throws InputError, safe to tell, for one that they do not take; what {@link bytesOf} throws.
 */
export async function pictureOf(part: MediaPart, hooks: Opener): Promise<Picture> {
  // A part of which the platform tells no type has a vague one.
  if (part.type.startsWith("image/") && !taken.test(part.type)) throw new InputError(wrongFormat);
  const { bytes, type } = await bytesOf(part, mostBytes, hooks);
  const format = [type, part.type].map((one) => one.split(";")[0]?.trim() ?? "").find((one) => taken.test(one));
  if (format === undefined) throw new InputError(wrongFormat);
  return { type: "input_image", image: `data:${format};base64,${bytes.toString("base64")}` };
}

const wrongFormat = "only PNG, JPEG, GIF and WebP pictures can be shown";

/** The items with their pictures behind their text. */
export function withPictures(
  items: readonly AgentInputItem[],
  pictures: readonly (readonly Picture[])[],
): AgentInputItem[] {
  return items.map((item, at) => {
    const own = pictures[at] ?? [];
    if (own.length === 0 || !("content" in item) || typeof item.content !== "string") return item;
    return { type: "message", role: "user", content: [{ type: "input_text", text: item.content }, ...own] };
  });
}

/** The same items for a model that does not see, or undefined where there is no picture in them. */
export function withoutPictures(items: readonly AgentInputItem[]): AgentInputItem[] | undefined {
  let found = false;
  const plain = items.map((item): AgentInputItem => {
    if (!("role" in item) || item.role !== "user" || typeof item.content === "string") return item;
    const content = item.content.filter(({ type }) => type !== "input_image");
    if (content.length === item.content.length) return item;
    found = true;
    const text = "[note] you cannot see the pictures of this message: this model does not take them; say so";
    return { ...item, content: [...content, { type: "input_text", text }] };
  });
  return found ? plain : undefined;
}
