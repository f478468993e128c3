/**
 * Workflows on Dapr's own: one generic workflow goes through a program's steps, with Dapr's activities, timers and external events.
 *
 * The SDK speaks gRPC and is loaded when the first workflow begins here, or once there is one in the store; until then nothing of it
 * costs anything, and the sidecar hosts no workflows of this process.
 */
import type * as Dapr from "@dapr/dapr";
import type { DaprWorkflowClient, Task, WorkflowContext, WorkflowState } from "@dapr/dapr";
import { InfrastructureError, reasonOf } from "../../src/errors.ts";
import type { Clock, Log, Program, Records, WorkflowEvent, Workflows } from "../../src/ports.ts";

export interface WorkflowsOptions {
  /** host:port, or http(s)://host:port. */
  readonly grpcEndpoint: string;
  readonly apiToken: string | undefined;
  readonly records: Records;
  readonly clock: Clock;
  readonly log: Log;
}

export interface DaprWorkflows extends Workflows {
  /** Takes up what is under way. Resolves at once. */
  start(): void;
  stop(): Promise<void>;
}

type Sdk = typeof Dapr;
type Client = InstanceType<Sdk["DaprWorkflowClient"]>;

/** What an activity answers: the program's result, or that it has to be asked again. */
type Done = { readonly result: unknown } | { readonly again: true };

const usedKey = "workflows";
const lookEveryMs = 60_000;
/** The worker ends where it loses its sidecar; who starts it again finds out whether it has. Rarer while it ends at once. */
const revive = { firstMs: 2_000, mostMs: 30_000 } as const;
const callMs = 15_000;
const mostReads = 8;
const readAgainMs = 25;
const backoff = { firstMs: 1_000, mostMs: 300_000 } as const;
const activity = "effect";
const signalName = "signal";

