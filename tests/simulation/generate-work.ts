/** Tasks that the agent gives to others, added to a plan: what it asks, how that is taken, and what goes wrong then. */
import { peers, workOperations, type Action, type ConversationPlan, type Fault, type Work } from "./plan.ts";
import type { Random } from "./random.ts";

const second = 1_000;

export function delegatedOf(random: Random, conversations: readonly ConversationPlan[]): readonly ConversationPlan[] {
  if (!random.chance(0.22)) return conversations;
  const known = conversations.flatMap(({ actions }) => actions.map(({ id }) => Number(id.slice(1))));
  let last = Math.max(...known);
  const nextId = () => `m${++last}`;
  return conversations.map((conversation) => {
    const actions = conversation.actions.flatMap((action) => {
      const { id, user, does } = action;
      if (!("mood" in does) || !["say", "request"].includes(does.kind)) return [action];
      if (does.mood.asks !== undefined || !random.chance(0.6)) return [action];
      const names = random.chance(0.25) ? ["a", "b"] : ["a"];
      const work = names.map((letter) => workOf(random, `w${id.slice(1)}${letter}`));
      const ends = random.chance(0.8) ? "answers" : does.mood.ends;
      const thinkMs = random.chance(0.6) ? random.int(0, 500) : does.mood.thinkMs;
      const asking: Action = { ...action, does: { ...does, mood: { ...does.mood, ends, thinkMs, work } } };
      return random.chance(0.3) ? [asking, endingOf(random, nextId(), user, work)] : [asking];
    });
    return { ...conversation, actions };
  });
}

function workOf(random: Random, name: string): Work {
  const ends = random.float();
  return {
    name,
    peer: random.pick(peers),
    takesMs: takesOf(random),
    ends: ends < 0.75 ? "completes" : ends < 0.92 ? "fails" : "hangs",
    makes: random.chance(0.35) ? random.int(1, 2) : 0,
    ...(random.chance(0.3) ? { asks: random.chance(0.75) ? "answered" : "cancelled" } : {}),
    waits: random.chance(0.15),
    breaks: random.chance(0.2) ? random.int(1, 2) : 0,
    forgotten: random.chance(0.4),
  };
}

function takesOf(random: Random): number {
  const draw = random.float();
  if (draw < 0.35) return random.int(0, 400);
  if (draw < 0.7) return random.int(400, 8 * second);
  if (draw < 0.9) return random.int(8 * second, 40 * second);
  return random.int(40 * second, 240 * second);
}

/** Often while the call waits. */
function endingOf(random: Random, id: string, user: string, [work]: readonly Work[]): Action {
  const waitMs = random.chance(0.5) ? random.int(0, 3 * second) : random.int(0, (work?.takesMs ?? 0) + second);
  const name = random.pick(["stop", "stop", "reset"] as const);
  return { id, user, after: "previous", waitMs, does: { kind: "command", name }, copies: 1 };
}

export function workFaultsOf(random: Random, conversations: readonly ConversationPlan[]): Fault[] {
  const works = conversations.some(({ actions }) =>
    actions.some(({ does }) => "mood" in does && does.mood.work !== undefined),
  );
  if (!works) return [];
  return Array.from({ length: random.int(0, 4) }, () => ({
    kind: "operation",
    at: random.int(0, 30 * second),
    operation: random.pick(workOperations),
    how: random.pick(["refuse", "lose", "slow", "crash before", "crash after"]),
    forMs: random.pick([300, 2 * second, 30 * second]),
  }));
}
