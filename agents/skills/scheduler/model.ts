/** Requests as a model understands them: it fills in a schedule, and what it fills in is checked here. */
import { z } from "zod";
import { InputError } from "../../../src/errors.ts";
import type { TaskHooks, TaskRun } from "../../../src/skilled.ts";
import { runOnModel, skillTool, type SkillModels, type SkillTool } from "../run.ts";
import type { SkillSettings } from "../settings.ts";
import { listOf, whenOf, type Decision, type Deed, type Scene, type Standing } from "./decision.ts";
import { scheduleOf, wallClock, type Wish } from "./schedule.ts";
import { longestText, type Reminder } from "./state.ts";
import { zoneNamed } from "./zones.ts";

const instructions = `
You keep a person's reminders. What you get is a request about them, in any language: to be reminded once or again and again, to list
reminders, to change or to cancel one. Do it with the tools and say briefly what you did, with the date, the time and the time zone as the tool
told them.

- A task has one reminder. Where several are asked for, set the first and say that each of the others has to be asked for by itself.
- Times are on the person's wall clock. [context …] has what their clock shows now and their time zone, if it is known; a time zone or a place
  in the request comes first. What is "in so many minutes or hours" needs no time zone: use inSeconds.
- Ask, instead of guessing, where the time of day is missing or unclear ("tomorrow", "tonight"), where a time zone is needed and not
  known, or where nothing says what to remind of. Ask for one thing at a time. "At 8" without more is the next 8 o'clock that is likely meant.
- "Every two hours" is everyMinutes. Days, weeks, months and years are a rule (RFC 5545, without DTSTART and UNTIL) with at: the first date and
  the time of day. An end goes into until.
- The reminder's text is what they will be told then, in their language: a few words, without the time.
- You only keep reminders. Say so where something else is asked for.
`;

const wish = {
  text: z.string().max(2_000).describe("what the person is reminded of, in their language"),
  inSeconds: z.number().nullable().describe("from now on; null where another of these says when"),
  at: z
    .string()
    .max(40)
    .nullable()
    .describe("2026-11-27T09:00 on the wall clock: the time, or the first one of a rule"),
  everyMinutes: z.number().nullable().describe("equal steps of minutes; null where it is not that"),
  rule: z
    .string()
    .max(300)
    .nullable()
    .describe("RFC 5545, such as FREQ=WEEKLY;BYDAY=MO,TH; null where it does not repeat by days"),
  repeats: z.string().max(100).nullable().describe("how it repeats, in the person's words; null where it does not"),
  until: z
    .string()
    .max(40)
    .nullable()
    .describe("2026-12-24T18:00, or a date alone: the end of a repetition; null where there is none"),
  timeZone: z.string().max(64).nullable().describe("IANA name such as Europe/Berlin; null: as in the context"),
};
const setParameters = z.object(wish);
const number = z.number().int().describe("as the list has it");
const changeParameters = z.object({ number, ...wish });
const cancelParameters = z.object({ numbers: z.array(z.number().int()).max(200).describe("as the list has them") });
const none = z.object({});

export interface ModelUnderstanding {
  readonly settings: SkillSettings;
  readonly models: SkillModels;
  readonly run: TaskRun;
  readonly hooks: Pick<TaskHooks, "signal" | "progress">;
  readonly scene: Scene;
}

const mostTurns = 6;

