/** I7: in what the agent is told of the past, each turn is once: in the items or in the summary, and not lost. */
import { markersIn, type Run } from "../model.ts";
import { addressOf, isTyped } from "../events.ts";
import { isWords, type Evidence, type Reply, type Violation } from "./evidence.ts";
import { isApartFor, nameOf, resetsElsewhere, unlinksOf, type Span } from "./links.ts";

export function checkHistory(evidence: Evidence, replies: readonly Reply[]): Violation[] {
  return evidence.runs.flatMap((run) => [
    ...twice(run),
    ...forgotten(evidence, replies, run),
    ...unsaid(evidence, replies, run),
  ]);
}

const past = ({ summary, history }: Run) => [summary, ...history.map(({ text }) => text)].join("\n");
const wordsIn = (text: string) => [...text.matchAll(/\bsays (m\d+)/g)].map(([whole]) => whole);
const sayings = /\b(m\d+|w\d+[ab](?:[eq]|a\d)), (?:please|put better|done|which|sorry|given up)/g;
const saidIn = (text: string) => [...text.matchAll(sayings)].map(([, token = ""]) => token);

function twice(run: Run): Violation[] {
  const text = past(run);
  const all = [...saidIn(text), ...wordsIn(text), ...run.tokens, ...markersIn(text).map((marker) => marker.text)];
  const repeated = new Set(all.filter((item, at) => all.indexOf(item) !== at));
  return [...repeated].map((item) => ({ rule: "I7", text: `${run.name} is told ${item} twice` }));
}

/** What the platform had before the run began is known to it, and nothing from before a reset. */
function forgotten(evidence: Evidence, replies: readonly Reply[], run: Run): Violation[] {
  const text = past(run);
  const known = new Set([...markersIn(text).map((marker) => marker.run), ...saidIn(text)]);
  const earlier = evidence.runs.filter(
    (other) => other !== run && other.input.to.conversation === run.input.to.conversation,
  );
  return earlier.flatMap((other) => {
    const reset = resetBetween(evidence, replies, other, run);
    if (reset === "surely") {
      return known.has(other.name)
        ? [{ rule: "I7", text: `${run.name} is told of ${other.name}, from before a reset` }]
        : [];
    }
    const answeredAt = replies.find(({ name }) => name === other.name)?.parts[0]?.sends[0]?.at ?? Infinity;
    if (answeredAt >= run.startedAt || reset === "perhaps") return [];
    const owed = [
      other.name,
      ...other.tokens.filter(
        (token) => !wasDeleted(evidence, token) && !wasTyped(evidence, token) && !/^w.*x$/.test(token),
      ),
    ];
    const missing = owed.filter((item) => !known.has(item));
    return missing.map((item) => ({
      rule: "I7",
      text: `${run.name} is not told of ${item}, answered in ${other.name} before`,
    }));
  });
}

/** How long a run's past may have been on its way to it. */
const takenMs = 10_000;

/** The agent remembers what it said of its own. Where pasts end or come together it is told by {@link forgotten}. */
function unsaid({ posts, plan }: Evidence, replies: readonly Reply[], run: Run): Violation[] {
  const parts = ["reset", "link", "unlink"];
  const one = !posts.some(({ action: { does } }) => does.kind === "command" && parts.includes(does.name));
  if (!one || plan.faults.some(({ kind }) => kind === "freeze")) return [];
  const known = wordsIn(past(run));
  const words = posts.filter(
    (post) => isWords(post) && addressOf(post.conversation).conversation === run.input.to.conversation,
  );
  return words.flatMap(({ action: { id } }) => {
    const saidAt = replies.find(({ tokens }) => tokens.includes(id))?.parts[0]?.sends[0]?.at ?? Infinity;
    if (saidAt + takenMs > run.startedAt || known.includes(`says ${id}`)) return [];
    return [{ rule: "I7", text: `${run.name} is not told of the words ${id}, which it said before` }];
  });
}

function wasDeleted({ posts }: Evidence, token: string): boolean {
  return posts.some(({ action: { does } }) => does.kind === "delete" && does.of === token);
}

/** Its words are a number, or what stands beside that number. */
function wasTyped({ posts }: Evidence, token: string): boolean {
  return posts.some(({ action, words }) => action.id === token && isTyped(words));
}

/** Whether a /reset of the same agent took effect between the two runs. */
function resetBetween(
  evidence: Evidence,
  replies: readonly Reply[],
  from: Run,
  to: Run,
): "surely" | "perhaps" | undefined {
  const { posts, plan } = evidence;
  const { kind, chat, channel } = from.input.to;
  const siblings = plan.conversations.filter(
    (other) => other.kind === kind && other.chat === chat && other.channel === channel,
  );
  const spans = posts
    .filter(
      ({ action: { does }, conversation }) =>
        does.kind === "command" && does.name === "reset" && siblings.includes(conversation),
    )
    .map(({ action, at }): Span => ({
      asked: at,
      done: replies.find(({ tokens }) => tokens.includes(action.id))?.parts[0]?.sends[0]?.at ?? Infinity,
      undone: isApartFor(evidence, nameOf(evidence, to), at),
    }));
  const name = nameOf(evidence, to);
  spans.push(...unlinksOf(evidence, replies, name));
  const elsewhere = resetsElsewhere(evidence, name, to.startedAt);
  // Until its answer is out it may not be kept yet: its write may have failed, and be tried again.
  const sentAt = replies.find((reply) => reply.name === from.name)?.parts[0]?.sends[0]?.at ?? 0;
  const fromOver = Math.max(sentAt, Math.min(from.overAt ?? Infinity, from.process.diedAt ?? Infinity));
  const sure = spans.filter(({ undone }) => undone !== true);
  if (sure.some(({ asked, done }) => fromOver < asked && done < to.startedAt)) return "surely";
  if (elsewhere || spans.some(({ undone, done }) => undone === true && done < to.startedAt)) return "perhaps";
  return spans.some(({ asked, done }) => asked < to.startedAt && done > from.startedAt) ? "perhaps" : undefined;
}
