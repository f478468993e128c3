/** What is to be done about a request, however it was understood; and the reminders that there are. */
import type { OtherTask } from "../../../src/skilled.ts";
import { nextOf } from "./schedule.ts";
import { state, type Asking, type Language, type Reminder, type SetReminder } from "./state.ts";
import { moment, wordsIn } from "./words.ts";

export type Deed =
  | { readonly kind: "set"; readonly reminder: Reminder }
  | { readonly kind: "change"; readonly task: string; readonly reminder: Reminder }
  | { readonly kind: "cancel"; readonly tasks: readonly string[] };

export type Decision = { readonly said: string } & (
  | Deed
  /** Nothing is to be done but to say it. */
  | { readonly kind: "say" }
  /** `said` asks. `asking` is what the rules know already. */
  | { readonly kind: "ask"; readonly asking?: Asking }
  | { readonly kind: "refuse" }
);

export interface Standing {
  readonly task: string;
  readonly reminder: Reminder & Pick<SetReminder, "nextAt">;
}

/** What is known when a request is understood. */
export interface Scene {
  /** The reminder of the task itself, where it has one already. */
  readonly own: Standing | undefined;
  /** All of the caller's, its own included, the next one first. */
  readonly all: readonly Standing[];
  readonly now: number;
  readonly zone: string | undefined;
  readonly language: Language;
}

/** Of one caller. */
export const mostReminders = 200;

export function standingIn(others: readonly OtherTask[], own: Standing | undefined): readonly Standing[] {
  const found = others.flatMap(({ task, state: saved }) => {
    const read = state.safeParse(saved);
    return read.success && read.data.kind === "set" ? [{ task, reminder: read.data }] : [];
  });
  const all: Standing[] = own === undefined ? found : [...found, own];
  return all.toSorted((a, b) => a.reminder.nextAt - b.reminder.nextAt || (a.task < b.task ? -1 : 1));
}

/** "Friday 27 November 2026 at 09:00 (Europe/Berlin)", of the next time that it comes. */
export function whenOf({ schedule, zone, language }: Reminder, now: number): string {
  return moment(nextOf(schedule, now) ?? now, zone, now, language);
}

export function listOf(all: readonly Standing[], now: number): string {
  return all
    .map(({ reminder }, at) => {
      const { text, repeats, zone, language, nextAt } = reminder;
      const when = moment(nextAt, zone, now, language);
      const how = repeats === undefined ? when : `${repeats}, ${wordsIn[language].next(when)}`;
      return `${at + 1}. ${text} – ${how}`;
    })
    .join("\n");
}
