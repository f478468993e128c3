/** A client agent's actor over rows in memory: each call of `openShell` is another life of it. */
import { clientAgents, type ClientAgentOptions } from "../../src/client-agent.ts";
import type { AgentId } from "../../src/ids.ts";
import type { ActorContext } from "../../src/ports.ts";
import { quiet, testClock } from "./client-agent.fixture.ts";

type Given = Pick<ClientAgentOptions, "traitsOf"> & Partial<ClientAgentOptions>;

/** @param onLoad told of every read. */
export async function openShell(id: AgentId, rows: Map<string, unknown>, options: Given, onLoad = () => {}) {
  const context: ActorContext = {
    id,
    async load(keys) {
      onLoad();
      return new Map(keys.flatMap((key) => (rows.has(key) ? [[key, structuredClone(rows.get(key))] as const] : [])));
    },
    async commit({ put = {}, remove = [] }) {
      for (const [key, value] of Object.entries(put)) rows.set(key, structuredClone(value));
      for (const key of remove) rows.delete(key);
      return { armed: true, published: Promise.resolve(true) };
    },
    arm: async () => true,
    disarm: async () => undefined,
  };
  return clientAgents({
    runtime: {
      bus: { ordered: true, isolated: true, publish: async () => undefined, subscribe() {} },
      actors: { exclusive: true, register() {}, call: async () => undefined },
      journal: { setAside: async () => undefined, list: async () => [] },
    },
    clock: testClock(),
    log: quiet,
    instance: "here",
    turns: { start() {}, cancel() {}, wake() {}, fold() {}, isRunning: () => true },
    call: async () => Promise.reject(new Error("no other agent is here, and its own lock is held")),
    settled: async () => Number.MAX_SAFE_INTEGER,
    isStopping: () => false,
    ...options,
  })(context);
}
