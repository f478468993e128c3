/** Client agents as A2A agents: the real gateway as a process, the official client, kill -9. */
import { TaskState, type Task } from "@a2a-js/sdk";
import { randomBytes, randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { a2aClient, requestOf, saidOf, textsOf } from "../services/a2a-client.ts";
import type { Prompt, Reply } from "../fakes/openai/types.ts";
import { openStage } from "./stage.ts";

const key = `a2a-canary-${randomBytes(12).toString("hex")}`;
const other = `a2a-canary-${randomBytes(12).toString("hex")}`;

async function open(reply: (prompt: Prompt) => Reply | undefined = () => undefined, config: object = {}) {
  const stage = await openStage({
    config: { agents: { assistant: {}, clerk: { name: "Clerk" } }, ...config },
    env: { ASCENT_A2A_KEYS: `${key},${other}` },
  });
  stage.model.script((prompt) => (prompt.toSummarize === undefined ? reply(prompt) : undefined));
  const client = (agent = "assistant", token = key) =>
    a2aClient({ url: stage.gateway.url, agent, headers: { authorization: `Bearer ${token}` } });
  return { ...stage, client };
}

test("a client agent answers a task; its context is its memory; another caller's is not there", async () => {
  const stage = await open();
  const client = await stage.client();
  const first = (await client.sendMessage(requestOf("first"))) as Task;
  expect(first.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
  expect(textsOf(first).join()).toContain("first");
  const second = (await client.sendMessage(requestOf("second", { contextId: first.contextId }))) as Task;
  expect(second.contextId).toBe(first.contextId);
  expect(second.id).not.toBe(first.id);
  const stranger = await stage.client("assistant", other);
  await expect(stranger.getTask({ tenant: "", id: first.id })).rejects.toThrow("Task not found");
  const clerk = await stage.client("clerk");
  await expect(clerk.getTask({ tenant: "", id: first.id })).rejects.toThrow("Task not found");
  expect((await clerk.getAgentCard()).name).toBe("Clerk");
});

test("kill -9 while the model thinks: the task is answered once, by the same message", async () => {
  let asked = 0;
  const stage = await open(() => (++asked === 1 ? { latencyMs: 60_000 } : undefined));
  const request = requestOf("slow");
  const begun = (await (
    await stage.client()
  ).sendMessage({
    ...request,
    configuration: { ...request.configuration!, returnImmediately: true },
  })) as Task;
  await expect.poll(() => asked, { timeout: 10_000 }).toBe(1);
  await stage.gateway.kill();
  await stage.gateway.start();
  const again = (await (await stage.client()).sendMessage(request)) as Task;
  expect(again.id).toBe(begun.id);
  expect(again.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
  expect(asked).toBe(2);
  expect(textsOf(again)).toHaveLength(1);
});

test("a cancelled task stops the turn", async () => {
  let asked = 0;
  const stage = await open(() => (++asked === 1 ? { latencyMs: 30_000 } : undefined));
  const client = await stage.client();
  const begun = (await client.sendMessage(requestOf("slow", {}, { returnImmediately: true }))) as Task;
  await expect.poll(() => asked, { timeout: 10_000 }).toBe(1);
  const canceled = await client.cancelTask({ tenant: "", id: begun.id, metadata: undefined });
  expect(canceled.status?.state).toBe(TaskState.TASK_STATE_CANCELED);
  await expect(client.cancelTask({ tenant: "", id: begun.id, metadata: undefined })).rejects.toThrow(
    "canceled already",
  );
  const next = (await client.sendMessage(requestOf("next", { contextId: begun.contextId }))) as Task;
  expect(next.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
});

test("a model that fails makes a failed task, and nothing of the inside is told", async () => {
  const stage = await open(() => ({ failure: { kind: "status", status: 400, message: "CANARY of the inside" } }));
  const task = (await (await stage.client()).sendMessage(requestOf(`hello ${randomUUID()}`))) as Task;
  expect(task.status?.state).toBe(TaskState.TASK_STATE_FAILED);
  expect(saidOf(task)).toContain("Sorry");
  expect(JSON.stringify(task)).not.toContain("CANARY");
});
