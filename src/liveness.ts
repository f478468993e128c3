/** Which of an agent's turns are dead, as far as its actor can tell: its runners tell that they live, and what they took. */
import type { TurnRunner } from "./agent-calls.ts";
import type { TurnRef } from "./events.ts";
import type { AgentId, MessageId, TurnId } from "./ids.ts";
import type { Clock } from "./ports.ts";
import { nobody, threadsOf, type ActiveTurn, type Inbox } from "./state.ts";

/** A runner of another process counts as dead after this long without a word. */
const silenceMs = 20_000;

export interface Liveness {
  /** A word of its runner. */
  hear(turn: TurnId): void;
  /** The runner has these messages. */
  took(turn: TurnId, messages: readonly MessageId[]): void;
  /** Undefined where that was in another life of the actor. */
  takenBy(turn: TurnId): readonly MessageId[] | undefined;
  /** Turns that are dead. */
  silent(inbox: Inbox): readonly TurnRef[];
  /** Forgets what no turn needs any more. */
  tidy(inbox: Inbox): void;
}

export interface LivenessOptions {
  readonly agent: AgentId;
  readonly clock: Clock;
  readonly instance: string;
  readonly runner: Pick<TurnRunner, "isRunning">;
  /** No other process has turns of the agent. */
  readonly exclusive: boolean;
}

export function createLiveness({ agent, clock, instance, runner, exclusive }: LivenessOptions): Liveness {
  const activatedAt = clock.monotonic();
  const heard = new Map<TurnId, number>();
  const taken = new Map<TurnId, readonly MessageId[]>();

  /** A turn of this process is dead when nothing runs it; one of another process when it has been silent for long. */
  function isSilent(turn: TurnRef, { owner }: ActiveTurn): boolean {
    if (runner.isRunning(agent, turn)) return false;
    if (owner === nobody || exclusive || owner === instance) return true;
    return clock.monotonic() - (heard.get(turn.turn) ?? activatedAt) >= silenceMs;
  }

  return {
    hear: (turn) => void heard.set(turn, clock.monotonic()),
    took: (turn, messages) => void taken.set(turn, messages),
    takenBy: (turn) => taken.get(turn),
    silent: (inbox) =>
      threadsOf(inbox).flatMap(([conversation, { turn: active }]) => {
        if (active === undefined) return [];
        const turn = { conversation, turn: active.id, attempt: active.attempt };
        return isSilent(turn, active) ? [turn] : [];
      }),
    tidy(inbox) {
      const running = new Set(threadsOf(inbox).map(([, { turn }]) => turn?.id));
      for (const turn of heard.keys()) if (!running.has(turn)) heard.delete(turn);
      for (const turn of taken.keys()) if (!running.has(turn)) taken.delete(turn);
    },
  };
}
