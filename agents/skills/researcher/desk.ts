/** What one task reads: within its bounds, and only where {@link Addresses} lead. */
import { InputError } from "../../../src/errors.ts";
import type { Clock } from "../../../src/ports.ts";
import type { TaskHooks, TaskRun } from "../../../src/skilled.ts";
import { z } from "zod";
import { addressesIn, createAddresses, type Addresses } from "../../../src/addresses.ts";
import { saidIn } from "../request.ts";
import { boundsIn, plan as planShape, type Plan, type Wanted } from "./plan.ts";
import type { Page, Reader } from "./reader.ts";
import type { ResearcherSettings } from "./settings.ts";

/** Read by this task, or by another on a part of it. */
export interface Source extends Pick<Page, "title" | "url" | "readAt"> {
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
  read(url: string, signal: AbortSignal): Promise<Page & Source>;
  /** Others work on parts of the task, as it was decided since its caller last said something; this run or one before. */
  plan(): Plan | undefined;
  /**
   * Durable when it resolves. What is left of the bounds is shared among the parts.
   * @param keep the task itself goes on to read, with a share as theirs. @throws InputError where there is too little left.
   */
  divide(wanted: readonly Wanted[], keep: boolean): Promise<void>;
  /** What another has read. @returns its number here. */
  adopt(source: Omit<Source, "number">): number;
  failed(reasons: readonly string[]): void;
}

export interface DeskOptions {
  readonly run: TaskRun;
  readonly hooks: TaskHooks;
  readonly settings: ResearcherSettings;
  readonly reader: Reader;
  readonly clock: Clock;
}

/** What the task has used up, and given to its parts: kept, since a run may be repeated. */
const used = z.object({ v: z.literal(1), pages: z.number(), bytes: z.number(), plan: planShape.optional() });

export function openDesk({ run, hooks, settings, reader, clock }: DeskOptions): Desk {
  const before = used.safeParse(run.state);
  let { pages, bytes, plan }: z.infer<typeof used> = before.success ? before.data : { v: 1, pages: 0, bytes: 0 };
  const said = run.messages.filter(({ role }) => role === "user").length;
  if (plan?.said !== said) plan = undefined;
  const most = boundsIn(run, settings);
  const until = clock.monotonic() + settings.seconds * 1_000;
  const named = addressesIn(saidIn(run.messages));
  const addresses = createAddresses();
  for (const url of named) addresses.add(url, 0);
  const sources: Source[] = [];
  const failures: string[] = [];
  const reading = new Map<string, Promise<Page & Source>>();
  let last: Promise<unknown> = Promise.resolve();

  const save = (of: { readonly pages: number; readonly bytes: number; readonly plan: Plan | undefined }) =>
    hooks.save({ v: 1, pages: of.pages, bytes: of.bytes, ...(of.plan !== undefined && { plan: of.plan }) });

  function adopt(source: Omit<Source, "number">): number {
    const known = sources.find(({ url }) => url === source.url);
    if (known !== undefined) return known.number;
    const number = sources.length + 1;
    sources.push({ ...source, number });
    addresses.add(source.url, most.depth);
    return number;
  }

  async function readNew(url: string, depth: number, signal: AbortSignal): Promise<Page & Source> {
    signal.throwIfAborted();
    const enough = "answer with what has been read";
    if (pages >= most.pages) throw new InputError(`this task has had its ${most.pages} pages: ${enough}`);
    if (bytes >= most.bytes) throw new InputError(`this task has read as much as it may: ${enough}`);
    if (clock.monotonic() > until) throw new InputError(`this task's time for reading is over: ${enough}`);
    pages += 1;
    const mostBytes = Math.min(settings.pageBytes, most.bytes - bytes);
    // Where the process dies meanwhile, it counts as if it had been as large as it may be.
    await save({ pages, bytes: bytes + mostBytes, plan });
    hooks.progress(`reading ${new URL(url).host}`);
    try {
      const page = await reader.read(url, mostBytes, signal);
      bytes += page.bytes;
      addresses.add(page.url, depth);
      if (depth < most.depth) for (const link of page.links) addresses.add(link.url, depth + 1);
      const { title, readAt } = page;
      return { ...page, number: adopt({ title, url: page.url, readAt }) };
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
    adopt,
    plan: () => plan,
    failed: (reasons) => void failures.push(...reasons),
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
    async divide(wanted, keep) {
      const shares = wanted.length + (keep ? 1 : 0);
      const left = Math.max(0, most.pages - pages);
      if (left < wanted.length)
        throw new InputError(`only ${left} pages are left to be read: divide it into fewer parts, or read yourself`);
      const share = { pages: Math.max(1, Math.floor(left / shares)), bytes: Math.floor((most.bytes - bytes) / shares) };
      const parts = wanted.map(({ question, addresses: own }) => {
        const found = own.map((url) => addresses.find(url));
        const deepest = Math.max(0, ...found.map((one) => one?.depth ?? 0));
        const urls = found.flatMap((one) => one?.url ?? []);
        return { question: addresses.clean(question), addresses: urls, ...share, depth: most.depth - deepest };
      });
      const next = { said, parts };
      const given = { pages: pages + share.pages * parts.length, bytes: bytes + share.bytes * parts.length };
      await save({ ...given, plan: next });
      ({ pages, bytes } = given);
      plan = next;
    },
  };
}
