/** A2A for the channel contract: a program with a key that gives tasks by HTTP+JSON, and gets them with what was made. */
import { SendMessageRequest, type Part } from "@a2a-js/sdk";
import { createHash, randomUUID } from "node:crypto";
import { createA2aServer, defaultA2aSettings } from "../../adapters/a2a/server.ts";
import { createSafeFetch } from "../../adapters/fetch/index.ts";
import { a2a } from "../../channels/a2a/index.ts";
import { decisionsIn } from "../../channels/a2a/choices.ts";
import { chatOf, eventOf } from "../../channels/a2a/parse.ts";
import { a2aSettings } from "../../channels/a2a/settings.ts";
import { keyName } from "../../src/api-keys.ts";
import type { Channel, SendContext } from "../../src/channel.ts";
import { plainText } from "../../src/markdown.ts";
import type { InboundEvent, MediaKind } from "../../src/message.ts";
import type { Jobs, Records } from "../../src/ports.ts";
import type { TaskCaller, TaskMessage, TaskPart } from "../../src/skilled.ts";
import { createTaskHost, type HostedTasks } from "../../src/task-host.ts";
import { digest, taskIdOf } from "../../src/task-store.ts";
import type { Task } from "../../src/tasks.ts";
import { agentOf } from "../services/a2a.ts";
import { clock } from "./channel-deps.ts";
import { replay, type ChannelContract, type Platform, type Shown } from "./channel.ts";
import { outbox, type Outbox } from "./web-outbox.ts";

const apiKey = "an-a2a-key-of-the-contracts-tests";
const agent = "assistant";
const context = "main";
const tenant = "acme";
const url = "http://agents.internal";
const caller: TaskCaller = { tenant, id: keyName(apiKey) };
const { profile } = agentOf(async () => ({ kind: "failed", reason: "" }), agent);
const textLength = 100_000;

/** A body as it comes by HTTP+JSON, and whose key came with it. */
interface A2aPayload {
  readonly user?: string;
  readonly body: object;
}

/** Every reading is at another time: nothing of it may get into an id. */
let time = 1_795_430_000_000;
const read: ChannelContract["read"] = (payload, account) => {
  const { user = caller.id, body } = payload as A2aPayload;
  const { message } = SendMessageRequest.fromJSON(body);
  // The server refuses it: the caller is told, and nothing comes in.
  if (message === undefined || message.role !== 1 || message.messageId === "") return [];
  const by = { tenant: account.tenant, id: user };
  const task = taskIdOf(agent, by, message.messageId);
  const place = { agent, caller: by, context: message.contextId === "" ? digest("context", task) : message.contextId };
  const told: TaskMessage = { id: message.messageId, role: "user", parts: message.parts.map(partOf) };
  const chosen = decisionsIn([told]).get(0)?.choice;
  return [eventOf(account, place, { task, locale: undefined }, told, chosen, (time += 1_000))];
};

function partOf({ content, filename, mediaType: type }: Part): TaskPart {
  if (content?.$case === "data") return { kind: "data", data: content.value };
  if (content?.$case !== "raw") return { kind: "text", text: content?.value ?? "" };
  const blob = createHash("sha256").update(content.value).digest("hex");
  return { kind: "file", type, blob, size: content.value.length, ...(filename !== "" && { name: filename }) };
}

const bodyOf = (messageId: string, text: string, of: object = {}) => ({
  message: { messageId, role: "ROLE_USER", contextId: context, parts: [{ text }], ...of },
  configuration: { returnImmediately: true },
});

