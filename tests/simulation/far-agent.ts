/**
 * A skilled agent somewhere else, which outlives every process: it has one task per message id, works on it as the plan says, and
 * tells of changes by push notifications, more than once or not at all.
 */
import type { Peer, PeerMessage, PeerTask } from "../../src/peers.ts";
import { unused } from "./keyed.ts";
import type { Process } from "./process.ts";
import { timeoutMs, workIn, type Told, type WorkLog } from "./work-log.ts";
import { copyOf, type World } from "./world.ts";

export interface FarAgent {
  peerOf(process: Process): Peer;
  /** Tasks that have not ended. */
  working(): string[];
  /** Calls `listener` when somebody is to be told of a change. */
  onPush(listener: (push: NonNullable<PeerMessage["push"]>) => void): void;
}

interface Row {
  readonly task: PeerTask & { readonly id: string };
  readonly told: Told;
  readonly context: string;
  readonly messages: Set<string>;
  push: PeerMessage["push"];
  readonly listeners: Set<() => void>;
}

const patienceMs = 10 * 60_000;

export function createFarAgent(world: World, log: WorkLog): FarAgent {
  const { loop, plan } = world;
  const rows = new Map<string, Row>();
  const pushed: ((push: NonNullable<PeerMessage["push"]>) => void)[] = [];

  const isOver = ({ task: { state } }: Row) => !["submitted", "working", "input-required"].includes(state);

  function change(row: Row, fields: Partial<PeerTask>): void {
    if (isOver(row)) return;
    Object.assign(row.task, fields);
    world.note("far", () => `${row.told.name} is ${row.task.state} ${row.task.said ?? ""}`);
    if (isOver(row)) row.told.endedAt = loop.now();
    for (const listener of row.listeners) listener();
    const { push } = row;
    if (push !== undefined) for (const listener of pushed) listener(push);
  }

  function say(row: Row, what: string): string {
    const words = `${row.told.name}${what}`;
    row.told.said.set(words, loop.now());
    return words;
  }

  function make(row: Row, id: string, text: string): PeerTask["artifacts"] {
    return [...row.task.artifacts, { id, parts: [{ kind: "text", text }] }];
  }

  function work(row: Row): void {
    const { takesMs, makes, asks, waits } = row.told.work;
    const later = (ms: number, task: () => void) => void loop.at(loop.now() + ms, () => !isOver(row) && task());
    change(row, { state: "working" });
    for (let n = 1; n <= makes; n++) {
      later((takesMs * n) / (2 * (makes + 1)), () =>
        change(row, { artifacts: make(row, `a${n}`, `${say(row, `a${n}`)}, done`) }),
      );
    }
    later(takesMs / 2, () => {
      if (waits) change(row, { dueAt: Math.floor(plan.epoch + loop.now() + takesMs / 2) });
      if (asks === undefined) return later(takesMs / 2, () => end(row));
      const said = `${say(row, "q")}, which?`;
      change(row, { state: "input-required", said, saidId: `q of ${row.task.id}` });
      later(patienceMs, () => change(row, { state: "failed", said: `${say(row, "e")}, given up` }));
    });
  }

  function end(row: Row): void {
    const { ends } = row.told.work;
    if (ends === "completes")
      change(row, { state: "completed", artifacts: make(row, "result", `${say(row, "e")}, done`) });
    if (ends === "fails") change(row, { state: "failed", said: `${say(row, "e")}, sorry` });
  }

  function take(message: PeerMessage): Row {
    const text = message.parts[0]?.kind === "text" ? message.parts[0].text : "";
    const known = message.task === undefined ? undefined : rows.get(message.task);
    const same = [...rows.values()].find(({ messages }) => messages.has(message.id));
    if (same !== undefined) return same;
    if (message.task !== undefined) {
      if (known === undefined) throw new world.subject.errors.InputError("there is no such task");
      if (isOver(known)) throw new world.subject.errors.InputError("the task has ended");
      known.messages.add(message.id);
      known.told.replies.push(text);
      if (known.task.state === "input-required") {
        const { said: _said, saidId: _saidId, ...rest } = known.task;
        for (const key of ["said", "saidId"] as const) Reflect.deleteProperty(known.task, key);
        change(known, { ...rest, state: "working" });
        loop.at(loop.now() + known.told.work.takesMs / 2, () => end(known));
      }
      return known;
    }
    const told = log.begin(workIn(text), message.id);
    const task = { id: `far-${rows.size + 1}`, state: "submitted" as const, artifacts: [] };
    const row: Row = {
      task,
      told,
      context: message.context,
      messages: new Set([message.id]),
      push: message.push,
      listeners: new Set(),
    };
    rows.set(task.id, row);
    loop.at(loop.now(), () => work(row));
    return row;
  }

  function peerOf(process: Process): Peer {
    const ask = <Result>(what: string, answer: () => Result) => process.perform("peer", what, () => copyOf(answer()));
    return {
      name: "far",
      local: false,
      timeoutMs,
      card: async () => ({
        title: "Far",
        description: "far away",
        skills: [],
        inputModes: ["text/plain"],
        outputModes: ["text/plain"],
        pushes: true,
        whole: false,
      }),
      send: (_caller, message) => ask(`send ${message.id}`, () => take(message).task),
      get: (_caller, task) => ask(`get ${task}`, () => rows.get(task)?.task),
      find: (_caller, { id, context }) =>
        ask(`find ${id}`, () => {
          const found = [...rows.values()].find((row) => row.context === context && row.messages.has(id));
          return found?.task.id;
        }),
      cancel: (_caller, task) =>
        ask(`cancel ${task}`, () => {
          const row = rows.get(task);
          if (row === undefined || isOver(row)) return;
          row.told.canceledAt = loop.now();
          change(row, { state: "canceled" });
        }),
      erase: unused("erasing"),
      async *listen(_caller, task, signal) {
        const row = rows.get(task);
        while (row !== undefined && !isOver(row) && !signal.aborted) {
          await new Promise<void>((resolve) => {
            const heard = () => {
              row.listeners.delete(heard);
              process.schedule(5, resolve);
            };
            row.listeners.add(heard);
            signal.addEventListener("abort", heard, { once: true });
          });
          yield {};
        }
      },
    };
  }

  const working = () =>
    [...rows.values()].flatMap((row) => (isOver(row) ? [] : [`${row.told.name} is ${row.task.state}`]));

  return { peerOf, working, onPush: (listener) => void pushed.push(listener) };
}
