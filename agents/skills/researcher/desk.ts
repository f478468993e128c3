/** What one task reads: within its bounds, and only where {@link Addresses} lead. */
import { InputError } from "../../../src/errors.ts";
import type { Clock } from "../../../src/ports.ts";
import type { TaskHooks, TaskRun } from "../../../src/skilled.ts";
import { z } from "zod";
import { saidIn } from "../request.ts";
import { addressesIn, createAddresses, type Addresses } from "./addresses.ts";
import type { Page, Reader } from "./reader.ts";
import type { ResearcherSettings } from "./settings.ts";

export interface Source extends Page {
  readonly number: number;
}

export interface Desk {
  readonly addresses: Addresses;
  /** Those that the caller named. */
  readonly named: readonly string[];
  /** In the order of their numbers, from 1. */
  readonly sources: readonly Source[];
  /** What could not be read, as "host: reason". */
  readonly failures: readonly string[];
  /** A page that was read before is not asked for again. @throws InputError that says why not. */
  read(url: string, signal: AbortSignal): Promise<Source>;
}

export interface DeskOptions {
  readonly run: TaskRun;
  readonly hooks: TaskHooks;
  readonly settings: ResearcherSettings;
  readonly reader: Reader;
  readonly clock: Clock;
}

/** What the task has used up: kept, since a run may be repeated. */
const used = z.object({ v: z.literal(1), pages: z.number(), bytes: z.number() });

export function openDesk({ run, hooks, settings, reader, clock }: DeskOptions): Desk {
  const before = used.safeParse(run.state);
  let { pages, bytes } = before.success ? before.data : { pages: 0, bytes: 0 };
  const until = clock.monotonic() + settings.seconds * 1_000;
  const named = addressesIn(saidIn(run.messages));
  const addresses = createAddresses();
  for (const url of named) addresses.add(url, 0);
  const sources: Source[] = [];
  const failures: string[] = [];
  const reading = new Map<string, Promise<Source>>();
  let last: Promise<unknown> = Promise.resolve();

  async function readNew(url: string, depth: number, signal: AbortSignal): Promise<Source> {
    signal.throwIfAborted();
    const enough = "answer with what has been read";
    if (pages >= settings.pages) throw new InputError(`this task has had its ${settings.pages} pages: ${enough}`);
    if (bytes >= settings.totalBytes) throw new InputError(`this task has read as much as it may: ${enough}`);
    if (clock.monotonic() > until) throw new InputError(`this task's time for reading is over: ${enough}`);
    pages += 1;
    const most = Math.min(settings.pageBytes, settings.totalBytes - bytes);
    // Where the process dies meanwhile, it counts as if it had been as large as it may be.
    await hooks.save({ v: 1, pages, bytes: bytes + most });
    hooks.progress(`reading ${new URL(url).host}`);
    try {
      const page = await reader.read(url, most, signal);
      bytes += page.bytes;
      addresses.add(page.url, depth);
      if (depth < settings.depth) for (const link of page.links) addresses.add(link.url, depth + 1);
      const source = { ...page, number: sources.length + 1 };
      sources.push(source);
      return source;
    } catch (error) {
      if (error instanceof InputError) failures.push(error.message);
      throw error;
    }
  }

  return {
    addresses,
    named,
    sources,
    failures,
    async read(given, signal) {
      const found = addresses.find(given);
      if (found === undefined) {
        throw new InputError(
          "only addresses that stand in the request, in pages that were read or in what a search found can be read, exactly as they stand there",
        );
      }
      const { url, depth } = found;
      const known = reading.get(url);
      if (known !== undefined) return known;
      // One after the other: each is bounded by what those before it left.
      const own = last.then(() => readNew(url, depth, signal));
      last = own.catch(() => undefined);
      reading.set(url, own);
      return own;
    },
  };
}
