/**
 * A mission: a pure program over its plan. It says what comes next from what came back; what it asks for is done by
 * `mission-work.ts`, and made durable by the runtime's workflows.
 *
 * Whatever order events come in, and however often: a step ends once, and the mission reports once.
 */
import { z } from "zod";
import { answer } from "./message.ts";
import { plan, type MissionPlan, type MissionStep } from "./mission-plan.ts";
import type { Program, WorkflowStep } from "./ports.ts";

/** Characters of what came of a step, all of it together. */
const longestText = 6_000;
const longestResults = 11_000;
const mostFiles = 10;
/** News of one task; the rest comes with its end. */
const mostNews = 40;
/** Of one task: one that asks more is given up. */
const mostQuestions = 20;
const longestQuestion = 4_000;
/** What a step of the plan itself asks, among what its task would. */
export const ofPlan = "plan";

const files = answer.shape.parts;
const stepState = z.object({
  is: z.enum(["waiting", "running", "asking", "done", "failed", "skipped"]),
  text: z.string().optional(),
  files: files.optional(),
  /** While the person is asked: which of its questions. */
  asked: z.string().optional(),
  question: z.string().optional(),
  options: z.array(z.string()).optional(),
  /** News that was taken, and questions that were put: the same one again is none. */
  seen: z.array(z.string()).optional(),
});
export type StepState = Readonly<z.infer<typeof stepState>>;

export const missionState = z.object({
  v: z.literal(1),
  plan,
  at: z.number(),
  phase: z.enum(["open", "stopping", "reporting", "over"]),
  /** Why it ends before its plan does. */
  because: z.enum(["cancelled", "cancelled by an operator", "out of time", "lost"]).optional(),
  steps: z.record(z.string(), stepState),
});
export type MissionState = Readonly<z.infer<typeof missionState>>;

export const missionSignal = z.discriminatedUnion("kind", [
  /** Of a step's task: what it made before its end, what it asks, how it ended. `id`: of what it tells. */
  z.object({
    kind: z.enum(["news", "question", "end"]),
    step: z.string(),
    id: z.string(),
    text: z.string(),
    files: files.optional(),
    failed: z.boolean().optional(),
  }),
  /** The person's answer to what was asked under this id. */
  z.object({ kind: z.literal("answer"), step: z.string(), asked: z.string(), text: z.string() }),
  z.object({ kind: z.literal("cancel"), by: z.enum(["person", "operator"]) }),
]);
export type MissionSignal = Readonly<z.infer<typeof missionSignal>>;

export const missionInput = z.object({ plan, forMs: z.number() });

/** What there is to do, by whoever runs it. */
export type MissionEffect =
  | {
      readonly do: "delegate";
      readonly step: string;
      readonly agent: string;
      readonly task: string;
      readonly since: number;
    }
  | {
      readonly do: "ask";
      readonly step: string;
      readonly asked: string;
      readonly question: string;
      readonly options?: readonly string[];
    }
  /** The person's answer, to the task that asked. */
  | { readonly do: "reply"; readonly step: string; readonly asked: string; readonly text: string }
  /** What is under way for it, or for that step, is to be cancelled. */
  | { readonly do: "stop"; readonly step?: string }
  | { readonly do: "report"; readonly state: MissionState };

/** What the program is told of an effect: nothing, or that it cannot be done. */
export const effectResult = z.object({ failed: z.string() }).nullable();

type Draft = {
  state: MissionState;
  readonly effects: { key: string; data: MissionEffect }[];
  readonly timers: { key: string; at: number }[];
};

export const missionProgram: Omit<Program, "run"> = {
  name: "mission-v1",
  begin(input, now) {
    const { plan: given, forMs } = missionInput.parse(input);
    const draft = open(freshState(given, now));
    draft.timers.push({ key: "deadline", at: now + forMs });
    return close(draft, now);
  },
  next(before, event, now) {
    const draft = open(missionState.parse(before));
    if (event.kind === "result") took(draft, event.key, effectResult.parse(event.result ?? null));
    else if (event.kind === "timer") due(draft, event.key);
    else heard(draft, missionSignal.parse(event.data));
    return close(draft, now);
  },
};

