/**
 * I8, I2 and I1 where the agent gives tasks to others: each is asked once, all that comes of it is told once and in the conversation
 * that asked, or it was stopped by a named rule; then the other is told to stop, and nothing of it is told any more.
 */
import { postId } from "../events.ts";
import type { Run } from "../model.ts";
import type { Post } from "../platform.ts";
import { workIn, type Told } from "../work-log.ts";
import { isSaying, waitsForAgent, type Evidence, type Reply, type Violation } from "./evidence.ts";
import { nameOf } from "./links.ts";

/** All that there is to see of one task. */
interface Life {
  readonly name: string;
  readonly home: string;
  readonly told: readonly Told[];
  readonly written: Evidence["delegations"];
  readonly notes: Evidence["notes"];
}

export function checkWork(evidence: Evidence, replies: readonly Reply[]): Violation[] {
  const lives = livesOf(evidence);
  return [
    ...lives.flatMap((life) => [
      ...askedOnce(evidence, life),
      ...toldOnce(replies, life),
      ...lost(evidence, replies, life),
      ...toldInVain(evidence, life),
    ]),
    ...astray(evidence, replies),
    ...together(evidence),
    ...evidence.working.map((text) => ({ rule: "I1", text: `left at the end: ${text}` })),
  ];
}

const homeOf = ({ plan }: Evidence, name: string): string =>
  plan.conversations.find(({ actions }) => actions.some(({ id }) => id === askerOf(name)))?.name ?? "";

/** The plan's message that had it asked. */
const askerOf = (name: string): string => `m${/\d+/.exec(name)?.[0]}`;

function livesOf(evidence: Evidence): Life[] {
  const written = Map.groupBy(evidence.delegations, ({ row }) => workIn(row.asked));
  const told = Map.groupBy(evidence.tasks, ({ name }) => name);
  const notes = Map.groupBy(evidence.notes, ({ tokens }) => (tokens[0] ?? "").replace(/(?:[eqx]|a\d)$/, ""));
  return [...new Set([...written.keys(), ...told.keys()])].map((name) => ({
    name,
    home: homeOf(evidence, name),
    told: told.get(name) ?? [],
    written: written.get(name) ?? [],
    notes: notes.get(name) ?? [],
  }));
}

/** A turn that goes on as another agent's asks anew. */
function askedOnce({ posts }: Evidence, { name, told }: Life): Violation[] {
  const parts = ["link", "unlink"];
  const moves = posts.some(({ action: { does } }) => does.kind === "command" && parts.includes(does.name));
  const messages = new Set(told.map(({ message }) => message));
  const again = told.length > messages.size;
  if (!again && (messages.size <= 1 || moves)) return [];
  return [{ rule: "I8", text: `${name} was asked ${told.length} times, with ${messages.size} messages` }];
}

const tellersOf = (replies: readonly Reply[], saying: string): readonly Reply[] =>
  replies.filter(({ tokens, told }) => tokens.includes(saying) || told.includes(saying));

const sayingsOf = ({ told, notes }: Life): string[] => [
  ...new Set([...told.flatMap(({ said }) => [...said.keys()]), ...notes.flatMap(({ tokens }) => tokens)]),
];

function toldOnce(replies: readonly Reply[], life: Life): Violation[] {
  return sayingsOf(life).flatMap((saying) => {
    const tellers = tellersOf(replies, saying);
    if (tellers.length <= 1) return [];
    return [{ rule: "I2", text: `${saying} is told in ${tellers.map(({ name }) => name).join(" and ")}` }];
  });
}

function lost(evidence: Evidence, replies: readonly Reply[], life: Life): Violation[] {
  const { told, written, notes, name } = life;
  const end = written.at(-1)?.row.end;
  if (evidence.letters.length > 0 || end?.by === "nobody") return [];
  if (told.some(({ canceledAt }) => canceledAt !== undefined)) return [];
  const gaveUp = notes.some(({ tokens }) => tokens.includes(`${name}x`));
  const jumps = evidence.plan.faults.some(({ kind }) => kind === "jump");
  const asker = evidence.posts.find(({ action }) => action.id === askerOf(name));
  const aside = asker !== undefined && evidence.journal.some(({ id }) => id === postId(asker));
  return sayingsOf(life).flatMap((saying) => {
    if (tellersOf(replies, saying).length > 0 || (gaveUp && !saying.endsWith("x"))) return [];
    const noted = notes.filter(({ tokens }) => tokens.includes(saying));
    if (noted.some(({ id }) => evidence.journal.some((entry) => entry.id === id))) return [];
    if (noted.some(({ id }) => waitsForAgent(evidence, id))) return [];
    if (saying.endsWith("q") && told.some(({ replies: given }) => given.length > 0)) return [];
    // By a clock that is minutes off the call was waited for until the other had given up.
    if (saying.endsWith("q") && jumps && sayingsOf(life).includes(`${name}e`)) return [];
    // It was in the hands of a call whose turn was called off, or came to nothing.
    if (noted.length === 0 && (aside || isSorry(replies, [askerOf(name)]))) return [];
    const runs = evidence.runs.filter((run) => run.told.has(saying) || run.tokens.includes(saying));
    if (runs.some((run) => failed(evidence, replies, run))) return [];
    const how = noted.length > 0 ? "a note" : runs.length > 0 ? runs.map((run) => run.name).join(" ") : "nothing";
    return [{ rule: "I1", text: `${saying} was said and is not told: it was in ${how}` }];
  });
}

