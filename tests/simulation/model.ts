/**
 * The agent: answers with the tokens of the messages it was given, slowly, badly or not at all, as the plan says, or stops
 * before a call. Its log is the agent's view of the turns.
 */
import type { Agent, HistoryItem, TurnHooks, TurnInput, TurnOutput } from "../../src/agent.ts";
import { askIdOf } from "../../src/asks.ts";
import type { MessageId, ParticipantId } from "../../src/ids.ts";
import type { Message } from "../../src/message.ts";
import type { Delegations } from "../../src/delegation.ts";
import type { PersonReply } from "../../src/tools.ts";
import type { Records } from "../../src/ports.ts";
import { idOf, tokensIn } from "./events.ts";
import { askPerson } from "./model-questions.ts";
import { answerNote, assign, standing, type Assignment } from "./model-work.ts";
import type { Action, Asking, Mood } from "./plan.ts";
import type { Process } from "./process.ts";
import { sayingsIn } from "./work-log.ts";
import { logOf, type World } from "./world.ts";

/** One run of a turn. */
export interface Run {
  /** Names the run in its answer's text. */
  readonly name: string;
  readonly input: Pick<TurnInput, "agent" | "turn" | "attempt" | "to" | "resume">;
  readonly messages: readonly MessageId[];
  /** Whose they are. */
  readonly of: readonly ParticipantId[];
  readonly tokens: readonly string[];
  /** What skilled agents told it, but in notes, and what people answered to questions of its tools. */
  readonly told: Set<string>;
  readonly heard: PersonReply[];
  readonly history: readonly HistoryItem[];
  readonly summary: string;
  /** The names of the runs whose notes it is told. */
  readonly notes: readonly string[];
  readonly process: Process;
  readonly startedAt: number;
  /** When it was told to stop, came back or failed, whichever was first; absent while nobody told it so. */
  overAt?: number;
  /** It stopped before a call, and waits for a word. */
  ask?: Asking & { readonly id: string };
}

/** Something that was done in the world: what counts is a key's first, where the other side heeds keys. */
export interface Done {
  readonly key: string;
  readonly run: Run;
  readonly at: number;
}

/** What an answer's text says of itself: which messages it answers, in which run, which part it is; what it was told besides. */
export interface Marker {
  readonly text: string;
  readonly told: readonly string[];
  readonly tokens: readonly string[];
  readonly run: string;
  readonly part: number;
  readonly of: number;
}

export function markersIn(text: string): Marker[] {
  const found = text.matchAll(/«([^|»]*)\|(r\d+)\|(\d+)\/(\d+)»(?:‹([^›]*)›)?/g);
  return [...found].map(([whole, tokens = "", run = "", part, of, told = ""]) => ({
    text: whole,
    tokens: tokensIn(tokens),
    told: tokensIn(told),
    run,
    part: Number(part),
    of: Number(of),
  }));
}

export interface Model {
  readonly runs: Run[];
  readonly done: Done[];
  agentOf(process: Process): Agent;
}

interface Play {
  readonly world: World;
  readonly run: Run;
  readonly action: Action | undefined;
  readonly hooks: Parameters<Agent["run"]>[1];
  /** Does the one thing that the agent does in the world. */
  readonly act: (effect: Asking["effect"]) => Promise<void>;
  /** Hears from skilled agents: what stands, what it has to answer, what it asks of them. */
  readonly consult: (mood: Mood) => Promise<void>;
}

const plain: Mood = { thinkMs: 500, ends: "answers", once: false, lateMs: 0 };

export interface Means {
  readonly records: Records;
  readonly delegations: Delegations;
}

