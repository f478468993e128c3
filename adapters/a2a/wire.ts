/** Tasks in the protocol's own form, and what callers say in ours. */
import {
  Role,
  TaskState as WireState,
  type Artifact,
  type Message,
  type Part,
  type StreamResponse,
  type Task as WireTask,
  type TaskPushNotificationConfig,
} from "@a2a-js/sdk";
import { ContentTypeNotSupportedError, RequestMalformedError } from "@a2a-js/sdk/errors";
import type { Blobs } from "../../src/ports.ts";
import { dueExtension } from "./extensions.ts";
import { blobsOf } from "../../src/tenant-blobs.ts";
import type { Profile, TaskCaller, TaskMessage, TaskPart } from "../../src/skilled.ts";
import type { Task, TaskArtifact, TaskEvent, TaskPush, TaskState } from "../../src/tasks.ts";

const wireStates: Readonly<Record<TaskState, WireState>> = {
  submitted: WireState.TASK_STATE_SUBMITTED,
  working: WireState.TASK_STATE_WORKING,
  "input-required": WireState.TASK_STATE_INPUT_REQUIRED,
  completed: WireState.TASK_STATE_COMPLETED,
  failed: WireState.TASK_STATE_FAILED,
  canceled: WireState.TASK_STATE_CANCELED,
  rejected: WireState.TASK_STATE_REJECTED,
};

/** Undefined: any. @throws RequestMalformedError for a state that no task here has. */
export function stateOf(wire: WireState): TaskState | undefined {
  if (wire === WireState.TASK_STATE_UNSPECIFIED) return undefined;
  const found = (Object.keys(wireStates) as TaskState[]).find((state) => wireStates[state] === wire);
  if (found === undefined) throw new RequestMalformedError("No task has this status.");
  return found;
}

/** Files that come or go within a message, all of them together. */
const filesBytes = 8 * 1024 * 1024;

const nothing = { metadata: undefined, filename: "", mediaType: "" };

export interface Wire {
  task(
    task: Task,
    options?: { readonly historyLength?: number | undefined; readonly artifacts?: boolean },
  ): Promise<WireTask>;
  /** What of `event` is new to who saw `before`. */
  updates(event: TaskEvent, before: Task): Promise<StreamResponse[]>;
  /** @throws an error that says what to do, for what this agent does not take. */
  parts(message: Message, profile: Profile, caller: TaskCaller): Promise<TaskPart[]>;
}

/** What is left for files, and where they are. */
interface Room {
  left: number;
  readonly blobs: Blobs;
}

