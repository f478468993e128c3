/** A skilled agent inside the gateway: its tasks are kept and run by the real host, its work is as the plan says. */
import type { Peer, PeerTask } from "../../src/peers.ts";
import type { SkilledAgent, TaskCaller, TaskHooks, TaskOutcome, TaskRun } from "../../src/skilled.ts";
import type { HostedTasks } from "../../src/task-host.ts";
import type { Task } from "../../src/tasks.ts";
import { unused } from "./keyed.ts";
import type { Process } from "./process.ts";
import { timeoutMs, workIn, type Told, type WorkLog } from "./work-log.ts";
import type { World } from "./world.ts";

/** One run of one of its tasks. */
export interface Execution {
  readonly task: string;
  readonly name: string;
  readonly process: Process;
  readonly startedAt: number;
  overAt?: number;
}

export interface NearAgent {
  readonly executions: readonly Execution[];
  agentOf(process: Process): SkilledAgent;
  /** Calls `listener` when a task has waited for its caller's answer for long. */
  onForsaken(listener: (caller: TaskCaller, task: string) => void): void;
  /** How the task of one who does not come back ends. */
  forsaken(task: Task): Pick<Task, "state" | "messages" | "artifacts" | "said">;
}

const profile = {
  name: "near",
  title: "Near",
  description: "in the gateway",
  version: "1",
  skills: [],
  inputModes: ["text/plain"],
  outputModes: ["text/plain"],
};
const patienceMs = 10 * 60_000;

const textsOf = (run: Pick<TaskRun, "messages">): string[] =>
  run.messages.flatMap(({ role, parts }) =>
    role === "user" ? parts.flatMap((part) => (part.kind === "text" ? [part.text] : [])) : [],
  );

export function createNearAgent(world: World, log: WorkLog): NearAgent {
  const { loop, subject } = world;
  const executions: Execution[] = [];
  const forsaken: ((caller: TaskCaller, task: string) => void)[] = [];
  const tasks = new Map<string, Told>();
  const runs = new Map<string, number>();

  function toldOf(id: string, run: Pick<TaskRun, "messages">): Told {
    let told = tasks.get(id);
    if (told === undefined) {
      told = log.begin(workIn(textsOf(run)[0] ?? ""), run.messages[0]?.id ?? "");
      tasks.set(id, told);
    }
    return told;
  }

  function say({ name, said }: Told, what: string): string {
    const words = `${name}${what}`;
    if (!said.has(words)) said.set(words, loop.now());
    return words;
  }

  async function work(process: Process, run: TaskRun, { signal, artifact }: TaskHooks): Promise<TaskOutcome> {
    const told = toldOf(run.task, run);
    const { takesMs, makes, asks, waits, breaks, ends } = told.work;
    const count = (runs.get(run.task) ?? 0) + 1;
    runs.set(run.task, count);
    const replies = textsOf(run).slice(1);
    told.replies.splice(0, Infinity, ...replies);
    await sleep(process, takesMs / 2, signal);
    if (count <= breaks) throw new subject.errors.RetryableError("the agent has a bug");
    for (let n = 1; n <= makes; n++) {
      await artifact(`a${n}`, [{ kind: "text", text: `${say(told, `a${n}`)}, done` }]);
    }
    if (asks !== undefined && replies.length === 0) {
      const { caller, task } = run;
      loop.at(loop.now() + patienceMs, () => forsaken.forEach((listener) => listener(caller, task)));
      return { kind: "input-required", question: `${say(told, "q")}, which?` };
    }
    if (waits && run.because !== "due") return { kind: "waiting", until: process.clock.now() + takesMs / 2 };
    await sleep(process, ends === "hangs" ? undefined : waits ? 0 : takesMs / 2, signal);
    if (ends === "fails") return { kind: "failed", reason: `${say(told, "e")}, sorry` };
    return { kind: "completed", parts: [{ kind: "text", text: `${say(told, "e")}, done` }] };
  }

  return {
    executions,
    agentOf: (process) => ({
      profile,
      async execute(run, hooks) {
        const one: Execution = { task: run.task, name: toldOf(run.task, run).name, process, startedAt: loop.now() };
        executions.push(one);
        const over = () => (one.overAt ??= loop.now());
        hooks.signal.addEventListener("abort", over, { once: true });
        world.note(process.name, () => `near works on ${one.name}, because ${run.because}`);
        return work(process, run, hooks).finally(over);
      },
    }),
    onForsaken: (listener) => void forsaken.push(listener),
    forsaken({ id, messages, artifacts }) {
      const told = tasks.get(id);
      const text = told === undefined ? "" : `${say(told, "e")}, given up`;
      const said = { id: `given up ${id}`, role: "agent" as const, parts: [{ kind: "text" as const, text }] };
      return { state: "failed", messages, artifacts, said };
    },
  };
}

/** @param ms undefined: until it is aborted. */
function sleep(process: Process, ms: number | undefined, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      cancel();
      reject(signal.reason as Error);
    };
    if (signal.aborted) return reject(signal.reason as Error);
    const wake = () => {
      signal.removeEventListener("abort", abort);
      resolve();
    };
    const cancel = ms === undefined ? () => undefined : process.schedule(ms, wake);
    signal.addEventListener("abort", abort, { once: true });
  });
}

/** As the protocol's server and client bring its tasks to who asks. */
export function nearPeer(tasks: HostedTasks, { InputError }: World["subject"]["errors"]): Peer {
  const push = ({ url, token }: { readonly url: string; readonly token: string }) => ({
    id: "push",
    url,
    token,
    wire: "1.0",
  });
  return {
    name: "near",
    local: true,
    timeoutMs,
    card: async () => ({ ...profile, pushes: true, whole: true }),
    async send(caller, { id, task, context, parts, chain, push: to }) {
      const texts = parts.flatMap((part) => (part.kind === "text" ? [part] : []));
      const told = { id, task, context, chain, parts: texts };
      return peerTaskOf(await tasks.send(caller, told, to === undefined ? undefined : push(to)));
    },
    async get(caller, id) {
      const found = await tasks.get(caller, id);
      return found && peerTaskOf(found);
    },
    async find(caller, { id, context }) {
      const { tasks: found } = await tasks.list(caller, { context, limit: 50 });
      return found.find(({ messages }) => messages.some((message) => message.id === id))?.id;
    },
    async cancel(caller, id) {
      try {
        await tasks.cancel(caller, id);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
      }
    },
    erase: unused("erasing"),
    async *listen(caller, id, signal) {
      const events = await tasks.watch(caller, id, { signal, mostMs: 30 * 60_000 });
      for await (const { progress } of events ?? []) yield progress === undefined ? {} : { progress };
    },
  };
}

function peerTaskOf({ id, state, said, artifacts, dueAt }: Task): PeerTask {
  const words = said?.parts.flatMap((part) => (part.kind === "text" ? [part.text] : [])).join("\n");
  return {
    id,
    state,
    ...(words !== undefined && { said: words }),
    ...(said !== undefined && { saidId: said.id }),
    artifacts: artifacts.map((one) => ({
      id: one.id,
      parts: one.parts.flatMap((part) => (part.kind === "text" ? [part] : [])),
    })),
    ...(dueAt !== undefined && { dueAt }),
  };
}
