/** Questions without a name of a conversation, on the embedded runtime, until their time is over. */
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openEmbedded } from "../../adapters/embedded/index.ts";
import { createSafeFetch } from "../../adapters/fetch/index.ts";
import { openai } from "../../channels/openai/index.ts";
import { openaiSettings } from "../../channels/openai/settings.ts";
import type { Agent } from "../../src/agent.ts";
import { createBelongings } from "../../src/belongings.ts";
import type { Channel, HttpHandler } from "../../src/channel.ts";
import { createCore } from "../../src/core.ts";
import type { Clock } from "../../src/ports.ts";
import { quiet } from "../unit/client-agent.fixture.ts";

const dayMs = 86_400_000;
const key = "k".repeat(40);

/** The real line from the API to an agent that remembers how many messages it had before. */
async function stage() {
  const directory = await mkdtemp(join(tmpdir(), "ascent-endings-"));
  let days = 0;
  const clock: Clock = {
    now: () => Date.now() + days * dayMs,
    monotonic: () => performance.now(),
    after(ms, task) {
      const timer = setTimeout(task, ms);
      return () => clearTimeout(timer);
    },
  };
  const runtime = await openEmbedded({ directory, clock, log: quiet });
  const agent: Agent = {
    run: async ({ history, messages }) => {
      const [part] = messages.at(-1)?.message.parts ?? [];
      const text = `${history.length} before ${part?.kind === "text" ? part.text : ""}`;
      return { answer: { parts: [{ kind: "text", text, format: "plain" }] } };
    },
    summarize: async () => "",
  };
  const channels: Channel[] = [];
  const traits = { whileRunning: "queue", turnTimeoutMs: 10_000, historyItems: 10 } as const;
  const core = createCore({
    runtime,
    clock,
    log: quiet,
    instance: randomUUID(),
    channelOf: () => channels[0],
    agentOf: () => ({ name: "counts", agent, traits }),
  });
  const deps = {
    tenant: "default",
    channel: "openai",
    account: "main",
    inbound: core.inbound,
    records: runtime.records,
    transcript: runtime.transcript,
    blobs: runtime.blobs,
    belongings: createBelongings(runtime, clock),
    endings: core.endings,
    clock,
    log: quiet,
    newId: () => randomUUID().replaceAll("-", ""),
    publicUrl: undefined,
    secret: "s".repeat(43),
  };
  const safeFetch = createSafeFetch({ allowHosts: [] });
  const api: Channel & HttpHandler = openai(openaiSettings.parse({ keys: [key] }), deps, { agents: [], safeFetch });
  channels.push(api);
  await runtime.start();
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= core.drain(1_000).then(() => runtime.stop(1_000)));
  onTestFinished(async () => {
    await stop();
    await rm(directory, { recursive: true, force: true });
  });
  return {
    core,
    pass: (count: number) => void (days += count),
    async asks(text: string, more: { readonly previous?: string; readonly key?: string; readonly name?: string } = {}) {
      const body = {
        model: "ascent",
        input: text,
        ...(more.previous === undefined ? {} : { previous_response_id: more.previous }),
      };
      const headers = {
        authorization: `Bearer ${key}`,
        "content-type": "application/json",
        ...(more.key === undefined ? {} : { "idempotency-key": more.key }),
        ...(more.name === undefined ? {} : { "x-conversation-id": more.name }),
      };
      const request = new Request("http://gateway/v1/responses", {
        method: "POST",
        headers,
        body: JSON.stringify(body),
      });
      const response = await api.handle(request);
      expect(response.status).toBe(200);
      const said = (await response.json()) as { id: string; output: { content: { text: string }[] }[] };
      return { id: said.id, text: said.output[0]?.content[0]?.text };
    },
    /** In which files these bytes are once the gateway has stopped. */
    async filesWith(bytes: string): Promise<string[]> {
      await stop();
      return readdirSync(directory, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && readFileSync(join(entry.parentPath, entry.name)).includes(bytes))
        .map(({ name }) => name);
    },
  };
}

test("ends thirty days after its last question, and a named one does not", async () => {
  const { core, asks, pass, filesWith } = await stage();
  await core.endings.sweep();
  await asks("first-canary", { key: "one" });
  const chained = await asks("chain-canary");
  await asks("named-canary", { name: "kept" });
  pass(7);
  const last = await asks("and then", { previous: chained.id });
  expect(last.text).toBe("2 before and then");
  pass(23);
  await core.endings.sweep();
  // The first is over: the same key is a new question to an agent that knows nothing.
  expect((await asks("second", { key: "one" })).text).toBe("0 before second");
  expect((await asks("still there?", { name: "kept" })).text).toBe("2 before still there?");
  pass(7);
  await core.endings.sweep();
  expect(await filesWith("first-canary")).toEqual([]);
  expect(await filesWith("chain-canary")).toEqual([]);
  expect(await filesWith("named-canary")).not.toEqual([]);
});

test("what was asked again before its time stays until the later one", async () => {
  const { core, asks, pass, filesWith } = await stage();
  await core.endings.sweep();
  const first = await asks("chain-canary");
  pass(7);
  await asks("again", { previous: first.id });
  pass(23);
  await core.endings.sweep();
  expect(await filesWith("chain-canary")).not.toEqual([]);
});
