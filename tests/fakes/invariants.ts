import type { RequestEntry } from "./openai/types.ts";
import { isAnswer, type CallEntry, type UpdateEntry } from "./telegram/log.ts";
import { tokensIn } from "./tokens.ts";

/** A message that a person sent. Times are of one monotonic clock, the platform's. */
export interface Inbound {
  /** From tokens.ts; the model's answer repeats it. */
  readonly token: string;
  readonly conversation: string;
  /** When the platform first handed it over. */
  readonly arrivedAt: number;
  /** When the gateway said that it has it; absent where it never did. */
  readonly acknowledgedAt?: number;
}

/** A message that the platform accepted from the bot, edits folded into it: last text, first time. */
export interface Outbound {
  readonly conversation: string;
  readonly text: string;
  readonly at: number;
}

export interface Allowances {
  /** Tokens that were dead-lettered or set aside, with the rule that says so. They must not be answered. */
  readonly excused?: ReadonlyMap<string, string>;
  /** Sends in flight at the kills of this run. Default 0. */
  readonly duplicates?: number;
}

export type Invariant = "I1" | "I2" | "I3" | "I4" | "I5" | "I7";

export interface Violation {
  readonly invariant: Invariant;
  readonly detail: string;
}

export interface Report {
  readonly ok: boolean;
  readonly violations: readonly Violation[];
  readonly counts: {
    readonly inbound: number;
    readonly acknowledged: number;
    readonly answered: number;
    /** Messages that share their answer with another. */
    readonly merged: number;
    readonly excused: number;
    readonly duplicates: number;
  };
  /** For people: the counts in a line, then the violations, at most twenty. */
  readonly text: string;
}

interface Answered extends Inbound {
  /** Distinct texts that cover it, with how often each was sent. */
  readonly answers: ReadonlyMap<string, number>;
  readonly firstAt: number | undefined;
}

/** Judges a run by the platform's log alone: I1 to I4 of the promise. Pure. */
export function checkInvariants(
  inbound: readonly Inbound[],
  outbound: readonly Outbound[],
  allowed: Allowances = {},
): Report {
  const covering = new Map<string, Outbound[]>();
  for (const sent of outbound) {
    for (const token of tokensIn(sent.text)) {
      const list = covering.get(token);
      if (list === undefined) covering.set(token, [sent]);
      else list.push(sent);
    }
  }
  const messages = inbound.map((message) => withAnswers(message, covering.get(message.token) ?? []));
  const duplicates = countDuplicates(outbound);
  const violations = [
    ...messages.flatMap((message) => checkAnswered(message, allowed.excused?.get(message.token))),
    ...messages.flatMap((message) => checkConversation(message, covering.get(message.token) ?? [])),
    ...messages.flatMap(checkOneAnswer),
    ...checkDuplicates(duplicates, allowed.duplicates ?? 0),
    ...[...Map.groupBy(messages, (message) => message.conversation).values()].flatMap(checkOrder),
  ];
  const answered = messages.filter((message) => message.answers.size > 0);
  const counts = {
    inbound: messages.length,
    acknowledged: messages.filter((message) => message.acknowledgedAt !== undefined).length,
    answered: answered.length,
    merged: answered.filter((message) => [...message.answers.keys()].some((text) => tokensIn(text).length > 1)).length,
    excused: messages.filter((message) => allowed.excused?.has(message.token) === true).length,
    duplicates,
  };
  return { ok: violations.length === 0, violations, counts, text: describe(counts, violations) };
}

/** I5 and I7 by the model fake's log: no two requests of one conversation at once, no message twice in a prompt. */
export function checkModelRequests(requests: readonly RequestEntry[]): Violation[] {
  const repeated = requests
    .filter((request) => request.repeated.length > 0)
    .map(({ seq, repeated: tokens }): Violation => ({
      invariant: "I7",
      detail: `request ${seq} holds ${tokens.join(", ")} twice`,
    }));
  const conversations = Map.groupBy(requests, ({ tokens }) => tokens[0]?.slice(0, tokens[0].lastIndexOf("-")) ?? "");
  conversations.delete("");
  const overlapping = [...conversations].flatMap(([conversation, list]) => {
    const violations: Violation[] = [];
    let running: RequestEntry | undefined;
    for (const request of list.toSorted((a, b) => a.at - b.at)) {
      if (running !== undefined && endOf(running) > request.at) {
        const detail = `${conversation}: request ${request.seq} began before ${running.seq} ended`;
        violations.push({ invariant: "I5", detail });
      }
      if (running === undefined || endOf(request) > endOf(running)) running = request;
    }
    return violations;
  });
  return [...overlapping, ...repeated];
}

