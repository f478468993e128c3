/**
 * Workflows as records and jobs: a row with the program's state, the effects that are under way and the events that it has not been
 * told. A row and its job are written in one commit, so that whatever is owed is found again after a crash.
 */
import { z } from "zod";
import { createInOrder } from "../../src/in-order.ts";
import type { Clock, Jobs, Program, Records, WorkflowEvent, Workflows, WorkflowStep } from "../../src/ports.ts";

const prefix = "workflow:";
/** How long one that has ended is known. */
const endedMs = 8 * 24 * 3_600_000;

const row = z.object({
  v: z.literal(1),
  program: z.string(),
  status: z.enum(["running", "paused", "ended"]),
  state: z.unknown(),
  effects: z.array(z.object({ key: z.string(), data: z.unknown() })),
  timers: z.array(z.object({ key: z.string(), at: z.number() })),
  /** What the program is to be told next, in this order. */
  events: z.array(z.custom<WorkflowEvent>((value) => typeof value === "object" && value !== null)),
});
type Row = z.infer<typeof row>;

export interface EmbeddedWorkflows extends Workflows {
  /** A job of this name is due. False where it is no workflow's. */
  run(job: string): Promise<boolean>;
}

export interface WorkflowsOptions {
  readonly records: Records;
  readonly jobs: Pick<Jobs, "schedule" | "cancel">;
  readonly clock: Clock;
}

export function createWorkflows({ records, jobs, clock }: WorkflowsOptions): EmbeddedWorkflows {
  let program: Program | undefined;
  /** Nobody else has the data: changes of a row that are made one after the other never collide. */
  const inOrder = createInOrder();

  async function load(id: string) {
    const found = await records.get(`${prefix}${id}`);
    return found && row.parse(found.value);
  }

  /** In one tick, which is one commit. */
  async function write(id: string, value: Row): Promise<void> {
    const name = `${prefix}${id}`;
    const next = nextOf(value, clock.now());
    const ttl = value.status === "ended" ? { ttlMs: endedMs } : {};
    await Promise.all([
      records.put(name, value, ttl),
      next === undefined ? jobs.cancel(name) : jobs.schedule(name, { dueAt: next }, null),
    ]);
  }

  /** @param next undefined: nothing is to be written. False where there is none, or it has ended. */
  function change(id: string, next: (of: Row) => Row | undefined): Promise<boolean> {
    return inOrder.run(id, async () => {
      const found = await load(id);
      if (found === undefined || found.status === "ended") return false;
      const value = next(found);
      if (value !== undefined) await write(id, value);
      return true;
    });
  }

  /** Tells the program what there is, all of it in one write. False where there is nothing. */
  async function tell(id: string, of: Program): Promise<boolean> {
    let told = false;
    await change(id, (now) => {
      const due = now.timers.filter(({ at }) => at <= clock.now());
      const events = [...now.events, ...due.map(({ key }): WorkflowEvent => ({ kind: "timer", key }))];
      told = now.status === "running" && events.length > 0;
      if (!told) return undefined;
      const before: Row = { ...now, events: [], timers: now.timers.filter((timer) => !due.includes(timer)) };
      return events.reduce(
        (at, event) => (at.status === "ended" ? at : after(at, of.next(at.state, event, clock.now()))),
        before,
      );
    });
    return told;
  }

  async function perform(id: string, of: Program, effect: Row["effects"][number]): Promise<void> {
    const { key, data } = effect;
    const result = (await of.run({ workflow: id, key, data })) ?? null;
    await change(id, (now) => {
      if (!now.effects.some((one) => one.key === key)) return undefined;
      const effects = now.effects.filter((one) => one.key !== key);
      return { ...now, effects, events: [...now.events, { kind: "result", key, result }] };
    });
  }

  async function work(id: string): Promise<void> {
    for (;;) {
      const found = await load(id);
      if (found === undefined || found.status === "ended") return jobs.cancel(`${prefix}${id}`);
      if (program?.name !== found.program) throw new Error(`nothing here goes on with a workflow of ${found.program}`);
      if (await tell(id, program)) continue;
      const { effects } = found;
      if (effects.length === 0) return;
      const of = program;
      const ends = await Promise.allSettled(effects.map((effect) => perform(id, of, effect)));
      const failed = ends.find((end) => end.status === "rejected");
      // The job comes back to it; what else was done is written.
      if (failed !== undefined) throw failed.reason;
    }
  }

  return {
    define(given) {
      program = given;
    },
    begin: (id, input) =>
      inOrder.run(id, async () => {
        if (program === undefined) throw new TypeError("no program is defined");
        if ((await load(id)) !== undefined) return;
        const fresh = { v: 1, program: program.name, status: "running", state: null } as const;
        const step = program.begin(input, clock.now());
        await write(id, after({ ...fresh, effects: [], timers: [], events: [] }, step));
      }),
    signal: (id, data) => change(id, (now) => ({ ...now, events: [...now.events, { kind: "signal", data }] })),
    pause: (id) => change(id, (now) => (now.status === "paused" ? undefined : { ...now, status: "paused" })),
    resume: (id) => change(id, (now) => (now.status === "running" ? undefined : { ...now, status: "running" })),
    async find(id) {
      const found = await load(id);
      return found && { status: found.status, state: found.state };
    },
    remove: (id) =>
      inOrder.run(id, async () => {
        await Promise.all([records.remove(`${prefix}${id}`), jobs.cancel(`${prefix}${id}`)]);
      }),
    async run(job) {
      if (!job.startsWith(prefix)) return false;
      await work(job.slice(prefix.length));
      return true;
    },
  };
}

function after(before: Row, { state, effects = [], timers = [], done = false }: WorkflowStep): Row {
  if (done) return { ...before, state, status: "ended", effects: [], timers: [], events: [] };
  return { ...before, state, effects: [...before.effects, ...effects], timers: [...before.timers, ...timers] };
}

/** When it is to be looked at; undefined: when something comes. */
function nextOf({ status, effects, timers, events }: Row, now: number): number | undefined {
  if (status === "ended") return undefined;
  if (effects.length > 0) return now;
  if (status === "paused") return undefined;
  return events.length > 0
    ? now
    : timers.reduce<number | undefined>((least, { at }) => Math.min(least ?? at, at), undefined);
}