export function createWorkflows(options: WorkflowsOptions): DaprWorkflows {
  const { records, clock, log } = options;
  let program: Program | undefined;
  let opened: Promise<Client> | undefined;
  let open = true;
  let sdk: Sdk | undefined;
  let cancelLook = (): void => undefined;
  let cancelRevive = (): void => undefined;
  const closing: (() => Promise<void>)[] = [];

  const opening = (): Promise<Client> => (opened ??= connect());

  async function connect(): Promise<Client> {
    try {
      sdk = await import("@dapr/dapr");
      silence(sdk, log);
      const client = new sdk.DaprWorkflowClient(placeOf(options));
      // The worker gives up for good where its first call finds nobody.
      await within(client.getWorkflowState("none", false), options.grpcEndpoint);
      closing.push(() => client.stop());
      startWorker(sdk);
      return client;
    } catch (error) {
      opened = undefined;
      throw error;
    }
  }

  function startWorker({ WorkflowRuntime }: Sdk): void {
    const of = program;
    if (of === undefined) throw new TypeError("no program is defined");
    const worker = new WorkflowRuntime(placeOf(options));
    worker.registerWorkflowWithName(of.name, (context: WorkflowContext, input: unknown) =>
      goThrough(of, context, input),
    );
    worker.registerActivityWithName(activity, (_context: unknown, effect: Parameters<Program["run"]>[0]) =>
      perform(of, effect),
    );
    const look = (waitMs: number): void => {
      worker.start().then(
        () => later(Math.min(waitMs * 2, revive.mostMs)),
        // It runs.
        () => later(revive.firstMs),
      );
    };
    const later = (waitMs: number): void => {
      if (open) cancelRevive = clock.after(waitMs, () => look(waitMs));
    };
    look(revive.firstMs / 2);
    closing.push(() => worker.stop());
  }

  async function perform(of: Program, effect: Parameters<Program["run"]>[0]): Promise<Done> {
    try {
      return { result: (await of.run(effect)) ?? null };
    } catch (error) {
      log.warn({ workflow: effect.workflow, reason: reasonOf(error) }, "an effect of a workflow is tried again");
      return { again: true };
    }
  }

  async function asked<Result>(call: (client: Client) => Promise<Result>): Promise<Result> {
    try {
      return await within(opening().then(call), options.grpcEndpoint);
    } catch (error) {
      if (error instanceof InfrastructureError || error instanceof TypeError) throw error;
      throw new InfrastructureError("The sidecar's workflows do not answer.", { cause: error });
    }
  }

  async function stateOf(client: DaprWorkflowClient, id: string): Promise<WorkflowState | undefined> {
    for (let tries = 1; ; tries++) {
      try {
        return await client.getWorkflowState(id, true);
      } catch (error) {
        if (isAbsent(error)) return undefined;
        // The sidecar reads a workflow key by key: one that moves on meanwhile it may find half written.
        if (tries === mostReads) throw error;
        await new Promise<void>((resolve) => clock.after(readAgainMs * tries, resolve));
      }
    }
  }

  function statusOf({ runtimeStatus }: WorkflowState): "running" | "paused" | "ended" {
    const all = sdk?.WorkflowRuntimeStatus;
    if (runtimeStatus === all?.SUSPENDED) return "paused";
    return runtimeStatus === all?.RUNNING || runtimeStatus === all?.PENDING || runtimeStatus === all?.CONTINUED_AS_NEW
      ? "running"
      : "ended";
  }

  /** False where there is none that takes anything. */
  const act = (id: string, change: (client: Client, status: "running" | "paused") => Promise<void>) =>
    asked(async (client) => {
      const state = await stateOf(client, id);
      const status = state === undefined ? "ended" : statusOf(state);
      if (status === "ended") return false;
      await change(client, status);
      return true;
    });

  async function untilStatus(client: Client, id: string, is: (status: string | undefined) => boolean): Promise<void> {
    for (let tries = 0; tries < 100; tries++) {
      const state = await stateOf(client, id);
      if (is(state && statusOf(state))) return;
      await new Promise<void>((resolve) => clock.after(100, resolve));
    }
    throw new InfrastructureError("a workflow has not changed in time");
  }

  function look(): void {
    if (!open || opened !== undefined || program === undefined) return;
    records
      .get(usedKey)
      .then((used) => (used === undefined ? undefined : opening()))
      .catch((error: unknown) => log.warn({ reason: reasonOf(error) }, "workflows are taken up later"))
      .finally(() => {
        if (open && opened === undefined) cancelLook = clock.after(lookEveryMs, look);
      });
  }

  return {
    define(given) {
      program = given;
    },
    begin: (id, input) =>
      asked(async (client) => {
        // Before there is one: who starts without knowing it looks for it.
        if ((await records.get(usedKey)) === undefined) await records.put(usedKey, { v: 1 });
        if ((await stateOf(client, id)) !== undefined) return;
        await client.scheduleNewWorkflow(program?.name ?? "", input ?? null, id);
      }),
    signal: (id, data) => act(id, (client) => client.raiseEvent(id, signalName, { data })),
    pause: (id) =>
      act(id, async (client, status) => {
        if (status === "paused") return;
        await client.suspendWorkflow(id);
        await untilStatus(client, id, (now) => now !== "running");
      }),
    resume: (id) =>
      act(id, async (client, status) => {
        if (status === "running") return;
        await client.resumeWorkflow(id);
        await untilStatus(client, id, (now) => now !== "paused");
      }),
    find: (id) =>
      asked(async (client) => {
        const state = await stateOf(client, id);
        if (state === undefined) return undefined;
        const { customStatus } = state;
        return { status: statusOf(state), state: parsed(customStatus) };
      }),
    remove: (id) =>
      asked(async (client) => {
        const state = await stateOf(client, id);
        if (state === undefined) return;
        if (statusOf(state) !== "ended") {
          await client.terminateWorkflow(id, null);
          await untilStatus(client, id, (now) => now === undefined || now === "ended");
        }
        await client.purgeWorkflow(id);
      }),
    start: look,
    async stop() {
      open = false;
      cancelLook();
      cancelRevive();
      await Promise.allSettled(closing.toReversed().map((close) => close()));
    },
  };
}

