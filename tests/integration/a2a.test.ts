/** The official client of the protocol against our server, in process and over HTTP. */
import { Role, TaskState, type Message, type StreamResponse, type Task } from "@a2a-js/sdk";
import {
  ClientFactory,
  ClientFactoryOptions,
  DefaultAgentCardResolver,
  JsonRpcTransportFactory,
  RestTransportFactory,
  type Client,
} from "@a2a-js/sdk/client";
import { verifyAgentCardSignature } from "@a2a-js/sdk";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import type { TaskOutcome } from "../../src/skilled.ts";
import { agentOf, apiKey, serveA2a, textOf, type Served } from "../services/a2a.ts";

const open: Served[] = [];
afterEach(async () => void (await Promise.all(open.splice(0).map((one) => one.close()))));

async function serve(given: Parameters<typeof serveA2a>[0]): Promise<Served> {
  const served = await serveA2a(given);
  open.push(served);
  return served;
}

const echo = agentOf(async (run, hooks): Promise<TaskOutcome> => {
  const text = textOf(run);
  if (text === "ask") return { kind: "input-required", question: "What?" };
  if (text === "wait") return { kind: "waiting", until: Date.now() + 60_000, said: "Later." };
  if (text === "hang")
    await new Promise((_, reject) => hooks.signal.addEventListener("abort", () => reject(new Error())));
  if (text === "make") {
    hooks.progress("making it");
    await hooks.artifact("first", [{ kind: "data", data: { n: 1 } }]);
    await sleep(30);
  }
  return { kind: "completed", parts: [{ kind: "text", text: `did ${text}` }] };
});

export const messageOf = (text: string, of: Partial<Message> = {}): Message => ({
  messageId: randomUUID(),
  contextId: "",
  taskId: "",
  role: Role.ROLE_USER,
  parts: [{ content: { $case: "text", value: text }, metadata: undefined, filename: "", mediaType: "" }],
  metadata: undefined,
  extensions: [],
  referenceTaskIds: [],
  ...of,
});
const sent = (text: string, of: Partial<Message> = {}, returnImmediately = false) => ({
  tenant: "",
  message: messageOf(text, of),
  configuration: { acceptedOutputModes: [], taskPushNotificationConfig: undefined, returnImmediately },
  metadata: undefined,
});

const transports = { "JSON-RPC": JsonRpcTransportFactory, "HTTP+JSON": RestTransportFactory };

async function clientOf(served: Served, transport: keyof typeof transports, key = apiKey): Promise<Client> {
  const fetchImpl: typeof fetch = (input, init) => {
    const request = new Request(input, init);
    request.headers.set("authorization", `Bearer ${key}`);
    return served.url.startsWith("http://127") ? fetch(request) : served.a2a.handle(request);
  };
  const options = ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
    transports: [new transports[transport]({ fetchImpl })],
    preferredTransports: [transport === "JSON-RPC" ? "JSONRPC" : "HTTP+JSON"],
    cardResolver: new DefaultAgentCardResolver({ fetchImpl }),
  });
  return new ClientFactory(options).createFromUrl(served.url, "/a2a/tester/.well-known/agent-card.json");
}

const textsOf = (task: Task) =>
  task.artifacts.flatMap(({ parts }) =>
    parts.flatMap(({ content }) => (content?.$case === "text" ? [content.value] : [])),
  );

async function gather(stream: AsyncIterable<StreamResponse>): Promise<StreamResponse[]> {
  const all: StreamResponse[] = [];
  for await (const one of stream) all.push(one);
  return all;
}

describe.each([
  { transport: "JSON-RPC", listen: false },
  { transport: "JSON-RPC", listen: true },
  { transport: "HTTP+JSON", listen: true },
] as const)("the official client by $transport, over HTTP: $listen", ({ transport, listen }) => {
  test("a message is answered with its task, done", async () => {
    const client = await clientOf(await serve({ agents: [echo], listen }), transport);
    const task = (await client.sendMessage(sent("this"))) as Task;
    expect(task.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
    expect(textsOf(task)).toEqual(["did this"]);
    expect(task.history).toHaveLength(1);
    expect((await client.getTask({ tenant: "", id: task.id })).id).toBe(task.id);
  });

  test("a stream tells what is made as it is made", async () => {
    const client = await clientOf(await serve({ agents: [echo], listen }), transport);
    const all = await gather(client.sendMessageStream(sent("make")));
    const cases = all.map(({ payload }) => payload?.$case);
    expect(cases[0]).toBe("task");
    expect(cases.filter((one) => one === "artifactUpdate")).toHaveLength(2);
    const last = all.at(-1)?.payload;
    expect(last?.$case === "statusUpdate" && last.value.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
  });
});
