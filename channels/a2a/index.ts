/**
 * Client agents as A2A agents: whoever has a key gives one a task, and its answer completes it. The channel speaks no A2A itself: the
 * gateway's server does, on tasks that this channel hands to the core and settles with what comes back.
 *
 * A task's message is a message of its context's conversation, known again by its id, so that it is handed over as often as it takes.
 */
import type { Channel, ChannelDeps, Outgoing, Preview, SendContext, Sent } from "../../src/channel.ts";
import { InputError, RefusedError, TerminalError } from "../../src/errors.ts";
import { mediaKinds } from "../../src/message.ts";
import type { Profile, SkilledAgent, TaskOutcome, TaskRun } from "../../src/skilled.ts";
import type { Elsewhere, HostedTasks } from "../../src/task-host.ts";
import { isEnded } from "../../src/tasks.ts";
import { decisionsIn } from "./choices.ts";
import { dialect } from "./format.ts";
import { eventOf, markOf, placeOf, stopOf, taskOf, type Place } from "./parse.ts";
import type { A2aSettings } from "./settings.ts";
import { settled, undeliverable } from "./settle.ts";

export interface Surroundings {
  /** The client agents that can be asked. */
  readonly profiles: readonly Profile[];
  /** Has the gateway serve an agent's tasks. */
  readonly host: (agent: SkilledAgent, elsewhere: Elsewhere) => HostedTasks;
}

/** As long as the core knows a message again. */
const longestMs = 7 * 24 * 3_600_000;
/** Files go within the answer, in base64. */
const fileBytes = 8 * 1024 * 1024;
const buttons = { max: 10, label: 80, id: 200 } as const;

export function a2a(settings: A2aSettings, deps: ChannelDeps, { profiles, host }: Surroundings): Channel & Preview {
  const { tenant, channel, account, blobs, clock, inbound, log } = deps;
  const agents = new Map(profiles.map((profile) => [profile.name, hosted(profile)]));

  function hosted(profile: Profile): HostedTasks {
    const placeIn = ({ caller, context }: Pick<TaskRun, "caller" | "context">): Place => ({
      agent: profile.name,
      caller,
      context,
    });

    async function execute(run: TaskRun): Promise<TaskOutcome> {
      if (run.because === "due") return { kind: "failed", reason: "No answer came within seven days." };
      const handed = new Set(Array.isArray(run.state) ? (run.state as string[]) : []);
      const fresh = run.messages.flatMap((message, at) =>
        message.role === "agent" || handed.has(markOf(message)) ? [] : [{ message, at }],
      );
      const decisions = decisionsIn(run.messages);
      for (const { message, at } of fresh) {
        const event = eventOf(deps, placeIn(run), run, message, decisions.get(at)?.choice, clock.now());
        try {
          // One that died in between counts once more than it was: better than one that nobody counts.
          await inbound.admit(event);
          await deps.endings.note(event, settings.contextDays);
          await inbound.accept([event], { admitted: true });
        } catch (error) {
          if (error instanceof RefusedError) return { kind: "rejected", reason: error.message };
          throw error;
        }
        handed.add(markOf(message));
      }
      return { kind: "waiting", until: clock.now() + longestMs, state: [...handed] };
    }

    const tasks: HostedTasks = host(
      { profile, execute },
      {
        /** /stop is for all that waits in the conversation: it is said where this task is all that there is. */
        async cancel(task) {
          const { tasks: all } = await tasks.list(task.caller, { context: task.context, limit: 1_000 });
          if (all.some((one) => one.id !== task.id && !isEnded(one))) return;
          await inbound.accept([stopOf(deps, placeIn(task), task.id, clock.now())], { admitted: true });
        },
      },
    );
    return tasks;
  }

  async function send(part: Outgoing, context: SendContext): Promise<Sent> {
    const { to, answers, decides, signal } = context;
    signal.throwIfAborted();
    const place = placeOf(to.chat);
    const tasks = place && agents.get(place.agent);
    if (place === undefined || tasks === undefined) {
      log.warn({ conversation: to.conversation }, "a2a: an answer for a conversation that nobody here has");
      return {};
    }
    const isWhole = await isKept(part);
    const found = [...answers, ...(decides?.from ?? [])].flatMap((one) => taskOf(one) ?? []);
    for (const [task, of] of Map.groupBy(found, (one) => one.task)) {
      const marks = new Set(of.map(({ mark }) => mark));
      const fail = (words: string) => tasks.settle(place.caller, task, (now) => undeliverable(now, context.key, words));
      try {
        if (isWhole) await tasks.settle(place.caller, task, (now) => settled(now, part, context, marks));
        else await fail("A file of the answer is not kept any more.");
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        await fail("The answer is larger than a task may be.");
      }
    }
    if (!isWhole) throw new TerminalError("a2a: send: the file is not kept any more");
    return {};
  }

  async function isKept(part: Outgoing): Promise<boolean> {
    if (part.kind !== "media" || part.media.source.from !== "blob") return true;
    const found = await blobs.get(part.media.source.id);
    await found?.body.cancel();
    return found !== undefined;
  }

  return {
    tenant,
    channel,
    account,
    traits: {
      order: "arrival",
      text: { max: settings.textLength },
      caption: { max: settings.textLength },
      buttons,
      media: Object.fromEntries(mediaKinds.map((kind) => [kind, fileBytes])),
      location: true,
      replies: false,
      receipts: false,
      refuses: true,
      idempotentMs: Infinity,
      preview: { everyMs: 500, in: ["direct"] },
    },
    dialect,
    send,
    async preview(to, { text, answers = [] }) {
      const place = placeOf(to.chat);
      for (const answered of answers) {
        const of = taskOf(answered);
        if (of !== undefined && place !== undefined) agents.get(place.agent)?.progress(place.caller, of.task, text);
      }
    },
  };
}
