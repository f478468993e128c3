/**
 * Reminders, once or again and again. A reminder is a task that waits for its time, and what it is told then is the
 * task's artifact, or its result where it comes no more. What is known of it is in the task's own state and nowhere else, so that
 * whoever cancels or forgets the task has cancelled or forgotten the reminder.
 */
import type { Clock } from "../../../src/ports.ts";
import type { SkilledAgent, TaskHooks, TaskOutcome, TaskPart, TaskRun } from "../../../src/skilled.ts";
import type { SkillModels } from "../run.ts";
import { runsOnDemo, type SkillSettings } from "../settings.ts";
import { mostReminders, standingIn, type Decision, type Scene } from "./decision.ts";
import { understandOnModel } from "./model.ts";
import { languageOf } from "./language.ts";
import { countBetween, nextOf } from "./schedule.ts";
import type { SchedulerSettings } from "./settings.ts";
import { state as stateSchema, type Language, type Reminder, type SetReminder, type State } from "./state.ts";
import { moment, relative, wordsIn } from "./words.ts";
import { zoneNamed } from "./zones.ts";

export interface SchedulerDeps {
  readonly models: SkillModels;
  readonly clock: Clock;
}

/** What comes later than this says so. */
const lateMs = 60_000;
/** A task keeps all that it told: so many times at most, and fewer where the text is long. */
const mostTimes = 1_000;
const keptBytes = 500_000;
/** Of what is told beside the text, each time. */
const overheadBytes = 350;
const mostCounted = 1_000;

export type Execute = SkilledAgent["execute"];

export function createWork(
  settings: SchedulerSettings & Pick<SkillSettings, "model">,
  { models, clock }: SchedulerDeps,
): Execute {
  async function execute(run: TaskRun, hooks: TaskHooks): Promise<TaskOutcome> {
    const read = stateSchema.safeParse(run.state);
    const found = read.success ? read.data : undefined;
    if (found?.kind === "canceling") return cancelAll(run, found, hooks);
    if (found?.kind !== "set") return hear(run, found, hooks);
    const { replaces, ...before } = found;
    const isHeard = before.heard === lastOf(run)?.id;
    if (replaces !== undefined) {
      // The run that moved it died before it could say so.
      await hooks.end(replaces);
      const { text, repeats, language } = before;
      if (isHeard && before.nextAt > clock.now())
        return waiting(before, wordsIn[language].moved(momentOf(before), text, repeats));
    }
    const now = clock.now();
    if (before.nextAt > now) return isHeard ? waiting(before) : hear(run, before, hooks);
    const next = await fire(before, now, hooks);
    if ("outcome" in next) return next.outcome;
    if (isHeard) return waiting(next.state);
    await hooks.save(next.state);
    return hear(run, next.state, hooks);
  }

  /** Something was said: by whoever asks for a reminder, or about the one that the task has. */
  async function hear(run: TaskRun, before: State | undefined, hooks: TaskHooks): Promise<TaskOutcome> {
    const others = await hooks.others();
    const text = textOf(lastOf(run)?.parts ?? []);
    const asking = before?.kind === "asking" ? before : undefined;
    const set = before?.kind === "set" ? before : undefined;
    const own = set && { task: run.task, reminder: set };
    const all = standingIn(others, own);
    const zone =
      zoneOf(run.timeZone) ??
      settings.timeZone ??
      all.find(({ reminder }) => reminder.zone !== undefined)?.reminder.zone;
    const language: Language = asking?.language ?? set?.language ?? languageOf(text, run.locale);
    const scene: Scene = { own, all, now: clock.now(), zone, language };
    const decision = runsOnDemo(settings)
      ? // What reads times is large, and nobody needs it who has a model.
        (await import("./rules.ts")).understand(text, asking, scene)
      : await understandOnModel({ settings, models, run, hooks, scene });
    return decided(decision, run, set, scene, hooks);
  }

  async function decided(
    decision: Decision,
    run: TaskRun,
    own: SetReminder | undefined,
    { all, language }: Scene,
    hooks: TaskHooks,
  ): Promise<TaskOutcome> {
    const { said } = decision;
    const heard = lastOf(run)?.id ?? "";
    switch (decision.kind) {
      case "set": {
        if (all.length >= mostReminders) return { kind: "rejected", reason: wordsIn[language].tooMany(mostReminders) };
        return waiting(setAt(decision.reminder, heard, clock.now()), said);
      }
      case "change": {
        const fresh = setAt(decision.reminder, heard, clock.now());
        if (decision.task === run.task) return waiting(fresh, said);
        if (own !== undefined) return waiting({ ...own, heard }, wordsIn[language].standing(momentOf(own), own.text));
        // The new one is there before the old one is gone, whatever becomes of this run.
        const state = { ...fresh, replaces: decision.task };
        await hooks.save(state);
        await hooks.end(decision.task);
        return waiting(fresh, said);
      }
      case "cancel":
        return cancelAll(run, { tasks: decision.tasks, said, heard }, hooks, own);
      case "ask":
        if (own !== undefined) return waiting({ ...own, heard }, said);
        return { kind: "input-required", question: said, state: decision.asking ?? null };
      case "say":
        if (own !== undefined) return waiting({ ...own, heard }, said);
        return { kind: "completed", parts: [{ kind: "text", text: said }] };
      case "refuse":
        if (own !== undefined) return waiting({ ...own, heard }, said);
        return { kind: "rejected", reason: said };
    }
  }

  async function cancelAll(
    run: TaskRun,
    { tasks, said, heard }: { readonly tasks: readonly string[]; readonly said: string; readonly heard: string },
    hooks: TaskHooks,
    own?: SetReminder,
  ): Promise<TaskOutcome> {
    const others = tasks.filter((task) => task !== run.task);
    const isKept = own !== undefined && others.length === tasks.length;
    // Which ones they are is found out once: by the next run other ones may fit the words.
    if (!isKept) await hooks.save({ v: 1, kind: "canceling", tasks: [...tasks], said, heard } satisfies State);
    for (const task of others) await hooks.end(task);
    return isKept ? waiting({ ...own, heard }, said) : { kind: "completed", parts: [{ kind: "text", text: said }] };
  }

  const momentOf = (of: SetReminder) => moment(of.nextAt, of.zone, clock.now(), of.language);

  /** @returns the outcome where it was the last time, else what it waits for next. */
  async function fire(
    of: SetReminder,
    now: number,
    hooks: TaskHooks,
  ): Promise<{ readonly outcome: TaskOutcome } | { readonly state: SetReminder }> {
    const fired = of.fired + 1;
    const next = fired < timesOf(of) ? nextOf(of.schedule, now) : undefined;
    const parts: TaskPart[] = [{ kind: "text", text: tellingOf(of, now, next) }];
    if (next === undefined) return { outcome: { kind: "completed", parts } };
    await hooks.artifact(`due-${new Date(of.nextAt).toISOString()}`, parts);
    return { state: { ...of, nextAt: next, fired } };
  }

  return execute;
}

