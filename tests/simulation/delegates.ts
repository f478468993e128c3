/** What a process has for tasks between agents: the real delegations, and the real host of the agent inside the gateway. */
import type { Core } from "../../src/core.ts";
import type { Delegations } from "../../src/delegation.ts";
import type { Clock, Log, Runtime } from "../../src/ports.ts";
import type { TaskCaller } from "../../src/skilled.ts";
import type { TaskHost } from "../../src/task-host.ts";
import { createFarAgent } from "./far-agent.ts";
import { unused } from "./keyed.ts";
import { createNearAgent, nearPeer, type Execution } from "./near-agent.ts";
import type { Process } from "./process.ts";
import { createWorkLog, sayingsIn, type WorkLog } from "./work-log.ts";
import type { World } from "./world.ts";

/** Of one process. */
export interface Delegating {
  readonly delegations: Delegations;
  readonly host: TaskHost;
}

export interface Delegates {
  readonly log: WorkLog;
  readonly executions: readonly Execution[];
  open(process: Process, of: { readonly runtime: Runtime; readonly log: Log; readonly core: () => Core }): Delegating;
  of(process: Process): Delegating;
  /** Tasks elsewhere that have not ended. */
  working(): string[];
}

const secret = "of the gateway";
const pushUrl = "https://gateway.test/delegations";

export function createDelegates(world: World): Delegates {
  const { loop, plan, subject } = world;
  const log = createWorkLog(world);
  const far = createFarAgent(world, log);
  const near = createNearAgent(world, log);
  const all = new Map<
    Process,
    Delegating & { readonly giveUp: (caller: TaskCaller, task: string) => Promise<unknown> }
  >();
  const random = world.streams("push notifications");
  const pauses = world.streams("collisions");
  const ready = () => [...all].filter(([process]) => !process.stopping);

  /** Comes late, twice or not at all. */
  far.onPush(({ url, token }) => {
    const id = url.slice(pushUrl.length + 1);
    const times = random.chance(0.15) ? 0 : random.chance(0.25) ? 2 : 1;
    for (let time = 0; time < times; time++) loop.at(loop.now() + random.between(2, 600), () => notify(id, token));
  });

  function notify(id: string, token: string): void {
    const found = ready();
    if (found.length === 0) return;
    const [process, { delegations }] = random.pick(found);
    world.note(process.name, () => `is told that ${id} has changed`);
    if (!delegations.isGenuine(id, token)) throw new Error("the push notification is nobody's");
    delegations.changed(id).catch((error: unknown) => world.note(process.name, () => `✗ a push: ${String(error)}`));
  }

  near.onForsaken((caller, task) => {
    const tryIt = (): void => {
      const found = ready();
      const again = () => void loop.at(loop.now() + 5_000, tryIt);
      if (found.length === 0) return again();
      const [process, { giveUp }] = random.pick(found);
      let open = true;
      const over = (failed: boolean) => {
        if (open && failed) again();
        open = false;
      };
      process.onDeath(() => over(true));
      giveUp(caller, task).then(
        () => over(false),
        () => over(true),
      );
    };
    tryIt();
  });

  function open(
    process: Process,
    { runtime, log: lines, core }: { readonly runtime: Runtime; readonly log: Log; readonly core: () => Core },
  ): Delegating {
    const clock: Clock = process.clock;
    const nobody = { refusal: async () => "nobody is outside", send: unused("push notifications") };
    const sender = subject.withLocalPush(nobody, () => delegations);
    const host = subject.createTaskHost({ runtime, clock, log: lines, instance: process.name, sender });
    const hosted = host.add(near.agentOf(process));
    const known = [nearPeer(hosted, subject.errors), far.peerOf(process)];
    const delegations = subject.createDelegations({
      runtime,
      clock,
      log: lines,
      peers: {
        all: async () => known,
        of: async (name) => known.find((peer) => peer.name === name),
        mayReturn: () => false,
      },
      async prompt(to, id, note) {
        const told = await core().proactive.prompt(to, id, note);
        const again = log.notes.some((one) => one.id === told.id);
        const tokens = sayingsIn(note.text);
        if (!again) log.notes.push({ id: told.id, conversation: told.conversation, tokens, at: loop.now() });
        return told;
      },
      safeFetch: Object.assign(unused("fetching"), { refusal: unused("fetching") }),
      secret,
      pushUrl,
      chainName: (agent) => agent,
      reaches: () => true,
      inlineMs: plan.settings.inlineMs,
      random: pauses.float,
    });
    const giveUp = (caller: TaskCaller, task: string) =>
      hosted.settle(caller, task, (now) => (now.state === "input-required" ? near.forsaken(now) : undefined));
    all.set(process, { delegations, host, giveUp });
    process.onDeath(() => all.delete(process));
    return { delegations, host };
  }

  return {
    log,
    executions: near.executions,
    working: far.working,
    open,
    of(process) {
      const found = all.get(process);
      if (found === undefined) throw new TypeError(`${process.name} is not there`);
      return found;
    },
  };
}
