/**
 * What the new messages of a turn carry beside text, made readable: recordings heard, documents read, pictures shown.
 *
 * Whatever cannot be had, heard or read never fails the turn: the agent is told so, and told to say so.
 */
import { untilAborted } from "../../src/abort.ts";
import type { TurnInput } from "../../src/agent.ts";
import { createBudget } from "../../src/budget.ts";
import { payerOf, type Payer } from "../../src/budgets.ts";
import { InputError, reasonOf } from "../../src/errors.ts";
import type { MediaPart } from "../../src/message.ts";
import type { Clock, Log } from "../../src/ports.ts";
import type { Documents, DocumentText, Medium, Transcriber } from "../../src/reading.ts";
import { createRecent } from "../../src/recent.ts";
import { bytesOf, whyNot, type Opener } from "./bytes.ts";
import { clipBytes } from "./clip.ts";
import { isPicture, pictureOf, type Picture } from "./images.ts";
import { renderContent, renderHeard, renderMedia, renderNote, lengthOf } from "./render.ts";

export interface Reading {
  /** Stands for the part in the prompt. */
  readonly shown: string;
  readonly picture?: Picture;
  /** Stands for the part in the history. */
  readonly kept?: string;
}
export type Readings = ReadonlyMap<MediaPart, Reading>;