function timesOf({ text }: SetReminder): number {
  return Math.min(mostTimes, Math.floor(keptBytes / (Buffer.byteLength(text) + overheadBytes)));
}

function tellingOf(
  { text, schedule, nextAt, zone, language }: SetReminder,
  now: number,
  next: number | undefined,
): string {
  const words = wordsIn[language];
  const lines = [words.due(text)];
  const missed = schedule.kind === "once" ? 0 : countBetween(schedule, nextAt, now, mostCounted);
  if (now - nextAt >= lateMs) {
    lines.push(words.late(relative(nextAt - now, language), moment(nextAt, zone ?? "UTC", now, language)));
    if (missed > 0) lines.push(words.missed(missed));
  }
  if (schedule.kind !== "once" && next === undefined) lines.push(words.last);
  return lines.join("\n");
}

function setAt(reminder: Reminder, heard: string, now: number): SetReminder {
  const nextAt = nextOf(reminder.schedule, now) ?? now;
  return { ...reminder, v: 1, kind: "set", nextAt, fired: 0, heard };
}

function waiting(state: SetReminder, said?: string): TaskOutcome {
  return { kind: "waiting", until: state.nextAt, state, ...(said === undefined ? {} : { said }) };
}

function lastOf({ messages }: TaskRun) {
  return messages.findLast(({ role }) => role === "user");
}

function textOf(parts: readonly TaskPart[]): string {
  return parts
    .flatMap((part) => (part.kind === "text" ? [part.text] : []))
    .join("\n")
    .slice(0, 4_000);
}

function zoneOf(name: string | undefined): string | undefined {
  try {
    return name === undefined ? undefined : zoneNamed(name);
  } catch {
    return undefined; // a caller's word that means nothing here: the person is asked
  }
}
