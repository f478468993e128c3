import type { CallEntry } from "./log.ts";
import { ApiError, tooManyRequests, type Params } from "./types.ts";

/** Which calls a fault hits: all given conditions hold. `times` and `chance` bound how often. */
export interface FaultScope {
  readonly method?: string;
  readonly chat?: number;
  readonly bot?: number;
  /** Gone after this many hits. */
  readonly times?: number;
  /** Share of matching calls that are hit, drawn from the fake's seeded generator. */
  readonly chance?: number;
}

export type FaultKind =
  /** Refused as flood: 429 with `retry_after` seconds. */
  | { readonly kind: "rate_limit"; readonly retryAfter: number }
  /** Refused with this error; a 5xx has its usual text when none is given. */
  | {
      readonly kind: "error";
      readonly code: number;
      readonly description?: string;
      readonly parameters?: Readonly<Record<string, number>>;
    }
  /** Never answered; with `accepted` the platform has acted, so that the caller cannot know. */
  | { readonly kind: "hang"; readonly accepted?: boolean }
  /** The connection is closed without an answer, before or after acting. */
  | { readonly kind: "close"; readonly accepted?: boolean }
  /** Answered late; the delay stands before acting, or with `accepted` after it. */
  | { readonly kind: "delay"; readonly ms: number; readonly accepted?: boolean };

export type Fault = FaultScope & FaultKind;

const SERVER_ERRORS: Readonly<Record<number, string>> = {
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

export interface Faults {
  add(fault: Fault): void;
  clear(): void;
  /** The fault that hits this call, counted; the first added wins. */
  hit(call: CallEntry): FaultKind | undefined;
}

export function createFaults(seed: number): Faults {
  const random = generator(seed);
  let rules: { readonly fault: Fault; left: number }[] = [];
  return {
    add(fault) {
      rules.push({ fault, left: fault.times ?? Infinity });
    },
    clear() {
      rules = [];
    },
    hit(call) {
      if (rules.length === 0) return undefined;
      const rule = rules.find(
        ({ fault }) => matches(fault, call) && (fault.chance === undefined || random() < fault.chance),
      );
      if (rule === undefined) return undefined;
      rule.left -= 1;
      if (rule.left <= 0) rules = rules.filter((other) => other !== rule);
      return rule.fault;
    },
  };
}

export function refusal(fault: Extract<FaultKind, { kind: "rate_limit" | "error" }>): ApiError {
  if (fault.kind === "rate_limit") return tooManyRequests(fault.retryAfter);
  return new ApiError(fault.code, fault.description ?? SERVER_ERRORS[fault.code] ?? "Bad Request", fault.parameters);
}

function matches(fault: Fault, call: CallEntry): boolean {
  return (
    (fault.method === undefined || fault.method.toLowerCase() === call.method) &&
    (fault.chat === undefined || fault.chat === call.chat) &&
    (fault.bot === undefined || fault.bot === call.bot)
  );
}

/** Mulberry32: small, seeded, good enough to place faults. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const LIMITED = /^send(?!chataction|messagedraft)|^editmessage/;

/**
 * Telegram's published limits ("My bot is hitting limits" of the Bots FAQ): one message a second in a chat, twenty a
 * minute in a group. Checked before the call acts.
 */
export function createChatLimits(now: () => number): (method: string, params: Params) => void {
  const sent = new Map<number, number[]>();
  return (method, params) => {
    const chat = Number(params["chat_id"]);
    if (!LIMITED.test(method) || !Number.isFinite(chat)) return;
    const at = now();
    const recent = (sent.get(chat) ?? []).filter((time) => at - time < 60_000);
    const last = recent.at(-1);
    const waits = [last === undefined ? 0 : last + 1_000 - at];
    const twentieth = recent.at(-20);
    if (chat < 0 && twentieth !== undefined) waits.push(twentieth + 60_000 - at);
    const wait = Math.max(...waits);
    if (wait > 0) throw tooManyRequests(Math.ceil(wait / 1_000));
    recent.push(at);
    sent.set(chat, recent);
  };
}
