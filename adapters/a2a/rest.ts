/** The HTTP+JSON transport, protocol 1.0: the SDK's codecs on web-standard requests, since its own handler is Express's. */
import {
  A2A_CONTENT_TYPE,
  AgentCard,
  CancelTaskRequest,
  GetTaskRequest,
  ListTaskPushNotificationConfigsResponse,
  ListTasksRequest,
  ListTasksResponse,
  SendMessageRequest,
  SendMessageResponse,
  StreamResponse,
  Task,
  TaskPushNotificationConfig,
} from "@a2a-js/sdk";
import { RequestMalformedError, restStatusFor, toRestErrorBody } from "@a2a-js/sdk/errors";
import { validateVersion, type A2ARequestHandler, type ServerCallContext } from "@a2a-js/sdk/server";
import type { Clock } from "../../src/ports.ts";
import { versionOf, type Asked } from "./rpc.ts";
import { eventHeaders, eventStream } from "./sse.ts";

interface Call {
  readonly body: Record<string, unknown>;
  readonly query: Readonly<Record<string, string>>;
  readonly context: ServerCallContext;
  readonly ids: readonly string[];
}
type Answered = { readonly json: unknown; readonly status?: number } | AsyncGenerator<StreamResponse, void, undefined>;
type Operation = (handler: A2ARequestHandler, call: Call) => Promise<Answered>;

const wholeNumbers = (query: Call["query"], ...names: readonly string[]) =>
  Object.fromEntries(
    names.flatMap((name) => {
      const given = query[name];
      if (given === undefined || given === "") return [];
      if (!/^\d{1,9}$/.test(given)) throw new RequestMalformedError(`${name} must be a whole number.`);
      return [[name, Number(given)]];
    }),
  );

/** By method, and by the path behind the agent's own. @see A2A 1.0, section 11.3 */
const operations: readonly (readonly [method: string, path: RegExp, operation: Operation])[] = [
  [
    "POST",
    /^\/message:send$/,
    async (handler, { body, context }) => {
      const result = await handler.sendMessage(SendMessageRequest.fromJSON(body), context);
      const payload =
        "messageId" in result
          ? ({ $case: "message", value: result } as const)
          : ({ $case: "task", value: result } as const);
      return { json: SendMessageResponse.toJSON({ payload }) };
    },
  ],
  [
    "POST",
    /^\/message:stream$/,
    async (handler, { body, context }) => handler.sendMessageStream(SendMessageRequest.fromJSON(body), context),
  ],
  [
    "GET",
    /^\/tasks$/,
    async (handler, { query, context }) => {
      const numbers = wholeNumbers(query, "pageSize", "historyLength");
      const includeArtifacts = query["includeArtifacts"] === "true";
      const asked = ListTasksRequest.fromJSON({ ...query, ...numbers, includeArtifacts });
      const page = await handler.listTasks(asked, context);
      const { tasks, nextPageToken, pageSize, totalSize } = page;
      const json = ListTasksResponse.toJSON(page) as { tasks?: unknown };
      return { json: { ...json, tasks: json.tasks ?? tasks, nextPageToken, pageSize, totalSize } };
    },
  ],
  [
    "GET",
    /^\/tasks\/([^/:]+)$/,
    async (handler, { ids: [id], query, context }) => {
      const asked = GetTaskRequest.fromJSON({ id, ...wholeNumbers(query, "historyLength") });
      return { json: Task.toJSON(await handler.getTask(asked, context)) };
    },
  ],
  [
    "POST",
    /^\/tasks\/([^/:]+):cancel$/,
    async (handler, { ids: [id], context }) => ({
      json: Task.toJSON(await handler.cancelTask(CancelTaskRequest.fromJSON({ id }), context)),
    }),
  ],
  ...["GET", "POST"].map((method): (typeof operations)[number] => [
    method,
    /^\/tasks\/([^/:]+):subscribe$/,
    async (handler, { ids: [id = ""], context }) => handler.resubscribe({ id, tenant: "" }, context),
  ]),
  [
    "POST",
    /^\/tasks\/([^/:]+)\/pushNotificationConfigs$/,
    async (handler, { ids: [taskId], body, context }) => {
      const config = TaskPushNotificationConfig.fromJSON({ ...body, taskId });
      const made = await handler.createTaskPushNotificationConfig(config, context);
      return { json: TaskPushNotificationConfig.toJSON(made), status: 201 };
    },
  ],
  [
    "GET",
    /^\/tasks\/([^/:]+)\/pushNotificationConfigs$/,
    async (handler, { ids: [taskId = ""], context }) => {
      const asked = { taskId, tenant: "", pageSize: 0, pageToken: "" };
      const listed = await handler.listTaskPushNotificationConfigs(asked, context);
      return { json: ListTaskPushNotificationConfigsResponse.toJSON(listed) };
    },
  ],
  [
    "GET",
    /^\/tasks\/([^/:]+)\/pushNotificationConfigs\/([^/]+)$/,
    async (handler, { ids: [taskId = "", id = ""], context }) => {
      const found = await handler.getTaskPushNotificationConfig({ taskId, id, tenant: "" }, context);
      return { json: TaskPushNotificationConfig.toJSON(found) };
    },
  ],
  [
    "DELETE",
    /^\/tasks\/([^/:]+)\/pushNotificationConfigs\/([^/]+)$/,
    async (handler, { ids: [taskId = "", id = ""], context }) => {
      await handler.deleteTaskPushNotificationConfig({ taskId, id, tenant: "" }, context);
      return { json: undefined, status: 204 };
    },
  ],
  [
    "GET",
    /^\/extendedAgentCard$/,
    async (handler, { context }) => ({
      json: AgentCard.toJSON(await handler.getAuthenticatedExtendedAgentCard({ tenant: "" }, context)),
    }),
  ],
];

