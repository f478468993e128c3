/** The official client of the protocol against our server, in process and over HTTP. */
import { TaskState, verifyAgentCardSignature, type Task } from "@a2a-js/sdk";
import { createHash, createPublicKey, verify, type JsonWebKey } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { internalHeaders } from "../../adapters/a2a/callers.ts";
import type { TaskOutcome } from "../../src/skilled.ts";
import { listen, readBody, type Listening } from "../fakes/http.ts";
import { agentOf, apiKey, secret, serveA2a, textOf, type Served } from "../services/a2a.ts";
import { a2aClient, gather, messageOf, requestOf, saidOf, textsOf, type Transport } from "../services/a2a-client.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => void (await Promise.all(open.splice(0).map((one) => one.close()))));

async function serve(given: Partial<Parameters<typeof serveA2a>[0]> = {}): Promise<Served> {
  const served = await serveA2a({ agents: [tester], grpc: true, ...given });
  open.push(served);
  return served;
}

const tester = agentOf(async (run, hooks): Promise<TaskOutcome> => {
  const text = textOf(run);
  if (text === "ask") return { kind: "input-required", question: "What?" };
  if (text === "wait") return { kind: "waiting", until: Date.now() + 3_600_000, said: "Later." };
  if (text === "reject") return { kind: "rejected", reason: "Not my business." };
  if (text === "hang")
    await new Promise((_, reject) => hooks.signal.addEventListener("abort", () => reject(new Error("aborted"))));
  if (text === "make") {
    hooks.progress("making it");
    await hooks.artifact("first", [{ kind: "data", data: { n: 1 } }]);
    await sleep(50);
  }
  const files = run.messages.flatMap(({ parts }) => parts.filter(({ kind }) => kind === "file"));
  return { kind: "completed", parts: [{ kind: "text", text: `did ${text}` }, ...files] };
});

const bearer = { authorization: `Bearer ${apiKey}` };

function clientOf(served: Served, transport: Transport = "JSON-RPC", headers: Record<string, string> = bearer) {
  const inProcess = served.url.startsWith("http://127") ? {} : { handle: served.a2a.handle };
  return a2aClient({ url: served.url, agent: "tester", headers, transport, ...inProcess });
}

const configOf = (url: string, token: string) => ({
  tenant: "",
  id: "",
  taskId: "",
  url,
  token,
  authentication: undefined,
});

/** Keeps what it is told; refuses as often as asked. */
async function receiver(refusals = 0) {
  const got: { headers: Record<string, string>; body: string }[] = [];
  const server: Listening = await listen((request, response) => {
    void readBody(request).then((body) => {
      got.push({ headers: request.headers as Record<string, string>, body: String(body) });
      response.writeHead(got.length <= refusals ? 503 : 204).end();
    });
  });
  open.push(server);
  return { got, url: `${server.url}/hook` };
}

