/** Bytes as files "blobs/<first two digits>/<SHA-256>", what is known of them in the file of the store. */
import { createHash, randomUUID } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, rmSync } from "node:fs";
import { mkdir, open, rename, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { InfrastructureError, InputError } from "../../src/errors.ts";
import type { Blob, Blobs } from "../../src/ports.ts";
import type { Store } from "./store.ts";

interface Row {
  readonly id: string;
  readonly type: string;
  readonly name: string | null;
  readonly size: number;
}

/**
 * The first type and name of the same bytes stay: whoever sends them again cannot turn another's picture into a page.
 * Call it with the lock held: it deletes what a process that died had half written.
 */
export function createBlobs(store: Store, directory: string): Blobs {
  const root = join(directory, "blobs");
  const incoming = join(root, "incoming");
  rmSync(incoming, { recursive: true, force: true });
  mkdirSync(incoming, { recursive: true, mode: 0o700 });

  const insert = store.prepare("INSERT INTO blob (id, type, name, size) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING");
  const select = store.prepare("SELECT id, type, name, size FROM blob WHERE id = ?");
  const pathOf = (id: string) => join(root, id.slice(0, 2), id);

  function find(id: string): Blob | undefined {
    const row = select.get(id) as unknown as Row | undefined;
    if (row === undefined) return undefined;
    return { id: row.id, type: row.type, size: row.size, ...(row.name === null ? {} : { name: row.name }) };
  }

  /** Into its place, so that it is there after a power cut: the file's bytes, then its name in the directory. */
  async function place(temporary: string, id: string): Promise<void> {
    const folder = join(root, id.slice(0, 2));
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await rename(temporary, pathOf(id));
    for (const each of [folder, root]) {
      const handle = await open(each, "r");
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    }
  }

  return {
    async put(body, { type, name, maxBytes }) {
      const temporary = join(incoming, randomUUID());
      try {
        const { id, size } = await receive(temporary, body, maxBytes);
        await place(temporary, id);
        await store.write(() => void insert.run(id, type, name ?? null, size));
        return find(id) as Blob;
      } catch (error) {
        await rm(temporary, { force: true });
        throw isSystem(error) ? new InfrastructureError("The bytes could not be stored.", { cause: error }) : error;
      }
    },
    async get(id) {
      const blob = find(id);
      if (blob === undefined || !existsSync(pathOf(id))) return undefined;
      const body = Readable.toWeb(createReadStream(pathOf(id))) as ReadableStream<Uint8Array>;
      return { ...blob, body };
    },
  };
}

async function receive(
  path: string,
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
): Promise<{ readonly id: string; readonly size: number }> {
  const hash = createHash("sha256");
  let size = 0;
  const file: FileHandle = await open(path, "wx", 0o600);
  try {
    for await (const chunk of body) {
      size += chunk.byteLength;
      if (size > maxBytes)
        throw new InputError(`More than ${maxBytes} bytes: send something smaller.`, { status: 413 });
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return { id: hash.digest("hex"), size };
}

/** An error of a system call (no space, no permission), not of whoever sends the bytes. */
function isSystem(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}