export interface MediaReaderDeps {
  readonly transcriber: Transcriber | undefined;
  readonly documents: Documents | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ReadOptions {
  readonly sees: boolean;
  /** Of all documents of a turn together. */
  readonly documentBytes: number;
  /** For all of it. */
  readonly mostMs: number;
}

/** Of one turn, the newest of each. */
const most = { picture: 4, recording: 8, document: 4 } as const;
/** Of all that is fetched, heard and read at once, and what each takes of it at least. */
const memory = { bytes: 60_000_000, least: 100_000 } as const;
/** How long what was heard or read is kept for a turn that runs again. */
const keptMs = 600_000;
/** Of a document, in the history. */
const longestKept = 3_000;

type Kind = keyof typeof most;

export function createMediaReader(deps: MediaReaderDeps) {
  const { transcriber, documents, log } = deps;
  const heard = createRecent<string, Promise<string>>(deps.clock, keptMs);
  const read = createRecent<string, Promise<DocumentText>>(deps.clock, keptMs);
  const inTurn = createBudget(memory.bytes);

  /** Begun once however often the turn starts, also where an attempt is called off in the middle of it. */
  async function once<Result>(
    known: ReturnType<typeof createRecent<string, Promise<Result>>>,
    key: string,
    fetch: () => Promise<Medium>,
    work: (medium: Medium) => Promise<Result>,
  ): Promise<Result> {
    const before = known.get(key);
    if (before !== undefined) return before;
    const medium = await fetch();
    const begun = known.get(key) ?? work(medium);
    known.set(key, begun);
    begun.catch(() => known.delete(key));
    return begun;
  }

  async function hear(part: MediaPart, key: string, hooks: Opener, payer: Payer): Promise<Reading> {
    if (transcriber === undefined) throw new InputError("no transcription is set up here");
    const fetch = () => mediumOf(part, transcriber.maxBytes, hooks);
    const words = await once(heard, key, fetch, async (medium) => {
      try {
        return await transcriber.transcribe(medium, payer);
      } catch (error) {
        log.error({ reason: reasonOf(error) }, "a recording could not be transcribed; the agent is told so");
        throw new InputError("its transcription failed", { cause: error });
      }
    });
    const shown = renderHeard(part, words);
    return { shown, kept: shown };
  }

  async function study(part: MediaPart, key: string, hooks: Opener, mostBytes: number): Promise<Reading> {
    if (documents === undefined || !documents.reads(part)) return { shown: unread(part) };
    const fetch = () => mediumOf(part, documents.maxBytes, hooks);
    const all = await once(read, key, fetch, (medium) => documents.read(medium, mostBytes));
    if (all.text === "") throw new InputError("there is no text in it, only pictures perhaps");
    const text = clipBytes(all.text, mostBytes);
    const cut = all.cut || text.length < all.text.length;
    return { shown: renderContent(part, { ...all, text, cut }), kept: keptOf(part, all.text) };
  }

  async function show(part: MediaPart, hooks: Opener, sees: boolean): Promise<Reading> {
    if (!sees) throw new InputError("this model is given no pictures");
    return { shown: renderMedia(part), picture: await pictureOf(part, hooks) };
  }

  async function readOne(part: MediaPart, kind: Kind, key: string, hooks: Opener, options: Asked) {
    // It may have waited for longer than anybody waits for it.
    hooks.signal.throwIfAborted();
    if (kind === "recording") return hear(part, key, hooks, options.payer);
    if (kind === "picture") return show(part, hooks, options.sees);
    return study(part, key, hooks, options.share);
  }

  /** @throws only the reason of the turn's signal. */
  return async (input: TurnInput, hooks: Opener, options: ReadOptions): Promise<Readings> => {
    const parts = input.messages.flatMap(({ message }) => message.parts.filter(isMedia));
    const wanted = chosen(parts);
    const count = [...wanted.values()].filter((kind) => kind === "document").length;
    const share = Math.floor(options.documentBytes / Math.max(count, 1));
    const late = new AbortController();
    const stopTimer = deps.clock.after(options.mostMs, () => late.abort(new InputError("it took too long")));
    const payer = payerOf(input.agent, input.to);
    const within = { ...hooks, signal: AbortSignal.any([hooks.signal, late.signal]) };
    const one = async (part: MediaPart): Promise<[MediaPart, Reading]> => {
      const kind = kindOf(part);
      if (kind === undefined) return [part, { shown: renderMedia(part) }];
      const key = `${input.agent} ${kind} ${sourceOf(part)}`;
      try {
        if (!wanted.has(part)) throw new InputError("too many came at once");
        const bytes = Math.max(part.size ?? memory.bytes / 2, memory.least);
        const work = inTurn(bytes, () => readOne(part, kind, key, within, { ...options, share, payer }));
        return [part, await untilAborted(work, within.signal)];
      } catch (error) {
        hooks.signal.throwIfAborted();
        if (!(error instanceof InputError))
          log.warn({ turn: input.turn, kind, reason: reasonOf(error) }, "a medium could not be given to the model");
        return [part, failed(part, kind, error)];
      }
    };
    try {
      return new Map(await Promise.all(parts.map(one)));
    } finally {
      stopTimer();
    }
  };
}

interface Asked extends ReadOptions {
  readonly payer: Payer;
  /** Bytes of text that one document may bring. */
  readonly share: number;
}

function isMedia(part: { readonly kind: string }): part is MediaPart {
  return "source" in part;
}

function kindOf(part: MediaPart): Kind | undefined {
  if (part.kind === "voice" || part.kind === "audio") return "recording";
  if (isPicture(part)) return "picture";
  if (part.kind !== "file") return undefined;
  return part.type.startsWith("audio/") ? "recording" : "document";
}

function chosen(parts: readonly MediaPart[]): ReadonlyMap<MediaPart, Kind> {
  const left: Record<Kind, number> = { ...most };
  const wanted = new Map<MediaPart, Kind>();
  for (const part of parts.toReversed()) {
    const kind = kindOf(part);
    if (kind === undefined || left[kind] === 0) continue;
    left[kind] -= 1;
    wanted.set(part, kind);
  }
  return wanted;
}

function sourceOf({ source }: MediaPart): string {
  if (source.from === "blob") return `blob ${source.id}`;
  return source.from === "url" ? `url ${source.url}` : `platform ${source.ref}`;
}

async function mediumOf(part: MediaPart, mostBytes: number, hooks: Opener): Promise<Medium> {
  const { bytes } = await bytesOf(part, mostBytes, hooks);
  return { bytes, type: part.type, name: part.name };
}

const cannot: Readonly<Record<Kind, (part: MediaPart) => string>> = {
  recording: ({ kind }) => `you could not hear this ${kind === "voice" ? "voice message" : "recording"}`,
  picture: () => "you cannot see this picture",
  document: () => "you could not read this file",
};

function failed(part: MediaPart, kind: Kind, error: unknown): Reading {
  const shown = `${renderMedia(part)}\n${renderNote(`${cannot[kind](part)}: ${whyNot(error)}; tell the person so`)}`;
  return kind === "recording" ? { shown, kept: `[${part.kind} ${lengthOf(part)}, not heard]` } : { shown };
}

function unread(part: MediaPart): string {
  return `${renderMedia(part)}\n${renderNote("the gateway does not read files of this type: you know its name, type and size only")}`;
}

/** One line, whatever the document holds. */
function keptOf(part: MediaPart, text: string): string {
  const begins = JSON.stringify(clipBytes(text, longestKept));
  return `[${[part.kind, part.alt ?? part.name, part.type].filter(Boolean).join(", ")}, it begins ${begins}]`;
}
