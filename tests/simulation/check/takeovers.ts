/**
 * While an operator has a conversation the agent says nothing there, and what was said, by whomever, is told to the agent afterwards.
 * (That nothing of it is lost, or told twice, is for others to see: `ends.ts`, `history.ts`.)
 */
import { addressOf, isTyped, postId } from "../events.ts";
import type { Run } from "../model.ts";
import type { Operator } from "../plan.ts";
import type { Post } from "../platform.ts";
import { isNote, type Evidence, type Reply, type Violation } from "./evidence.ts";

const heldRule = "held by an operator";
/** How long a run's past may have been on its way to it. */
const takenMs = 10_000;

/** Between the clocks of two processes. */
const skewMs = 1_000;

export function checkTakeovers(evidence: Evidence, replies: readonly Reply[]): Violation[] {
  return [
    ...spoke(evidence, replies),
    ...untold(evidence, replies),
    ...unseen(evidence),
    ...unheard(evidence),
    ...unrelieved(evidence),
  ];
}

/** What the agent is told is nothing that an operator hears instead of it. */
function unheard({ posts, notes, journal }: Evidence): Violation[] {
  const told = [...posts.filter(isNote).map((post): string => postId(post)), ...notes.map(({ id }) => id)];
  const aside = journal.filter(({ id, rule }) => rule === heldRule && told.includes(id));
  return aside.map(({ id }) => ({ rule: "I1", text: `the note ${id} was left to an operator` }));
}

/** Where silence ends a takeover none is left. */
function unrelieved({ plan, held }: Evidence): Violation[] {
  if (plan.settings.silentMs === undefined) return [];
  return held.map(({ id }) => ({ rule: "I1", text: `${id} is left to an operator who says nothing` }));
}

/** At the end operators are shown what is true. */
function unseen({ held, shownHeld, quiet }: Evidence): Violation[] {
  const [real, shown] = [new Set(held.map(({ id }) => id)), new Set(shownHeld)];
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
function heldIn(evidence: Evidence, conversation: string): Span[] {
  const { posts } = evidence;
  const acts = posts.filter((post) => addressOf(post.conversation).conversation === conversation);
  const releases = acts.filter((act) => isStep(act, "release"));
  return acts.flatMap((take) => {
    const from = take.acknowledgedAt;
    if (!isStep(take, "take") || take.refused !== undefined || from === undefined) return [];
    const ends = releases.filter(({ acknowledgedAt = Infinity }) => acknowledgedAt > take.at).map(({ at }) => at);
    const to = Math.min(relievedAt(evidence, acts, take), ...ends);
    return from < to ? [{ from, to }] : [];
  });
}

/** When somebody may be relieved who has said nothing for so long: by whichever clock, and at once where they had it before. */
function relievedAt({ plan }: Evidence, acts: readonly Post[], take: Post): number {
  const { silentMs } = plan.settings;
  if (silentMs === undefined) return Infinity;
  const own = acts.filter((act) => operatorOf(act) === operatorOf(take));
  const before = own.some((act) => act.at < take.at && isStep(act, "take"));
  if (before || plan.faults.some(({ kind }) => kind === "jump")) return take.at;
  const said = own.filter((act) => isStep(act, "say") && act.refused === undefined && act.at > take.at);
  return said.reduce(
    (end, say) => {
      const isMeanwhile = (say.acknowledgedAt ?? Infinity) < end;
      return isMeanwhile ? Math.max(end, say.at + silentMs - skewMs) : end;
    },
    take.at + silentMs - skewMs,
  );
}

function isStep({ action: { does } }: Post, step: "take" | "say" | "release"): boolean {
  return does.kind === "operate" && does.step === step;
}

function operatorOf({ action: { does } }: Post): Operator | undefined {
  return does.kind === "operate" ? does.by : undefined;
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
