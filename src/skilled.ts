/**
 * Skilled agents: who they say they are, and how they work on a task. `agents/skills/<name>` implements them; they run in the
 * gateway or as a service of their own, and are reached by A2A in both.
 *
 * A task lives as long as it takes, an hour or a year, and survives the process that works on it: `execute` runs again
 * after a crash, when the wait that it asked for is over, and when its caller answers a question.
 */
import { z } from "zod";

/** One ability, as the agent card lists it. @see A2A 1.0, AgentSkill */
export interface Skill {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly examples?: readonly string[];
}

/** What the agent's card is made of. @see A2A 1.0, AgentCard */
export interface Profile {
  /** Small letters, digits and dashes: it stands in addresses. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly version: string;
  readonly skills: readonly Skill[];
  /** Media types that it takes and gives. */
  readonly inputModes: readonly string[];
  readonly outputModes: readonly string[];
}

/** One part of what is said or made. Bytes are in the blobs of the process that has them. */
export const taskPart = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("text"), text: z.string() }),
  z.object({ kind: z.literal("data"), data: z.unknown() }),
  z.object({
    kind: z.literal("file"),
    name: z.string().optional(),
    /** Media type. */
    type: z.string(),
    blob: z.string(),
    size: z.number().optional(),
  }),
]);
export type TaskPart = z.infer<typeof taskPart>;

export const taskMessage = z.object({ id: z.string(), role: z.enum(["user", "agent"]), parts: z.array(taskPart) });
export type TaskMessage = z.infer<typeof taskMessage>;

/** Who asked: what belongs to another caller is not there for this one. */
export const taskCaller = z.object({
  tenant: z.string(),
  /** Stable, and tells nothing of the credentials it comes from. */
  id: z.string(),
});
export type TaskCaller = z.infer<typeof taskCaller>;

export interface TaskRun {
  readonly task: string;
  readonly caller: TaskCaller;
  /** Tasks with the same one belong to one conversation of the caller. */
  readonly context: string;
  /** Oldest first. The last of the caller's is what it is about now. */
  readonly messages: readonly TaskMessage[];
  /** What the run before left: by `save`, or with its outcome. JSON. */
  readonly state: unknown;
  /** Why it runs: something was said, or the wait that it asked for is over, or the run before died. */
  readonly because: "said" | "due" | "died";
  /** The person's, where the caller tells: BCP 47 and IANA names. */
  readonly locale: string | undefined;
  readonly timeZone: string | undefined;
  /** The agents that its last message came through, the first one first; for what it asks of others in turn. */
  readonly chain?: readonly string[];
  /** It is a part of another task of this agent: {@link TaskHooks.child}. Its outcome is read by that one's run. */
  readonly isChild?: true;
}

/** What became of a part of a task. */
export type ChildEnd =
  | { readonly kind: "completed"; readonly parts: readonly TaskPart[] }
  | { readonly kind: "failed"; readonly reason: string };

/** Another open task of the same caller with the same agent. */
export interface OtherTask {
  readonly task: string;
  readonly context: string;
  /** As {@link TaskRun.state}. */
  readonly state: unknown;
}

export interface TaskHooks {
  /** Aborted when the task is cancelled, superseded or out of time. */
  readonly signal: AbortSignal;
  /** What it is doing, in a few words. Best effort. */
  progress(text: string): void;
  /** Durable when it resolves. At most 64 kB of JSON. */
  save(state: unknown): Promise<void>;
  /** Something made before the end, durable when it resolves and told to the caller once; a second one with the same id is none. */
  artifact(id: string, parts: readonly TaskPart[]): Promise<void>;
  /** Those that wait, for their time or for their caller. */
  others(): Promise<readonly OtherTask[]>;
  /** Completes one of them, with nothing to tell. One that is not there, or has ended, stays as it is. */
  end(task: string): Promise<void>;
  /**
   * Another task of this agent for a part of this one, with nothing of its context but what it is told; waits for its end. A run
   * that is made again comes back to it by the same key. It is cancelled after `forMs` since it began, and with this task.
   * @throws InputError where there are too many, for a task that is a child itself, and where it came through too many agents.
   */
  child(
    key: string,
    of: {
      readonly parts: readonly TaskPart[];
      readonly forMs: number;
      readonly progress?: (text: string) => void;
    },
  ): Promise<ChildEnd>;
}

export type TaskOutcome =
  | { readonly kind: "completed"; readonly parts: readonly TaskPart[] }
  /** It goes on when the caller answers. */
  | { readonly kind: "input-required"; readonly question: string; readonly state?: unknown }
  /** Nothing runs until then: milliseconds since the epoch. `said`: what the caller is told meanwhile. */
  | { readonly kind: "waiting"; readonly until: number; readonly said?: string; readonly state?: unknown }
  /** `reason` is shown to the caller. */
  | { readonly kind: "failed" | "rejected"; readonly reason: string };

export interface SkilledAgent {
  readonly profile: Profile;
  /**
   * One run at a time of one task. Side effects carry the task's id as their key, since a run may be repeated.
   * @throws what it throws is retried with backoff and becomes "failed" after five attempts; a TerminalError or InputError does at
   *   once, an InputError with its own words.
   */
  execute(run: TaskRun, hooks: TaskHooks): Promise<TaskOutcome>;
  /** The task has ended, however it did: what it asked of others is not waited for. At least once, and again where it failed. */
  ended?(of: Pick<TaskRun, "task" | "caller">): Promise<void>;
}
