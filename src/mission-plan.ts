/** A mission's plan: data that a model writes, checked as a whole before anything begins. */
import { z } from "zod";
import { InputError } from "./errors.ts";

/** Of a plan: what a prompt and a person can still take in. */
export const mostSteps = 20;
const longestTask = 8_000;
const longestWaitMs = 365 * 24 * 3_600_000;

const common = {
  id: z.string().regex(/^[\w-]{1,40}$/, "is 1 to 40 letters, digits, dashes"),
  /** Steps that end before it begins; what came of them goes along. */
  after: z.array(z.string()).max(mostSteps).default([]),
};
const words = (most: number) => z.string().trim().min(1).max(most);

export const step = z.discriminatedUnion(
  "do",
  [
    z.strictObject({ ...common, do: z.literal("delegate"), agent: words(60), task: words(longestTask) }),
    z.strictObject({
      ...common,
      do: z.literal("ask"),
      question: words(1_500),
      /** What there is to choose from; absent: any text is an answer. */
      options: z.array(words(60)).min(1).max(6).optional(),
      /** After that long without an answer it has failed. */
      minutes: z
        .number()
        .positive()
        .max(longestWaitMs / 60_000)
        .optional(),
    }),
    z.strictObject({
      ...common,
      do: z.literal("wait"),
      /** One of both. */
      seconds: z
        .number()
        .positive()
        .max(longestWaitMs / 1_000)
        .optional(),
      until: z.iso.datetime({ offset: true }).optional(),
    }),
  ],
  'must be "delegate", "ask" or "wait"',
);
export type MissionStep = Readonly<z.infer<typeof step>>;

export const plan = z.strictObject({
  /** In a few words, for people to know it by. */
  title: words(120),
  goal: words(2_000),
  steps: z.array(step).min(1).max(mostSteps, `are ${mostSteps} at most`),
});
export type MissionPlan = Readonly<z.infer<typeof plan>>;

export interface PlanBounds {
  readonly now: number;
  readonly steps: number;
  /** It is given up after that long. */
  readonly forMs: number;
}

/** @throws InputError that says what is wrong with it. */
export function readPlan(given: unknown, { now, steps: most, forMs }: PlanBounds): MissionPlan {
  const parsed = plan.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new InputError(`${issue?.path.join(".") || "the plan"}: ${issue?.message ?? "does not fit"}`);
  }
  const { steps } = parsed.data;
  if (steps.length > most)
    throw new InputError(`a mission has ${most} steps at most here, and this one ${steps.length}`);
  const ids = new Set(steps.map(({ id }) => id));
  if (ids.size < steps.length) throw new InputError("two steps have the same id");
  for (const { id, after } of steps) {
    const unknown = after.find((one) => !ids.has(one));
    if (unknown !== undefined)
      throw new InputError(`step ${id} comes after ${JSON.stringify(unknown)}, which is no step`);
  }
  checkOrder(steps);
  for (const one of steps) if (one.do === "wait") checkWait(one, now, forMs);
  return parsed.data;
}

/** Every step is reached. */
function checkOrder(steps: readonly MissionStep[]): void {
  const reached = new Set<string>();
  for (let left = [...steps]; left.length > 0;) {
    const next = left.filter(({ after }) => after.every((id) => reached.has(id)));
    if (next.length === 0)
      throw new InputError(
        `the steps ${left.map(({ id }) => id).join(", ")} wait for each other: nothing would begin them`,
      );
    for (const { id } of next) reached.add(id);
    left = left.filter(({ id }) => !reached.has(id));
  }
}

function checkWait({ id, seconds, until }: Extract<MissionStep, { do: "wait" }>, now: number, forMs: number): void {
  if ((seconds === undefined) === (until === undefined))
    throw new InputError(`step ${id} waits for "seconds" or "until" a time: give one of both`);
  const ms = seconds === undefined ? Date.parse(until ?? "") - now : seconds * 1_000;
  if (ms > forMs)
    throw new InputError(
      `step ${id} waits for longer than a mission may take here (${Math.round(forMs / 86_400_000)} days)`,
    );
}
