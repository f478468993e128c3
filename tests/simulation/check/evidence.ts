/** What a run is judged by: the platform's log, the agent's view of its turns, the journal and the dead letters. */
import type { DeadLetter, SetAside } from "../../../src/ports.ts";
import type { HeldConversation } from "../actor-state.ts";
import type { Journey } from "../broker.ts";
import type { Written } from "../keyed.ts";
import type { Execution } from "../near-agent.ts";
import type { Note, Told } from "../work-log.ts";
import { codeIn, postId } from "../events.ts";
import type { JobRun } from "../jobs.ts";
import { markersIn, type Done, type Run } from "../model.ts";
import type { Plan } from "../plan.ts";
import type { Post, Received } from "../platform.ts";
import type { Process } from "../process.ts";

export interface Evidence {
  readonly plan: Plan;
  /** Nothing was left to do at the end. */
  readonly quiet: boolean;
  readonly posts: readonly Post[];
  readonly received: readonly Received[];
  readonly impatient: readonly string[];
  readonly runs: readonly Run[];
  /** What was done in the world, and who was asked about jobs. */
  readonly done: readonly Done[];
  readonly jobs: readonly JobRun[];
  /** What skilled agents were asked, what was told of it by notes, and what was kept of it. */
  readonly tasks: readonly Told[];
  readonly notes: readonly Note[];
  readonly executions: readonly Execution[];
  readonly delegations: readonly Written[];
  /** Tasks that have not ended. */
  readonly working: readonly string[];
  /** Asks and jobs that are left. */
  readonly waiting: readonly string[];
  /** Conversations that an operator has at the end, and the messages that wait there for the agent. */
  readonly held: readonly HeldConversation[];
  /** The same as operators are shown it. */
  readonly shownHeld: readonly string[];
  /** Doubtful answers that their agents have forgotten, and those that came to review, by conversation and sequence. */
  readonly doubted: readonly string[];
  readonly reviews: readonly string[];
  readonly journeys: readonly Journey[];
  readonly journal: readonly SetAside[];
  readonly letters: readonly DeadLetter[];
  readonly processes: readonly Process[];
  /** Reminders and bus events that are left. */
  readonly armed: readonly string[];
  readonly unsettled: number;
  readonly breaches: readonly string[];
}

export interface Violation {
  /** The invariant of the promise, or what else is broken. */
  readonly rule: string;
  readonly text: string;
}

/** One part of an answer, with every time that the platform got it. */
export interface Part {
  readonly name: string;
  readonly sends: readonly Received[];
}

/** An answer as the platform got it. */
export interface Reply {
  /** The run that gave it, or the gateway's own sentence. */
  readonly name: string;
  readonly conversation: string;
  /** Plan ids of the messages it answers. */
  readonly tokens: readonly string[];
  /** What skilled agents said in calls, and people to tools, as it says. */
  readonly told: readonly string[];
  /** What the gateway says that it answers besides. */
  readonly replied: readonly string[];
  /** In their order; a part that never came is absent. */
  readonly parts: readonly Part[];
  readonly complete: boolean;
}

/** Answers by what their text says; the gateway's own sentences by the messages that it says they answer. */
export function repliesOf({ received, posts }: Evidence): Reply[] {
  const tokenOf = new Map(posts.map((post) => [postId(post) as string, post.action.id]));
  const drafts = new Map<
    string,
    {
      tokens: readonly string[];
      told: string[];
      of: number;
      conversation: string;
      parts: Map<number, Received[]>;
    }
  >();
  const add = (
    name: string,
    conversation: string,
    tokens: readonly string[],
    part: number,
    of: number,
    send: Received,
    told: readonly string[] = [],
  ) => {
    const draft = drafts.get(name) ?? { tokens, told: [], of, conversation, parts: new Map<number, Received[]>() };
    drafts.set(name, draft);
    if (draft.told.length === 0) draft.told.push(...told);
    draft.parts.set(part, [...(draft.parts.get(part) ?? []), send]);
  };
  for (const send of received) {
    const markers = markersIn(send.text);
    for (const { run, tokens, part, of, told } of markers) add(run, send.conversation, tokens, part, of, send, told);
    const [, word] = /^says (m\d+)$/.exec(send.text) ?? [];
    if (word !== undefined) add(`the words ${word}`, send.conversation, [word], 1, 1, send);
    if (markers.length > 0 || word !== undefined) continue;
    const tokens = send.answers.map((id) => tokenOf.get(id) ?? id);
    // A code comes with a sentence before it.
    const isCode = codeIn(send.text) !== undefined;
    const of = isCode || send.text.startsWith("Send this to me") ? 2 : 1;
    const what = of === 2 ? "a code" : `“${send.text.slice(0, 20)}”`;
    const name = tokens.length === 0 ? send.key : `${what} for ${tokens.join(" ")}`;
    add(name, send.conversation, tokens, isCode ? 2 : 1, of, send);
  }
  return [...drafts].map(([name, { tokens, told, of, conversation, parts }]) => ({
    name,
    conversation,
    tokens,
    told,
    replied: repliedIn([...parts.values()].flat(), tokens, tokenOf),
    parts: [...parts]
      .toSorted(([one], [other]) => one - other)
      .map(([part, sends]) => ({ name: `${name} ${part}/${of}`, sends })),
    complete: parts.size === of,
  }));
}

/** Messages that an answer of the agent's covers without being a turn's. */
function repliedIn(
  sends: readonly Received[],
  tokens: readonly string[],
  tokenOf: ReadonlyMap<string, string>,
): readonly string[] {
  if (!sends.some(({ text }) => markersIn(text).length > 0)) return [];
  const covered = sends.flatMap(({ answers }) => answers.map((id) => tokenOf.get(id) ?? id));
  return [...new Set(covered.filter((token) => !tokens.includes(token)))];
}

/** Messages, commands, requests and words: what an answer is owed for. */
export function owed(posts: readonly Post[]): Post[] {
  return posts.filter(
    (post) =>
      isOperators(post) ||
      ["say", "command", "join", "request", "press", "decide", "reply"].includes(post.action.does.kind),
  );
}

/** Said by an operator who has the conversation. */
export function isOperators({ action: { does } }: Post): boolean {
  return does.kind === "operate" && does.step === "say";
}

export function isWords({ action: { does } }: Post): boolean {
  return does.kind === "request" && does.form === "words";
}

/** Said by a skilled agent, and told to the agent by a note. */
export function isSaying(token: string): boolean {
  return token.startsWith("w");
}

/** Told to the agent by the gateway, not by a person: an operator's word too. */
export function isNote({ action: { does } }: Post): boolean {
  return does.kind === "decide" || (does.kind === "request" && does.form === "note");
}

/** An operator has its conversation at the end, and the agent is told it when that one lets go. */
export function waitsForAgent({ held }: Evidence, id: string): boolean {
  return held.some(({ waiting }) => waiting.includes(id));
}

/** An edit gives one that mentions nobody its place, and one that it overtakes on the way or may overtake on the bus. */
export function hasItsPlace(post: Post, { posts, plan }: Pick<Evidence, "posts" | "plan">): boolean {
  const { id, does } = post.action;
  if (does.kind === "say" && !does.addressed) return false;
  const edits = posts.filter(({ action }) => action.does.kind === "edit" && action.does.of === id);
  if (plan.flavour === "dapr") return edits.length === 0;
  return !edits.some(({ arrivedAt = Infinity }) => arrivedAt <= (post.arrivedAt ?? Infinity));
}
