/** Operators in a plan: when one takes a conversation, says something and lets go, and who comes in between. */
import type { Action, ConversationPlan, Operator } from "./plan.ts";
import type { Random } from "./random.ts";

const second = 1_000;

export function takenOf(random: Random, conversations: readonly ConversationPlan[]): readonly ConversationPlan[] {
  if (!random.chance(0.3)) return conversations;
  let last = Math.max(...conversations.flatMap(({ actions }) => actions.map(({ id }) => Number(id.slice(1)))));
  const nextId = () => `m${++last}`;
  return conversations.map((conversation) => {
    if (!random.chance(0.6)) return conversation;
    const { actions } = conversation;
    const acts = actsOf(random).map((does): Action => {
      const [after, waitMs] = pacing(random);
      return { id: nextId(), user: actions[0]?.user ?? "", after, waitMs, does, copies: 1 };
    });
    const places = acts.map(() => random.int(0, actions.length)).toSorted((a, b) => a - b);
    const all = actions.flatMap((action, at) => [...acts.filter((_, n) => places[n] === at), action]);
    return { ...conversation, actions: [...all, ...acts.filter((_, n) => places[n] === actions.length)] };
  });
}

/** In their order: one takes it, once or twice; perhaps the person has asked, and perhaps another one comes. */
function actsOf(random: Random): Action["does"][] {
  const others = (by: Operator): Operator => (by === "bob" ? "eve" : "bob");
  return Array.from({ length: random.pick([1, 1, 2]) }, () => {
    const by = random.pick(["bob", "eve"] as const);
    const act = (step: "take" | "say" | "release", who: Operator, force = false) =>
      ({ kind: "operate", step, by: who, force }) as const;
    const asks = { kind: "command", name: "person" } as const;
    const says = Array.from({ length: random.int(0, 3) }, () => act("say", random.chance(0.8) ? by : others(by)));
    return [
      ...(random.chance(0.4) ? [asks] : []),
      ...(random.chance(0.9) ? [act("take", by, random.chance(0.2))] : []),
      ...(random.chance(0.3) ? [act("take", others(by), random.chance(0.4))] : []),
      ...says,
      ...(random.chance(0.4) ? [noteOf(random)] : []),
      ...(random.chance(0.8) ? [act("release", random.chance(0.8) ? by : others(by), random.chance(0.3))] : []),
    ];
  }).flat();
}

/** It comes while the operator has the conversation, mostly. */
function noteOf(random: Random): Action["does"] {
  const mood = { thinkMs: random.int(0, 500), ends: "answers", once: false, lateMs: 0 } as const;
  return { kind: "request", form: "note", mood };
}

function pacing(random: Random): [Action["after"], number] {
  const draw = random.float();
  if (draw < 0.5) return ["previous", random.int(0, 400)];
  if (draw < 0.8) return ["previous", random.int(400, 12 * second)];
  return ["answer", random.int(0, 5 * second)];
}
