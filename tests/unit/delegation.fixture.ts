/** A gateway's part in delegating, without the gateway: processes that come and go over what is kept, and a peer that does what it is told. */
import { createHash } from "node:crypto";
import { createDelegations, type Delegations } from "../../src/delegation.ts";
import { RetryableError } from "../../src/errors.ts";
import type { AgentId, ConversationId, TurnId } from "../../src/ids.ts";
import type { Address, MediaPart } from "../../src/message.ts";
import type { Peer, PeerCard, PeerMessage, PeerTask } from "../../src/peers.ts";
import type { Blobs, Jobs } from "../../src/ports.ts";
import type { Note } from "../../src/proactive.ts";
import { blobSuffix } from "../../src/tenant-blobs.ts";
import type { TaskCaller } from "../../src/skilled.ts";
import type { ToolCall } from "../../src/tools.ts";
import { ann, direct, memoryRecords, quiet, testClock } from "./client-agent.fixture.ts";

export const elsewhere: Address = { ...direct, conversation: "t:telegram:a:2" as ConversationId, chat: "2" };

const card: PeerCard = {
  title: "Tester",
  description: "Does what a test wants",
  skills: [{ name: "Test", description: "Tests" }],
  inputModes: ["text/plain", "image/*"],
  outputModes: ["text/plain"],
  pushes: false,
  whole: true,
};

export const text = (words: string) => [{ kind: "text", text: words } as const];
export const made = (id: string, words: string) => ({ id, parts: text(words) });

/** Its tasks are as `set` says; a message makes or goes on with one. */
export function scriptedPeer(name = "tester", of: Partial<Peer> & { readonly card?: Peer["card"] } = {}) {
  const tasks = new Map<string, PeerTask & { readonly message: string; readonly caller: TaskCaller }>();
  const sent: PeerMessage[] = [];
  const cancelled: string[] = [];
  const state = { down: false, erases: true, first: (): Partial<PeerTask> => ({ state: "working" }) };
  const reached = () => {
    if (state.down) throw new RetryableError("down");
  };
  const set = (id: string, patch: Partial<PeerTask>) => {
    const before = tasks.get(id);
    if (before === undefined) throw new Error(`no task ${id}`);
    tasks.set(id, { ...before, ...patch });
  };
  const peer: Peer = {
    name,
    local: false,
    card: async () => card,
    async send(caller, message) {
      reached();
      sent.push(message);
      const known = [...tasks.values()].find((task) => task.message === message.id);
      if (known !== undefined) return known;
      const { task: id = `task-${tasks.size + 1}` } = message;
      const task = { id, state: "working" as const, artifacts: [], ...state.first(), message: message.id, caller };
      tasks.set(id, { ...tasks.get(id), ...task });
      return task;
    },
    async get(caller, id) {
      reached();
      const task = tasks.get(id);
      return task?.caller.id === caller.id ? task : undefined;
    },
    async *listen() {},
    async find(_caller, { id }) {
      reached();
      return [...tasks].find(([, task]) => task.message === id)?.[0];
    },
    async cancel(_caller, id) {
      reached();
      cancelled.push(id);
      set(id, { state: "canceled" });
    },
    async erase(caller, only) {
      reached();
      if (!state.erases) return false;
      for (const [id, task] of tasks) if (task.caller.id === caller.id && (only ?? id) === id) tasks.delete(id);
      return true;
    },
    ...of,
  };
  return { peer, tasks, sent, cancelled, state, set };
}

/** @param returning names of those that may be back when they are not among `peers`. */
export function delegationWorld(peers: readonly Peer[], returning: ReadonlySet<string> = new Set()) {
  const records = memoryRecords();
  const jobs = new Map<string, { readonly dueAt: number; readonly data: unknown }>();
  const notes = new Map<string, Note & { readonly conversation: string }>();
  const stored = new Map<
    string,
    { readonly bytes: Uint8Array<ArrayBuffer>; readonly type: string; readonly name?: string }
  >();
  const crashes: true[] = [];
  let offset = 0;
  const real = testClock();
  const clock = { ...real, now: () => real.now() + offset };
  const port: Jobs = {
    async schedule(name, when, data) {
      jobs.set(name, { dueAt: "dueAt" in when ? when.dueAt : clock.now() + when.everyMs, data });
    },
    cancel: async (name) => void jobs.delete(name),
    handle: () => undefined,
  };
  const blobs: Blobs = {
    async put(body, { type, name, tenant }) {
      const bytes = new Uint8Array(await new Response(body).arrayBuffer());
      const id = `${createHash("sha256").update(bytes).digest("hex")}${blobSuffix(tenant)}`;
      stored.set(id, { bytes, type, ...(name === undefined ? {} : { name }) });
      return { id, type, size: bytes.byteLength, ...(name === undefined ? {} : { name }) };
    },
    async get(id) {
      const found = stored.get(id);
      if (found === undefined) return undefined;
      return { id, ...found, size: found.bytes.byteLength, body: new Blob([found.bytes]).stream() };
    },
    remove: async (id) => void stored.delete(id),
  };

  function start(inlineMs = 200, pushUrl?: string, reaches = () => true): Delegations {
    return createDelegations({
      runtime: { records, jobs: port, blobs },
      clock,
      log: quiet,
      peers: {
        all: async () => peers,
        of: async (name) => peers.find((peer) => peer.name === name),
        mayReturn: (name) => returning.has(name),
      },
      async prompt(to, id, note) {
        const { conversation } = (to as { to: Address }).to;
        if (!notes.has(id)) notes.set(id, { ...note, conversation });
        if (crashes.splice(0, 1).length > 0) throw new Error("the process dies here");
        return { id: id as never, conversation };
      },
      safeFetch: Object.assign(() => Promise.reject(new Error("no fetch here")), { refusal: async () => undefined }),
      secret: "a secret of the gateway",
      pushUrl,
      chainName: (agent) => `here/${agent}`,
      reaches,
      inlineMs,
    });
  }

  return {
    records,
    jobs,
    stored,
    start,
    notes: () => [...notes.values()],
    clock,
    /** The process dies when the next note is told, before it knows. */
    crash: () => void crashes.push(true),
    /** Time passes, and what is due then runs in this process. */
    async pass(ms: number, by: Delegations): Promise<void> {
      offset += ms;
      for (const [name, { dueAt, data }] of Array.from(jobs)) {
        if (dueAt > clock.now()) continue;
        jobs.delete(name);
        await by.run(name, data);
      }
    },
  };
}

let calls = 0;
export function toolCall(args: unknown, rest: Partial<ToolCall> = {}): ToolCall {
  return {
    agent: "person:1" as AgentId,
    agentName: "assistant",
    to: direct,
    participant: ann,
    turn: "t1" as TurnId,
    key: `key-${++calls}`,
    args,
    signal: new AbortController().signal,
    progress: () => undefined,
    files: [],
    chain: [],
    ...rest,
  };
}

export function file(type: string, name: string, content: string): ToolCall["files"][number] {
  const part: MediaPart = { kind: "file", source: { from: "platform", ref: name }, type, name };
  return { part, open: async () => ({ body: new Blob([content]).stream() }) };
}
