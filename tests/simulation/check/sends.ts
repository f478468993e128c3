/** I3: a part is sent once, but for sends that were in flight when something died; and the platform's wishes are heeded. */
import { postId } from "../events.ts";
import type { Plan } from "../plan.ts";
import type { Received } from "../platform.ts";
import { wasInFlight } from "./flight.ts";
import { isNote, isOperators, isSaying, isWords } from "./evidence.ts";
import type { Evidence, Part, Reply, Violation } from "./evidence.ts";

export function checkSends(evidence: Evidence, replies: readonly Reply[]): Violation[] {
  return [
    ...replies.flatMap((reply) => reply.parts.flatMap((part) => duplicates(evidence, reply, part))),
    ...replies.flatMap((reply) => mislabelled(evidence, reply)),
    ...evidence.impatient.map((text) => ({ rule: "429", text })),
  ];
}

function duplicates(evidence: Evidence, reply: Reply, { name, sends }: Part): Violation[] {
  const again = sends.length - 1;
  if (again === 0) return [];
  const idempotentMs = idempotentMsOf(evidence.plan, reply.conversation);
  const window = (sends[0]?.at ?? 0) + idempotentMs;
  if (sends.slice(1).some(({ at }) => at < window)) {
    return [{ rule: "I3", text: `${name} was sent again under another key: ${keys(sends)}` }];
  }
  const excused = sends.filter((send) => wasInFlight(evidence, send)).length;
  if (again <= excused) return [];
  return [
    {
      rule: "I3",
      text: `${name} was sent ${sends.length} times, ${excused} of them in flight at a fault: ${keys(sends)}`,
    },
  ];
}

function idempotentMsOf(plan: Plan, conversation: string): number {
  const { channel } = plan.conversations.find(({ name }) => name === conversation) ?? {};
  return plan.channels.find(({ name }) => name === channel)?.idempotentMs ?? 0;
}

const keys = (sends: readonly Received[]) => sends.map(({ key, process }) => `${key} by ${process}`).join(", ");

/** What the gateway says a send answers is what its text answers, in its own conversation. */
function mislabelled({ posts }: Evidence, reply: Reply): Violation[] {
  const postOf = (token: string) => posts.find(({ action }) => action.id === token);
  // No platform knows what nobody wrote.
  const written = reply.tokens.filter((token) => {
    const post = postOf(token);
    return post === undefined ? !isSaying(token) : !(isNote(post) || isWords(post) || isOperators(post));
  });
  const ids = new Set(
    written.map((token) => {
      const post = postOf(token);
      return post === undefined || post.conversation.name !== reply.conversation ? token : (postId(post) as string);
    }),
  );
  const wrong = reply.parts
    .flatMap(({ sends }) => sends)
    // What answered a question is checked with the questions.
    .find(
      ({ answers }) =>
        answers.length !== ids.size + reply.replied.length || ids.size !== answers.filter((id) => ids.has(id)).length,
    );
  if (wrong === undefined) return [];
  return [
    { rule: "I2", text: `${reply.name} in ${reply.conversation} says that it answers ${wrong.answers.join(" ")}` },
  ];
}
