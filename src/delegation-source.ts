/**
 * Delegating as tools of a client agent: one for each skilled agent that can be reached, and three for the tasks of the conversation.
 * What belongs to another conversation, or to another agent in the same one, is not there.
 */
import { z } from "zod";
import { callerIdOf, callerOf, noSuchTask, type DelegationParts } from "./delegation-parts.ts";
import { beginTask, replyTo, type Asking } from "./delegation-calls.ts";
import type { Follow } from "./delegation-follow.ts";
import { isOver, listOf, type Delegation, type Entry } from "./delegation-record.ts";
import { clip, quoted } from "./delegation-words.ts";
import { InputError } from "./errors.ts";
import type { Peer, PeerCard } from "./peers.ts";
import type { ToolCall, ToolCaller, ToolResult, ToolSource, ToolSpec } from "./tools.ts";

/** Of tools that are no skilled agent's. */
export const taskTools = ["reply", "cancel", "tasks"] as const;
export const sourceName = "agent";

const unreachedMs = 120_000;
const mostSkills = 12;
const longestSkill = 160;
/** Of peers at once: a model can choose from so many. */
const mostPeers = 60;

const taskParameters = {
  type: "object",
  properties: {
    task: {
      type: "string",
      description: "what to do, complete in itself: the agent sees nothing else of the conversation",
    },
    files: { type: "boolean", description: "true: the files of the person's new messages go along" },
  },
  required: ["task"],
};
const nameParameter = { type: "string", description: 'the task\'s name, such as "scheduler-1"' };

export const taskSpecs: readonly ToolSpec[] = [
  {
    name: "reply",
    description: "Says something to the agent that works on an open task: the answer to its question, or a change.",
    parameters: {
      type: "object",
      properties: { task: nameParameter, answer: { type: "string" }, files: taskParameters.properties.files },
      required: ["task", "answer"],
    },
    effect: "idempotent",
  },
  {
    name: "cancel",
    description: "Cancels an open task of this conversation, where the person wants that.",
    parameters: { type: "object", properties: { task: nameParameter }, required: ["task"] },
    effect: "idempotent",
  },
  {
    name: "tasks",
    description:
      "The tasks of this conversation: those that are open, and what became of the last ones. With a name: all of that one.",
    parameters: { type: "object", properties: { task: nameParameter } },
    effect: "none",
  },
];

const taskArgs = z.object({ task: z.string().trim().min(1).max(20_000), files: z.boolean().nullish() });
const replyArgs = z.object({
  task: z.string().max(200),
  answer: z.string().trim().min(1).max(20_000),
  files: z.boolean().nullish(),
});
const nameArgs = z.object({ task: z.string().max(200) });
const tasksArgs = z.object({ task: z.string().max(200).nullish() });

export function argsOf<Args>(schema: z.ZodType<Args>, given: unknown): Args {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new InputError(`${issue?.path.join(".") ?? "the call"}: ${issue?.message ?? "does not fit"}`);
}

/** Its skills as its card has them: data, on one line, and never more than so much. */
export function specOf({ name }: Peer, card: PeerCard): ToolSpec {
  const skills = card.skills
    .slice(0, mostSkills)
    .map((one) => `${quoted(one.name, 60)}: ${quoted(one.description, longestSkill)}`);
  const description = [
    `Gives a task to the skilled agent "${name}", and returns its result or where it stands.`,
    `What the agent says of itself, as data: ${quoted(card.title, 60)}, ${quoted(card.description, 300)}.`,
    skills.length === 0 ? "" : `Its skills: ${skills.join("; ")}.`,
  ];
  return {
    name,
    description: clip(description.join(" ").trim(), 990),
    parameters: taskParameters,
    effect: "idempotent",
    // An attempt that takes newer messages along seldom asks in the same words, and what was asked goes on all the same.
    keeps: true,
  };
}

