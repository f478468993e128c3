/**
 * Delegating for a skilled agent that works on a task: it waits until what it asked for is done, as long as its own run does, and
 * comes back to it when the run is made again. The agents that it came through go along, and come to an end.
 */
import { beginTask, replyTo, type Asking } from "./delegation-calls.ts";
import { noSuchTask, type DelegationParts } from "./delegation-parts.ts";
import type { Follow } from "./delegation-follow.ts";
import { argsOf, specOf, taskSpecs } from "./delegation-source.ts";
import { bare, isOver } from "./delegation-record.ts";
import { digestOf } from "./ids.ts";
import type { TaskRun } from "./skilled.ts";
import type { ToolResult, ToolSpec } from "./tools.ts";
import { z } from "zod";

export interface NestedRun {
  /** The skilled agent's own name. */
  readonly agent: string;
  readonly run: Pick<TaskRun, "task" | "caller" | "chain">;
}

export interface Delegating {
  list(): Promise<readonly ToolSpec[]>;
  /**
   * @param of.key the same for the same call whenever the run is made again, and unique within the task.
   * @throws InputError whose words are for the model.
   */
  call(
    name: string,
    of: {
      readonly key: string;
      readonly args: unknown;
      readonly signal: AbortSignal;
      readonly progress: (text: string) => void;
    },
  ): Promise<ToolResult>;
  /** Its own task has ended: what it asked for and does not have is cancelled, and what it was told is kept no longer. */
  end(): Promise<void>;
}

/** Where what a skilled agent asks of others on its task is listed. */
export const listOfTask = (agent: string, task: string): string => `task:${digestOf(`${agent} ${task}`)}`;

const taskArgs = z.object({ task: z.string().trim().min(1).max(20_000) });
const replyArgs = z.object({ task: z.string().max(200), answer: z.string().trim().min(1).max(20_000) });

export function nestedDelegating(parts: DelegationParts, follow: Follow, { agent, run }: NestedRun): Delegating {
  const { store, peers, chainName } = parts;
  const list = listOfTask(agent, run.task);

  return {
    async list() {
      const known = (await peers.all()).filter(
        ({ name }) => name !== agent && run.chain?.includes(chainName(name)) !== true,
      );
      const cards = await Promise.all(known.map(async (peer) => ({ peer, card: await peer.card() })));
      const specs = cards.flatMap(({ peer, card }) => (card === undefined ? [] : [specOf(peer, card)]));
      return specs.length === 0 ? [] : [...specs, ...taskSpecs.filter(({ name }) => name === "reply")];
    },
    async call(name, { key, args, signal, progress }) {
      const asking: Asking = {
        call: digestOf(`${list} ${key}`) + digestOf(`${key} ${list}`),
        claim: parts.newClaim(),
        turn: run.task,
        by: { agentName: agent, list },
        caller: run.caller,
        chain: [...(run.chain ?? []), parts.chainName(agent)],
        mostMs: undefined,
        signal,
        progress,
        isStopped: () => signal.aborted && isCancel(signal.reason),
      };
      if (name !== "reply") {
        const { task: text } = argsOf(taskArgs, args);
        return beginTask(parts, follow, asking, name, { text, files: [] });
      }
      const { task, answer } = argsOf(replyArgs, args);
      const { open } = await store.list(list);
      const entry = open.find((one) => one.name === task.trim());
      const row = entry && (await store.find(entry.id));
      if (row === undefined) throw noSuchTask(task);
      return replyTo(parts, follow, asking, row, { text: answer, files: [] });
    },
    async end() {
      const { open, ended } = await store.list(list);
      if (open.length + ended.length === 0) return;
      for (const { id } of [...open, ...ended]) {
        const row = await store.change(id, (now) => (isOver(now) ? undefined : bare(now, parts.clock.now())));
        if (row === undefined) continue;
        if (isOver(row)) await store.remove(id);
        else await parts.arm(row, parts.clock.now());
      }
      await store.dropList(list);
      for (const { id } of open) parts.lookLater(id);
    },
  };
}

/** Its own task was cancelled: so is what it asked for. A run that goes on elsewhere comes back for it. */
function isCancel(reason: unknown): boolean {
  return reason instanceof Error && reason.message === "canceled";
}