/** What it was to answer was set aside, or the person knows that there is no answer. */
function failed(evidence: Evidence, replies: readonly Reply[], run: Run): boolean {
  const aside = evidence.posts.some(
    (post) => run.tokens.includes(post.action.id) && evidence.journal.some(({ id }) => id === postId(post)),
  );
  const unsaid = evidence.received.some(
    ({ conversation, text }) => conversation === nameOf(evidence, run) && text.startsWith("I wanted to write"),
  );
  return aside || isSorry(replies, run.tokens) || unsaid;
}

/** The person knows that there is no answer. */
function isSorry(replies: readonly Reply[], asked: readonly string[]): boolean {
  return replies.some(({ name, tokens }) => name.startsWith("“Sorry") && tokens.some((token) => asked.includes(token)));
}

/** Of what a call waited for when its turn was stopped no note tells any more. */
function toldInVain(evidence: Evidence, { name, written, notes }: Life): Violation[] {
  const [first] = written;
  const asker = evidence.posts.find(({ action }) => action.id === askerOf(name));
  if (first === undefined || asker === undefined || first.row.telling === "note") return [];
  const { turn } = first.row.telling;
  const aside = evidence.journal.some(
    ({ id, rule }) => id === postId(asker) && (rule === "stopped" || rule === "reset"),
  );
  if (!aside) return [];
  const stop = evidence.posts
    .filter((post) => isStop(post) && post.conversation === asker.conversation)
    .map((post) => ({ name: post.action.id, at: handledAt(evidence, post) }))
    .filter(({ at }) => at > first.at)
    .toSorted((one, other) => one.at - other.at)[0];
  if (stop === undefined) return [];
  const then = written.findLast(({ at }) => at < stop.at)?.row;
  if (then === undefined || then.telling === "note" || then.telling.turn !== turn || then.end !== undefined) return [];
  const late = notes.filter(({ at }) => at > stop.at);
  return late.map(({ tokens }) => ({
    rule: "I1",
    text: `${tokens.join(" ")} is noted although ${stop.name} had stopped what waited for it`,
  }));
}

function isStop({ action: { does } }: Post): boolean {
  return does.kind === "command" && (does.name === "stop" || does.name === "reset");
}

function handledAt({ journeys }: Evidence, post: Post): number {
  const id = postId(post);
  const own = journeys.filter((journey) => journey.topic === "inbound" && journey.id === id);
  return Math.min(...own.map(({ firstHandled = Infinity }) => firstHandled));
}

function astray(evidence: Evidence, replies: readonly Reply[]): Violation[] {
  return replies.flatMap(({ name, conversation, tokens, told }) =>
    [...tokens, ...told]
      .filter((token) => isSaying(token) && homeOf(evidence, token) !== conversation)
      .map((token) => ({ rule: "I8", text: `${name} tells ${token} in ${conversation}, where nobody asked for it` })),
  );
}

/** One run at a time of a task, but of one that stood still. */
function together({ plan, executions }: Evidence): Violation[] {
  if (plan.faults.some(({ kind }) => kind === "freeze")) return [];
  const endOf = ({ overAt = Infinity, process }: Evidence["executions"][number]) =>
    Math.min(overAt, process.diedAt ?? Infinity);
  return executions.flatMap((one, at) =>
    executions
      .slice(at + 1)
      .filter((other) => other.task === one.task && other.startedAt < endOf(one))
      .map(({ process }) => ({
        rule: "I8",
        text: `${one.name} is worked on by ${one.process.name} and by ${process.name} at the same time`,
      })),
  );
}
