/** I7 where one person has two conversations: they have one past while they are linked, and two before and after. */
import { markersIn, type Run } from "../model.ts";
import type { Evidence, Reply, Violation } from "./evidence.ts";

/** From when somebody asked until it was surely so. */
export interface Span {
  readonly asked: number;
  readonly done: number;
  /** A later link may have brought the past back. */
  readonly undone?: boolean;
}

const pair = ["issuer", "joiner"];
/** Each brings the other's code: nobody can tell before which of them joins. */
const mutual = ["mutual-a", "mutual-b"];

export function checkLinks(evidence: Evidence, replies: readonly Reply[]): Violation[] {
  const joins = evidence.posts.filter(
    ({ action, conversation }) => action.does.kind === "join" && conversation.name === "joiner",
  );
  const [first] = joins;
  if (first === undefined) return [];
  const linkedAt = Math.min(...joins.map(({ action }) => answerOf(replies, action.id, "Linked")));
  const runs = evidence.runs.filter((run) => pair.includes(nameOf(evidence, run)));
  return runs.flatMap((run) => {
    const others = runs.filter((other) => nameOf(evidence, other) !== nameOf(evidence, run));
    const known = new Set(markersIn(pastOf(run)).map((marker) => marker.run));
    if (run.startedAt < first.at) {
      const told = others.filter(({ name }) => known.has(name));
      return told.map(({ name }) => ({
        rule: "I7",
        text: `${run.name} is told of ${name}, which no link joins to it`,
      }));
    }
    if (run.startedAt <= linkedAt || isApart(evidence, run)) return [];
    const owed = others.filter(({ name }) => answeredAt(replies, name) < run.startedAt && !known.has(name));
    return owed.map(({ name }) => ({ rule: "I7", text: `${run.name} is not told of ${name}, which is linked to it` }));
  });
}

/** The past that the two had together may be over. */
function isApart({ posts }: Evidence, { startedAt }: Run): boolean {
  return posts.some(
    ({ action: { does }, conversation, at }) =>
      at < startedAt &&
      pair.includes(conversation.name) &&
      does.kind === "command" &&
      (does.name === "unlink" || does.name === "reset"),
  );
}

/** Times at which the joiner began anew. */
export function unlinksOf({ posts }: Evidence, replies: readonly Reply[], conversation: string): Span[] {
  if (conversation !== "joiner") return [];
  const joins = posts.filter(({ action }) => action.does.kind === "join");
  return posts.flatMap(({ action, at }) => {
    if (action.does.kind !== "command" || action.does.name !== "unlink") return [];
    if (answerOf(replies, action.id, "No other channel") < Infinity) return [];
    // A dead letter's answer never came: then it is so at some time.
    const done = answerOf(replies, action.id, "Unlinked");
    return [{ asked: at, done, undone: done === Infinity || joins.some((join) => join.at > at) }];
  });
}

/** What the joiner resets while it is unlinked is its own past only; another link brings the common one back. */
export function isApartFor({ posts }: Evidence, conversation: string, at: number): boolean {
  return (
    conversation === "joiner" &&
    posts.some(({ action: { does } }) => does.kind === "command" && does.name === "unlink") &&
    posts.some((post) => post.action.does.kind === "join" && post.at > at)
  );
}

/** A /reset in the other conversation counts here too while the two are linked. */
export function resetsElsewhere({ posts }: Evidence, conversation: string, before: number): boolean {
  const either = [pair, mutual].find((names) => names.includes(conversation)) ?? [];
  return posts.some(
    ({ action: { does }, conversation: { name }, at }) =>
      does.kind === "command" && does.name === "reset" && either.includes(name) && name !== conversation && at < before,
  );
}

export function nameOf({ plan }: Evidence, { input: { to } }: Run): string {
  const found = plan.conversations.find(
    ({ channel, chat, thread }) => channel === to.channel && chat === to.chat && thread === to.thread,
  );
  return found?.name ?? "";
}

function pastOf({ summary, history }: Run): string {
  return [summary, ...history.map(({ text }) => text)].join("\n");
}

function answeredAt(replies: readonly Reply[], run: string): number {
  return replies.find(({ name }) => name === run)?.parts[0]?.sends[0]?.at ?? Infinity;
}

/** When the gateway's own sentence that begins so answered this message. */
function answerOf(replies: readonly Reply[], token: string, sentence: string): number {
  const sends = replies.flatMap(({ tokens, parts }) =>
    tokens.includes(token) ? parts.flatMap((part) => part.sends) : [],
  );
  return Math.min(...sends.filter(({ text }) => text.startsWith(sentence)).map(({ at }) => at));
}
