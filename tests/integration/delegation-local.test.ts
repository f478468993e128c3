/** Delegations to a skilled agent of the same process, without a socket, and to one that tells by HTTP: real tasks, records and jobs. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { createPeer } from "../../adapters/a2a/peer.ts";
import { internalHeaders } from "../../adapters/a2a/callers.ts";
import { createDelegations, type Delegations } from "../../src/delegation.ts";
import { createServer } from "../../adapters/http/index.ts";
import { pushHandler, withLocalPush } from "../../src/delegation-push.ts";
import type { Note } from "../../src/proactive.ts";
import type { PushSender } from "../../src/task-push.ts";
import { agentOf, secret, serveA2a, type Given } from "../services/a2a.ts";
import { delegationWorld, toolCall } from "../unit/delegation.fixture.ts";
import { clock, quietLog } from "./embedded-fixture.ts";

const nowhere: PushSender = {
  refusal: async () => "nobody is told outside",
  send: () => Promise.reject(new Error("nobody is told outside")),
};

async function open(execute: Parameters<typeof agentOf>[0], inlineMs = 300) {
  const told: { readonly note: Note; readonly at: number }[] = [];
  const ids = new Set<string>();
  const sender = withLocalPush(nowhere, () => delegations);
  const given: Given = { agents: [agentOf(execute)], host: { sender } };
  const served = await serveA2a(given);
  onTestFinished(() => served.close());
  const { runtime, a2a, tasks } = served;
  const endpoint = "http://agents.internal/a2a/tester";
  const send: typeof fetch = (input, init) => a2a.handle(new Request(input, { ...init, redirect: "follow" }));
  const peer = createPeer({
    name: "tester",
    local: true,
    fetch: send,
    read: async () =>
      (await send(`${endpoint}/.well-known/agent-card.json`, { headers: { "a2a-version": "1.0" } })).json(),
    endpointOf: () => endpoint,
    headersOf: (caller) => internalHeaders(secret, caller),
    signedBy: [],
    clock,
    log: quietLog,
  });
  const delegations: Delegations = createDelegations({
    runtime,
    clock,
    log: quietLog,
    peers: {
      all: async () => [peer],
      of: async (name) => (name === peer.name ? peer : undefined),
      mayReturn: () => false,
    },
    async prompt(to, id, note) {
      if (!ids.has(id)) told.push({ note, at: Date.now() });
      ids.add(id);
      return { id: id as never, conversation: "c" as never };
    },
    safeFetch: Object.assign(() => Promise.reject(new Error("no fetch here")), { refusal: async () => undefined }),
    secret,
    chainName: a2a.chainName,
    reaches: () => true,
    inlineMs,
  });
  runtime.jobs.handle(async (job, data) => void ((await tasks.run(job, data)) || (await delegations.run(job, data))));
  return { delegations, told, ask: (task: string) => delegations.source.call("tester", toolCall({ task })) };
}

test("an agent elsewhere tells of a change by HTTP; nobody else does", async () => {
  const ready = Promise.withResolvers<void>();
  const agent = agentOf(async () => {
    await ready.promise;
    return { kind: "completed", parts: [{ kind: "text", text: "done at last" }] };
  });
  const served = await serveA2a({ agents: [agent], listen: true });
  onTestFinished(() => served.close());
  const channels = [pushHandler(() => delegations, quietLog)];
  const server = createServer({ host: "127.0.0.1", port: 0, channels, health: () => undefined, log: quietLog });
  const { url } = await server.listen();
  onTestFinished(() => server.drain(0));
  const endpoint = `${served.url}/a2a/tester`;
  const peer = createPeer({
    name: "tester",
    local: false,
    fetch,
    read: async () =>
      (await fetch(`${endpoint}/.well-known/agent-card.json`, { headers: { "a2a-version": "1.0" } })).json(),
    endpointOf: () => endpoint,
    headersOf: (caller) => internalHeaders(secret, caller),
    signedBy: [],
    clock,
    log: quietLog,
  });
  // No job comes round: what is told is told by the push alone.
  const world = delegationWorld([peer]);
  const delegations: Delegations = world.start(0, `${url}/delegations`);
  const call = toolCall({ task: "take your time" });
  await delegations.source.call("tester", call);
  const post = (token: string, id = call.key) =>
    fetch(`${url}/delegations/${id}`, { method: "POST", body: "{}", headers: { "x-a2a-notification-token": token } });
  expect((await post("guessed")).status).toBe(404);
  expect((await post("", "another")).status).toBe(404);
  expect((await fetch(`${url}/delegations/${call.key}`)).status).toBe(405);
  ready.resolve();
  await expect.poll(() => world.notes().length, { timeout: 10_000 }).toBe(1);
  expect(world.notes()[0]?.text).toContain("done at last");
});

test("a reminder is said to be set at once, and told within two seconds of its time, once", async () => {
  let dueAt = 0;
  const { ask, told } = await open(async (run) => {
    if (run.because === "due") return { kind: "completed", parts: [{ kind: "text", text: "drink tea" }] };
    return { kind: "waiting", until: (dueAt = Date.now() + 3_000), said: "I remind you." };
  }, 20_000);
  const began = Date.now();
  const result = await ask("remind me to drink tea");
  expect(Date.now() - began).toBeLessThan(2_000);
  expect(result.text).toContain("I remind you.");
  await expect.poll(() => told.length, { timeout: 10_000 }).toBe(1);
  expect((told[0]?.at ?? 0) - dueAt).toBeLessThan(2_000);
  expect(told[0]?.note.text).toContain("drink tea");
  await sleep(1_500);
  expect(told).toHaveLength(1);
});

test("each firing of a task that goes on is told as it comes", async () => {
  const { ask, told } = await open(async (run, hooks) => {
    const n = Number(run.state ?? 0) + (run.because === "due" ? 1 : 0);
    if (run.because === "due") await hooks.artifact(`${n}`, [{ kind: "text", text: `firing ${n}` }]);
    if (n === 3) return { kind: "completed", parts: [{ kind: "text", text: "that was all" }] };
    return { kind: "waiting", until: Date.now() + 700, said: "I come back.", state: n };
  });
  await ask("remind me thrice");
  await expect.poll(() => told.length, { timeout: 15_000 }).toBeGreaterThan(2);
  await expect.poll(() => told.at(-1)?.note.text, { timeout: 10_000 }).toContain("that was all");
  const lines = told.flatMap(({ note }) => note.text.split("\n").filter((line) => /^(firing|that was)/.test(line)));
  expect(lines).toEqual(["firing 1", "firing 2", "firing 3", "that was all"]);
});

test("a question is put in words, and its answer resumes the same task; people are callers of their own", async () => {
  const seen: string[] = [];
  const { delegations, ask } = await open(async ({ task, caller, messages }) => {
    seen.push(`${task} ${caller.id}`);
    if (messages.length === 1) return { kind: "input-required", question: "At what time?" };
    return { kind: "completed", parts: [{ kind: "text", text: "done" }] };
  }, 5_000);
  expect((await ask("remind me")).text).toContain("At what time?");
  const reply = { task: "tester-1", answer: "at five" };
  expect((await delegations.source.call("reply", toolCall(reply))).text).toContain("done");
  await delegations.source.call("tester", toolCall({ task: "x" }, { agent: "person:2" as never }));
  expect(seen[0]).toBe(seen[1]);
  expect(seen[2]?.split(" ")[1]).not.toBe(seen[0]?.split(" ")[1]);
});

test("a cancelled task is aborted in its agent", async () => {
  let aborted = false;
  const { delegations, ask } = await open(async (_run, { signal }) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    aborted = true;
    return { kind: "failed", reason: "aborted" };
  });
  await ask("wait");
  expect((await delegations.source.call("cancel", toolCall({ task: "tester-1" }))).text).toContain("cancelled");
  await expect.poll(() => aborted).toBe(true);
});
