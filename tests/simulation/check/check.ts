/** Judges a run by the promise: I1 to I8, and that an idle gateway is idle. */
import { checkAsks } from "./asks.ts";
import { checkEnds } from "./ends.ts";
import { repliesOf, type Evidence, type Violation } from "./evidence.ts";
import { checkHistory } from "./history.ts";
import { checkLinks } from "./links.ts";
import { checkOrder } from "./order.ts";
import { checkQuestions } from "./questions.ts";
import { checkSends } from "./sends.ts";
import { checkTakeovers } from "./takeovers.ts";
import { checkTurns } from "./turns.ts";
import { checkWork } from "./work.ts";

export type { Violation } from "./evidence.ts";

export function check(evidence: Evidence): Violation[] {
  const replies = repliesOf(evidence);
  return [
    ...evidence.breaches.map((text) => ({ rule: "ports", text })),
    ...checkEnds(evidence, replies),
    ...checkSends(evidence, replies),
    ...checkOrder(evidence, replies),
    ...checkTurns(evidence, replies),
    ...checkHistory(evidence, replies),
    ...checkLinks(evidence, replies),
    ...checkAsks(evidence),
    ...checkTakeovers(evidence, replies),
    ...checkWork(evidence, replies),
    ...checkQuestions(evidence, replies),
    ...checkReviews(evidence),
    ...checkIdle(evidence),
  ];
}

/** Whoever dies while a doubtful answer is delivered does not keep it from those who review. */
function checkReviews({ doubted, reviews }: Evidence): Violation[] {
  const known = new Set(reviews);
  const lost = doubted.filter((name) => !known.has(name));
  return lost.map((name) => ({ rule: "reviews", text: `the doubtful answer ${name} came to nobody` }));
}

/** An agent with nothing to do is stored bytes and nothing else. */
function checkIdle({ quiet, armed, unsettled }: Evidence): Violation[] {
  const left = [
    ...armed.map((name) => `reminder ${name}`),
    ...(unsettled > 0 ? [`${unsettled} events on the bus`] : []),
    ...(quiet || armed.length > 0 ? [] : ["something that never ends"]),
  ];
  return left.map((text) => ({ rule: "idle", text: `left at the end: ${text}` }));
}