/** What survives a process: its jobs. */
function memoryJobs() {
  const waiting = new Map<string, { dueAt: number; data: unknown; cancel: () => void }>();
  let run: ((name: string, data: unknown) => Promise<void>) | undefined;
  const arm = (name: string, dueAt: number, data: unknown): void => {
    const due = async () => {
      if (run === undefined) return;
      waiting.delete(name);
      await run(name, data).catch(() => arm(name, Date.now() + 100, data));
    };
    const cancel = clock.after(Math.max(0, dueAt - Date.now()), () => void due());
    waiting.set(name, { dueAt, data, cancel });
  };
  const cancel = (name: string) => {
    waiting.get(name)?.cancel();
    waiting.delete(name);
  };
  const jobs: Jobs = {
    async schedule(name, when, data) {
      cancel(name);
      if (!("dueAt" in when)) throw new Error("tasks have no job that repeats");
      arm(name, when.dueAt, data);
    },
    cancel: async (name) => cancel(name),
    handle: (handler) => void (run = handler),
  };
  return {
    jobs,
    start() {
      const before = [...waiting];
      for (const [name, { dueAt, data }] of before) {
        cancel(name);
        arm(name, dueAt, data);
      }
    },
    stop: () => void (run = undefined),
  };
}

export interface A2aPlatform extends Platform {
  readonly box: Outbox;
  tasks(): HostedTasks;
  all(): Promise<readonly Task[]>;
}

export async function makeA2a(): Promise<A2aPlatform> {
  let handle: ((request: Request) => Promise<Response>) | undefined;
  let tasks: HostedTasks | undefined;
  let records: Records | undefined;
  let ids = 0;
  const { jobs, ...life } = memoryJobs();
  /** Tasks of the platform's own, which only give something to answer. */
  const openers = new Map<string, string>();
  const box = outbox(async (body) => {
    if (handle === undefined) throw new Error("nobody listens");
    const headers = { authorization: `Bearer ${apiKey}`, "a2a-version": "1.0", "content-type": "application/json" };
    const target = `${url}/a2a/${agent}/message:send`;
    return handle(new Request(target, { method: "POST", headers, body: JSON.stringify(body) }));
  });
  const hosted = (): HostedTasks => {
    if (tasks === undefined) throw new Error("nobody listens");
    return tasks;
  };
  const all = async () => (await hosted().list(caller, { context, limit: 1_000 })).tasks;
  async function shown(): Promise<Shown[]> {
    const known = await all();
    // In the order in which they were given.
    return [...openers.values()]
      .flatMap((id) => known.find((one) => one.id === id)?.artifacts ?? [])
      .map(({ id, parts }) => shownOf(id, parts));
  }

  return {
    box,
    all,
    tasks: hosted,
    secrets: [apiKey],
    chat: chatOf({ agent, caller, context }),
    async start(deps) {
      records ??= deps.records;
      const runtime = { records, jobs, blobs: deps.blobs, actors: { exclusive: true } };
      const log = deps.log;
      const server = createA2aServer({
        settings: { ...defaultA2aSettings, keys: [apiKey] },
        secret: deps.secret,
        blobs: deps.blobs,
        tenant,
        safeFetch: createSafeFetch(),
        clock,
        log,
        newId: randomUUID,
        publicUrl: url,
      });
      const host = createTaskHost({ runtime, clock, log, instance: randomUUID(), watchMs: 300 });
      const isOwn = ({ raw }: InboundEvent) => openers.has((raw as { message?: string }).message ?? "");
      const inbound: typeof deps.inbound = {
        ...deps.inbound,
        accept: async (events, options) => (events.every(isOwn) ? undefined : deps.inbound.accept(events, options)),
      };
      const surroundings: Parameters<typeof a2a>[2] = {
        profiles: [profile],
        host(skilled, elsewhere) {
          tasks = host.add(skilled, elsewhere);
          server.serve(tasks);
          return tasks;
        },
      };
      const made = a2a(a2aSettings.parse({ textLength }), { ...deps, inbound }, surroundings);
      jobs.handle(async (name, data) => void (await host.run(name, data)));
      life.start();
      handle = server.handle;
      box.resume();

      /** Whatever is said here answers something: a task that is given for it. */
      async function send(...[part, of]: Parameters<Channel["send"]>) {
        if (of.answers.length > 0) return made.send(part, of);
        const id = `opener-${openers.size}`;
        openers.set(id, taskIdOf(agent, caller, id));
        await hosted().send(caller, { id, context, parts: [{ kind: "text", text: "say something" }] });
        const [event] = read({ body: bodyOf(id, "") }, deps);
        if (event === undefined) throw new Error("the opener is no message");
        const asked: SendContext = { ...of, answers: [event.id] };
        return made.send(part, asked);
      }
      return {
        channel: { ...made, send },
        async stop() {
          handle = undefined;
          await box.pause();
          life.stop();
          await host.drain(200);
        },
      };
    },
    async says(text) {
      const id = `m-${++ids}`;
      box.add(id, bodyOf(id, text));
      return { id };
    },
    async sendsFile(bytes, filename) {
      const id = `m-${++ids}`;
      const raw = Buffer.from(bytes).toString("base64");
      const file = { raw, filename, mediaType: "image/png" };
      box.add(id, bodyOf(id, "", { parts: [file] }));
      return { id };
    },
    redelivers: async ({ id }) => box.again(id),
    acknowledged: async ({ id }) => box.accepted(id),
    shown,
    signs: async () => ({ typing: 0, previews: [] }),
    refuses: () => Promise.reject(new Error("there is no platform that could refuse: name a deviation")),
    close: () => box.pause(),
  };
}

