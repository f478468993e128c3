/** I5, I8 and I4 within a turn, in the agent's view: one active turn, and the same turn for a message however often it runs. */
import { addressOf, isTyped, postId } from "../events.ts";
import type { Run } from "../model.ts";
import type { Post } from "../platform.ts";
import { hasItsPlace, isNote, type Evidence, type Reply, type Violation } from "./evidence.ts";

export function checkTurns(evidence: Evidence, replies: readonly Reply[]): Violation[] {
  const conversations = Map.groupBy(evidence.runs, ({ input }) => input.to.conversation);
  return [...conversations.values()].flatMap((runs) => [
    ...overlaps(evidence, replies, runs),
    ...strays(evidence, runs),
    ...shuffled(evidence, runs),
  ]);
}

/** A runner in another process hears only with its next sign of life that it is stale, or gives up when it is unheard. */
const staleMs = 21_000;

/**
 * A run is active until it ends, is told to stop, or its process dies. Two may be active at once only in two processes, or for
 * two agents of which one has joined the other meanwhile; the earlier one stale because of what a person did meanwhile, or
 * standing still: it is told so in time, and is not kept.
 */
function overlaps(evidence: Evidence, replies: readonly Reply[], runs: readonly Run[]): Violation[] {
  const endOf = ({ overAt, process }: Run) => Math.min(overAt ?? Infinity, process.diedAt ?? Infinity);
  const kept = (run: Run) => replies.some(({ name }) => name === run.name);
  const excused = (run: Run, later: Run) => {
    const alike = run.process === later.process && run.input.agent === later.input.agent;
    if (alike || (kept(run) && kept(later))) return false;
    if (stoodStill(evidence, run)) return true;
    return superseded(evidence, run, later) && Math.min(endOf(run), endOf(later)) - later.startedAt < staleMs;
  };
  return runs.flatMap((run, at) =>
    runs
      .slice(at + 1)
      .filter((later) => later.startedAt < endOf(run) && !excused(run, later))
      .map((later) => ({ rule: "I5", text: `${label(run)} and ${label(later)} were active at the same time` })),
  );
}

function stoodStill({ plan }: Evidence, { process, startedAt }: Run): boolean {
  return plan.faults.some(
    (fault) => fault.kind === "freeze" && fault.slot === process.slot && fault.at + fault.forMs > startedAt,
  );
}

/** Something that calls a turn off came to the agent between the two. */
function superseded({ plan, posts, journeys }: Evidence, run: Run, later: Run): boolean {
  return posts.some((post) => {
    const { action, conversation, arrivedAt = Infinity } = post;
    const { does, id } = action;
    if (does.kind === "operate" && does.step === "take") return mayTake(post, run, later);
    if (run.tokens.includes(id) || arrivedAt > later.startedAt) return false;
    if (addressOf(conversation).conversation !== run.input.to.conversation) return false;
    const waits = plan.settings.whileRunning === "queue";
    if (isWord(post) || does.kind === "request" || (["say", "reply"].includes(does.kind) && waits)) return false;
    const own = journeys.filter((journey) => journey.topic === "inbound" && journey.id === postId(post));
    return own.some(({ firstHandled = Infinity }) => firstHandled >= run.startedAt);
  });
}

/** An operator may have taken it between the two. */
function mayTake({ conversation, at, acknowledgedAt = Infinity }: Post, run: Run, later: Run): boolean {
  const own = addressOf(conversation).conversation === run.input.to.conversation;
  return own && at < later.startedAt && acknowledgedAt > run.startedAt;
}

/** A word calls no turn off; a number that is typed may be something else. */
function isWord({ action: { does }, words }: Post): boolean {
  return does.kind === "decide" || (does.kind === "press" && !isTyped(words));
}

/** Unless a person's act divides them anew: what is run again is the same turn. A turn never changes all its messages. */
function strays(evidence: Evidence, runs: readonly Run[]): Violation[] {
  const runOf = new Map<string, Run>();
  const lastOf = new Map<string, Run>();
  const found: Violation[] = [];
  for (const run of runs) {
    for (const token of run.tokens) {
      const known = runOf.get(token);
      if (known !== undefined && turnOf(known) !== turnOf(run) && !superseded(evidence, known, run)) {
        found.push({ rule: "I8", text: `${token} is in ${label(known)} and in ${label(run)}` });
      }
      runOf.set(token, run);
    }
    const last = lastOf.get(turnOf(run));
    if (last !== undefined && !last.tokens.some((token) => run.tokens.includes(token))) {
      found.push({ rule: "I8", text: `${label(last)} and ${label(run)} have no message in common` });
    }
    lastOf.set(turnOf(run), run);
  }
  return found;
}

/**
 * Where the channel numbers its messages, a turn has them in that order; elsewhere as they came, which is known of those that
 * one process alone took.
 */
function shuffled(evidence: Evidence, runs: readonly Run[]): Violation[] {
  return runs.flatMap((run) => {
    const given = run.tokens.flatMap((token) => evidence.posts.find(({ action }) => action.id === token) ?? []);
    const placed = given.filter((post) => hasItsPlace(post, evidence) && !isNote(post));
    const wrong = placed.some((post, at) => placed.slice(0, at).some((other) => isBefore(evidence, post, other)));
    return wrong ? [{ rule: "I4", text: `${label(run)} has its messages out of order` }] : [];
  });
}

function isBefore({ journeys }: Evidence, one: Post, other: Post): boolean {
  if (one.channel.order === "sequence") return one.sequence < other.sequence;
  const ids = [one, other].map((post) => postId(post) as string);
  const publishers = journeys.flatMap(({ id, topic, publisher }) =>
    topic === "inbound" && ids.includes(id) ? [publisher] : [],
  );
  return new Set(publishers).size === 1 && (one.acknowledgedAt ?? Infinity) < (other.arrivedAt ?? 0);
}

const turnOf = ({ input }: Run) => `${input.agent} ${input.turn}`;

const label = ({ name, input, tokens }: Run) =>
  `${name} (${input.turn}, attempt ${input.attempt}: ${tokens.join(" ")})`;
