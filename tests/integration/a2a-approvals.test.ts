/** Calls of tools that wait for a word, as a caller by A2A sees them: the real gateway as a process, the official client, kill -9. */
import { TaskState, type Task } from "@a2a-js/sdk";
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { a2aClient, messageOf, requestOf, saidOf, textsOf, type Transport } from "../services/a2a-client.ts";
import { eventually, openStage } from "./stage.ts";

const key = `a2a-canary-${randomBytes(12).toString("hex")}`;
const other = `a2a-canary-${randomBytes(12).toString("hex")}`;
const file = { name: "list.csv", type: "text/csv", content: "a,b", encoding: "text", caption: null };
const { TASK_STATE_COMPLETED: completed, TASK_STATE_FAILED: failed, TASK_STATE_INPUT_REQUIRED: asks } = TaskState;

/** `send_file` needs the caller's word; the operator is asked by `ask_operator`. */
async function open(rest: object = {}) {
  const rules = [{ tool: "send_file", needs: "person" }];
  const stage = await openStage({
    config: { agents: { assistant: { name: "Ada", asksOperator: true, rules, ...rest } } },
    env: { ASCENT_A2A_KEYS: `${key},${other}`, ASCENT_A2A_GRPC_PORT: "0" },
  });
  await stage.model.rule({ contains: "the list", reply: { toolCalls: [{ name: "send_file", arguments: file }] } });
  const question = { question: "May they have a refund?" };
  await stage.model.rule({ contains: "refund", reply: { toolCalls: [{ name: "ask_operator", arguments: question }] } });
  const client = (token = key, transport: Transport = "JSON-RPC") =>
    a2aClient({ url: stage.gateway.url, agent: "assistant", headers: { authorization: `Bearer ${token}` }, transport });
  const get = async (id: string) => (await client()).getTask({ tenant: "", id });
  return { ...stage, client, get };
}
type Stage = Awaited<ReturnType<typeof open>>;

const files = ({ artifacts }: Task) =>
  artifacts.flatMap(({ parts }) => parts.filter(({ content }) => content?.$case === "raw")).length;

/** The choices that come beside the question. */
function choicesIn(task: Task): { id: string; label: string }[] {
  const data = task.status?.message?.parts.flatMap(({ content }) => (content?.$case === "data" ? [content.value] : []));
  return ((data ?? [])[0] as { choices: { id: string; label: string }[] }).choices;
}

async function asked(stage: Stage, transport: Transport = "JSON-RPC"): Promise<Task> {
  const task = (await (await stage.client(key, transport)).sendMessage(requestOf("the list, please"))) as Task;
  expect(task.status?.state).toBe(asks);
  expect(saidOf(task)).toContain("May I do this?");
  expect(saidOf(task)).toContain("list.csv");
  expect(choicesIn(task).map(({ label }) => label)).toEqual(["Approve", "Deny"]);
  expect(files(task)).toBe(0);
  return task;
}

const word = ({ id, contextId }: Task, text: string) => requestOf(text, { taskId: id, contextId });

test.each(["JSON-RPC", "gRPC"] as const)(
  "the caller approves in the task that asks, by %s: done once, and the task is completed",
  async (transport) => {
    const stage = await open();
    const task = await asked(stage, transport);
    const done = (await (await stage.client(key, transport)).sendMessage(word(task, "approve"))) as Task;
    expect([done.id, done.status?.state, files(done)]).toEqual([task.id, completed, 1]);
    expect(JSON.parse((await stage.gateway.ascent("approvals", "list", "--json")).out)).toEqual([]);
  },
  60_000,
);

test("the caller denies: not done, and the agent says so", async () => {
  const stage = await open();
  const task = await asked(stage);
  const done = (await (await stage.client()).sendMessage(word(task, "2"))) as Task;
  expect([done.status?.state, files(done)]).toEqual([completed, 0]);
  expect(textsOf(done).join()).toContain("said no");
}, 60_000);

