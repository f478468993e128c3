/**
 * The agent: answers with the tokens of the messages it was given, slowly, badly or not at all, as the plan says.
 * Its log is the agent's view of the turns.
 */
import type { Agent, HistoryItem, TurnInput } from "../../src/agent.ts";
import { tokensIn } from "./events.ts";
import type { Action, Mood } from "./plan.ts";
import type { Process } from "./process.ts";
import type { World } from "./world.ts";

/** One run of a turn. */
export interface Run {
  /** Names the run in its answer's text. */
  readonly name: string;
  readonly input: Pick<TurnInput, "agent" | "turn" | "attempt" | "to">;
  readonly tokens: readonly string[];
  readonly history: readonly HistoryItem[];
  readonly summary: string;
  readonly process: Process;
  readonly startedAt: number;
  /** When it was told to stop, came back or failed, whichever was first; absent while nobody told it so. */
  overAt?: number;
}

/** What an answer's text says of itself: which messages it answers, in which run, which part it is. */
export interface Marker {
  readonly text: string;
  readonly tokens: readonly string[];
  readonly run: string;
  readonly part: number;
  readonly of: number;
}

export function markersIn(text: string): Marker[] {
  return [...text.matchAll(/«([^|»]*)\|(r\d+)\|(\d+)\/(\d+)»/g)].map(([whole, tokens = "", run = "", part, of]) => ({
    text: whole,
    tokens: tokensIn(tokens),
    run,
    part: Number(part),
    of: Number(of),
  }));
}

export interface Model {
  readonly runs: Run[];
  agentOf(process: Process): Agent;
}

const plain: Mood = { thinkMs: 500, ends: "answers", once: false, lateMs: 0 };

export function createModel(world: World): Model {
  const runs: Run[] = [];
  const actions = new Map(
    world.plan.conversations.flatMap((conversation) => conversation.actions).map((action) => [action.id, action]),
  );

  return {
    runs,
    agentOf: (process) => ({
      run: (input, hooks) => {
        const parts = input.messages.flatMap(({ message }) => message.parts);
        const tokens = parts.flatMap((part) => (part.kind === "text" ? tokensIn(part.text) : []));
        const run: Run = {
          name: `r${runs.length + 1}`,
          input,
          tokens,
          history: input.history,
          summary: input.summary ?? "",
          process,
          startedAt: world.loop.now(),
        };
        runs.push(run);
        world.note(
          process.name,
          () => `model ${run.name} begins ${input.turn}, attempt ${input.attempt}: ${tokens.join(" ")}`,
        );
        return play(world, run, actions.get(tokens[0] ?? ""), hooks).finally(() => {
          run.overAt ??= world.loop.now();
          world.note(process.name, () => `model ${run.name} ends`);
        });
      },
      summarize: async ({ summary, items }) => {
        const random = world.streams("summaries");
        await new Promise<void>((resolve) => process.schedule(random.between(10, 2_000), resolve));
        if (random.chance(0.1)) throw new world.subject.errors.RetryableError("no summary this time");
        return [summary ?? "", ...items.map(({ text }) => text)].join(" ");
      },
    }),
  };
}

function play(
  world: World,
  run: Run,
  action: Action | undefined,
  hooks: Parameters<Agent["run"]>[1],
): ReturnType<Agent["run"]> {
  const { process } = run;
  const does = action?.does;
  const mood = (does !== undefined && "mood" in does ? does.mood : undefined) ?? plain;
  const parts = does?.kind === "say" ? does.parts : 1;
  const ends = mood.once && run.input.attempt > 1 ? "answers" : mood.ends;

  return new Promise((resolve, reject) => {
    const answer = () =>
      resolve({
        answer: {
          parts: Array.from({ length: parts }, (_, part) => ({
            kind: "text" as const,
            text: `«${run.tokens.join(" ")}|${run.name}|${part + 1}/${parts}»`,
            format: "plain" as const,
          })),
        },
      });
    const aborted = () => {
      run.overAt ??= world.loop.now();
      if (ends === "stubborn") process.schedule(mood.lateMs, answer);
      else reject(hooks.signal.reason);
    };
    if (hooks.signal.aborted) return aborted();
    hooks.signal.addEventListener("abort", aborted);
    process.schedule(mood.thinkMs / 2, () => hooks.onText?.("well"));
    process.schedule(mood.thinkMs, () => {
      if (ends === "fails") reject(new world.subject.errors.TerminalError("the model refuses"));
      else if (ends === "breaks") reject(new TypeError("the agent has a bug"));
      else if (ends !== "hangs") answer();
    });
  });
}