function placeOf({ grpcEndpoint, apiToken }: WorkflowsOptions) {
  const [, daprHost = "127.0.0.1", daprPort = "50001"] = /^(.*):(\d+)$/.exec(grpcEndpoint) ?? [];
  return { daprHost, daprPort, ...(apiToken === undefined ? {} : { daprApiToken: apiToken }) };
}

/** The one workflow. It is gone through again from its beginning whenever something has come. */
async function* goThrough(
  of: Program,
  context: WorkflowContext,
  input: unknown,
): AsyncGenerator<Task<unknown>, unknown> {
  const workflow = context.getWorkflowInstanceId();
  const now = () => context.getCurrentUtcDateTime().getTime();
  const under = new Map<Task<unknown>, (result: unknown) => WorkflowEvent | undefined>();

  const timer = (at: number, fired: () => WorkflowEvent | undefined) =>
    under.set(context.createTimer(new Date(Math.max(at, now()))), fired);

  function effect(key: string, data: unknown, tries: number): void {
    const asked = { workflow, key, data };
    under.set(context.callActivity(activity, asked), (given) => {
      const done = given as Done;
      if ("result" in done) return { kind: "result", key, result: done.result };
      const waitMs = Math.min(backoff.firstMs * 2 ** tries, backoff.mostMs);
      timer(now() + waitMs, () => {
        effect(key, data, tries + 1);
        return undefined;
      });
      return undefined;
    });
  }

  const hear = () =>
    under.set(context.waitForExternalEvent(signalName), (given) => {
      hear();
      return { kind: "signal", data: (given as { data: unknown }).data };
    });

  let step = of.begin(input, now());
  hear();
  for (;;) {
    for (const { key, data } of step.effects ?? []) effect(key, data, 0);
    for (const { key, at } of step.timers ?? []) timer(at, () => ({ kind: "timer", key }));
    context.setCustomStatus(JSON.stringify(step.state));
    if (step.done === true) return null;
    let event: WorkflowEvent | undefined;
    while (event === undefined) {
      const ended = (yield context.whenAny([...under.keys()])) as unknown as Task<unknown>;
      const after = under.get(ended);
      under.delete(ended);
      // An activity that nobody carried out is asked again.
      event = after?.(ended.isFailed ? { again: true } : ended.getResult());
    }
    step = of.next(step.state, event, now());
  }
}

async function within<Result>(call: Promise<Result>, endpoint: string): Promise<Result> {
  const late = Promise.withResolvers<never>();
  const timeout = setTimeout(
    () =>
      late.reject(
        new InfrastructureError(
          `No sidecar answers by gRPC at ${endpoint}: missions need it. Correct DAPR_GRPC_PORT or DAPR_GRPC_ENDPOINT.`,
        ),
      ),
    callMs,
  );
  try {
    return await Promise.race([call, late.promise]);
  } finally {
    clearTimeout(timeout);
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && /no such instance|not found|NOT_FOUND/i.test(error.message);
}

function parsed(json: string | undefined): unknown {
  if (json === undefined || json === "") return undefined;
  const value: unknown = JSON.parse(json);
  return typeof value === "string" ? JSON.parse(value) : value;
}

/** Its worker writes to the console, and takes no other log. */
function silence({ ConsoleLoggerService }: Sdk, log: Log): void {
  const nothing = (): void => undefined;
  const { prototype } = ConsoleLoggerService;
  Object.assign(prototype, { info: nothing, verbose: nothing, debug: nothing });
  const tell = () => log.debug({}, "the SDK of workflows complains: it tries again, or was told to stop");
  Object.assign(prototype, { warn: tell, error: tell });
}