/** What users sent, as the Telegram fake's log has it. Edits are no new messages; what was never on offer is left out. */
export function telegramInbound(updates: readonly UpdateEntry[]): Inbound[] {
  return updates.flatMap((update) => {
    const [token] = tokensIn(update.text ?? "");
    const isMessage = /^(?:message|business_message|channel_post)$/.test(update.kind);
    if (token === undefined || !isMessage || update.dropped === true) return [];
    const conversation = `${update.bot}/${update.chat}`;
    const base = { token, conversation, arrivedAt: update.deliveredAt[0] ?? Infinity };
    return [update.confirmedAt === undefined ? base : { ...base, acknowledgedAt: update.confirmedAt }];
  });
}

/** What the bot sent, as the Telegram fake's log has it: each message once, where it stands in the chat, as it last read. */
export function telegramOutbound(calls: readonly CallEntry[]): Outbound[] {
  const messages = new Map<string, Outbound>();
  for (const call of calls.filter(isAnswer).toSorted((a, b) => (a.acceptedAt ?? 0) - (b.acceptedAt ?? 0))) {
    const conversation = `${call.bot}/${call.chat}`;
    const key = `${conversation}/${call.messageId}`;
    messages.set(key, { conversation, text: call.text, at: messages.get(key)?.at ?? call.acceptedAt ?? 0 });
  }
  return [...messages.values()];
}

function endOf(request: RequestEntry): number {
  return request.endedAt ?? Infinity;
}

function withAnswers(message: Inbound, covering: readonly Outbound[]): Answered {
  const own = covering.filter((sent) => sent.conversation === message.conversation);
  const answers = new Map<string, number>();
  for (const { text } of own) answers.set(text, (answers.get(text) ?? 0) + 1);
  const firstAt = own.length === 0 ? undefined : Math.min(...own.map((sent) => sent.at));
  return { ...message, answers, firstAt };
}

function checkAnswered({ token, acknowledgedAt, answers }: Answered, excuse: string | undefined): Violation[] {
  if (excuse !== undefined && answers.size > 0) {
    return [{ invariant: "I1", detail: `${token} was answered and also set aside (${excuse})` }];
  }
  if (acknowledgedAt === undefined || excuse !== undefined || answers.size > 0) return [];
  return [{ invariant: "I1", detail: `${token} was acknowledged and never answered` }];
}

function checkConversation({ token, conversation }: Answered, covering: readonly Outbound[]): Violation[] {
  const elsewhere = covering.find((sent) => sent.conversation !== conversation);
  if (elsewhere === undefined) return [];
  return [{ invariant: "I1", detail: `${token} of ${conversation} was answered in ${elsewhere.conversation}` }];
}

function checkOneAnswer({ token, answers }: Answered): Violation[] {
  if (answers.size < 2) return [];
  const texts = [...answers.keys()].map((text) => JSON.stringify(shorten(text)));
  return [{ invariant: "I2", detail: `${token} has ${answers.size} different answers: ${texts.join(" and ")}` }];
}

/** The same answer sent again in its conversation, counted once per extra send however many messages it covers. */
function countDuplicates(outbound: readonly Outbound[]): number {
  const sends = outbound.filter((sent) => tokensIn(sent.text).length > 0);
  return sends.length - new Set(sends.map((sent) => `${sent.conversation}\n${sent.text}`)).size;
}

function checkDuplicates(found: number, allowed: number): Violation[] {
  return found <= allowed ? [] : [{ invariant: "I3", detail: `${found} duplicate sends, ${allowed} allowed` }];
}

/** I4: sweeps the messages by arrival, holding the latest answer among those acknowledged before. */
function checkOrder(messages: readonly Answered[]): Violation[] {
  const byArrival = messages.toSorted((a, b) => a.arrivedAt - b.arrivedAt);
  const byAcknowledgement = messages
    .filter((message) => message.acknowledgedAt !== undefined && message.firstAt !== undefined)
    .toSorted((a, b) => (a.acknowledgedAt ?? 0) - (b.acknowledgedAt ?? 0));
  const violations: Violation[] = [];
  let next = 0;
  let latest: Answered | undefined;
  for (const later of byArrival) {
    for (let earlier = byAcknowledgement[next]; earlier !== undefined; earlier = byAcknowledgement[(next += 1)]) {
      if ((earlier.acknowledgedAt ?? 0) >= later.arrivedAt) break;
      if (latest === undefined || (earlier.firstAt ?? 0) > (latest.firstAt ?? 0)) latest = earlier;
    }
    if (latest === undefined || later.firstAt === undefined || (latest.firstAt ?? 0) <= later.firstAt) continue;
    const detail = `${latest.token} was acknowledged before ${later.token} arrived and answered after it`;
    violations.push({ invariant: "I4", detail });
  }
  return violations;
}

function describe(counts: Report["counts"], violations: readonly Violation[]): string {
  const line = Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");
  const shown = violations.slice(0, 20).map(({ invariant, detail }) => `  ${invariant} ${detail}`);
  const more = violations.length > 20 ? [`  and ${violations.length - 20} more`] : [];
  return [`${violations.length === 0 ? "kept" : "BROKEN"}: ${line}`, ...shown, ...more].join("\n");
}

function shorten(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}
