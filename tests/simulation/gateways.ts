/** The gateway's processes: their lives one after the other, and the faults that befall a whole process. */
import { agentIdOf, type AgentId } from "../../src/ids.ts";
import type { Channel } from "../../src/channel.ts";
import type { Core } from "../../src/core.ts";
import type { Agent } from "../../src/agent.ts";
import type { Delegates, Delegating } from "./delegates.ts";
import type { Runtime } from "../../src/ports.ts";
import { createShares } from "../../src/shares.ts";
import type { Broker } from "./broker.ts";
import { addressOf, participantOf } from "./events.ts";
import type { Hosting } from "./hosting.ts";
import type { Scheduler } from "./jobs.ts";
import { unused, type Tables } from "./keyed.ts";
import { isRated, type ConversationPlan, type Fault } from "./plan.ts";
import { createProcess, type Process } from "./process.ts";
import { logOf, type World } from "./world.ts";

/** A process that takes what comes in. */
export interface Gateway {
  readonly process: Process;
  readonly core: Core;
  readonly delegating: Delegating;
}

export interface Gateways {
  /** Those that are up and do not stop. */
  ready(): readonly Gateway[];
  /** Every process that ever was. */
  readonly all: readonly Process[];
}

export interface Outside {
  readonly broker: Broker;
  readonly hosting: Hosting;
  readonly tables: Tables;
  readonly scheduler: Scheduler;
  readonly channelsOf: (process: Process) => readonly Channel[];
  readonly agentOf: (process: Process) => Agent;
  readonly delegates: Delegates;
}

export function startGateways(world: World, outside: Outside): Gateways {
  const { loop, plan } = world;
  const lives = Array.from({ length: plan.replicas }, () => 0);
  const skews = Array.from({ length: plan.replicas }, (_, slot) =>
    slot === 0 ? 0 : world.streams("skew").int(-300, 300),
  );
  const all: Process[] = [];
  let up: Gateway[] = [];

  const boot = (slot: number): void => {
    lives[slot] = (lives[slot] ?? 0) + 1;
    const process = createProcess(world, {
      slot,
      life: lives[slot],
      skew: () => skews[slot] ?? 0,
      revive: (downMs) => void loop.at(loop.now() + downMs, () => boot(slot)),
    });
    all.push(process);
    world.note(process.name, () => "starts");
    const runtime = runtimeOf(outside, process);
    const log = logOf(world, process);
    const delegating = outside.delegates.open(process, { runtime, log, core: () => core });
    const { delegations, host } = delegating;
    const core = world.subject.createCore({ ...coreOptions(world, outside, process), runtime, log, delegations });
    up.push({ process, core, delegating });
    outside.broker.join(process);
    outside.hosting.join(process);
    outside.scheduler.join(process, async (name, data) => {
      const done =
        (await core.approvals.run(name, data)) ||
        (await core.takeovers.run(name, data)) ||
        (await host.run(name, data)) ||
        (await delegations.run(name, data));
      if (!done) throw new Error(`nobody does the job ${name}`);
    });
    process.onDeath(() => {
      up = up.filter((gateway) => gateway.process !== process);
      outside.broker.lost(process);
      outside.hosting.leave(process);
    });
  };

  const stop = ({ process, core, delegating }: Gateway, graceMs: number, downMs: number): void => {
    const { delegations, host } = delegating;
    const until = loop.now() + graceMs;
    world.note(process.name, () => `is told to stop within ${graceMs} ms`);
    process.stop();
    process.schedule(graceMs + 5_000, () => process.crash(downMs));
    void Promise.all([core.drain(graceMs), host.drain(graceMs)])
      .then(() => delegations.drain(Math.max(0, until - loop.now())))
      .then(() => outside.broker.leave(process))
      .then(() => process.crash(downMs));
  };

  const strike = (fault: Fault): void => {
    const gateway = "slot" in fault ? up.find(({ process }) => process.slot === fault.slot) : undefined;
    if (fault.kind === "evict") {
      for (const id of agentsOf(plan.conversations, fault.conversation)) outside.hosting.evict(id, fault.move);
    } else if (fault.kind === "jump") skews[fault.slot] = (skews[fault.slot] ?? 0) + fault.byMs;
    else if (gateway === undefined) return;
    else if (fault.kind === "crash") gateway.process.crash(fault.downMs);
    else if (fault.kind === "freeze") gateway.process.freeze(loop.now() + fault.forMs);
    else if (fault.kind === "stop" && !gateway.process.stopping) stop(gateway, fault.graceMs, fault.downMs);
    world.note("fault", () => JSON.stringify(fault));
  };

  for (const [slot] of lives.entries()) loop.at(0, () => boot(slot));
  for (const fault of plan.faults) {
    if (["crash", "stop", "freeze", "jump", "evict"].includes(fault.kind)) loop.at(fault.at, () => strike(fault));
  }
  return { ready: () => up.filter(({ process }) => !process.stopping), all };
}

const rating = {
  emoji: { up: ["👍"], down: ["👎"] },
  asks: false,
  keptMs: 30 * 24 * 3_600_000,
  pseudonymOf: (person: string) => person,
};

type CoreOptions = Parameters<World["subject"]["createCore"]>[0];

function coreOptions(world: World, outside: Outside, process: Process): Omit<CoreOptions, "runtime" | "log"> {
  const channels = outside.channelsOf(process);
  const { silentMs } = world.plan.settings;
  const made = isRated(world.plan) ? { made: { model: "simulated", version: "1" } } : {};
  const answering = { name: "agent", agent: outside.agentOf(process), traits: world.plan.settings, ...made };
  return {
    clock: process.clock,
    instance: process.name,
    channelOf: (to) => channels.find(({ channel }) => channel === to.channel),
    agentOf: () => answering,
    newCode: () => {
      const random = world.streams(`codes of ${process.slot}`);
      return Array.from({ length: 10 }, () => random.pick(["A", "B", "C", "D", "E", "F", "G", "H"])).join("");
    },
    ...(isRated(world.plan) && { feedback: rating }),
    takeover: { waitMs: 40_000, ...(silentMs !== undefined && { silentMs }) },
    delivers: process.slot < world.plan.senders,
    places: createShares(world.plan.settings.places, () => undefined),
  };
}

function runtimeOf({ broker, hosting, tables, scheduler }: Outside, process: Process): Runtime {
  const lifecycle = unused("start and stop, which the composition calls,");
  return {
    bus: broker.busOf(process),
    actors: hosting.hostOf(process),
    ...tables.of(process),
    jobs: { ...scheduler.of(process), handle: () => undefined },
    blobs: { put: unused("blobs"), get: unused("blobs"), remove: unused("blobs") },
    secrets: { get: async () => undefined },
    start: lifecycle,
    stop: lifecycle,
    health: () => undefined,
  };
}

function agentsOf(conversations: readonly ConversationPlan[], name: string): AgentId[] {
  const conversation = conversations.find((candidate) => candidate.name === name);
  if (conversation === undefined) return [];
  const users = new Set(conversation.actions.map(({ user }) => user));
  const { conversation: id } = addressOf(conversation);
  return [...new Set([...users].map((user) => agentIdOf(conversation.kind, participantOf(conversation, user).id, id)))];
}