export function createModel(world: World, meansOf: (process: Process) => Means): Model {
  const runs: Run[] = [];
  const done: Done[] = [];
  const tokenOf = new Map(
    world.plan.conversations.flatMap((of) => of.actions.map(({ id }) => [idOf(of, id), id] as const)),
  );
  const actions = new Map(
    world.plan.conversations.flatMap((conversation) => conversation.actions).map((action) => [action.id, action]),
  );

  const works = new Map(
    [...actions.values()]
      .flatMap(({ does }) => ("mood" in does ? (does.mood.work ?? []) : []))
      .map((work) => [work.name, work]),
  );
  const effectsOf = (process: Process) =>
    world.subject.createEffects({
      records: meansOf(process).records,
      clock: process.clock,
      log: logOf(world, process),
      belongings: { note: async () => undefined },
    });

  async function consult(run: Run, input: TurnInput, hooks: TurnHooks, { work, question }: Mood): Promise<void> {
    const { process } = run;
    const { signal } = hooks;
    const { delegations } = meansOf(process);
    const hear = (words: readonly string[]) => {
      if (words.length > 0) world.note(process.name, () => `model ${run.name} is told ${words.join(" ")}`);
      for (const one of words) if (!run.tokens.includes(one)) run.told.add(one);
    };
    const workOf = (name: string) => works.get(name);
    const of: Assignment = { input, signal, delegations, effects: effectsOf(process), workOf, hear };
    const notes = input.messages.flatMap(({ note, message }) => (note === undefined ? [] : textsIn(message.parts)));
    if (input.attempt > 1) await standing(of).catch(() => undefined);
    for (const note of notes) await answerNote(of, note);
    if (work !== undefined) await assign(of, work);
    if (question === undefined) return;
    const reply = await askPerson(input, hooks, question);
    world.note(process.name, () => `model ${run.name} hears ${JSON.stringify(reply)} to ${question.name}`);
    run.heard.push(reply);
    if (reply.kind === "said") for (const token of tokensIn(reply.text)) run.told.add(token);
  }

  /** As the toolbox does it: in the ledger, by a key of the turn's; what fails is told to the model. */
  async function act(run: Run, effect: Asking["effect"]): Promise<void> {
    const { agent, turn } = run.input;
    const { process } = run;
    const key = `${agent} ${turn}:pay:1`;
    const work = () =>
      process.perform("act", key, () => {
        done.push({ key, run, at: world.loop.now() });
        return { text: "paid" };
      });
    const effects = effectsOf(process);
    const { conversation } = run.input.to;
    await effects.once({ key, effect, args: run.input.resume?.state, conversation }, work).catch((error: unknown) => {
      world.note(process.name, () => `model ${run.name} is told: ${String(error)}`);
    });
  }

  return {
    runs,
    done,
    agentOf: (process) => ({
      run: (input, hooks) => {
        const tokens = input.messages.flatMap(({ id, message }) => {
          const said = textsIn(message.parts).flatMap((text) => [...new Set([...tokensIn(text), ...sayingsIn(text)])]);
          return said.length > 0 ? said : (tokenOf.get(id) ?? []);
        });
        const run: Run = {
          name: `r${runs.length + 1}`,
          input,
          messages: input.messages.map(({ id }) => id),
          of: input.messages.map(({ participant }) => participant.id),
          tokens,
          told: new Set(),
          heard: [],
          history: input.history,
          summary: input.summary ?? "",
          notes: (input.notes ?? []).map(({ text }) => text),
          process,
          startedAt: world.loop.now(),
        };
        runs.push(run);
        world.note(
          process.name,
          () => `model ${run.name} begins ${input.turn}, attempt ${input.attempt}: ${tokens.join(" ")}`,
        );
        const action = actions.get(tokens[0] ?? "");
        return play({
          world,
          run,
          action,
          hooks,
          act: (effect) => act(run, effect),
          consult: (mood) => consult(run, input, hooks, mood),
        })
          .then((output): TurnOutput => ({ ...output, doubts: ["unsure"] }))
          .finally(() => {
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

function play({ world, run, action, hooks, act, consult }: Play): Promise<TurnOutput> {
  const { process } = run;
  const does = action?.does;
  const mood = (does !== undefined && "mood" in does ? does.mood : undefined) ?? plain;
  const parts = does?.kind === "say" ? does.parts : 1;
  const ends = mood.once && run.input.attempt > 1 ? "answers" : mood.ends;

  return new Promise((resolve, reject) => {
    const answer = async () => {
      const { resume } = run.input;
      if (resume?.approved === true && !hooks.signal.aborted) await act(stateOf(resume.state).effect);
      if (!hooks.signal.aborted) await consult(mood);
      resolve(mood.asks === undefined ? answerOf(run, parts) : pauseOf(run, mood.asks));
    };
    const tryToAnswer = (): void => {
      answer().catch((error: unknown) => {
        if (!hooks.signal.aborted) reject(error);
      });
    };
    const aborted = () => {
      run.overAt ??= world.loop.now();
      if (ends === "stubborn") process.schedule(mood.lateMs, tryToAnswer);
      else reject(hooks.signal.reason);
    };
    if (hooks.signal.aborted) return aborted();
    hooks.signal.addEventListener("abort", aborted);
    process.schedule(mood.thinkMs / 2, () => hooks.onText?.("well"));
    process.schedule(mood.thinkMs, () => {
      if (ends === "fails") reject(new world.subject.errors.TerminalError("the model refuses"));
      else if (ends === "breaks") reject(new TypeError("the agent has a bug"));
      else if (ends !== "hangs") tryToAnswer();
    });
  });
}

function marker(run: Run, part: number, of: number): string {
  const told = part === 1 && run.told.size > 0 ? `‹${[...run.told].join(" ")}›` : "";
  return `«${run.tokens.join(" ")}|${run.name}|${part}/${of}»${told}`;
}

const textsIn = (parts: Message["parts"]): string[] =>
  parts.flatMap((part) => (part.kind === "text" ? [part.text] : []));

function answerOf(run: Run, of: number): TurnOutput {
  const texts = Array.from({ length: of }, (_, part) => marker(run, part + 1, of));
  // Each run of a turn notes something else: what an attempt noted that did not count would be seen.
  const notes = [{ add: { text: run.name } }];
  return { answer: { parts: texts.map((text) => ({ kind: "text", text, format: "plain" })) }, notes };
}

function pauseOf(run: Run, asks: Asking): TurnOutput {
  const { agent, turn } = run.input;
  run.ask = { ...asks, id: askIdOf(agent, turn, run.messages) };
  const calls = [{ tool: "pay", args: marker(run, 1, 1) }];
  const state = JSON.stringify({ run: run.name, effect: asks.effect });
  return { answer: { parts: [] }, pause: { state, calls, by: asks.by, forMs: asks.forMs } };
}

/** What a run that waits has kept of itself. */
export function stateOf(state: string): { readonly run: string; readonly effect: Asking["effect"] } {
  return JSON.parse(state) as ReturnType<typeof stateOf>;
}
