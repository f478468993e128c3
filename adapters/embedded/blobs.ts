/** Bytes as files "blobs/<first two digits>/<SHA-256><tenant>", what is known of them in the file of the store. */
import { randomUUID, type Hash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, rmSync } from "node:fs";
import { mkdir, open, rename, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { blobDigest } from "../../src/blob-digest.ts";
import { InfrastructureError, InputError } from "../../src/errors.ts";
import type { Blob, Blobs, Clock } from "../../src/ports.ts";
import { createShares } from "../../src/shares.ts";
import { blobSuffix, suffixOf } from "../../src/tenant-blobs.ts";
import type { Limits } from "./limits.ts";
import type { Store } from "./store.ts";

interface Row {
  readonly id: string;
  readonly type: string;
  readonly name: string | null;
  readonly size: number;
}

export interface BlobOptions {
  readonly store: Store;
  readonly directory: string;
  readonly clock: Clock;
  readonly limits: Pick<Limits, "blobBytes" | "blobBytesOf" | "blobMs" | "shared">;
}

export interface EmbeddedBlobs extends Blobs {
  /** Deletes some of what nobody used for its time; true while there may be more. */
  purge(): Promise<boolean>;
}

const draftMs = 24 * 60 * 60 * 1000;
const purgeAtOnce = 100;

/**
 * The first type and name of the same bytes stay: whoever sends them again cannot turn a picture into a page.
 * Call it with the lock held: it deletes what a process that died had half written.
 */
export function createBlobs({ store, directory, clock, limits }: BlobOptions): EmbeddedBlobs {
  const root = join(directory, "blobs");
  const incoming = join(root, "incoming");
  rmSync(incoming, { recursive: true, force: true });
  mkdirSync(incoming, { recursive: true, mode: 0o700 });

  const insert = store.prepare(`
    INSERT INTO blob (id, type, name, size, used, draft) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET used = max(used, excluded.used), draft = min(draft, excluded.draft)`);
  const select = store.prepare("SELECT id, type, name, size FROM blob WHERE id = ?");
  const use = store.prepare("UPDATE blob SET used = ?, draft = 0 WHERE id = ?");
  const unused = store.prepare(`
    SELECT id, size FROM blob WHERE draft = 0 AND used <= ?
    UNION ALL SELECT id, size FROM blob WHERE draft = 1 AND used <= ? LIMIT ${purgeAtOnce}`);
  const remove = store.prepare("DELETE FROM blob WHERE id = ?");
  const pathOf = (id: string) => join(root, id.slice(0, 2), id);

  const mostOf = new Map(Object.entries(limits.blobBytesOf).map(([tenant, most]) => [blobSuffix(tenant), most]));
  /** Bytes that are kept or coming in. */
  const taken = createShares(limits.blobBytes, (of) => mostOf.get(of) ?? (limits.shared ? undefined : Infinity));
  for (const row of store.prepare("SELECT substr(id, 65) AS of, sum(size) AS bytes FROM blob GROUP BY of").iterate()) {
    const { of, bytes } = row as { of: string; bytes: number };
    taken.take(of, bytes);
  }
  /** Ids that somebody is about to use, as often as that: they are not purged meanwhile. */
  const held: string[] = [];

  async function holding<Result>(id: string, work: () => Promise<Result>): Promise<Result> {
    held.push(id);
    try {
      return await work();
    } finally {
      held.splice(held.indexOf(id), 1);
    }
  }

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

  /** @returns whether it was known before. */
  async function record(row: readonly [id: string, ...(string | number | null)[]]): Promise<boolean> {
    const [id] = row;
    try {
      return await store.write(() => {
        const before = select.get(id);
        insert.run(...row);
        return before !== undefined;
      });
    } catch (error) {
      // A disk that is full would stay so.
      if (find(id) === undefined && held.indexOf(id) === held.lastIndexOf(id)) await rm(pathOf(id), { force: true });
      throw error;
    }
  }

  return {
    async put(body, { type, name, maxBytes, owner, draft = false, tenant }) {
      const temporary = join(incoming, randomUUID());
      const of = blobSuffix(tenant);
      let own = 0;
      const take = (bytes: number) => {
        if (own + bytes > maxBytes) {
          throw new InputError(`More than ${maxBytes} bytes: send something smaller.`, { status: 413 });
        }
        if (!taken.fits(of, bytes)) {
          throw new InputError("This gateway has no room for more files: try again later.", { status: 507 });
        }
        taken.take(of, bytes);
        own += bytes;
      };
      try {
        const id = `${await receive(temporary, body, blobDigest(owner), take)}${of}`;
        const known = await holding(id, async () => {
          await place(temporary, id);
          return record([id, type, name ?? null, own, Math.round(clock.now()), Number(draft)]);
        });
        if (known) taken.giveBack(of, own);
        return find(id) as Blob;
      } catch (error) {
        taken.giveBack(of, own);
        await rm(temporary, { force: true });
        throw isSystem(error) ? new InfrastructureError("The bytes could not be stored.", { cause: error }) : error;
      }
    },
    async get(id, { use: used = false } = {}) {
      if (used) {
        const now = Math.round(clock.now());
        await holding(id, () => store.write(() => void use.run(now, id)));
      }
      const blob = find(id);
      if (blob === undefined || !existsSync(pathOf(id))) return undefined;
      const body = Readable.toWeb(createReadStream(pathOf(id))) as ReadableStream<Uint8Array>;
      return { ...blob, body };
    },
    async remove(id) {
      const size = find(id)?.size;
      if (size === undefined || held.includes(id)) return;
      // The file first, as below.
      await rm(pathOf(id), { force: true });
      const gone = await store.write(() => Number(remove.run(id).changes));
      if (gone > 0) taken.giveBack(suffixOf(id), size);
    },
    async purge() {
      const now = Math.round(clock.now());
      const before = [now - limits.blobMs, now - Math.min(draftMs, limits.blobMs)];
      const all = unused.all(...before) as unknown as Pick<Row, "id" | "size">[];
      const rows = all.filter(({ id }) => !held.includes(id));
      if (rows.length === 0) return false;
      // The file first: a row without one reads as gone, a file without a row would stay for ever.
      for (const { id } of rows) rmSync(pathOf(id), { force: true });
      await store.write(() => {
        for (const { id } of rows) remove.run(id);
      });
      for (const { id, size } of rows) taken.giveBack(suffixOf(id), size);
      return all.length === purgeAtOnce;
    },
  };
}

/** @returns the digest. `take` is told of every chunk before it is written, and refuses it by throwing. */
async function receive(
  path: string,
  body: ReadableStream<Uint8Array>,
  hash: Hash,
  take: (bytes: number) => void,
): Promise<string> {
  const file: FileHandle = await open(path, "wx", 0o600);
  try {
    for await (const chunk of body) {
      take(chunk.byteLength);
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return hash.digest("hex");
}

/** An error of a system call (no space, no permission), not of whoever sends the bytes. */
function isSystem(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}
