/** Client agents as A2A agents: what the channel hands to the core, and what comes back makes of a task. */
import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { afterEach, expect, test } from "vitest";
import { openEmbedded } from "../../adapters/embedded/index.ts";
import { a2a } from "../../channels/a2a/index.ts";
import type { Outgoing, SendContext } from "../../src/channel.ts";
import { RefusedError } from "../../src/errors.ts";
import type { InboundMessage } from "../../src/message.ts";
import type { TaskCaller } from "../../src/skilled.ts";
import { createTaskHost, type HostedTasks } from "../../src/task-host.ts";
import { probe } from "../contract/channel-deps.ts";
import { clock, newDirectory, quietLog } from "../integration/embedded-fixture.ts";
import { agentOf } from "../services/a2a.ts";

const ann: TaskCaller = { tenant: "t", id: "person:ann" };
const closing: (() => Promise<void>)[] = [];
afterEach(async () => void (await Promise.all(closing.splice(0).map((close) => close()))));

async function open() {
  const directory = newDirectory();
  const runtime = await openEmbedded({ directory, clock, log: quietLog });
  const host = createTaskHost({ runtime, clock, log: quietLog, instance: randomUUID(), watchMs: 300 });
  runtime.jobs.handle(async (job, data) => void (await host.run(job, data)));
  const core = probe({ tenant: "t", channel: "a2a", account: "main" });
  let tasks: HostedTasks | undefined;
  const { profile } = agentOf(async () => ({ kind: "failed", reason: "" }), "assistant");
  const channel = a2a({ textLength: 1_000, contextDays: 30 }, core.deps, {
    profiles: [profile],
    host: (agent, elsewhere) => (tasks = host.add(agent, elsewhere)),
  });
  await runtime.start();
  closing.push(async () => {
    await host.drain(0);
    await runtime.stop(0);
    await rm(directory, { recursive: true });
  });
  if (tasks === undefined) throw new Error("nothing is hosted");
  const hosted = tasks;
  let keys = 0;
  return {
    core,
    channel,
    tasks: hosted,
    messages: () => core.accepted as InboundMessage[],
    async send(text: string, more: { task?: string; context?: string; chain?: string[] } = {}) {
      const before = core.accepted.length;
      const task = await hosted.send(ann, { id: randomUUID(), parts: [{ kind: "text", text }], ...more });
      await core.waitFor("the message", (all) => all.length > before);
      return { task, message: core.accepted.at(-1) as InboundMessage };
    },
    /** As delivery does. */
    say(part: Outgoing, to: readonly InboundMessage[], more: Partial<SendContext> = {}) {
      const last = to.at(-1)!;
      return channel.send(part, {
        to: last.address,
        key: `k${++keys}`,
        answers: to.map(({ id }) => id),
        notice: false,
        first: true,
        last: true,
        again: false,
        signal: new AbortController().signal,
        ...more,
      });
    },
    get: async (id: string) => (await hosted.get(ann, id))!,
  };
}
const text = (words: string): Outgoing => ({ kind: "text", text: words });
const textsOf = ({ artifacts }: { artifacts: readonly { parts: readonly object[] }[] }) =>
  artifacts.flatMap(({ parts }) => parts);

test("a message is one of its context's conversation, with whom it came through; its answer completes the task", async () => {
  const { send, say, get } = await open();
  const { task, message } = await send("hello", { context: "c1", chain: ["g/one"] });
  expect(message).toMatchObject({
    address: { kind: "direct", agent: "assistant" },
    participant: { user: ann.id },
    message: { parts: [{ text: "hello" }], chain: ["g/one"] },
  });
  expect((await get(task.id)).dueAt).toBeUndefined();
  await say(text("one"), [message], { key: "a", last: false });
  expect((await get(task.id)).state).toBe("working");
  await say(text("one"), [message], { key: "a", last: false, again: true });
  await say(text("two"), [message], { key: "b", first: false });
  const done = await get(task.id);
  expect([done.state, textsOf(done)]).toEqual([
    "completed",
    [
      { kind: "text", text: "one" },
      { kind: "text", text: "two" },
    ],
  ]);
  await say(text("late"), [message]);
  expect(await get(task.id)).toEqual(done);
  const other = await send("hello", { context: "c2" });
  const same = await send("again", { context: "c1" });
  expect(other.message.address.conversation).not.toBe(message.address.conversation);
  expect(other.message.participant.id).not.toBe(message.participant.id);
  expect(same.message.address.conversation).toBe(message.address.conversation);
});

