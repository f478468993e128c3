/** Files of a session. An id is of use to the session that uploaded it or was sent it, and to nobody else. */
import { z } from "zod";
import type { ChannelDeps } from "../../src/channel.ts";
import { conversationId, encodePart } from "../../src/ids.ts";
import type { MediaPart } from "../../src/message.ts";
import { createAllowance } from "./allowance.ts";
import type { StoredAttachment } from "./entry.ts";

/** As long as a session's cookie lives. */
const keptMs = 400 * 24 * 3600 * 1000;
/** As long as bytes that no message has. */
const draftMs = 24 * 3600 * 1000;
const stored = z.object({ v: z.literal(1), blob: z.string(), name: z.string(), type: z.string(), size: z.number() });

export interface Attachments {
  /**
   * For a message to come. `size` as the sender says, 0 where it does not.
   * @throws InputError: 413 past the limit of one file, 429 past the session's allowance, 507 where the store is full.
   */
  add(
    session: string,
    body: ReadableStream<Uint8Array>,
    given: { type: string; name: string; size: number },
  ): Promise<StoredAttachment>;
  find(session: string, id: string): Promise<StoredAttachment | undefined>;
  /** For a message that has it from now on; undefined where it is unknown, or its bytes are gone. */
  use(session: string, id: string): Promise<StoredAttachment | undefined>;
  /** Lets the session have a medium of the agent's under `id`; undefined where its bytes are gone. */
  give(
    session: string,
    id: string,
    media: MediaPart & { source: { from: "blob" } },
  ): Promise<StoredAttachment | undefined>;
}

export interface AttachmentLimits {
  readonly maxAttachmentBytes: number;
  readonly uploadBytesPerHour: number;
}

export function createAttachments(deps: ChannelDeps, limits: AttachmentLimits): Attachments {
  const { records, blobs } = deps;
  const allowance = createAllowance(deps.clock, limits.uploadBytesPerHour);
  const keyOf = (session: string, id: string) =>
    ["web-attachment", deps.tenant, deps.account, session, id].map(encodePart).join(":");

  async function keep(session: string, attachment: StoredAttachment, ttlMs = keptMs): Promise<StoredAttachment> {
    const { id, ...rest } = attachment;
    await deps.belongings.note(conversationId(deps, session), keyOf(session, id), { lasts: true });
    await records.put(keyOf(session, id), { v: 1, ...rest }, { ttlMs });
    return attachment;
  }

  async function find(session: string, id: string): Promise<StoredAttachment | undefined> {
    const record = stored.safeParse((await records.get(keyOf(session, id)))?.value);
    if (!record.success) return undefined;
    const { blob, name, type, size } = record.data;
    return { id, blob, name, type, size };
  }

  return {
    async add(session, body, { type, name, size }) {
      allowance.ask(session, size);
      const maxBytes = limits.maxAttachmentBytes;
      const blob = await blobs.put(allowance.count(session, body), {
        type,
        name,
        maxBytes,
        owner: conversationId(deps, session),
        draft: true,
      });
      // Its name is kept no longer than its bytes.
      return keep(session, { id: deps.newId(), blob: blob.id, name, type, size: blob.size }, draftMs);
    },
    find,
    async use(session, id) {
      const found = await find(session, id);
      const blob = found && (await blobs.get(found.blob, { use: true }));
      await blob?.body.cancel();
      return blob && found && keep(session, found);
    },
    async give(session, id, { source, type, name }) {
      const blob = await blobs.get(source.id);
      if (blob === undefined) return undefined;
      await blob.body.cancel();
      return keep(session, {
        id,
        blob: blob.id,
        name: fileName(name ?? blob.name),
        type: mediaType(type),
        size: blob.size,
      });
    },
  };
}

/** A name without a path and without what is unfit for a header or a screen. */
export function fileName(given: string | undefined): string {
  const base = (given ?? "").toWellFormed().split(/[\\/]/).at(-1) ?? "";
  const clean = base
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}"<>|:*?]/gu, "")
    .trim()
    .slice(0, 150);
  return /^\.*$/.test(clean) ? "file" : clean;
}

export function mediaType(given: string | null | undefined): string {
  const type = (given ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  return /^[a-z]+\/[a-z0-9][\w.+-]{0,100}$/.test(type) ? type : "application/octet-stream";
}

/** Shown in the browser: it cannot run anything. All else is downloaded. */
const shown = /^(image\/(png|jpeg|gif|webp|avif|bmp)|audio\/[\w.+-]+|video\/[\w.+-]+)$/;

export function downloadHeaders({ name, type, size }: StoredAttachment): Record<string, string> {
  const ascii = name.replace(/[^\w.-]/g, "_");
  const encoded = encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return {
    "content-type": type,
    "content-length": String(size),
    "content-disposition": `${shown.test(type) ? "inline" : "attachment"}; filename="${ascii}"; filename*=UTF-8''${encoded}`,
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "x-content-type-options": "nosniff",
    "cache-control": "private, max-age=3600",
  };
}
