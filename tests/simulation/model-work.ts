/** How the agent gives tasks to others: as the toolbox does it, in the ledger, by keys of the turn's, all at once. */
import type { AgentId, TurnId } from "../../src/ids.ts";
import type { TurnInput } from "../../src/agent.ts";
import type { Effects } from "../../src/effects.ts";
import type { Delegations } from "../../src/delegation.ts";
import type { Work } from "./plan.ts";
import { sayingsIn, taskTextOf } from "./work-log.ts";

export interface Assignment {
  readonly input: Pick<TurnInput, "agent" | "turn" | "attempt" | "to" | "participant">;
  readonly signal: AbortSignal;
  readonly delegations: Delegations;
  readonly effects: Effects;
  /** What becomes of the plan's tasks by name. */
  readonly workOf: (name: string) => Work | undefined;
  /** It is told these. */
  readonly hear: (sayings: readonly string[]) => void;
}

/** Gives the tasks, and answers what is asked on the way. */
export async function assign(of: Assignment, work: readonly Work[]): Promise<void> {
  const { attempt } = of.input;
  const wanted = work.filter(({ forgotten }) => !(forgotten && attempt > 1));
  const calls = createCalls(of);
  await Promise.all(
    wanted.map(async (one) => {
      const text = await calls.make(one.peer, one.name, { task: taskTextOf(one) });
      await respond(of, calls, text);
    }),
  );
}

/** To the questions that these words, a note's, put. */
export async function answerNote(of: Assignment, text: string): Promise<void> {
  await respond(of, createCalls(of), text);
}

/** Of what an attempt before was told, and nobody has heard. */
export async function standing({ input, delegations, hear }: Assignment): Promise<void> {
  const { agent, turn, to, participant } = input;
  const known = await delegations.source.standing?.({ agent, agentName: "agent", turn, to, participant });
  const rows = (known ?? []) as { told?: string; said?: string }[];
  hear(rows.flatMap(({ told = "", said = "" }) => saidIn(`${said} ${told}`)));
}

/** Without what only says how a task stands. */
const saidIn = (text: string) => sayingsIn(text).filter((saying) => !saying.endsWith("x"));

interface Calls {
  make(name: string, what: string, args: unknown): Promise<string>;
}

function createCalls({ input, signal, delegations, effects, hear }: Assignment): Calls {
  const { agent, turn, to, participant } = input;
  return {
    async make(name, what, args) {
      const key = keyOf(agent, turn, `${name} ${what}`);
      const call = { agent, agentName: "agent", turn, to, participant, key, args, signal, files: [], chain: [] };
      try {
        signal.throwIfAborted();
        const work = () => delegations.source.call(name, { ...call, progress: () => undefined });
        const { text } = await effects.once({ key, effect: "idempotent", args, conversation: to.conversation }, work);
        signal.throwIfAborted();
        hear(saidIn(text));
        return text;
      } catch (error) {
        if (signal.aborted) throw error;
        return `Not done: ${error instanceof Error ? error.name : ""}`;
      }
    },
  };
}

async function respond({ workOf }: Assignment, calls: Calls, text: string): Promise<void> {
  const name = /\b(w\d+[ab])q\b/.exec(text)?.[1];
  const task = /\(task "([\w-]+)"/.exec(text)?.[1];
  const { asks } = (name === undefined ? undefined : workOf(name)) ?? {};
  if (name === undefined || task === undefined || asks === undefined) return;
  if (asks === "cancelled") await calls.make("cancel", name, { task });
  else await calls.make("reply", name, { task, answer: `${name}: go on` });
}

const keyOf = (agent: AgentId, turn: TurnId, call: string): string => `${agent} ${turn}:${call}`;
