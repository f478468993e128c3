/** What a person sees while a turn runs: typing, and the answer as it grows. Best effort: never delays or fails a turn. */
import type { Channel } from "./channel.ts";
import { reasonOf } from "./errors.ts";
import type { MessageId } from "./ids.ts";
import type { Address } from "./message.ts";
import { noticeText } from "./notices.ts";
import type { Clock, Log } from "./ports.ts";

/** An answer that comes sooner needs no typing shown. */
const typingAfterMs = 300;
/** Of what an agent does meanwhile, the last ones are shown. */
const mostSteps = 3;
const longestStep = 200;
/** A line that is shorter is not worth a word. */
const shownWaitMs = 5_000;

export interface Progress {
  /** Absent where the channel shows no previews, so that the agent need not stream. */
  readonly onText?: (text: string) => void;
  /** What it does meanwhile: shown until there is text. */
  readonly onProgress?: (text: string) => void;
  /** It stands in line, and its turn comes in so long; undefined: not any more. */
  readonly inLine?: (expectedMs: number | undefined) => void;
  end(): void;
}

export interface ProgressOptions {
  readonly channel: Channel | undefined;
  readonly to: Address;
  /** Tells this turn's preview from another's. */
  readonly turn: string;
  /** The messages that the turn answers. */
  readonly answers: readonly MessageId[];
  /** The person's language, where it is known. */
  readonly locale?: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export function showProgress({ channel, to, turn, answers, locale, clock, log }: ProgressOptions): Progress {
  let ended = false;
  let stopTyping: (() => void) | undefined;
  const forget = (what: string) => (error: unknown) => {
    log.debug({ conversation: to.conversation, reason: reasonOf(error) }, `${what} could not be shown`);
  };

  const typingMs = channel?.traits.typingMs;
  if (channel?.typing !== undefined && typingMs !== undefined) {
    let shown = false;
    const show = (): void => {
      shown = true;
      channel.typing?.(to, true).catch(forget("typing"));
      cancel = Number.isFinite(typingMs) ? clock.after(typingMs, show) : () => undefined;
    };
    let cancel = clock.after(typingAfterMs, show);
    stopTyping = () => {
      cancel();
      if (shown) channel.typing?.(to, false).catch(forget("typing"));
    };
  }

  const end = (): void => {
    ended = true;
    stopTyping?.();
  };
  const { preview } = channel?.traits ?? {};
  if (channel?.preview === undefined || preview === undefined || !preview.in.includes(to.kind)) return { end };

  let latest: string | undefined;
  let busy = false;
  let begun = false;
  /** One update at a time, the latest text, no more often than the channel allows; a quick answer needs none. */
  const flush = (): void => {
    if (busy || ended || latest === undefined) return;
    const text = latest;
    latest = undefined;
    busy = true;
    const shownAt = clock.monotonic();
    channel
      .preview?.(to, { turn, text, answers })
      .catch(forget("a preview"))
      .finally(() => rest(preview.everyMs - (clock.monotonic() - shownAt)));
  };
  const rest = (ms: number): void => {
    clock.after(Math.max(0, ms), () => {
      busy = false;
      flush();
    });
  };
  const show = (text: string): void => {
    latest = text;
    if (begun) return flush();
    begun = busy = true;
    rest(preview.everyMs);
  };
  let written = "";
  let steps: readonly string[] = [];
  let line: string | undefined;
  const showAll = (): void =>
    show([written, ...steps, ...(line === undefined ? [] : [line])].filter((part) => part !== "").join("\n"));
  return {
    onText(text) {
      written = text;
      show(text);
    },
    onProgress(step) {
      const shown = `… ${step.replace(/\s+/g, " ").trim().slice(0, longestStep)}`;
      steps = [...steps.filter((other) => other !== shown), shown].slice(-mostSteps);
      showAll();
    },
    inLine(expectedMs) {
      if (expectedMs === undefined || expectedMs < shownWaitMs) return void (line = undefined);
      const minutes = String(Math.max(1, Math.round(expectedMs / 60_000)));
      line = `… ${noticeText("inLine", locale, { minutes })}`;
      showAll();
    },
    end,
  };
}