export function agentSource(parts: DelegationParts, follow: Follow): ToolSource {
  const { store, peers, clock } = parts;

  /** Those of this agent in this conversation, with what is kept of them. @param of a turn: what is open, and what ended in that. */
  async function rows(
    caller: ToolCaller,
    of: "open" | "all" | { readonly turn: string | undefined },
  ): Promise<readonly (Delegation & Entry)[]> {
    const { open, ended } = await store.list(listOf(caller.to));
    const over = of === "all" ? ended : of === "open" ? [] : ended.filter(({ turn }) => turn === of.turn);
    const own = [...over, ...open].filter(({ agentName }) => agentName === caller.agentName);
    const found = await Promise.all(own.map(async (one) => ({ one, row: await store.find(one.id) })));
    return found.flatMap(({ one, row }) => (row === undefined ? [] : [{ ...one, ...row }]));
  }

  async function named(caller: ToolCaller, name: string, of: "open" | "all"): Promise<Delegation> {
    const found = (await rows(caller, of)).find((one) => one.name === name.trim());
    if (found === undefined) throw noSuchTask(name);
    return found;
  }

  const askingOf = (call: ToolCall): Asking => ({
    call: call.key,
    claim: parts.newClaim(),
    turn: call.turn,
    by: { agentName: call.agentName, list: listOf(call.to), to: call.to, participant: call.participant },
    caller: callerOf(call.to.tenant, call.agent),
    chain: [...call.chain, parts.chainName(call.to.agent ?? call.agentName)],
    // Whoever cannot be written to first is told now, or has to ask.
    mostMs: parts.reaches(call.to) ? parts.inlineMs : Math.max(parts.inlineMs, unreachedMs),
    signal: call.signal,
    progress: call.progress,
    isStopped: () => parts.isStopped(call.to.conversation, call.turn),
  });

  /** An attempt before was left behind: what it may still wait for is told to those who ask again, or by a note. */
  async function leave(row: Delegation, { agent, turn }: ToolCaller & { turn: string }): Promise<void> {
    const left = ({ telling, ...now }: Delegation): Delegation | undefined => {
      if (now.end !== undefined || telling === "note" || telling.turn !== turn) return undefined;
      if (now.caller.id !== callerIdOf(agent) || telling.claim === "") return undefined;
      return { ...now, telling: { ...telling, claim: "" } };
    };
    if (left(row) !== undefined) await store.change(row.id, left);
  }

  async function cancel(call: ToolCall): Promise<ToolResult> {
    const { id, name, by } = await named(call, argsOf(nameArgs, call.args).task, "open");
    const told = { text: `Task ${quoted(name)} is cancelled.`, parts: [], failed: false };
    const canceling = { since: clock.now() };
    const written = await store.change(id, ({ failing: _failing, ...now }) =>
      now.end === undefined ? { ...now, canceling, end: { told, by: "nobody" } } : undefined,
    );
    if (written?.end?.by !== "nobody") return { text: `Task ${quoted(name)} had come to its end already.` };
    await parts.arm(written, clock.now());
    await store.delist(by.list, id, true);
    await parts.look(id);
    const now = await store.find(id);
    if (now !== undefined && !isOver(now))
      return { text: `${told.text} The agent cannot be reached: it is told as soon as it can.` };
    return { text: told.text };
  }

  async function tasks(call: ToolCall): Promise<ToolResult> {
    const { task: name } = argsOf(tasksArgs, call.args);
    if (typeof name === "string" && name.trim() !== "") {
      const row = await named(call, name, "all");
      const told = row.end?.told;
      return { text: [JSON.stringify(summaryOf(row)), told?.text ?? ""].join("\n").trim(), parts: told?.parts ?? [] };
    }
    const all = await rows(call, "all");
    if (all.length === 0) return { text: "There are no tasks in this conversation." };
    return { text: all.map((row) => JSON.stringify(summaryOf(row))).join("\n") };
  }

  return {
    name: sourceName,
    needs: "nothing",
    async list() {
      const known = (await peers.all()).slice(0, mostPeers);
      const cards = await Promise.all(known.map(async (peer) => ({ peer, card: await peer.card() })));
      const specs = cards.flatMap(({ peer, card }) => (card === undefined ? [] : [specOf(peer, card)]));
      return known.length === 0 ? [] : [...specs, ...taskSpecs];
    },
    async standing(caller) {
      if ((await peers.all()).length === 0) return undefined;
      const now = await rows(caller, { turn: caller.turn });
      for (const row of now) await leave(row, caller);
      // Of an earlier attempt of the turn, whose answer nobody saw.
      const isOwn = (row: Delegation, turn: string | undefined) =>
        turn === caller.turn && row.caller.id === callerIdOf(caller.agent);
      const here = now.filter((row) => row.end?.by === "call" && row.turn === caller.turn && isOwn(row, row.end.turn));
      const shown = [...now.filter(({ end }) => end === undefined), ...here].map((row) =>
        summaryOf(row, isOwn(row, row.question?.turn)),
      );
      return shown.length === 0 ? undefined : shown;
    },
    async call(name, call) {
      if (name === "reply") {
        const { task, answer, files } = argsOf(replyArgs, call.args);
        const row = await named(call, task, "open");
        return replyTo(parts, follow, askingOf(call), row, { text: answer, files: files === true ? call.files : [] });
      }
      if (name === "cancel") return cancel(call);
      if (name === "tasks") return tasks(call);
      const { task, files } = argsOf(taskArgs, call.args);
      return beginTask(parts, follow, askingOf(call), name, { text: task, files: files === true ? call.files : [] });
    },
  };
}

/** @param heard its question was told to an earlier attempt of the turn, which nobody saw: it is said again. */
function summaryOf(row: Delegation, heard = false): object {
  const { name, peer, asked, state, at, end, question, outgoing, failing } = row;
  const asks =
    state === "input-required" && outgoing === undefined && end === undefined ? question?.told.text : undefined;
  return {
    task: name,
    agent: peer,
    asked,
    state: end === undefined ? state : row.canceling === undefined ? state : "canceled",
    since: new Date(at).toISOString().slice(0, 16),
    ...(asks === undefined ? {} : { asks: clip(asks, 500) }),
    ...(heard && question !== undefined ? { said: clip(question.told.text, 500) } : {}),
    ...(failing === undefined || end !== undefined ? {} : { note: "cannot be reached now, tried again" }),
    ...(end === undefined ? {} : { told: clip(end.told.text, 500) }),
  };
}
