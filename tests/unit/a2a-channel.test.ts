/** Client agents as A2A agents: what the channel hands to the core, and what comes back makes of a task. */
import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { afterEach, expect, test } from "vitest";
import { openEmbedded } from "../../adapters/embedded/index.ts";
import { a2a } from "../../channels/a2a/index.ts";
import type { Outgoing, SendContext } from "../../src/channel.ts";
import { RefusedError, TerminalError } from "../../src/errors.ts";
import type { InboundEvent, InboundMessage } from "../../src/message.ts";
import type { TaskCaller, TaskPart } from "../../src/skilled.ts";
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
  async function give(parts: TaskPart[], more: { task?: string; context?: string; chain?: string[] } = {}) {
    const id = randomUUID();
    const task = await hosted.send(ann, { id, parts, ...more });
    // A run that gives way to the next one has handed over what that hands over again.
    const isIt = ({ raw }: InboundEvent) => (raw as { message?: string }).message === id;
    await core.waitFor("the message", (all) => all.some(isIt));
    return { task, message: core.accepted.find(isIt) as InboundMessage };
  }

  return {
    core,
    give,
    channel,
    tasks: hosted,
    messages: () => core.accepted as InboundMessage[],
    send: (words: string, more: Parameters<typeof give>[1] = {}) => give([{ kind: "text", text: words }], more),
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

/** A call that waits, as the core tells of it. */
const askOf = (n: number, from: readonly InboundMessage[], by: "person" | "operator" = "person") => ({
  id: `ask-number-${n}`.padEnd(16, "-"),
  by,
  from: from.map(({ id }) => id),
});
type Ask = ReturnType<typeof askOf>;
const question = ({ id }: Ask): Outgoing => {
  const buttons = [
    { id: `approve:${id}`, label: "Approve" },
    { id: `deny:${id}`, label: "Deny" },
  ];
  return { kind: "text", text: `bank__pay for ${id}`, buttons };
};

test("a call that waits for its caller's word is their question to answer, by label, number, id or data", async () => {
  for (const [answer, word] of [
    ["approve", "approve"],
    [" 2 ", "deny"],
    ["deny:ask-number-1----", "deny"],
    [{ choice: "approve:ask-number-1----" }, "approve"],
  ] as const) {
    const { give, send, say, get } = await open();
    const { task, message } = await send("pay");
    const asks = askOf(1, [message]);
    await say(text("I would pay."), [message], { asks, last: false });
    expect((await get(task.id)).state).toBe("working");
    const buttons = ["approve", "deny"].map((one) => ({
      id: `${one}:${asks.id}`,
      label: expect.any(String) as string,
    }));
    await say(question(asks), [message], { asks, first: false, key: "q" });
    await say(question(asks), [message], { asks, first: false, key: "q", again: true });
    const asked = await get(task.id);
    expect([asked.state, asked.messages.length]).toEqual(["input-required", 2]);
    expect(asked.said?.parts).toEqual([
      { kind: "text", text: "I would pay." },
      { kind: "text", text: "bank__pay for ask-number-1----" },
      { kind: "data", data: { choices: buttons } },
    ]);
    const part: TaskPart = typeof answer === "string" ? { kind: "text", text: answer } : { kind: "data", data: answer };
    const { message: pressed } = await give([part], { task: task.id });
    expect(pressed.message.parts).toMatchObject([{ kind: "press", button: `${word}:${asks.id}` }]);
    await say(text("paid"), [pressed], { decides: asks });
    expect((await get(task.id)).state).toBe("completed");
  }
});

test("other words than a choice are a message; the question stands again when they are answered, and a number is no word on it then", async () => {
  const { send, say, get, messages } = await open();
  const { task, message } = await send("pay");
  const asks = askOf(1, [message]);
  await say(question(asks), [message], { asks });
  const other = await send("what for?", { task: task.id });
  expect(other.message.message.parts).toMatchObject([{ kind: "text" }]);
  await say(text("For the tea."), [other.message], { key: "tea" });
  expect(await get(task.id)).toMatchObject({ state: "input-required", said: { parts: [{}, { kind: "data" }] } });
  const number = await send("1", { task: task.id });
  expect(number.message.message.parts).toMatchObject([{ kind: "text", text: "1" }]);
  await say(text("Sorry."), [number.message], { notice: true, noticeKey: "failed" });
  expect(await get(task.id)).toMatchObject({ state: "input-required", said: { parts: [{}, { kind: "data" }] } });
  const word = await send("Approve", { task: task.id });
  expect(word.message.message.parts).toMatchObject([{ kind: "press" }]);
  await say(text("For the tea."), [other.message], { key: "tea", again: true });
  expect((await get(task.id)).state).toBe("working");
  await say(text("paid"), [word.message], { decides: asks });
  expect((await get(task.id)).state).toBe("completed");
  expect(new Set(messages().map(({ id }) => id)).size).toBe(4);
});

test("a second word on the same question is one too, and nobody waits for an answer to it", async () => {
  for (const late of [false, true]) {
    const { send, say, get } = await open();
    const { task, message } = await send("pay");
    const asks = askOf(1, [message]);
    await say(question(asks), [message], { asks });
    const first = await send("approve", { task: task.id });
    const other = await send("and tea", { task: task.id });
    if (late) await say(text("paid"), [first.message], { decides: asks });
    const second = await send("deny", { task: task.id });
    expect(second.message.message.parts).toMatchObject([{ kind: "press", label: "Deny" }]);
    if (!late) await say(text("paid"), [first.message], { decides: asks });
    expect((await get(task.id)).state).toBe("working");
    await say(text("tea"), [other.message]);
    expect((await get(task.id)).state).toBe("completed");
  }
});

test("what waits for an operator goes on, whatever is said meanwhile, and ends with what came of it", async () => {
  const { send, say, get } = await open();
  const { task, message } = await send("pay");
  const asks = askOf(1, [message], "operator");
  await say(text("Somebody has to allow this."), [message], { asks });
  const waits = { state: "working", said: { parts: [{ text: "Somebody has to allow this." }] } };
  expect(await get(task.id)).toMatchObject(waits);
  const other = await send("are you there?", { task: task.id });
  await say(text("Yes."), [other.message]);
  expect(await get(task.id)).toMatchObject(waits);
  // It answers no message: an operator's word is nobody's here.
  const nobody = { answers: [], decides: asks };
  const [next] = [askOf(2, [message])];
  await say(question(next), [message], { ...nobody, asks: next });
  expect(await get(task.id)).toMatchObject({ state: "input-required", messages: { length: 4 } });
  await say(text("Nobody has decided in time."), [message], {
    answers: [],
    decides: next,
    notice: true,
    noticeKey: "approvalExpired",
  });
  expect(await get(task.id)).toMatchObject({
    state: "failed",
    said: { parts: [{ text: "Nobody has decided in time." }] },
  });
});

test("a call that came of messages of two tasks is a question of both, and decided for both", async () => {
  const { send, say, get } = await open();
  const one = await send("pay", { context: "c" });
  const two = await send("pay too", { context: "c" });
  const asks = askOf(1, [one.message, two.message]);
  await say(question(asks), [one.message, two.message], { asks });
  const word = await send("deny", { context: "c", task: two.task.id });
  expect((await get(one.task.id)).state).toBe("input-required");
  await say(text("not paid"), [word.message], { decides: asks });
  for (const { task } of [one, two])
    expect([(await get(task.id)).state, textsOf(await get(task.id))]).toEqual([
      "completed",
      [{ kind: "text", text: "not paid" }],
    ]);
});

test("words of the gateway's own that are no answer are a failure", async () => {
  const { send, say, get } = await open();
  const { task, message } = await send("pay");
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

test("a file that is gone fails the task, and is a dead letter", async () => {
  const { send, say, get } = await open();
  const { task, message } = await send("the file");
  const media = { kind: "file", type: "text/plain", source: { from: "blob", id: "gone" } } as const;
  await expect(say({ kind: "media", media }, [message])).rejects.toBeInstanceOf(TerminalError);
  expect(await get(task.id)).toMatchObject({
    state: "failed",
    said: { parts: [{ text: expect.stringContaining("file") }] },
  });
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