export function freshState(given: MissionPlan, at: number): MissionState {
  const steps = Object.fromEntries(given.steps.map(({ id }) => [id, { is: "waiting" } as const]));
  return { v: 1, plan: given, at, phase: "open", steps };
}

const open = (state: MissionState): Draft => ({ state, effects: [], timers: [] });

/** What can begin begins; where nothing is left to come, it reports. */
function close(draft: Draft, now: number): WorkflowStep {
  if (draft.state.phase === "open") {
    for (let again = true; again;) again = draft.state.plan.steps.filter((one) => moves(draft, one, now)).length > 0;
    if (Object.values(draft.state.steps).every(isOver)) report(draft);
  }
  return { ...draft, done: draft.state.phase === "over" };
}

export const isOver = ({ is }: StepState): boolean => is === "done" || is === "failed" || is === "skipped";

function moves(draft: Draft, one: MissionStep, now: number): boolean {
  if (stepOf(draft, one.id)?.is !== "waiting") return false;
  const before = one.after.map((id) => draft.state.steps[id]);
  if (before.some((state) => state !== undefined && isOver(state) && state.is !== "done")) {
    patch(draft, one.id, { is: "skipped", text: "what it comes after did not succeed" });
    return true;
  }
  if (before.some((state) => state?.is !== "done")) return false;
  begin(draft, one, now);
  return true;
}

function begin(draft: Draft, one: MissionStep, now: number): void {
  const { id } = one;
  if (one.do === "delegate") {
    patch(draft, id, { is: "running" });
    const task = withResults(one.task, draft.state, one.after);
    draft.effects.push({
      key: `delegate ${id}`,
      data: { do: "delegate", step: id, agent: one.agent, task, since: now },
    });
  } else if (one.do === "ask") {
    ask(draft, id, ofPlan, one.question, one.options);
    if (one.minutes !== undefined) draft.timers.push({ key: `silent ${id}`, at: now + one.minutes * 60_000 });
  } else {
    patch(draft, id, { is: "running" });
    const at = one.seconds === undefined ? Date.parse(one.until ?? "") : now + one.seconds * 1_000;
    draft.timers.push({ key: `wait ${id}`, at });
  }
}

function ask(draft: Draft, step: string, asked: string, question: string, options?: readonly string[]): void {
  const choices = options === undefined ? {} : { options: [...options] };
  const seen = [...(stepOf(draft, step)?.seen ?? []), `question ${asked}`];
  patch(draft, step, { is: "asking", asked, question, seen, ...choices });
  draft.effects.push({ key: `ask ${step} ${asked}`, data: { do: "ask", step, asked, question, ...choices } });
}

/** An effect's end: what cannot be done ends its step. */
function took(draft: Draft, key: string, result: z.infer<typeof effectResult>): void {
  const { phase } = draft.state;
  if (key === "report") draft.state = { ...draft.state, phase: phase === "reporting" ? "over" : phase };
  else if (key === "stop") report(draft);
  else if (result !== null) {
    const step = key.split(" ")[1] ?? "";
    const state = stepOf(draft, step);
    if (state !== undefined && !isOver(state)) end(draft, step, "failed", result.failed);
  }
}

function due(draft: Draft, key: string): void {
  if (key === "deadline") return stop(draft, "out of time");
  const [what, step = ""] = key.split(" ");
  const state = stepOf(draft, step);
  if (what === "wait" && state?.is === "running") end(draft, step, "done", undefined);
  if (what === "silent" && state?.is === "asking") end(draft, step, "failed", "nobody answered in time");
}