describe.each([
  { transport: "JSON-RPC", listens: false },
  { transport: "JSON-RPC", listens: true },
  { transport: "HTTP+JSON", listens: true },
  { transport: "gRPC", listens: true },
] as const)("the official client by $transport (over HTTP: $listens)", ({ transport, listens }) => {
  const begin = async () => clientOf(await serve({ listen: listens }), transport);

  test("sends and gets: done, rejected, with files both ways", async () => {
    const client = await begin();
    const task = (await client.sendMessage(requestOf("this"))) as Task;
    expect(task.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
    expect(textsOf(task)).toEqual(["did this"]);
    expect(task.history).toHaveLength(1);
    expect(await client.getTask({ tenant: "", id: task.id })).toEqual(task);
    const rejected = (await client.sendMessage(requestOf("reject"))) as Task;
    expect([rejected.status?.state, saidOf(rejected)]).toEqual([TaskState.TASK_STATE_REJECTED, "Not my business."]);
    const value = Buffer.from(crypto.getRandomValues(new Uint8Array(10_000)));
    const file = {
      content: { $case: "raw" as const, value },
      metadata: undefined,
      filename: "a.png",
      mediaType: "image/png",
    };
    const sent = (await client.sendMessage(requestOf("x", { parts: [...messageOf("file").parts, file] }))) as Task;
    expect(sent.artifacts[0]?.parts[1]).toMatchObject({ filename: "a.png", mediaType: "image/png" });
    const content = sent.artifacts[0]?.parts[1]?.content;
    expect(content?.$case === "raw" && Buffer.from(content.value).equals(value)).toBe(true);
    const exe = { ...file, mediaType: "application/x-executable" };
    await expect(client.sendMessage(requestOf("x", { parts: [exe] }))).rejects.toThrow("takes text/plain");
  });

  test("the same message is the same task", async () => {
    const client = await begin();
    const request = requestOf("this");
    const [one, two] = (await Promise.all([client.sendMessage(request), client.sendMessage(request)])) as Task[];
    expect(two?.id).toBe(one?.id);
  });

  test("streams what is made as it is made, and joins a stream again", async () => {
    const client = await begin();
    const all = await gather(client.sendMessageStream(requestOf("make")));
    const cases = all.map(({ payload }) => payload?.$case);
    expect(cases[0]).toBe("task");
    expect(cases.filter((one) => one === "artifactUpdate")).toHaveLength(2);
    const last = all.at(-1)?.payload;
    expect(last?.$case === "statusUpdate" && last.value.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
    const { id } = (await client.sendMessage(requestOf("hang", {}, { returnImmediately: true }))) as Task;
    const again = gather(client.resubscribeTask({ tenant: "", id }));
    await sleep(100);
    await client.cancelTask({ tenant: "", id, metadata: undefined });
    const end = (await again).at(-1)?.payload;
    expect(end?.$case === "statusUpdate" && end.value.status?.state).toBe(TaskState.TASK_STATE_CANCELED);
    await expect(gather(client.resubscribeTask({ tenant: "", id }))).rejects.toThrow("canceled already");
  });

  test("answers a question, and is not held by what waits", async () => {
    const client = await begin();
    const asked = (await client.sendMessage(requestOf("ask"))) as Task;
    expect([asked.status?.state, saidOf(asked)]).toEqual([TaskState.TASK_STATE_INPUT_REQUIRED, "What?"]);
    const { id, contextId } = asked;
    const done = (await client.sendMessage(requestOf("that", { taskId: id, contextId }))) as Task;
    expect([done.id, done.status?.state, textsOf(done)[0]]).toEqual([id, TaskState.TASK_STATE_COMPLETED, "did that"]);
    await expect(client.sendMessage(requestOf("more", { taskId: id }))).rejects.toThrow("begin another one");
    const before = performance.now();
    const waits = (await client.sendMessage(requestOf("wait"))) as Task;
    expect([waits.status?.state, saidOf(waits)]).toEqual([TaskState.TASK_STATE_WORKING, "Later."]);
    expect(performance.now() - before).toBeLessThan(3_000);
  });

  test("lists its tasks in pages", async () => {
    const client = await begin();
    for (const text of ["a", "b", "c"]) await client.sendMessage(requestOf(text, { contextId: "one" }));
    const asked = {
      tenant: "",
      contextId: "one",
      status: 0,
      pageSize: 2,
      pageToken: "",
      statusTimestampAfter: undefined,
    };
    const first = await client.listTasks(asked);
    expect([first.tasks.length, first.totalSize, first.tasks[0]?.artifacts]).toEqual([2, 3, []]);
    const rest = await client.listTasks({ ...asked, pageToken: first.nextPageToken, includeArtifacts: true });
    expect([rest.tasks.length, rest.nextPageToken]).toEqual([1, ""]);
    expect(textsOf(rest.tasks[0]!)).toEqual(["did a"]);
    await expect(client.listTasks({ ...asked, pageSize: 1_000 })).rejects.toThrow("pageSize");
  });

  test("has itself told: signed, with its token, again where it was refused; and lists, gets and deletes that", async () => {
    const served = await serve({ listen: listens });
    const client = await clientOf(served, transport);
    const hook = await receiver(1);
    const config = configOf(hook.url, "token-canary");
    const push = { taskPushNotificationConfig: config, returnImmediately: true };
    const { id } = (await client.sendMessage(requestOf("ask", {}, push))) as Task;
    const isDone = (body: string) => body.includes("TASK_STATE_INPUT_REQUIRED");
    await expect.poll(() => hook.got.slice(1).some(({ body }) => isDone(body)), { timeout: 10_000 }).toBe(true);
    const last = hook.got.findLast(({ body }) => isDone(body))!;
    expect(last.headers["x-a2a-notification-token"]).toBe("token-canary");
    const { keys } = (await (await served.a2a.handle(new Request(`${served.url}/.well-known/jwks.json`))).json()) as {
      keys: (JsonWebKey & { kid: string })[];
    };
    const [head = "", claims = "", signature = ""] = (last.headers["authorization"] ?? "").slice(7).split(".");
    const key = createPublicKey({ key: keys[0]!, format: "jwk" });
    const signed = Buffer.from(`${head}.${claims}`);
    const mark = Buffer.from(signature, "base64url");
    expect(verify("sha256", signed, { key, dsaEncoding: "ieee-p1363" }, mark)).toBe(true);
    expect(JSON.parse(Buffer.from(claims, "base64url").toString())).toMatchObject({
      sub: id,
      request_body_sha256: createHash("sha256").update(last.body).digest("hex"),
    });
    const { configs } = await client.listTaskPushNotificationConfig({
      tenant: "",
      taskId: id,
      pageSize: 0,
      pageToken: "",
    });
    expect(configs).toMatchObject([{ url: hook.url, token: "token-canary" }]);
    const named = { tenant: "", taskId: id, id: configs[0]?.id ?? "" };
    expect(await client.getTaskPushNotificationConfig(named)).toMatchObject({ url: hook.url });
    await client.deleteTaskPushNotificationConfig(named);
    await expect(client.getTaskPushNotificationConfig(named)).rejects.toThrow("not found");
    const before = hook.got.length;
    await client.sendMessage(requestOf("that", { taskId: id }));
    await sleep(200);
    expect(hook.got).toHaveLength(before);
  });
});

test("cards are signed, the extended one is for callers, and old clients get one of theirs", async () => {
  const served = await serve();
  const client = await clientOf(served);
  const card = await client.getAgentCard();
  const keys = (await (await served.a2a.handle(new Request(`${served.url}/.well-known/jwks.json`))).json()) as {
    keys: (JsonWebKey & { kid: string })[];
  };
  expect(card.capabilities?.extensions.map(({ uri }) => uri)).toContain("urn:ascent:a2a:limits:v1");
  const verifier = verifyAgentCardSignature(async (kid) => {
    const found = keys.keys.find((one) => one.kid === kid);
    if (found === undefined) throw new Error("no such key");
    return found as Awaited<ReturnType<Parameters<typeof verifyAgentCardSignature>[0]>>;
  });
  await verifier(card);
  await expect(verifier({ ...card, description: "Altered" })).rejects.toThrow();
  const at = (path: string, headers = {}) => served.a2a.handle(new Request(`${served.url}${path}`, { headers }));
  const old = await (await at("/.well-known/agent-card.json", { "a2a-version": "0.3" })).json();
  expect(old).toMatchObject({ protocolVersion: "0.3", url: `${served.url}/a2a/tester`, preferredTransport: "JSONRPC" });
  expect(JSON.stringify(old)).not.toContain("limits");
  const both = await (await at("/a2a/tester/.well-known/agent-card.json")).json();
  expect(both).toMatchObject({ protocolVersion: "0.3", supportedInterfaces: expect.any(Array) });
});

test("who names no version speaks 0.3, and is told so in 0.3", async () => {
  const served = await serve();
  const call = async (body: object, headers = {}) =>
    (
      await served.a2a.handle(
        new Request(`${served.url}/a2a/tester`, {
          method: "POST",
          headers: { ...bearer, "content-type": "application/json", ...headers },
          body: JSON.stringify({ jsonrpc: "2.0", id: 1, ...body }),
        }),
      )
    ).json() as Promise<{ result?: Record<string, unknown>; error?: { code: number; message: string } }>;
  const message = { kind: "message", messageId: "m1", role: "user", parts: [{ kind: "text", text: "old" }] };
  const { result } = await call({ method: "message/send", params: { message, configuration: { blocking: true } } });
  expect(result).toMatchObject({
    kind: "task",
    status: { state: "completed" },
    history: [{ parts: [{ text: "old" }] }],
  });
  expect((await call({ method: "SendMessage", params: {} })).error?.code).toBe(-32601);
  expect((await call({ method: "GetTask", params: { id: "x" } }, { "a2a-version": "9.9" })).error?.message).toContain(
    "9.9",
  );
  expect((await call({ method: "message/send", params: {} })).error).toMatchObject({ code: -32602 });
});

test("a part of the gateway asks for whom it names, with a token of the gateway's own", async () => {
  const served = await serve();
  const ann = await clientOf(served, "JSON-RPC", internalHeaders(secret, { tenant: "t", id: "person:ann/ä" }));
  const bob = await clientOf(served, "JSON-RPC", internalHeaders(secret, { tenant: "t", id: "person:bob" }));
  const { id } = (await ann.sendMessage(requestOf("mine"))) as Task;
  expect((await ann.getTask({ tenant: "", id })).id).toBe(id);
  await expect(bob.getTask({ tenant: "", id })).rejects.toThrow("not found");
});
