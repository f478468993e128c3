/** The protocol's operations on one agent's tasks, for whichever transport. Only errors that are fit to be shown leave it. */
import type { StreamResponse, SendMessageRequest, AgentCard } from "@a2a-js/sdk";
import { Role } from "@a2a-js/sdk";
import {
  A2AError,
  RequestMalformedError,
  TaskNotCancelableError,
  TaskNotFoundError,
  UnsupportedOperationError,
} from "@a2a-js/sdk/errors";
import type { A2ARequestHandler, ServerCallContext } from "@a2a-js/sdk/server";
import { checkChain, readChain } from "../../src/chain.ts";
import { InfrastructureError, InputError, reasonOf } from "../../src/errors.ts";
import type { Clock, Log } from "../../src/ports.ts";
import type { TaskCaller } from "../../src/skilled.ts";
import { isSettled, type Task, type TaskPush, type Tasks } from "../../src/tasks.ts";
import { callerOf } from "./context.ts";
import { personExtension } from "./extensions.ts";
import { configOf, pushOf, stateOf, type Wire } from "./wire.ts";

export interface HandlerParts {
  readonly tasks: Tasks;
  readonly wire: Wire;
  readonly clock: Clock;
  readonly log: Log;
  /** What the agent is called in chains. */
  readonly own: string;
  readonly newId: () => string;
  readonly waitMs: number;
  readonly streamMs: number;
  readonly card: (extended: boolean) => Promise<AgentCard>;
  /** Streams of one caller. @returns what ends it; undefined where there are too many. */
  readonly enter: (caller: string) => (() => void) | undefined;
}

const mostPage = 100;
const usualPage = 50;

export function createHandler(parts: HandlerParts): A2ARequestHandler {
  const { tasks, wire, clock, log, own, newId, waitMs, streamMs, card } = parts;
  const { profile } = tasks;

  /** Hides what nobody outside may read. */
  async function shown<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      throw shownError(error, log, profile.name);
    }
  }

  async function begin(params: SendMessageRequest, context: ServerCallContext): Promise<Task> {
    const { message } = params;
    if (message === undefined) throw new RequestMalformedError("message is missing.");
    if (message.messageId === "")
      throw new RequestMalformedError("message.messageId is missing: give each message its own.");
    if (message.role !== Role.ROLE_USER) throw new RequestMalformedError('message.role must be "ROLE_USER".');
    const chain = readChain(message.metadata ?? params.metadata);
    checkChain(chain, own);
    const { caller } = callerOf(context);
    const given = params.configuration?.taskPushNotificationConfig;
    const push = given === undefined ? undefined : pushOf(given, context.requestedVersion, newId);
    const told = {
      id: message.messageId,
      parts: await wire.parts(message, profile, caller),
      ...(message.taskId !== "" && { task: message.taskId }),
      ...(message.contextId !== "" && { context: message.contextId }),
      ...(chain.length > 0 && { chain }),
      ...personOf(message.metadata),
    };
    return tasks.send(caller, told, push);
  }

  /** Settled, or as it is when there is nothing to wait for, or the time is over. */
  async function waitFor(first: Task, caller: TaskCaller, signal: AbortSignal): Promise<Task> {
    let last = first;
    const until = clock.now() + waitMs;
    const events = await tasks.watch(caller, first.id, { signal, mostMs: waitMs });
    if (events === undefined) return last;
    for await (const { task } of events) {
      last = task;
      if (task.dueAt !== undefined && task.dueAt > until) break;
    }
    return last;
  }

  async function* stream(id: string, context: ServerCallContext): AsyncGenerator<StreamResponse, void, undefined> {
    const { caller, signal } = callerOf(context);
    const leave = parts.enter(`${caller.tenant}:${caller.id}`);
    if (leave === undefined)
      throw new RequestMalformedError("Too many streams of this caller are open: end some first.");
    try {
      const events = await shown(() => tasks.watch(caller, id, { signal, mostMs: streamMs }));
      if (events === undefined) throw new TaskNotFoundError();
      let before: Task | undefined;
      for await (const event of shownAll(events, log, profile.name)) {
        if (before === undefined) yield { payload: { $case: "task", value: await wire.task(event.task) } };
        else yield* await wire.updates(event, before);
        before = event.task;
      }
    } finally {
      leave();
    }
  }

  const found = <Found>(value: Found | undefined): Found => {
    if (value === undefined) throw new TaskNotFoundError();
    return value;
  };
  const pushNamed = (all: readonly TaskPush[], id: string) => found(all.find((one) => one.id === id));

  return {
    getAgentCard: () => card(false),
    getAuthenticatedExtendedAgentCard: () => card(true),
    sendMessage: (params, context) =>
      shown(async () => {
        const task = await begin(params, context);
        const { caller, signal } = callerOf(context);
        const atOnce = params.configuration?.returnImmediately === true || isSettled(task);
        const now = atOnce ? task : await waitFor(task, caller, signal);
        return wire.task(now, { historyLength: params.configuration?.historyLength });
      }),
    async *sendMessageStream(params, context) {
      const { id } = await shown(() => begin(params, context));
      yield* stream(id, context);
    },
    async *resubscribe({ id }, context) {
      const { caller } = callerOf(context);
      const task = found(await shown(() => tasks.get(caller, id)));
      if (isSettled(task) && task.state !== "input-required")
        throw new UnsupportedOperationError(`The task is ${task.state} already: get it.`);
      yield* stream(id, context);
    },
    getTask: ({ id, historyLength }, context) =>
      shown(async () => wire.task(found(await tasks.get(callerOf(context).caller, id)), { historyLength })),
    listTasks: (params, context) =>
      shown(async () => {
        const { contextId, status, pageSize = usualPage, pageToken, statusTimestampAfter, historyLength } = params;
        if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > mostPage)
          throw new RequestMalformedError(`pageSize must be 1 to ${mostPage}.`);
        const changedAfter = timeOf(statusTimestampAfter);
        const page = await tasks.list(callerOf(context).caller, {
          context: contextId === "" ? undefined : contextId,
          state: stateOf(status),
          changedAfter,
          limit: pageSize,
          after: pageToken === "" ? undefined : pageToken,
        });
        const options = { historyLength: historyLength ?? 0, artifacts: params.includeArtifacts === true };
        const wired = [];
        for (const task of page.tasks) wired.push(await wire.task(task, options));
        return { tasks: wired, nextPageToken: page.next ?? "", pageSize, totalSize: page.total };
      }),
    cancelTask: ({ id }, context) =>
      shown(async () => {
        const { caller } = callerOf(context);
        try {
          return await wire.task(found(await tasks.cancel(caller, id)));
        } catch (error) {
          if (error instanceof InputError && error.status === 409) throw new TaskNotCancelableError(error.message);
          throw error;
        }
      }),
    createTaskPushNotificationConfig: (config, context) =>
      shown(async () => {
        const push = pushOf(config, context.requestedVersion, newId);
        return configOf(config.taskId, found(await tasks.addPush(callerOf(context).caller, config.taskId, push)));
      }),
    getTaskPushNotificationConfig: ({ taskId, id }, context) =>
      shown(async () => configOf(taskId, pushNamed(found(await tasks.pushes(callerOf(context).caller, taskId)), id))),
    listTaskPushNotificationConfigs: ({ taskId }, context) =>
      shown(async () => {
        const all = found(await tasks.pushes(callerOf(context).caller, taskId));
        return { configs: all.map((one) => configOf(taskId, one)), nextPageToken: "" };
      }),
    deleteTaskPushNotificationConfig: ({ taskId, id }, context) =>
      shown(async () => {
        if (!(await tasks.removePush(callerOf(context).caller, taskId, id))) throw new TaskNotFoundError();
      }),
  };
}