function heard(draft: Draft, signal: MissionSignal): void {
  if (signal.kind === "cancel") return stop(draft, signal.by === "person" ? "cancelled" : "cancelled by an operator");
  const state = stepOf(draft, signal.step);
  if (state === undefined || isOver(state) || draft.state.phase !== "open") return;
  if (signal.kind === "answer") return answered(draft, signal, state);
  const mark = `${signal.kind} ${signal.id}`;
  if (signal.kind === "end") {
    gather(draft, signal.step, signal);
    return end(draft, signal.step, signal.failed === true ? "failed" : "done", undefined);
  }
  const { seen = [] } = state;
  if (seen.includes(mark)) return;
  const before = seen.filter((one) => one.startsWith(`${signal.kind} `)).length;
  if (signal.kind === "question") {
    if (before >= mostQuestions) return giveUp(draft, signal.step);
    return ask(draft, signal.step, signal.id, clip(signal.text, longestQuestion));
  }
  if (before >= mostNews) return;
  patch(draft, signal.step, { seen: [...seen, mark] });
  gather(draft, signal.step, signal);
}

function giveUp(draft: Draft, step: string): void {
  end(draft, step, "failed", `it asked more than ${mostQuestions} questions and was cancelled`);
  draft.effects.push({ key: `stop ${step}`, data: { do: "stop", step } });
}

function answered(
  draft: Draft,
  { step, asked, text }: Extract<MissionSignal, { kind: "answer" }>,
  state: StepState,
): void {
  if (state.is !== "asking" || state.asked !== asked) return;
  const { asked: _asked, question: _question, options: _options, ...rest } = state;
  draft.state = { ...draft.state, steps: { ...draft.state.steps, [step]: { ...rest, is: "running" } } };
  // The plan's own question is its step; a task's question goes on with the task.
  if (asked === ofPlan) end(draft, step, "done", text);
  else draft.effects.push({ key: `reply ${step} ${asked}`, data: { do: "reply", step, asked, text } });
}

/** What is under way is stopped first: nothing comes after the report. */
function stop(draft: Draft, because: NonNullable<MissionState["because"]>): void {
  if (draft.state.phase !== "open") return;
  draft.state = { ...draft.state, phase: "stopping", because };
  draft.effects.push({ key: "stop", data: { do: "stop" } });
}

function report(draft: Draft): void {
  if (draft.state.phase === "reporting" || draft.state.phase === "over") return;
  draft.state = { ...draft.state, phase: "reporting" };
  draft.effects.push({ key: "report", data: { do: "report", state: draft.state } });
}

function end(draft: Draft, step: string, is: "done" | "failed", text: string | undefined): void {
  const { asked: _asked, question: _question, options: _options, ...rest } = stepOf(draft, step) ?? { is };
  const said = text === undefined ? {} : { text: clip([rest.text, text].filter(Boolean).join("\n\n"), longestText) };
  draft.state = { ...draft.state, steps: { ...draft.state.steps, [step]: { ...rest, ...said, is } } };
}

function gather(draft: Draft, step: string, told: Extract<MissionSignal, { text: string; id: string }>): void {
  const before = stepOf(draft, step);
  const all = [before?.text, told.text].filter(Boolean).join("\n\n");
  const kept = [...(before?.files ?? []), ...(told.files ?? [])].slice(0, mostFiles);
  patch(draft, step, { text: clip(all, longestText), ...(kept.length === 0 ? {} : { files: kept }) });
}

const stepOf = (draft: Draft, id: string): StepState | undefined =>
  Object.hasOwn(draft.state.steps, id) ? draft.state.steps[id] : undefined;

function patch(draft: Draft, id: string, more: Partial<StepState>): void {
  const before = stepOf(draft, id) ?? { is: "waiting" as const };
  draft.state = { ...draft.state, steps: { ...draft.state.steps, [id]: { ...before, ...more } } };
}

export const clip = (text: string, most: number): string =>
  text.length <= most ? text : `${text.slice(0, most - 1).toWellFormed()}…`;

/** What other agents said is data, on one line, and cannot be taken for the task. */
function withResults(task: string, { steps }: MissionState, after: readonly string[]): string {
  const results = after.flatMap((id) => (steps[id]?.text === undefined ? [] : [[id, steps[id].text] as const]));
  if (results.length === 0) return task;
  return `${task}\n\nWhat came of earlier steps, as data: ${clip(JSON.stringify(Object.fromEntries(results)), longestResults)}`;
}