test("one answer to messages of two tasks completes both; what was said later waits for its own", async () => {
  const { send, say, get } = await open();
  const one = await send("one", { context: "c" });
  const two = await send("two", { context: "c" });
  const more = await send("more", { context: "c", task: two.task.id });
  await say(text("of the first two"), [one.message, two.message]);
  expect((await get(one.task.id)).state).toBe("completed");
  expect((await get(two.task.id)).state).toBe("working");
  await say(text("of more"), [more.message]);
  expect([(await get(two.task.id)).state, textsOf(await get(two.task.id))]).toEqual([
    "completed",
    [
      { kind: "text", text: "of the first two" },
      { kind: "text", text: "of more" },
    ],
  ]);
});

test("a question of the gateway's is the caller's to answer, by label, number or id", async () => {
  for (const [answer, button] of [
    ["approve", "approve:1"],
    ["2", "deny:1"],
    ["deny:1", "deny:1"],
  ]) {
    const { send, say, get } = await open();
    const { task, message } = await send("pay");
    const notice = { notice: true, noticeKey: "approvalWanted" } as const;
    await say(text("May I do this?"), [message], { ...notice, last: false });
    const buttons = [
      { id: "approve:1", label: "Approve" },
      { id: "deny:1", label: "Deny" },
    ];
    await say({ kind: "text", text: "bank__pay 7", buttons }, [message], { ...notice, first: false });
    const asked = await get(task.id);
    expect(asked.state).toBe("input-required");
    expect(asked.said?.parts).toEqual([
      { kind: "text", text: "May I do this?" },
      { kind: "text", text: "bank__pay 7" },
      { kind: "data", data: { choices: buttons } },
    ]);
    const pressed = await send(answer ?? "", { task: task.id });
    expect(pressed.message.message.parts).toMatchObject([{ kind: "press", button }]);
    await say(text("paid"), [pressed.message]);
    expect((await get(task.id)).state).toBe("completed");
  }
});

test("what waits for an operator goes on; any other words of the gateway's own are a failure", async () => {
  const { send, say, get } = await open();
  const { task, message } = await send("pay");
  await say(text("Somebody has to allow this."), [message], { notice: true, noticeKey: "approvalByOperator" });
  expect(await get(task.id)).toMatchObject({
    state: "working",
    said: { parts: [{ text: "Somebody has to allow this." }] },
  });
  await say(text("Sorry."), [message], { notice: true, noticeKey: "failed" });
  expect(await get(task.id)).toMatchObject({ state: "failed", said: { parts: [{ text: "Sorry." }] } });
});

test("a refusal is the task's, with its words, and comes to nobody else", async () => {
  const { core, tasks, get } = await open();
  core.refusals.push(new RefusedError("Not taken here.", { rule: "blocked" }));
  const { id } = await tasks.send(ann, { id: "m", parts: [{ kind: "text", text: "x" }] });
  await expect.poll(async () => (await get(id)).state).toBe("rejected");
  expect((await get(id)).said?.parts).toEqual([{ kind: "text", text: "Not taken here." }]);
});

test("cancelling says /stop where the task is all that the conversation has, and else lets the others be", async () => {
  const { send, tasks, messages, say, get } = await open();
  const one = await send("one", { context: "c" });
  const two = await send("two", { context: "c" });
  await tasks.cancel(ann, one.task.id);
  expect(messages().filter(({ message }) => message.command !== undefined)).toEqual([]);
  await tasks.cancel(ann, two.task.id);
  const [stop, ...more] = messages().filter(({ message }) => message.command?.name === "stop");
  expect([stop?.address.conversation, more]).toEqual([two.message.address.conversation, []]);
  await say(text("Stopped."), [stop!], { notice: true, noticeKey: "stopped" });
  expect((await get(two.task.id)).state).toBe("canceled");
});

test("a growing answer is shown to who watches", async () => {
  const { send, tasks, channel } = await open();
  const { task, message } = await send("slow");
  const signal = AbortSignal.timeout(5_000);
  const events = await tasks.watch(ann, task.id, { signal, mostMs: 5_000 });
  const seen: (string | undefined)[] = [];
  const watching = (async () => {
    for await (const { progress } of events ?? []) if (progress !== undefined) return void seen.push(progress);
  })();
  await channel.preview?.(message.address, { turn: "t", text: "Once upon", answers: [message.id] });
  await watching;
  expect(seen).toEqual(["Once upon"]);
});

test("an answer that no task can hold fails the task, and says so", async () => {
  const { send, say, get } = await open();
  const { task, message } = await send("much");
  await say(text("x".repeat(1_100_000)), [message]);
  expect(await get(task.id)).toMatchObject({
    state: "failed",
    said: { parts: [{ text: expect.stringContaining("larger") }] },
  });
});
