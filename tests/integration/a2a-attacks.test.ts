/** What must not work on the A2A server. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { internalHeaders } from "../../adapters/a2a/callers.ts";
import { chainExtension, chainOf } from "../../src/chain.ts";
import { TerminalError } from "../../src/errors.ts";
import type { TaskOutcome } from "../../src/skilled.ts";
import { agentOf, apiKey, otherKey, secret, serveA2a, textOf, type Served } from "../services/a2a.ts";

let served: Served;
const runs: string[] = [];
beforeAll(async () => {
  const tester = agentOf(async (run): Promise<TaskOutcome> => {
    runs.push(textOf(run));
    if (textOf(run).startsWith("fail")) throw new TerminalError(`CANARY ${textOf(run)} at /srv/agent.ts`);
    return { kind: "input-required", question: "And?" };
  });
  served = await serveA2a({
    agents: [tester],
    settings: { bodyBytes: 100_000, waitMs: 500, streamsPerCaller: 2 },
    allowHosts: [],
  });
});
afterAll(() => served.close());

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly body: {
    readonly result?: { readonly task?: { readonly id: string; readonly status: { readonly state: string } } };
    readonly error?: { readonly code: number; readonly message: string };
  };
}

async function post(body: string | object, headers: Record<string, string> = {}, path = ""): Promise<Answer> {
  const response = await served.a2a.handle(
    new Request(`${served.url}/a2a/tester${path}`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${apiKey}`,
        "a2a-version": "1.0",
        "content-type": "application/json",
        ...headers,
      },
      body: typeof body === "string" ? body : JSON.stringify(body),
    }),
  );
  const text = await response.text();
  return { status: response.status, text, body: text.startsWith("{") ? JSON.parse(text) : {} };
}
let ids = 0;
const rpc = (method: string, params: object) => ({ jsonrpc: "2.0", id: ++ids, method, params });
const message = (text: string, more: object = {}) => ({
  message: { messageId: `m-${++ids}`, role: "ROLE_USER", parts: [{ text }], ...more },
});
const send = (text: string, more: object = {}, headers = {}) => post(rpc("SendMessage", message(text, more)), headers);

describe("credentials", () => {
  test.each([
    ["none", {}],
    ["empty", { authorization: "Bearer " }],
    ["of another scheme", { authorization: `Basic ${apiKey}` }],
    ["cut off", { authorization: `Bearer ${apiKey.slice(0, -1)}` }],
    ["with more behind it", { authorization: `Bearer ${apiKey}x` }],
    ["both at once", { authorization: `Bearer ${apiKey},${otherKey}` }],
    ["an API key that is none", { authorization: `Bearer ${apiKey}`, "x-api-key": "a-key-of-nobody-at-all" }],
    [
      "a caller that is named without the gateway's token",
      { authorization: `Bearer ${apiKey}`, "x-ascent-caller": "e30" },
    ],
    [
      "a caller that is named with another one's token",
      {
        ...internalHeaders(secret, { tenant: "t", id: "ann" }),
        "x-ascent-caller": internalHeaders(secret, { tenant: "t", id: "bob" })["x-ascent-caller"] ?? "",
      },
    ],
  ])("%s: 401, and nothing runs", async (_name, headers) => {
    const before = runs.length;
    const { status, text } = await post(rpc("SendMessage", message("x")), { authorization: "", ...headers });
    expect(status).toBe(401);
    expect(text).not.toContain(apiKey);
    expect(runs).toHaveLength(before);
  });

  test("a key in its own header is as good", async () => {
    expect((await post(rpc("SendMessage", message("x")), { authorization: "", "x-api-key": otherKey })).status).toBe(
      200,
    );
  });
});

test("another caller's task is as absent as one that never was, in words too", async () => {
  const id = (await send("mine")).body.result?.task?.id ?? "";
  const other = { authorization: `Bearer ${otherKey}` };
  const push = { taskId: id, url: "https://example.com/hook" };
  for (const [method, params] of [
    ["GetTask", { id }],
    ["CancelTask", { id }],
    ["SubscribeToTask", { id }],
    ["SendMessage", message("more", { taskId: id })],
    ["CreateTaskPushNotificationConfig", push],
    ["ListTaskPushNotificationConfigs", { taskId: id }],
  ] as const) {
    const of = async (headers: Record<string, string>, given: object) =>
      (await post(rpc(method, given), headers)).body.error;
    const guessed = JSON.parse(JSON.stringify(params).replaceAll(id, "no-such-task")) as object;
    const theirs = await of(other, params);
    expect([method, theirs?.code]).toEqual([method, -32001]);
    expect(theirs).toEqual(await of({}, guessed));
  }
});

test("a message that comes again, also with other words, does nothing again", async () => {
  const first = message("once");
  const { body } = await post(rpc("SendMessage", first));
  const before = runs.length;
  const again = await post(rpc("SendMessage", { message: { ...first.message, parts: [{ text: "twice" }] } }));
  expect(again.body.result?.task?.id).toBe(body.result?.task?.id);
  expect(runs).toHaveLength(before);
});

describe("bodies", () => {
  test("too large, too deep, no JSON, batches, of no form: refused, saying what to do", async () => {
    const deep = `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":${"[".repeat(100_00)}${"]".repeat(10_000)}}`;
    expect(await post("x".repeat(200_000))).toMatchObject({
      status: 413,
      text: expect.stringContaining("100000 bytes"),
    });
    expect((await post(deep)).body.error?.message).toContain("deeper than 64");
    expect((await post('{"a')).body.error).toMatchObject({ code: -32700, message: "The body must be JSON." });
    expect((await post("[]")).body.error?.message).toContain("batches");
    expect((await post("\xff\xfe")).body.error).toBeDefined();
    for (const params of [
      {},
      { message: 7 },
      { message: { messageId: "m", role: "ROLE_USER", parts: {} } },
      { message: { messageId: "m", role: "ROLE_AGENT", parts: [{ text: "x" }] } },
      { message: { messageId: "", role: "ROLE_USER", parts: [{ text: "x" }] } },
      { message: { messageId: "m".repeat(300), role: "ROLE_USER", parts: [{ text: "x" }] } },
      { message: { messageId: "m", role: "ROLE_USER", parts: [{}] } },
    ]) {
      const { error } = (await post(rpc("SendMessage", params))).body;
      expect([JSON.stringify(params).slice(0, 60), error?.code]).toEqual([JSON.stringify(params).slice(0, 60), -32602]);
      expect(error?.message).not.toMatch(/undefined|Cannot read/);
    }
  });

  test.each(["../../etc", "a:b", "line\nbreak", "\u0000", "ключ", "x".repeat(10_000), "%2e%2e", "__proto__"])(
    "the id %j is nobody's task",
    async (id) => {
      expect((await post(rpc("GetTask", { id }))).body.error?.code).toBe(-32001);
      expect((await send("x", { taskId: id })).body.error?.code).toBe(-32001);
    },
  );
});

test("a caller erases its own tasks and no other's, nor those that it asks for in somebody's name", async () => {
  const erase = async (path: string, headers: Record<string, string> = {}, body?: string) => {
    const url = `${served.url}/a2a/tester/tasks${path}`;
    const given = { authorization: `Bearer ${apiKey}`, ...headers };
    return (await served.a2a.handle(new Request(url, { method: "DELETE", headers: given, ...(body && { body }) })))
      .status;
  };
  const named = { "x-ascent-for": "default.ann" };
  const own = (await send("own")).body.result?.task?.id ?? "";
  const anns = (await send("anns", {}, named)).body.result?.task?.id ?? "";
  const code = async (id: string, headers = {}) => (await post(rpc("GetTask", { id }), headers)).body.error?.code;
  const others = { authorization: `Bearer ${otherKey}` };
  expect(await erase("", { authorization: "" })).toBe(401);
  for (const headers of [
    others,
    { "x-ascent-for": "default.bob" },
    internalHeaders(secret, { tenant: "default", id: "x" }),
  ])
    for (const path of ["", `/${own}`, `/${anns}`]) expect(await erase(path, headers)).toBe(204);
  expect([await code(own), await code(anns, named)]).toEqual([undefined, undefined]);
  expect(await erase("/..%2Fown")).toBe(404);
  expect(await erase("", {}, JSON.stringify({ caller: "ann" }))).toBe(204);
  expect([await code(own), await code(anns, named)]).toEqual([-32001, undefined]);
  expect(await erase(`/${anns}`, named)).toBe(204);
  expect(await code(anns, named)).toBe(-32001);
});

test("why an agent failed is told to nobody outside, nor why its server did", async () => {
  const failed = await send("fail with a prompt");
  expect(failed.body.result?.task?.status.state).toBe("TASK_STATE_FAILED");
  expect(failed.text).not.toMatch(/CANARY|agent\.ts|TerminalError/);
  const broken = () => Promise.reject(new TypeError("CANARY of the store"));
  const { profile } = agentOf(broken, "broken");
  served.a2a.serve({
    profile,
    send: broken,
    get: broken,
    list: broken,
    cancel: broken,
    watch: broken,
    erase: broken,
    ...noPushes,
  });
  for (const [method, params] of [
    ["GetTask", { id: "x" }],
    ["ListTasks", {}],
    ["CancelTask", { id: "x" }],
    ["SendMessage", message("x")],
    ["SendStreamingMessage", message("x")],
    ["SubscribeToTask", { id: "x" }],
  ] as const)
    for (const version of ["1.0", "0.3"]) {
      const { text } = await post(rpc(method, params), { "a2a-version": version }, "/../broken");
      expect(text).not.toContain("CANARY");
      expect(text).toMatch(version === "1.0" ? /its log has the cause/ : /not found/i);
    }
});
const noPushes = {
  addPush: () => Promise.resolve(undefined),
  pushes: () => Promise.resolve(undefined),
  removePush: () => Promise.resolve(false),
};

describe("agents in a circle", () => {
  const metadata = (agents: readonly string[]) => ({ metadata: { [chainExtension]: agents } });
  test("a message that came by way of this agent is refused, and one through too many", async () => {
    const own = served.a2a.chainName("tester");
    expect((await send("x", metadata(["a/one", own, "b/two"]))).body.error?.message).toContain("in a circle");
    const eight = Array.from({ length: 8 }, (_, n) => `gateway/agent-${n}`);
    expect((await send("x", metadata(eight))).body.error?.message).toContain("8 at most");
    expect((await send("x", metadata(eight.slice(1)))).body.error).toBeUndefined();
    expect((await send("x", { metadata: { [chainExtension]: "no list" } })).body.error?.code).toBe(-32602);
    expect(chainOf(["a"], own)).toEqual({ [chainExtension]: ["a", own] });
  });
});

describe("push notifications", () => {
  test.each([
    "http://127.0.0.1:9/hook",
    "http://169.254.169.254/latest/meta-data",
    "http://[::1]/",
    "http://2130706433/",
    "http://[::ffff:10.0.0.1]/",
    "file:///etc/passwd",
    "no address",
  ])("nobody is told at %s", async (url) => {
    const configuration = { taskPushNotificationConfig: { url } };
    const { error } = (await post(rpc("SendMessage", { ...message("x"), configuration }))).body;
    expect(error).toMatchObject({ code: -32602, message: expect.stringContaining("refused") });
  });

  test("a token that would be a header of its own is refused", async () => {
    const id = (await send("x")).body.result?.task?.id ?? "";
    const config = { taskId: id, url: "https://example.com/", token: "a\r\nx-evil: 1" };
    expect((await post(rpc("CreateTaskPushNotificationConfig", config))).body.error?.code).toBe(-32602);
  });
});

test("streams of one caller are bounded, and one that went away makes room", async () => {
  const stream = () =>
    served.a2a.handle(
      new Request(`${served.url}/a2a/tester`, {
        method: "POST",
        headers: { authorization: `Bearer ${otherKey}`, "a2a-version": "1.0" },
        body: JSON.stringify(rpc("SubscribeToTask", { id })),
      }),
    );
  const id = (await send("x", {}, { authorization: `Bearer ${otherKey}` })).body.result?.task?.id ?? "";
  // A settled task's stream ends by itself once it is read: unread ones stay open.
  const [one, two, three] = [await stream(), await stream(), await stream()];
  expect(three.headers.get("content-type")).toContain("json");
  expect(await three.text()).toContain("Too many streams");
  await one.body?.cancel();
  await two.body?.cancel();
  await expect.poll(async () => (await stream()).headers.get("content-type")).toContain("text/event-stream");
});
