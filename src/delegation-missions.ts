/** Tasks that are steps of a mission: nobody waits for them, and what comes of them is told to the mission. */
import { mostSaid, opened } from "./delegation-calls.ts";
import type { DelegationParts } from "./delegation-parts.ts";
import type { MissionStepRef } from "./delegation-work.ts";
import { quoted } from "./delegation-words.ts";
import { InputError, reasonOf, RetryableError } from "./errors.ts";
import { digestOf } from "./ids.ts";
import type { Address, Participant } from "./message.ts";
import type { TaskCaller } from "./skilled.ts";

export interface MissionTask {
  /** Idempotency key: the same for the same step. */
  readonly key: string;
  readonly of: MissionStepRef;
  readonly agentName: string;
  readonly to: Address;
  readonly participant: Participant;
  readonly caller: TaskCaller;
  readonly chain: readonly string[];
  readonly agent: string;
  readonly task: string;
}

export interface MissionTasks {
  /** Names of the agents that can be asked. */
  agents(): Promise<readonly string[]>;
  /**
   * Durable when it resolves. Again under the same key is nothing.
   * @throws InputError where it can never be; RetryableError where the agent cannot be reached now.
   */
  begin(task: MissionTask): Promise<void>;
  /** Says something in it; again under the same key is nothing. @throws RetryableError where what was said before is on its way. */
  reply(key: string, message: string, text: string): Promise<void>;
  /** Cancels those of a mission that have not ended, or the one of that key; the mission is told nothing. */
  stop(mission: string, key?: string): Promise<void>;
}

/** Longer than it takes to write it down. */
const writingMs = 60_000;

export const missionList = (mission: string): string => `mission:${mission}`;

const away = (agent: string) => new RetryableError(`the agent ${quoted(agent)} cannot be reached at the moment`);

export function missionTasks(parts: DelegationParts): MissionTasks {
  const { store, peers, clock, log } = parts;

  /** In the background: its job comes back to what fails here. */
  function lookLater(id: string): void {
    parts.look(id).catch((error: unknown) => {
      log.warn({ delegation: id, reason: reasonOf(error) }, "a mission's task is looked at again by its job");
    });
  }

  return {
    agents: async () => (await peers.all()).map(({ name }) => name),
    async begin({ key, of, agent, task, agentName, to, participant, caller, chain }) {
      const by = { agentName, list: missionList(of.id), to, participant, mission: of };
      if ((await store.find(key)) === undefined) {
        const peer = await peers.of(agent);
        if (peer === undefined && peers.mayReturn(agent)) throw away(agent);
        if (peer === undefined) throw new InputError(`there is no agent ${quoted(agent)}`);
        const card = await peer.card();
        if (card === undefined) throw away(agent);
        const signal = AbortSignal.timeout(writingMs);
        const asking = { call: key, turn: missionList(of.id), by, caller, chain, signal };
        const until = clock.now() + writingMs;
        await opened(parts, asking, { peer, card }, { text: task, files: [] }, { until, telling: "note" });
      }
      await parts.arm({ id: key, by }, clock.now());
      lookLater(key);
    },
    async reply(key, message, text) {
      const mark = digestOf(message);
      const peer = await peers.of((await store.find(key))?.peer ?? "");
      const written = await store.change(key, ({ deadline: _deadline, failing: _failing, ...now }) => {
        if (now.end !== undefined || now.said.includes(mark)) return undefined;
        if (now.outgoing !== undefined) throw new RetryableError("what was said before has not reached the agent yet");
        const more = peer?.timeoutMs === undefined ? {} : { deadline: clock.now() + peer.timeoutMs };
        const outgoing = { id: message, parts: [{ kind: "text" as const, text }] };
        return { ...now, ...more, outgoing, said: [...now.said, mark].slice(-mostSaid), looks: 0 };
      });
      if (written === undefined || written.end !== undefined) return;
      await parts.arm(written, clock.now());
      lookLater(key);
    },
    async stop(mission, key) {
      const list = missionList(mission);
      for (const { id } of (await store.list(list)).open) {
        if (key !== undefined && id !== key) continue;
        const told = { text: "", parts: [], failed: true };
        const written = await store.change(id, ({ failing: _failing, ...now }) =>
          now.end === undefined
            ? { ...now, canceling: { since: clock.now() }, end: { told, by: "nobody" } }
            : undefined,
        );
        if (written === undefined) continue;
        await parts.arm(written, clock.now());
        await store.delist(list, id, true);
        lookLater(id);
      }
    },
  };
}
