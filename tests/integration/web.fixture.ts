/** A gateway with the web chat and webhooks, the real core and runtime, and an agent that repeats what it read: a process to kill. */
import { randomBytes, randomUUID } from "node:crypto";
import { openEmbedded } from "../../adapters/embedded/index.ts";
import { createSafeFetch } from "../../adapters/fetch/index.ts";
import { createServer } from "../../adapters/http/index.ts";
import { web, webSettings } from "../../channels/web/index.ts";
import { webhook } from "../../channels/webhook/index.ts";
import { webhookSettings } from "../../channels/webhook/settings.ts";
import type { Agent } from "../../src/agent.ts";
import type { Channel, ChannelDeps } from "../../src/channel.ts";
import { createBelongings } from "../../src/belongings.ts";
import { createCore } from "../../src/core.ts";
import { describe as textOf } from "../../src/message.ts";
import type { Clock, Log, Runtime } from "../../src/ports.ts";

/** `killAt`: "before" or "after" and a method of agents: the process kills itself where it is first called so. */
const [directory = "", port = "0", secret = "", killAt = ""] = process.argv.slice(2);

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, task) {
    const timer = setTimeout(task, ms).unref();
    return () => clearTimeout(timer);
  },
};
const quiet = () => {};
const say = (fields: object, text: string) => console.error(text, JSON.stringify(fields));
const log: Log = { debug: quiet, info: quiet, warn: quiet, error: say };

const agent: Agent = {
  async run({ messages }) {
    await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 60));
    const text = messages.map(({ message }) => textOf(message)).join("|");
    return { answer: { parts: [{ kind: "text", text, format: "markdown" }] } };
  },
  summarize: async () => "",
};

const dieAt = (moment: string): void => {
  if (moment === killAt) process.kill(process.pid, "SIGKILL");
};
const opened = await openEmbedded({ directory, clock, log });
const runtime: Runtime = {
  ...opened,
  actors: {
    ...opened.actors,
    async call(id, method, data) {
      dieAt(`before ${method}`);
      const reply = await opened.actors.call(id, method, data);
      dieAt(`after ${method}`);
      return reply;
    },
  },
};
const channels = new Map<string, Channel>();
const core = createCore({
  runtime,
  clock,
  log,
  instance: randomUUID(),
  channelOf: (to) => channels.get(to.channel),
  agentOf: () => ({ name: "echo", agent, traits: { whileRunning: "queue", turnTimeoutMs: 10_000, historyItems: 10 } }),
});
const deps = (channel: string): ChannelDeps => ({
  tenant: "default",
  channel,
  account: "main",
  inbound: core.inbound,
  records: runtime.records,
  transcript: runtime.transcript,
  blobs: runtime.blobs,
  belongings: createBelongings(runtime, clock),
  endings: core.endings,
  clock,
  log,
  newId: () => randomBytes(18).toString("base64url"),
  publicUrl: undefined,
  secret,
});
const page = web(webSettings.parse({ pageDirectory: directory, agent: { name: "Echo" } }), deps("web"));
const hooks = webhook(
  webhookSettings.parse({ secret }),
  deps("webhook"),
  createSafeFetch({ allowHosts: ["127.0.0.1"] }),
);
for (const channel of [page, hooks]) channels.set(channel.channel, channel);
const health = () => runtime.health();
const server = createServer({ host: "127.0.0.1", port: Number(port), channels: [hooks, page], health, log });
await runtime.start();
const { port: actual } = await server.listen();
process.stdout.write(`${JSON.stringify({ port: actual })}\n`);
