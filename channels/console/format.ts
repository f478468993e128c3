/** What the API shows of the core's things. */
import type { LinkState } from "../../src/channel.ts";
import type { ShownRating, ShownReview } from "../../src/feedback-operations.ts";
import type { AccountState, ShownMission, WaitingCall } from "../../src/operations.ts";
import type { Asked } from "../../src/operators.ts";
import type { DeadLetter, SetAside } from "../../src/ports.ts";
import { drawn, qrOf } from "../../src/qr.ts";
import type { LoggedDelivery } from "../../src/subscriptions.ts";
import type { ShownTakeover, WatchedTakeover } from "../../src/takeover-operations.ts";

const timeOf = (at: number) => new Date(at).toISOString();

export function shownAsked({ at, until, ...asked }: Asked) {
  return { ...asked, at: timeOf(at), until: timeOf(until) };
}

export function shownCall({ at, until, calls, ...call }: WaitingCall) {
  return { ...call, calls: [...calls], at: timeOf(at), until: timeOf(until) };
}

export function shownMission({ id, title, conversation, agentName, at, open }: ShownMission) {
  return { id, title, conversation, agentName, at: timeOf(at), open };
}

export function shownTakeover({ at, until, ...of }: ShownTakeover) {
  return { ...of, at: timeOf(at), ...(until === undefined ? {} : { until: timeOf(until) }) };
}

export function shownHeard({ conversation, held, items }: WatchedTakeover) {
  const { by, n, at, until } = held ?? {};
  return {
    conversation,
    ...(by !== undefined && { by }),
    ...(n !== undefined && { n }),
    ...(at !== undefined && { at: timeOf(at) }),
    ...(until !== undefined && { until: timeOf(until) }),
    items: items.map((item) => ({ ...item, at: timeOf(item.at) })),
  };
}

export function shownRating({ at, voices, ...of }: ShownRating) {
  return { ...of, at: timeOf(at), voices: voices.map((voice) => ({ ...voice, at: timeOf(voice.at) })) };
}

export function shownReview({ at, added, reasons, items, taken, done, ...of }: ShownReview) {
  return {
    ...of,
    reasons: [...reasons],
    at: timeOf(at),
    added: timeOf(added),
    items: items.map((item) => ({ ...item, at: timeOf(item.at) })),
    ...(taken === undefined ? {} : { taken: { by: taken.by, until: timeOf(taken.until) } }),
    ...(done === undefined ? {} : { done: { ...done, at: timeOf(done.at) } }),
  };
}

/** Without what was said. */
export function shownLetter({ id, topic, event, reason, attempts, at }: DeadLetter) {
  return { id, topic, subject: event.subject, reason, attempts, at: timeOf(at) };
}

export function shownEntry({ at, ...entry }: SetAside) {
  return { ...entry, at: timeOf(at) };
}

export function shownDelivery({ id, webhookId, name, type, state, at, tries }: LoggedDelivery) {
  const shown = tries.map(({ at: when, ...result }) => ({ at: timeOf(when), ...result }));
  return { id, webhookId, subscriber: name, type, state, at: timeOf(at), tries: shown };
}

/** Without the code: that is for who asks for it. */
export function shownAccount({ link, ...of }: AccountState) {
  if (link === undefined) return of;
  const { code: _code, ...state } = link;
  return { ...of, link: state };
}

export function shownLink({ code, ...link }: LinkState) {
  if (code === undefined) return link;
  return { ...link, code: code.text, drawn: drawn(code.text), until: timeOf(code.until) };
}

/** Modules of ten pixels, dark on light, with the border of four that the standard wants. */
export function svgOf(text: string): string {
  const code = qrOf(text);
  const size = code.length + 8;
  const path = code
    .flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x + 4} ${y + 4}h1v1h-1z`] : [])))
    .join("");
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${size * 10}" height="${size * 10}" viewBox="0 0 ${size} ${size}" ` +
    `shape-rendering="crispEdges"><path fill="#fff" d="M0 0h${size}v${size}H0z"/><path d="${path}"/></svg>`
  );
}
