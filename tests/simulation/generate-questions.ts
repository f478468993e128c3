/** Tools that ask the person while their call waits, added to a plan: what they ask, and what the person makes of it. */
import type { Action, ConversationPlan, Question } from "./plan.ts";
import type { Random } from "./random.ts";

const second = 1_000;

export function questionedOf(random: Random, conversations: readonly ConversationPlan[]): readonly ConversationPlan[] {
  if (!random.chance(0.15)) return conversations;
  const known = conversations.flatMap(({ actions }) => actions.map(({ id }) => Number(id.slice(1))));
  let last = Math.max(...known);
  const nextId = () => `m${++last}`;
  return conversations.map((conversation) => {
    const users = [...new Set(conversation.actions.map(({ user }) => user))];
    const actions = conversation.actions.flatMap((action) => {
      const { id, does } = action;
      if (does.kind !== "say" || does.mood.asks !== undefined || !random.chance(0.5)) return [action];
      const question = questionOf(random, `q${id.slice(1)}`);
      const ends = random.chance(0.8) ? "answers" : does.mood.ends;
      const thinkMs = random.int(0, 800);
      const asking: Action = { ...action, does: { ...does, mood: { ...does.mood, ends, thinkMs, question } } };
      const by = random.chance(0.8) ? action.user : random.pick(users);
      return [asking, ...repliesOf(random, nextId, by, question)];
    });
    return { ...conversation, actions };
  });
}

function questionOf(random: Random, name: string): Question {
  return { name, options: random.chance(0.5), forMs: random.pick([2, 8, 20, 90]) * second };
}

/** None, one or several; sometimes about when nobody waits any more, or with a command in between. */
function repliesOf(random: Random, nextId: () => string, user: string, { name, forMs }: Question): Action[] {
  return Array.from({ length: random.pick([0, 1, 1, 1, 2]) }, (): Action => {
    const late = random.chance(0.25);
    const waitMs = late ? Math.max(0, forMs + random.int(-1_500, 1_500)) : random.int(0, 3 * second);
    const ends = random.chance(0.15);
    return {
      id: nextId(),
      user,
      after: "previous",
      waitMs,
      does: ends
        ? { kind: "command", name: random.pick(["stop", "reset", "help"]) }
        : { kind: "reply", of: name, with: random.pick(["words", "words", "choice", "choice", "skip"]) },
      copies: random.chance(0.15) ? random.int(2, 3) : 1,
    };
  });
}