test("nobody else's word counts: not in the task, not in its context, not by the choice's id", async () => {
  const stage = await open();
  const task = await asked(stage);
  const stranger = await stage.client(other);
  const approve = choicesIn(task)[0]?.id ?? "";
  await expect(stranger.sendMessage(word(task, "approve"))).rejects.toThrow("not found");
  const data = {
    content: { $case: "data" as const, value: { choice: approve } },
    metadata: undefined,
    filename: "",
    mediaType: "",
  };
  for (const message of [
    messageOf("approve", { contextId: task.contextId }),
    messageOf(approve, { contextId: task.contextId }),
    messageOf("", { contextId: task.contextId, parts: [data] }),
  ])
    expect(((await stranger.sendMessage({ ...requestOf("x"), message })) as Task).status?.state).toBe(completed);
  expect(await stage.get(task.id)).toMatchObject({ status: { state: asks }, artifacts: [] });
  // The caller's own word in another task is a message, too: the task that asks is where it counts.
  const beside = (await (
    await stage.client()
  ).sendMessage(requestOf("approve", { contextId: task.contextId }))) as Task;
  expect([beside.status?.state, files(beside)]).toEqual([completed, 0]);
  expect((await stage.get(task.id)).status?.state).toBe(asks);
  const done = (await (await stage.client()).sendMessage(word(task, approve))) as Task;
  expect([done.status?.state, files(done)]).toEqual([completed, 1]);
}, 60_000);

test("two words at once, the same one again, and a later one: the call is made once", async () => {
  const stage = await open();
  const task = await asked(stage);
  const client = await stage.client();
  const [yes, also] = [word(task, "approve"), word(task, "approve")];
  const all = await Promise.allSettled([client.sendMessage(yes), client.sendMessage(also), client.sendMessage(yes)]);
  const refusals = all.flatMap((one) => (one.status === "rejected" ? [String(one.reason)] : []));
  expect(refusals.filter((reason) => !reason.includes("begin another one"))).toEqual([]);
  await eventually("the end", async () => (await stage.get(task.id)).status?.state === completed);
  expect(files(await stage.get(task.id))).toBe(1);
  await expect(client.sendMessage(word(task, "deny"))).rejects.toThrow("begin another one");
  expect(((await client.sendMessage(yes)) as Task).id).toBe(task.id);
  expect(files(await stage.get(task.id))).toBe(1);
}, 60_000);

test("kill -9 while it waits and while it goes on: the same word goes on with it, once", async () => {
  const stage = await open();
  const task = await asked(stage, "gRPC");
  await stage.gateway.kill();
  await stage.gateway.start();
  expect((await stage.get(task.id)).status?.state).toBe(asks);
  await stage.model.rule({ pattern: ".", reply: { text: "Here you are.", latencyMs: 3_000 }, times: 1 });
  const requests = stage.model.log.length;
  const yes = word(task, "approve");
  const cut = (await stage.client(key, "gRPC")).sendMessage(yes).catch(() => undefined);
  await eventually("the run goes on", () => stage.model.log.length > requests);
  await stage.gateway.kill();
  await cut;
  await stage.gateway.start();
  const done = (await (await stage.client(key, "gRPC")).sendMessage(yes)) as Task;
  expect(done.id).toBe(task.id);
  await eventually("the end", async () => (await stage.get(task.id)).status?.state === completed, 60_000);
  expect(files(await stage.get(task.id))).toBe(1);
}, 120_000);

test("nobody says anything in time: the task has failed and says so, and a later word is refused", async () => {
  const stage = await open({ approvalSeconds: 2 });
  const task = await asked(stage);
  await eventually("the end", async () => (await stage.get(task.id)).status?.state === failed, 30_000);
  expect(saidOf(await stage.get(task.id))).toContain("decided in time");
  await expect((await stage.client()).sendMessage(word(task, "approve"))).rejects.toThrow("begin another one");
  await sleep(500);
  expect(files(await stage.get(task.id))).toBe(0);
}, 60_000);

test("an operator's word is waited for, and the task ends with what comes of it, after a kill too", async () => {
  const stage = await open();
  const client = await stage.client();
  const begun = (await client.sendMessage(requestOf("a refund", {}, { returnImmediately: true }))) as Task;
  await eventually("it waits", async () => saidOf(await stage.get(begun.id))?.includes("has to allow this") === true);
  expect((await stage.get(begun.id)).status?.state).toBe(TaskState.TASK_STATE_WORKING);
  await stage.gateway.kill();
  await stage.gateway.start();
  const [open_] = JSON.parse((await stage.gateway.ascent("approvals", "list", "--json")).out) as { id: string }[];
  await stage.gateway.ascent("approvals", "approve", open_?.id ?? "", "--note", "up to ten euros");
  await eventually("the end", async () => (await stage.get(begun.id)).status?.state === completed);
  expect(textsOf(await stage.get(begun.id)).join()).toContain("up to ten euros");
  // What is the caller's to decide an operator may decide, too.
  const task = await asked(stage);
  await stage.gateway.ascent("approvals", "approve", choicesIn(task)[0]?.id.replace("approve:", "") ?? "");
  await eventually("the other end", async () => (await stage.get(task.id)).status?.state === completed);
  expect(files(await stage.get(task.id))).toBe(1);
}, 120_000);
