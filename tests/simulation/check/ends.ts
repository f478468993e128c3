/** I1, I2 and I6: every message that was taken has one end, and never two answers; what was not taken is taken later. */
import { postId } from "../events.ts";
import type { Post } from "../platform.ts";
import { wasInFlight } from "./flight.ts";
import { isNote, owed, waitsForAgent, type Evidence, type Reply, type Violation } from "./evidence.ts";

export function checkEnds(evidence: Evidence, replies: readonly Reply[]): Violation[] {
  return owed(evidence.posts).flatMap((post) => endsOf(evidence, replies, post));
}

function endsOf(evidence: Evidence, replies: readonly Reply[], post: Post): Violation[] {
  const { letters, journal } = evidence;
  const token = post.action.id;
  const id = postId(post);
  const own = replies.filter(({ tokens, replied }) => tokens.includes(token) || replied.includes(token));
  if (own.length > 1) return [{ rule: "I2", text: `${token} has ${own.length} answers: ${names(own)}` }];
  if (post.acknowledgedAt === undefined) return [{ rule: "I6", text: `${token} was never taken` }];

  const dead = letters.filter(({ topic, event }) =>
    topic === "inbound" ? event.id === id : answersOf(event.data).includes(id),
  );
  const rules = new Set(journal.filter((entry) => entry.id === id).map(({ rule }) => rule));
  const answered = own.filter(({ complete }) => complete);
  // An edit that mentions the agent speaks for the message that mentioned nobody.
  if (own.length + dead.length > 0 && isMentionedLater(evidence, post)) rules.delete("not addressed");
  // A send that nobody could know of was taken all the same: its answer is there, and perhaps its dead letter too.
  const sends = own.flatMap(({ parts }) => parts.flatMap((part) => part.sends));
  if (isNote(post) && own.length + dead.length + rules.size === 0 && isTold(evidence, replies, post)) return [];
  const doubtful = sends.some((send) => wasInFlight(evidence, send));
  const ends = [
    ...(answered.length > 0 && !(dead.length > 0 && doubtful) ? [`answered by ${names(answered)}`] : []),
    ...(dead.length > 0 ? ["a dead letter"] : []),
    ...(rules.size > 0 ? [`set aside: ${[...rules].join(", ")}`] : []),
  ];
  if (ends.length === 0 && post.refused !== undefined) return [];
  if (ends.length === 0 && isNote(post) && waitsForAgent(evidence, id)) return [];
  if (ends.length === 0) {
    const half = own.length > 0 ? `only half of an answer (${names(own)})` : "no end";
    return [{ rule: "I1", text: `${token} was taken and has ${half}` }];
  }
  return ends.length === 1 ? [] : [{ rule: "I1", text: `${token} has more than one end: ${ends.join("; ")}` }];
}

function isMentionedLater({ posts }: Evidence, { action }: Post): boolean {
  return posts.some(({ action: { does } }) => does.kind === "edit" && does.of === action.id);
}

const names = (replies: readonly Reply[]) => replies.map(({ name }) => name).join(", ");

function answersOf(data: unknown): readonly string[] {
  const { answers = [], requests = [] } = data as { answers?: readonly string[]; requests?: readonly string[] };
  return [...answers, ...requests];
}

/** The turn that had the note failed: the person is told so, alone or with what they had asked in the same turn. */
function isTold({ runs, received }: Evidence, replies: readonly Reply[], { action, conversation }: Post): boolean {
  const together = runs.filter(({ tokens }) => tokens.includes(action.id)).flatMap(({ tokens }) => tokens);
  const failed = /^“(?:Sorry, I could|Sorry, that took)/;
  return (
    received.some((send) => send.conversation === conversation.name && send.text.startsWith("I wanted to write")) ||
    replies.some(({ name, tokens }) => failed.test(name) && tokens.some((token) => together.includes(token)))
  );
}