/** @param whole those of all tenants: a task's are its caller's tenant's. */
export function createWire(whole: Blobs): Wire {
  const roomOf = ({ caller }: Task): Room => ({ left: filesBytes, blobs: blobsOf(whole, caller.tenant) });

  async function partOf(part: TaskPart, room: Room): Promise<Part> {
    if (part.kind === "text")
      return { ...nothing, content: { $case: "text", value: part.text }, mediaType: "text/plain" };
    if (part.kind === "data")
      return { ...nothing, content: { $case: "data", value: part.data }, mediaType: "application/json" };
    const found = await room.blobs.get(part.blob);
    const name = part.name ?? "file";
    if (found === undefined || found.size > room.left) {
      await found?.body.cancel();
      const why = found === undefined ? "is not kept any more" : "is too large to be sent";
      return { ...nothing, content: { $case: "text", value: `[${name} ${why}]` }, mediaType: "text/plain" };
    }
    room.left -= found.size;
    const value = Buffer.from(await new Response(found.body).arrayBuffer());
    return { ...nothing, content: { $case: "raw", value }, filename: part.name ?? "", mediaType: part.type };
  }

  const partsOf = async (parts: readonly TaskPart[], room: Room) => {
    const made: Part[] = [];
    for (const part of parts) made.push(await partOf(part, room));
    return made;
  };

  async function messageOf(task: Task, { id, role, parts }: TaskMessage, room: Room): Promise<Message> {
    return {
      messageId: id,
      contextId: task.context,
      taskId: task.id,
      role: role === "user" ? Role.ROLE_USER : Role.ROLE_AGENT,
      parts: await partsOf(parts, room),
      metadata: undefined,
      extensions: [],
      referenceTaskIds: [],
    };
  }

  async function artifactOf({ id, parts }: TaskArtifact, room: Room): Promise<Artifact> {
    const made = await partsOf(parts, room);
    return { artifactId: id, name: "", description: "", parts: made, metadata: undefined, extensions: [] };
  }

  async function statusOf(task: Task, room: Room) {
    return {
      state: wireStates[task.state],
      message: task.said && (await messageOf(task, task.said, room)),
      timestamp: new Date(task.changedAt).toISOString(),
    };
  }

  return {
    async task(task, { historyLength, artifacts = true } = {}) {
      const room = roomOf(task);
      const told = task.messages.filter(({ id }) => id !== task.said?.id);
      const history = historyLength === undefined ? told : historyLength === 0 ? [] : told.slice(-historyLength);
      return {
        id: task.id,
        contextId: task.context,
        status: await statusOf(task, room),
        artifacts: artifacts ? await all(task.artifacts, (one) => artifactOf(one, room)) : [],
        history: await all(history, (one) => messageOf(task, one, room)),
        metadata: task.dueAt === undefined ? undefined : { [dueExtension]: new Date(task.dueAt).toISOString() },
      };
    },
    async updates({ task, progress }, before) {
      const room = roomOf(task);
      const of = { taskId: task.id, contextId: task.context, metadata: undefined };
      if (progress !== undefined) {
        const said: TaskMessage = {
          id: `${task.id}-progress`,
          role: "agent",
          parts: [{ kind: "text", text: progress }],
        };
        const message = await messageOf(task, said, room);
        const status = { ...(await statusOf(task, room)), message };
        return [{ payload: { $case: "statusUpdate", value: { ...of, status } } }];
      }
      const updates: StreamResponse[] = [];
      for (const one of task.artifacts) {
        if (before.artifacts.some(({ id }) => id === one.id)) continue;
        const artifact = await artifactOf(one, room);
        const value = { ...of, artifact, append: false, lastChunk: true };
        updates.push({ payload: { $case: "artifactUpdate", value } });
      }
      if (task.state !== before.state || task.said?.id !== before.said?.id)
        updates.push({ payload: { $case: "statusUpdate", value: { ...of, status: await statusOf(task, room) } } });
      return updates;
    },
    async parts(message, profile, { tenant, id }) {
      const blobs = blobsOf(whole, tenant, `message ${message.messageId} of ${id}`);
      let left = filesBytes;
      const parts: TaskPart[] = [];
      for (const { content, filename, mediaType } of message.parts) {
        if (content === undefined) throw new RequestMalformedError("A part has to have a text, data or a file.");
        if (content.$case === "text") parts.push({ kind: "text", text: content.value });
        else if (content.$case === "data") {
          if (!takes(profile, "application/json") && !takes(profile, "text/plain")) throw refusedType(profile);
          parts.push({ kind: "data", data: content.value ?? null });
        } else if (content.$case === "url") {
          // Nobody fetches it for its sender: what the agent makes of an address is its own.
          parts.push({ kind: "text", text: [filename, content.value].filter((one) => one !== "").join(": ") });
        } else {
          const type = mediaType === "" ? "application/octet-stream" : mediaType;
          if (!takes(profile, type)) throw refusedType(profile);
          if ((left -= content.value.length) < 0)
            throw new RequestMalformedError(`The files of a message have ${filesBytes} bytes at most together.`);
          const named = { type, maxBytes: content.value.length, ...(filename !== "" && { name: filename }) };
          const blob = await blobs.put(new Blob([new Uint8Array(content.value)]).stream(), named);
          const kept = { kind: "file", type, blob: blob.id, size: blob.size } as const;
          parts.push(filename === "" ? kept : { ...kept, name: filename });
        }
      }
      return parts;
    },
  };
}

async function all<From, To>(list: readonly From[], make: (one: From) => Promise<To>): Promise<To[]> {
  const made: To[] = [];
  for (const one of list) made.push(await make(one));
  return made;
}

function takes({ inputModes }: Profile, type: string): boolean {
  const [own = "", kind] = [type.split(";")[0]?.trim().toLowerCase(), type.split("/")[0]?.toLowerCase()];
  return inputModes.some((mode) => mode === "*/*" || mode === own || mode === `${kind}/*`);
}

function refusedType({ inputModes }: Profile): Error {
  return new ContentTypeNotSupportedError(`This agent takes ${inputModes.join(", ")}.`);
}

/** @param newId for one that its caller did not name. */
export function pushOf(config: TaskPushNotificationConfig, wire: string, newId: () => string): TaskPush {
  const { id, url, token, authentication } = config;
  return {
    id: id === "" ? newId() : id,
    url,
    wire,
    ...(token !== "" && { token }),
    ...(authentication !== undefined && { authentication }),
  };
}

export function configOf(
  taskId: string,
  { id, url, token = "", authentication }: TaskPush,
): TaskPushNotificationConfig {
  return { tenant: "", id, taskId, url, token, authentication };
}
