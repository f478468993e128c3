/**
 * What an agent's state owes to others than people: what was set aside to the journal, turns that were called off to those who work beside
 * them. It is in the state already: what cannot be told now is told by the watchdog, or by the agent's next life, and so at least once.
 */
import { reasonOf } from "./errors.ts";
import type { AgentEvent, Effect, Moment } from "./events.ts";
import type { AgentId } from "./ids.ts";
import type { Journal, Log, SetAside } from "./ports.ts";
import type { Inbox, StoppedTurn } from "./state.ts";

export interface Debts {
  /** What of it the state may forget by now. */
  told(inbox: Inbox, at: Moment & { readonly agent: AgentId }): readonly AgentEvent[];
  tellJournal(inbox: Inbox): Promise<void>;
  tellStops(inbox: Inbox): Promise<void>;
  /** Without what was told. */
  left(inbox: Inbox): Inbox;
}

export interface DebtsOptions {
  readonly agent: AgentId;
  readonly journal: Pick<Journal, "setAside">;
  readonly log: Log;
  readonly stopped?: ((turn: StoppedTurn) => Promise<void>) | undefined;
}

export function createDebts({ agent, journal, log, stopped }: DebtsOptions): Debts {
  /** What of `aside` the journal has. */
  let journaled: readonly SetAside[] | undefined;
  /** What of `stopped` was told. */
  let stopsTold: readonly StoppedTurn[] | undefined;

  return {
    told({ aside, stopped: turns }, at) {
      const events: AgentEvent[] = [];
      if (aside !== undefined && journaled !== undefined) events.push({ ...at, type: "journaled", entries: journaled });
      if (turns !== undefined && stopsTold !== undefined) events.push({ ...at, type: "stopsTold", turns: stopsTold });
      return events;
    },
    async tellJournal({ aside: owed }) {
      if (owed === undefined || owed === journaled) return;
      try {
        await journal.setAside(owed);
        journaled = owed;
      } catch (error) {
        log.warn({ agent, reason: reasonOf(error) }, "the journal could not be written yet");
      }
    },
    async tellStops({ stopped: owed }) {
      if (owed === undefined || owed === stopsTold) return;
      try {
        for (const turn of owed) await stopped?.(turn);
        stopsTold = owed;
      } catch (error) {
        log.warn({ agent, reason: reasonOf(error) }, "what a stopped turn waited for goes on until that can be told");
      }
    },
    left({ aside, stopped: turns, ...inbox }) {
      return {
        ...inbox,
        ...(aside !== undefined && aside !== journaled && { aside }),
        ...(turns !== undefined && turns !== stopsTold && { stopped: turns }),
      };
    },
  };
}

/** Turns that are over for good: one that starts again comes back to what it waits for. */
export function stoppedBy(agent: AgentId, effects: readonly Effect[]): readonly StoppedTurn[] {
  return effects.flatMap((effect) => {
    if (effect.kind !== "cancel") return [];
    const { conversation, turn } = effect;
    const again = effects.some((other) => other.kind === "start" && other.turn === turn);
    return again ? [] : [{ agent, conversation, turn }];
  });
}
