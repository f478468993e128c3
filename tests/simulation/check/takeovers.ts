/**
 * While an operator has a conversation the agent says nothing there, and what was said, by whomever, is told to the agent afterwards.
 * (That nothing of it is lost, or told twice, is for others to see: `ends.ts`, `history.ts`.)
 */
import { addressOf, isTyped, postId } from "../events.ts";
import type { Run } from "../model.ts";
import type { Post } from "../platform.ts";
import type { Evidence, Reply, Violation } from "./evidence.ts";

const heldRule = "held by an operator";
/** How long a run's past may have been on its way to it. */
const takenMs = 10_000;

export function checkTakeovers(evidence: Evidence, replies: readonly Reply[]): Violation[] {
  return [...spoke(evidence, replies), ...untold(evidence, replies), ...unseen(evidence)];
}

/** At the end operators are shown what is true. */
function unseen({ held, shownHeld, quiet }: Evidence): Violation[] {
  const [real, shown] = [new Set(held), new Set(shownHeld)];
  const wrong = quiet ? [...real, ...shown].filter((id) => real.has(id) !== shown.has(id)) : [];
  return wrong.map((id) => ({
    rule: "I1",
    text: `operators are ${real.has(id) ? "not " : ""}shown a takeover of ${id}`,
  }));
}

interface Span {
  readonly from: number;
  readonly to: number;
}

/** When an operator surely had it: from when the taking was confirmed until somebody may have let go. */
function heldIn({ posts }: Evidence, conversation: string): Span[] {
  const acts = posts.filter((post) => addressOf(post.conversation).conversation === conversation);
  const releases = acts.filter(({ action: { does } }) => does.kind === "operate" && does.step === "release");
  return acts.flatMap((take) => {
    const { does } = take.action;
    const from = take.acknowledgedAt;
    if (does.kind !== "operate" || does.step !== "take" || take.refused !== undefined || from === undefined) return [];
    const ends = releases.filter(({ acknowledgedAt = Infinity }) => acknowledgedAt > take.at).map(({ at }) => at);
    const to = Math.min(Infinity, ...ends);
    return from < to ? [{ from, to }] : [];
  });
}

/** A run that ended meanwhile has no answer. */
function spoke(evidence: Evidence, replies: readonly Reply[]): Violation[] {
  const answered = new Set(replies.map(({ name }) => name));
  return evidence.runs
    .filter(({ name }) => answered.has(name))
    .flatMap((run) => {
      const over = run.overAt ?? Infinity;
      const spans = heldIn(evidence, run.input.to.conversation);
      const span = spans.find(
        ({ from, to }) => (from < over && over < to) || (from < run.startedAt && run.startedAt < to),
      );
      return span === undefined ? [] : [{ rule: "I1", text: `${run.name} answers while an operator has it` }];
    });
}

/** Where no past ends meanwhile. */
function untold(evidence: Evidence, replies: readonly Reply[]): Violation[] {
  const { posts, plan } = evidence;
  const ends = ["reset", "link", "unlink"];
  const isWhole = !posts.some(({ action: { does } }) => does.kind === "command" && ends.includes(does.name));
  if (!isWhole || plan.faults.some(({ kind }) => kind === "freeze" || kind === "jump")) return [];
  return evidence.runs.flatMap((run) => {
    const own = posts.filter((post) => addressOf(post.conversation).conversation === run.input.to.conversation);
    const missing = own.filter((post) => surelyBefore(evidence, replies, post, run) && !knows(run, post));
    return missing.map(({ action }) => ({
      rule: "I7",
      text: `${run.name} is not told of ${action.id}, which was said while an operator had the conversation`,
    }));
  });
}

function surelyBefore(evidence: Evidence, replies: readonly Reply[], post: Post, run: Run): boolean {
  const { action } = post;
  if (action.does.kind === "operate") {
    const saidAt = replies.find(({ tokens }) => tokens.includes(action.id))?.parts[0]?.sends[0]?.at ?? Infinity;
    return saidAt + takenMs < run.startedAt;
  }
  if (action.does.kind !== "say" || isTyped(post.words)) return false;
  const changed = evidence.posts.some(({ action: { does } }) => does.kind === "delete" && does.of === action.id);
  const id = postId(post);
  const entries = evidence.journal.filter((entry) => entry.id === id && entry.rule === heldRule);
  return !changed && entries.some(({ at }) => at - evidence.plan.epoch + takenMs < run.startedAt);
}

function knows({ summary, history }: Run, { action: { id, does } }: Post): boolean {
  const past = [summary, ...history.map(({ text }) => text)].join("\n");
  return new RegExp(does.kind === "operate" ? `\\bsays ${id}\\b` : `\\b${id}, (?:please|put better)`).test(past);
}
