/** What is told of a delegation: to the model that gave it, as data. Files become blobs of ours, and go to the person. */
import { createHash } from "node:crypto";
import { InputError, RetryableError, TerminalError } from "./errors.ts";
import type { SafeFetch } from "./fetch.ts";
import { mediaKindOf } from "./media.ts";
import type { Answer, MediaPart } from "./message.ts";
import type { Delegation, Outcome } from "./delegation-record.ts";
import type { PeerFile, PeerPart, PeerTask } from "./peers.ts";
import type { Blobs } from "./ports.ts";
import { blobsOf } from "./tenant-blobs.ts";

/** Files that go along with a delegation and come of it are nobody else's, whatever their bytes. */
export const ownerOf = (delegation: string): string => `delegation ${delegation}`;

const longestText = 12_000;
const longestAsked = 200;
const mostFiles = 10;
const fileBytes = 20 * 1024 * 1024;
/** Of one task: what a peer made before is not told again, however much it makes. */
const mostArtifacts = 200;

export type Artifact = PeerTask["artifacts"][number];

export const clip = (text: string, most: number): string =>
  text.length <= most ? text : `${text.slice(0, most - 1).toWellFormed()}…`;

/** As one line that stands in another text. */
export const quoted = (text: string, most = longestAsked): string =>
  JSON.stringify(clip(text.replace(/\s+/g, " ").trim(), most));

export function digestOfArtifact({ id, parts }: Artifact): string {
  const hash = createHash("sha256").update(id);
  for (const part of parts) {
    const { bytes, ...rest } = part.kind === "file" ? part : { ...part, bytes: undefined };
    hash.update(`\0${JSON.stringify(rest)}`);
    if (bytes !== undefined) hash.update(bytes);
  }
  return hash.digest("base64url").slice(0, 16);
}

export const newest = ({ artifacts }: PeerTask): readonly Artifact[] => artifacts.slice(-mostArtifacts);

export function textOf(parts: readonly PeerPart[]): string {
  return parts
    .flatMap((part) => (part.kind === "text" ? [part.text] : part.kind === "data" ? [JSON.stringify(part.data)] : []))
    .join("\n");
}

export interface WordsOptions {
  readonly blobs: Blobs;
  readonly safeFetch: SafeFetch;
}

export interface Words {
  /** @throws RetryableError where a file cannot be kept now. */
  of(
    row: Pick<Delegation, "id" | "caller">,
    artifacts: readonly Artifact[],
    said: string | undefined,
    closing: string,
    failed?: boolean,
  ): Promise<Outcome>;
}

export function createWords({ blobs, safeFetch }: WordsOptions): Words {
  async function keep(file: PeerFile, own: Blobs): Promise<MediaPart | string> {
    const name = file.name === undefined ? undefined : clip(file.name, 120);
    const shown = quoted(name ?? file.type, 120);
    try {
      const bytes = file.bytes ?? (file.url === undefined ? undefined : await fetched(file.url));
      if (bytes === undefined || bytes.byteLength === 0) return `[the file ${shown} is empty]`;
      const type = /^[\w.+-]+\/[\w.+-]+$/.test(file.type) ? file.type : "application/octet-stream";
      const named = { type, ...(name === undefined ? {} : { name }) };
      const { id, size } = await own.put(new Blob([new Uint8Array(bytes)]).stream(), {
        ...named,
        maxBytes: fileBytes,
      });
      return { kind: mediaKindOf(type), source: { from: "blob", id }, size, ...named };
    } catch (error) {
      if (error instanceof RetryableError) throw error;
      const known = error instanceof InputError || error instanceof TerminalError;
      return `[the file ${shown} could not be taken${known ? `: ${error.message}` : ""}]`;
    }
  }

  async function fetched(url: string): Promise<Uint8Array> {
    const response = await safeFetch(url, { maxBytes: fileBytes, timeoutMs: 60_000 });
    if (response.status !== 200) throw new TerminalError(`its address answered ${response.status}`);
    return response.body;
  }

  return {
    async of({ id, caller }, artifacts, said, closing, failed = false) {
      const own = blobsOf(blobs, caller.tenant, ownerOf(id));
      const files = artifacts.flatMap(({ parts }) => parts.filter((part) => part.kind === "file"));
      const kept: Answer["parts"] = [];
      const lines: string[] = [];
      for (const file of files.slice(0, mostFiles)) {
        const one = await keep(file, own);
        if (typeof one === "string") lines.push(one);
        else {
          kept.push(one);
          lines.push(
            `[the file ${quoted(one.name ?? one.type, 120)} (${one.type}) goes to the person with your answer]`,
          );
        }
      }
      if (files.length > mostFiles) lines.push(`[${files.length - mostFiles} more files are left out]`);
      const texts = [...artifacts.map(({ parts }) => textOf(parts)), said ?? ""].filter((text) => text.trim() !== "");
      const text = [clip([...new Set(texts)].join("\n\n"), longestText), ...lines, closing].filter((one) => one !== "");
      return { text: text.join("\n"), parts: kept, failed };
    },
  };
}

const endings: Partial<Record<PeerTask["state"], string>> = {
  completed: "it is completed",
  failed: "it has failed",
  canceled: "it is cancelled",
  rejected: "the agent does not do it",
};

/** Which task it is, and how it stands: the last line of what is told. */
export function closingOf(of: Delegation, how: string = endings[of.state] ?? of.state): string {
  return `(task ${quoted(of.name)} of the agent ${quoted(of.peer)}, asked ${quoted(of.asked)}: ${how})`;
}
