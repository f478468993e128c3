/** What a server's tool answered: text for the model, and files for the person. */
import type { CallToolResult, ContentBlock } from "@modelcontextprotocol/sdk/types.js";
import { InputError } from "../../../src/errors.ts";
import type { Answer, MediaKind } from "../../../src/message.ts";
import type { Blobs } from "../../../src/ports.ts";
import type { ToolResult } from "../../../src/tools.ts";

/** The model is shown less of it; what is more is not kept. */
const longestText = 64_000;
const mostFiles = 10;
const mostBlocks = 200;

type Part = Answer["parts"][number];

export async function resultOf(
  { content, structuredContent, isError }: CallToolResult,
  blobs: Blobs,
  mostBytes: number,
): Promise<ToolResult> {
  const parts: Part[] = [];
  const lines: string[] = [];
  for (const block of content.slice(0, mostBlocks)) lines.push(await lineOf(block));
  if (content.length > mostBlocks) lines.push(`[${content.length - mostBlocks} more]`);
  // Older clients are given the same as text: only what is not is told.
  if (structuredContent !== undefined && !content.some(({ type }) => type === "text"))
    lines.push(JSON.stringify(structuredContent));
  const text = lines.join("\n").slice(0, longestText).toWellFormed();
  return {
    text: text === "" ? "(no result)" : text,
    ...(parts.length > 0 && { parts }),
    ...(isError === true && { failed: true }),
  };

  async function lineOf(block: ContentBlock): Promise<string> {
    switch (block.type) {
      case "text":
        return block.text;
      case "image":
      case "audio":
        return keep({ data: block.data, type: block.mimeType, name: undefined });
      case "resource_link":
        return `[resource ${JSON.stringify({ uri: block.uri, name: block.name, type: block.mimeType })}]`;
      case "resource": {
        const { resource } = block;
        const { uri, mimeType = "application/octet-stream" } = resource;
        if ("text" in resource) return `[resource ${JSON.stringify({ uri })}]\n${resource.text}`;
        return keep({ data: resource.blob, type: mimeType, name: nameOf(uri) });
      }
    }
  }

  async function keep(of: { data: string; type: string; name: string | undefined }): Promise<string> {
    if (parts.length >= mostFiles) return "[a file more than an answer takes: left out]";
    const type = /^[\w.+-]+\/[\w.+-]+$/.test(of.type) ? of.type : "application/octet-stream";
    const bytes = Buffer.from(of.data, "base64");
    if (bytes.length === 0) return "[an empty file: left out]";
    const name = of.name ?? `file-${parts.length + 1}.${type.split("/")[1]?.replace(/\W.*$/, "") ?? "bin"}`;
    try {
      const blob = await blobs.put(new Blob([bytes]).stream(), { type, name, maxBytes: mostBytes });
      parts.push({ kind: kindOf(type), source: { from: "blob", id: blob.id }, type, name, size: blob.size });
      return `[file ${JSON.stringify({ name, type, size: blob.size })}: it goes to the person with your answer]`;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return "[a file that could not be kept: left out]";
    }
  }
}

function kindOf(type: string): MediaKind {
  if (/^image\/(png|jpeg|gif|webp)$/.test(type)) return "image";
  if (type.startsWith("audio/")) return "audio";
  return type.startsWith("video/") ? "video" : "file";
}

/** The last part of the address, without what file systems and headers choke on. */
function nameOf(uri: string): string | undefined {
  const last = uri.split(/[?#]/)[0]?.split(/[/\\]/).at(-1) ?? "";
  const clean = last
    .replace(/[^\w.-]/g, "")
    .replace(/^\.+/, "")
    .slice(0, 80);
  return clean === "" ? undefined : clean;
}
