/** Calls that wait for a word, added to a plan: where the agent stops, who decides and when, and what goes wrong then. */
import {
  askOperations,
  type Action,
  type Asking,
  type ChannelPlan,
  type ConversationPlan,
  type Fault,
  type Mood,
} from "./plan.ts";
import type { Random } from "./random.ts";

const second = 1_000;

export function askedOf(
  random: Random,
  conversations: readonly ConversationPlan[],
  channels: readonly ChannelPlan[],
): readonly ConversationPlan[] {
  if (!random.chance(0.4)) return conversations;
  const known = conversations.flatMap(({ actions }) => actions.map(({ id }) => Number(id.slice(1))));
  let last = Math.max(...known);
  const nextId = () => `m${++last}`;
  return conversations.map((conversation) => {
    const typed = channels.some(({ name, buttons }) => name === conversation.channel && !buttons);
    const users = [...new Set(conversation.actions.map(({ user }) => user))];
    const actions = conversation.actions.flatMap((action) => {
      const { does } = action;
      if (!("mood" in does) || !random.chance(0.5)) return [action];
      const asks = askingOf(random);
      const ends = random.chance(0.7) ? "answers" : does.mood.ends;
      const asking = { ...action, does: { ...does, mood: { ...does.mood, ends, asks } } };
      const words = wordsOf(random, nextId, { users, user: action.user, asks });
      return [asking, ...words.flatMap((word) => [word, ...changesOf(random, nextId, word, typed)])];
    });
    return { ...conversation, actions };
  });
}

function askingOf(random: Random): Asking {
  return {
    by: random.chance(0.6) ? "person" : "operator",
    forMs: random.pick([3, 20, 60, 600]) * second,
    effect: random.pick(["once", "idempotent"]),
  };
}

/** Nobody's, one's, or several: one after the other, at once, or too late. */
function wordsOf(
  random: Random,
  nextId: () => string,
  { users, user, asks }: { readonly users: readonly string[]; readonly user: string; readonly asks: Asking },
): Action[] {
  return Array.from({ length: random.pick([0, 1, 1, 1, 2, 2, 3]) }, (): Action => {
    const says = random.chance(0.75) ? "approve" : "deny";
    const mood = moodOf(random);
    const ends = random.chance(0.1);
    const decides = random.chance(asks.by === "operator" ? 0.75 : 0.2);
    const of = random.chance(0.85) ? "latest" : "first";
    return {
      id: nextId(),
      user: random.chance(0.6) ? user : random.pick(users),
      after: random.chance(0.7) ? "previous" : "answer",
      waitMs: waitOf(random, asks.forMs),
      does: ends
        ? { kind: "command", name: random.pick(["stop", "reset"]) }
        : decides
          ? { kind: "decide", says, mood }
          : { kind: "press", says, of, mood },
      copies: random.chance(0.15) ? random.int(2, 4) : 1,
    };
  });
}

/** A word that is typed is a message like any other. */
function changesOf(random: Random, nextId: () => string, { id, user, does }: Action, typed: boolean): Action[] {
  if (!typed || does.kind !== "press" || !random.chance(0.3)) return [];
  const change = { kind: random.pick(["edit", "delete"] as const), of: id };
  return [{ id: nextId(), user, after: "previous", waitMs: random.int(0, 3 * second), does: change, copies: 1 }];
}

/** Often about when it expires. */
function waitOf(random: Random, forMs: number): number {
  const draw = random.float();
  if (draw < 0.5) return random.int(0, 400);
  if (draw < 0.75) return random.int(400, 6 * second);
  return Math.max(0, forMs + random.int(-2 * second, 2 * second));
}

function moodOf(random: Random): Mood {
  const ends = random.float();
  return {
    thinkMs: random.chance(0.6) ? random.int(0, 500) : random.int(500, 20 * second),
    ends: ends < 0.85 ? "answers" : ends < 0.9 ? "fails" : ends < 0.95 ? "hangs" : "stubborn",
    once: random.chance(0.6),
    lateMs: random.int(0, 20 * second),
    ...(random.chance(0.15) ? { asks: askingOf(random) } : {}),
  };
}

export function askFaultsOf(random: Random, conversations: readonly ConversationPlan[]): Fault[] {
  const asks = conversations.some(({ actions }) =>
    actions.some(({ does }) => "mood" in does && does.mood.asks !== undefined),
  );
  if (!asks) return [];
  return Array.from({ length: random.int(0, 2) }, () => ({
    kind: "operation",
    at: random.int(0, 30 * second),
    operation: random.pick(askOperations),
    how: random.pick(["refuse", "lose", "slow", "crash before", "crash after"]),
    forMs: random.pick([300, 2 * second, 30 * second]),
  }));
}