export const isRest = (method: string, path: string): boolean =>
  operations.some(([of, pattern]) => of === method && pattern.test(path));

export function createRest(handler: A2ARequestHandler, clock: Clock) {
  /** @param path that {@link isRest} knows. */
  return async function answer(path: string, { request, body, context, gone }: Asked): Promise<Response> {
    const failure = (error: unknown) => toRestErrorBody(error, restStatusFor(error));
    const refused = (error: unknown) =>
      Response.json(failure(error), { status: restStatusFor(error), headers: { "content-type": A2A_CONTENT_TYPE } });
    const [, pattern, operation] = operations.find(([of, one]) => of === request.method && one.test(path)) ?? [];
    try {
      if (pattern === undefined || operation === undefined)
        throw new RequestMalformedError("There is no such operation.");
      validateVersion(versionOf(request), await handler.getAgentCard(), "HTTP+JSON");
      const ids = (pattern.exec(path) ?? []).slice(1).map(decoded);
      const query = Object.fromEntries(new URL(request.url).searchParams);
      const answered = await operation(handler, { body, query, context, ids });
      if ("json" in answered) {
        const { json, status = 200 } = answered;
        if (status === 204) return new Response(null, { status });
        return Response.json(json, { status, headers: { "content-type": A2A_CONTENT_TYPE } });
      }
      const first = await answered.next();
      const events = jsonOf(answered);
      const told = first.done === true ? first : { done: false, value: StreamResponse.toJSON(first.value) };
      return new Response(eventStream(told, events, { clock, gone, failure }), { headers: eventHeaders });
    } catch (error) {
      gone();
      return refused(
        error instanceof TypeError ? new RequestMalformedError("The body does not have its form.") : error,
      );
    }
  };
}

async function* jsonOf(events: AsyncGenerator<StreamResponse, void, undefined>) {
  for await (const event of events) yield StreamResponse.toJSON(event);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
