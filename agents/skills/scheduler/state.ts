/** What a task of the scheduler keeps between its runs. */
import { z } from "zod";
import { schedule } from "./schedule.ts";

export const languages = ["en", "de", "es"] as const;
export const language = z.enum(languages);
export type Language = z.infer<typeof language>;

export const longestText = 500;

export const reminder = z.object({
  /** What the person is reminded of. */
  text: z.string(),
  schedule,
  /** How it repeats, in words. */
  repeats: z.string().optional(),
  /** Undefined: nobody needed to know. */
  zone: z.string().optional(),
  language,
});
export type Reminder = z.infer<typeof reminder>;

/** Waits for its time. */
const set = reminder.extend({
  v: z.literal(1),
  kind: z.literal("set"),
  nextAt: z.number(),
  fired: z.number(),
  /** The caller's message that was heard last. */
  heard: z.string(),
  /** The task whose reminder this one takes the place of. */
  replaces: z.string().optional(),
});
export type SetReminder = z.infer<typeof set>;

/** Without a model: what was understood until now. */
const asking = z.object({
  v: z.literal(1),
  kind: z.literal("asking"),
  missing: z.enum(["time", "zone", "text", "which"]),
  /** What was asked for, and what was said to it since. */
  request: z.string(),
  /** Of "which": tasks, in the order in which they were told. */
  candidates: z.array(z.string()).optional(),
  text: z.string().optional(),
  zone: z.string().optional(),
  language,
  tries: z.number(),
});
export type Asking = z.infer<typeof asking>;

/** These tasks' reminders are cancelled, whatever becomes of this run. */
const canceling = z.object({
  v: z.literal(1),
  kind: z.literal("canceling"),
  tasks: z.array(z.string()),
  said: z.string(),
  heard: z.string(),
});

export const state = z.discriminatedUnion("kind", [set, asking, canceling]);
export type State = z.infer<typeof state>;