const kinds: Readonly<Record<string, MediaKind>> = {
  "image/png": "image",
  "video/mp4": "video",
  "audio/mpeg": "audio",
  "audio/ogg": "voice",
  "application/octet-stream": "file",
  "image/webp": "sticker",
};

function shownOf(id: string, parts: readonly TaskPart[]): Shown {
  const text = parts.flatMap((part) => (part.kind === "text" ? [part.text] : [])).join("\n");
  const data = parts.flatMap((part) => (part.kind === "data" ? [part.data as Record<string, unknown>] : []));
  const choices = data.flatMap(({ choices: given = [] }) => given as Shown["buttons"]);
  const place = data.find((one) => "latitude" in one) as NonNullable<Shown["location"]> | undefined;
  const file = parts.find((part) => part.kind === "file");
  return {
    id,
    text: plainText(text),
    buttons: choices,
    ...(place !== undefined && { location: { latitude: place.latitude, longitude: place.longitude } }),
    ...(file?.kind === "file" && {
      media: kinds[file.type] ?? "file",
      ...(file.size !== undefined && { size: file.size }),
    }),
  };
}

const noPlatform = "sending is writing into the gateway's own records: there is no platform in between that could fail";

/** What the suite is told; the channel's own tests are where a deviation says "below". */
export const contracts: readonly ChannelContract[] = [
  {
    name: "a2a",
    channel: "a2a",
    make: makeA2a,
    genuine: replay("a2a"),
    read,
    hostile: ({ chat, user }): A2aPayload => ({ user, body: bodyOf("m-1", "x", { contextId: chat }) }),
    deviations: {
      "is acknowledged only after inbound has it":
        "the caller is told when the task is durable, which is handed over as often as it takes: below",
      "has the same id when the platform delivers it again":
        "the same message is the same task, handed over once: below",
      "is taken over by the next process when this one ends before it is durable":
        "the task is durable; one that has to be tried again does not hold up other tasks: below",
      "that nobody can read is set aside visibly and blocks nothing":
        "the caller is told with 400 and nothing was acknowledged: tests/integration/a2a-attacks.test.ts",
      "and can never be accepted is set aside visibly and blocks nothing": "the task has failed, and says so: below",
      "can be a file, whose bytes can be fetched and are bounded":
        "files come within the message and go into the gateway's own store: below",
      "without the platform's signature are refused and nothing comes in":
        "the gateway's A2A server has the requests: tests/integration/a2a-attacks.test.ts",
      "that are no events are refused for good; those that come too soon may come back":
        "the gateway's A2A server has the requests: tests/integration/a2a-attacks.test.ts",
      "reports delivery": "the caller gets the task",
      "has buttons whose press comes back with the same id":
        "an answer ends its task, and what is said then is words; those of a question come back: tests/unit/a2a-channel.test.ts",
      "say when to come back if the platform asked to slow down": noPlatform,
      "of the platform or the network are tried again": noPlatform,
      "that no retry helps are terminal": noPlatform,
      "show no secret and no text, in errors and in the log": noPlatform,
      "are there when declared, and only then":
        "a growing answer is shown to who watches the task that it is for: tests/unit/a2a-channel.test.ts",
    },
  },
];