/** @throws as {@link runOnModel} */
export async function understandOnModel(of: ModelUnderstanding): Promise<Decision> {
  const { settings, models, run, hooks, scene } = of;
  const { messages, locale } = run;
  const { own, all, now, zone } = scene;
  const decided: { deed?: Deed } = {};
  const decide = (deed: Deed) => {
    if (decided.deed !== undefined)
      throw new InputError("one thing has been done in this task already; the rest is another task's");
    decided.deed = deed;
  };
  const context = {
    now:
      zone === undefined
        ? `${new Date(now).toISOString()} (UTC)`
        : wallClock(now, zone).toString({ smallestUnit: "minute" }),
    weekday: new Intl.DateTimeFormat("en", { weekday: "long", timeZone: zone ?? "UTC" }).format(now),
    timeZone: zone ?? "not known",
    ...(locale === undefined ? {} : { locale: locale.slice(0, 20) }),
    ...(own === undefined
      ? {}
      : { thisTask: `has reminder ${all.indexOf(own) + 1} of the list: this is about that one` }),
  };
  const answer = await runOnModel({
    settings,
    models,
    instructions,
    tools: toolsOf(scene, decide),
    run,
    messages,
    hooks,
    maxTurns: mostTurns,
    context,
    // A reminder that waits for its caller would not come.
    mayAsk: own === undefined,
  });
  // Nothing is done before the run has ended.
  if (decided.deed !== undefined)
    return { ...decided.deed, said: answer.kind === "said" ? answer.text : answer.question };
  return answer.kind === "asked" ? { kind: "ask", said: answer.question } : { kind: "say", said: answer.text };
}

function toolsOf(scene: Scene, decide: (deed: Deed) => void): readonly SkillTool[] {
  const { own, all, now } = scene;
  const at = (of: number): Standing => {
    const found = all[of - 1];
    if (found === undefined) throw new InputError(`there is no reminder ${of}: look at the list`);
    return found;
  };
  const told = (reminder: Reminder) => JSON.stringify({ first: whenOf(reminder, now), text: reminder.text });
  return [
    skillTool({
      name: "list_reminders",
      description: "The person's reminders, numbered, the next one first.",
      parameters: none,
      outside: true,
      run: () => (all.length === 0 ? "There are none." : listOf(all, now)),
    }),
    skillTool({
      name: "set_reminder",
      description:
        "Sets this task's reminder. Exactly one of inSeconds, everyMinutes, rule with at, or at alone says when.",
      parameters: setParameters,
      run(asked) {
        if (own !== undefined) throw new InputError("this task has its reminder: change that one");
        const reminder = reminderOf(asked, scene, scene.zone);
        decide({ kind: "set", reminder });
        return `Set: ${told(reminder)}`;
      },
    }),
    skillTool({
      name: "change_reminder",
      description: "Gives a reminder of the list another time or text. Say all of it anew, also what stays as it is.",
      parameters: changeParameters,
      run({ number: of, ...asked }) {
        const { task, reminder: before } = at(of);
        const reminder = reminderOf(asked, scene, before.zone ?? scene.zone);
        decide({ kind: "change", task, reminder });
        return `Changed: ${told(reminder)}`;
      },
    }),
    skillTool({
      name: "cancel_reminders",
      description: "Cancels reminders of the list.",
      parameters: cancelParameters,
      run({ numbers }) {
        if (numbers.length === 0) throw new InputError("say which: look at the list");
        const found = [...new Set(numbers)].map(at);
        decide({ kind: "cancel", tasks: found.map(({ task }) => task) });
        return `Cancelled: ${JSON.stringify(found.map(({ reminder }) => reminder.text))}`;
      },
    }),
  ];
}

function reminderOf(asked: z.infer<typeof setParameters>, scene: Scene, known: string | undefined): Reminder {
  const { repeats, timeZone } = asked;
  const text = asked.text.trim();
  if (text === "") throw new InputError("the text says what to remind of: ask for it");
  if (text.length > longestText) throw new InputError(`the text has at most ${longestText} characters`);
  const zone = timeZone === null ? known : zoneNamed(timeZone);
  const given = Object.entries({
    inSeconds: asked.inSeconds,
    at: asked.at,
    everyMinutes: asked.everyMinutes,
    rule: asked.rule,
    until: asked.until,
    zone,
  });
  const wished: Wish = Object.fromEntries(
    given.filter(([, value]) => value !== null && value !== undefined && value !== ""),
  );
  const schedule = scheduleOf(wished, scene.now);
  const more = { ...(zone === undefined ? {} : { zone }), ...(repeats === null || repeats === "" ? {} : { repeats }) };
  return { text, schedule, language: scene.language, ...more };
}
