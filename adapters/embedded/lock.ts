/**
 * One process per data directory. The lock is SQLite's own lock on an empty file beside the data (an fcntl lock: the
 * operating system frees it at the process's death, however it dies). Who holds it stands in a JSON file next to it.
 */
import { closeSync, existsSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { DataError, isBusy } from "./data-error.ts";

const holder = z.looseObject({ pid: z.number(), since: z.string(), address: z.string().optional() });
/** `address` and anything else: what the holder said about itself by {@link Lock.describe}. */
export type Holder = z.infer<typeof holder>;

export interface Lock {
  /** Adds to what others read about this process, for example the address of its control interface. */
  describe(info: Readonly<Record<string, string>>): void;
  release(): void;
}

const lockName = "lock";
const holderName = "holder.json";
/** {@link holderOf} in another process holds a read lock for an instant: that is no reason to refuse. */
const patienceMs = 1000;

/** @throws DataError that names the process which has the lock. */
export function acquireLock(directory: string, now: number): Lock {
  const path = join(directory, lockName);
  closeSync(openSync(path, "a", 0o600));
  const db = new DatabaseSync(path, { timeout: patienceMs });
  try {
    db.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    db.close();
    if (isBusy(error)) throw refusal(directory, error);
    throw error;
  }
  let known: Holder = { pid: process.pid, since: new Date(now).toISOString() };
  writeHolder(directory, known);
  return {
    describe(info) {
      known = { ...known, ...info };
      writeHolder(directory, known);
    },
    release() {
      db.close();
    },
  };
}

/**
 * Who runs a gateway on this directory; undefined when nobody does. Only reads: a gateway that starts meanwhile is not
 * disturbed. A caller that then wants the data itself opens it, which takes the lock or is refused.
 */
export async function holderOf(directory: string): Promise<Holder | undefined> {
  for (let tries = 0; tries < 20; tries += 1) {
    if (!isHeld(directory)) return undefined;
    const known = readHolder(directory);
    if (known !== undefined && isAlive(known.pid)) return known;
    // Just taken: its holder is about to write down who it is.
    await sleep(25);
  }
  return isHeld(directory) ? (readHolder(directory) ?? { pid: 0, since: "unknown" }) : undefined;
}

function isHeld(directory: string): boolean {
  const path = join(directory, lockName);
  if (!existsSync(path)) return false;
  const db = new DatabaseSync(path, { readOnly: true, timeout: 0 });
  try {
    db.prepare("SELECT count(*) FROM sqlite_master").get();
    return false;
  } catch (error) {
    if (isBusy(error)) return true;
    throw error;
  } finally {
    db.close();
  }
}

function refusal(directory: string, cause: unknown): DataError {
  const first = readHolder(directory);
  const at = first?.address === undefined ? "" : ` at ${first.address}`;
  const who = first === undefined ? "another process" : `process ${first.pid}${at}, running since ${first.since}`;
  return new DataError(
    `A gateway already works on the data in ${directory}: ${who}. ` +
      "Stop it first, or give this one another directory (ASCENT_DATA).",
    { cause },
  );
}

function writeHolder(directory: string, known: Holder): void {
  const path = join(directory, holderName);
  writeFileSync(`${path}.new`, JSON.stringify(known), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function readHolder(directory: string): Holder | undefined {
  const path = join(directory, holderName);
  if (!existsSync(path)) return undefined;
  const parsed = holder.safeParse(JSON.parse(readFileSync(path, "utf8")));
  return parsed.success ? parsed.data : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