async function* shownAll<One>(events: AsyncIterable<One>, log: Log, agent: string): AsyncGenerator<One> {
  try {
    yield* events;
  } catch (error) {
    throw shownError(error, log, agent);
  }
}

const notNow = "This cannot be taken right now: try again.";
const failedHere = "The agent's server failed here; its log has the cause.";
/** All that is said of what is no caller's doing. */
export const shownFailures: readonly string[] = [notNow, failedHere];

function shownError(error: unknown, log: Log, agent: string): A2AError {
  if (error instanceof A2AError) return error;
  if (error instanceof InputError) {
    if (error.status === 404) return new TaskNotFoundError();
    if (error.status === 409) return new UnsupportedOperationError(error.message);
    return new RequestMalformedError(error.message);
  }
  if (error instanceof InfrastructureError) {
    log.warn({ agent, reason: reasonOf(error) }, "a2a: refused for now");
    return new A2AError(notNow);
  }
  log.error({ agent, reason: reasonOf(error) }, "a2a: a call failed");
  return new A2AError(failedHere);
}

function timeOf(given: string | undefined): number | undefined {
  if (given === undefined || given === "") return undefined;
  const at = Date.parse(given);
  if (Number.isNaN(at)) throw new RequestMalformedError("statusTimestampAfter must be a time in ISO 8601.");
  return at;
}

function personOf(metadata: Readonly<Record<string, unknown>> | undefined) {
  const given = metadata?.[personExtension];
  if (typeof given !== "object" || given === null) return {};
  const { locale, timeZone } = given as Record<string, unknown>;
  const fits = (one: unknown): one is string => typeof one === "string" && /^[\w/+-]{1,64}$/.test(one);
  return { ...(fits(locale) && { locale }), ...(fits(timeZone) && { timeZone }) };
}
