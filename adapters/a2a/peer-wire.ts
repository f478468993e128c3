/** A peer's tasks as the core sees them, and what is said to it in the protocol's form. Everything that comes in is bounded here. */
import {
  Role,
  TaskState as WireState,
  type Artifact,
  type Message,
  type Part,
  type SendMessageRequest,
  type SendMessageResult,
  type Task,
} from "@a2a-js/sdk";
import { chainExtension } from "../../src/chain.ts";
import type { PeerMessage, PeerPart, PeerState, PeerTask } from "../../src/peers.ts";
import { dueExtension, personExtension } from "./extensions.ts";

const states: Partial<Record<WireState, PeerState>> = {
  [WireState.TASK_STATE_SUBMITTED]: "submitted",
  [WireState.TASK_STATE_WORKING]: "working",
  [WireState.TASK_STATE_INPUT_REQUIRED]: "input-required",
  // Whoever can give it the right does so elsewhere; the words say where.
  [WireState.TASK_STATE_AUTH_REQUIRED]: "input-required",
  [WireState.TASK_STATE_COMPLETED]: "completed",
  [WireState.TASK_STATE_FAILED]: "failed",
  [WireState.TASK_STATE_CANCELED]: "canceled",
  [WireState.TASK_STATE_REJECTED]: "rejected",
};

const mostParts = 100;
const mostArtifacts = 1_000;
const longestText = 100_000;
const longestId = 200;
const nothing = { metadata: undefined, filename: "", mediaType: "" };

export function isTask(result: SendMessageResult): result is Task {
  return "status" in result || !("messageId" in result);
}

/** A peer that answers with a message has made no task: that is its end. */
export function peerTaskOf(result: SendMessageResult): PeerTask {
  if (!isTask(result)) return { state: "completed", artifacts: [{ id: "message", parts: partsOf(result.parts) }] };
  const { id, status, artifacts, metadata } = result;
  const said = status?.message === undefined ? undefined : textOf(status.message.parts);
  const saidId = status?.message?.messageId;
  const due = typeof metadata?.[dueExtension] === "string" ? Date.parse(metadata[dueExtension]) : Number.NaN;
  const state = (status && states[status.state]) ?? "working";
  return {
    id: String(id).slice(0, 1_000),
    state,
    artifacts: [...artifacts.slice(-mostArtifacts).map(artifactOf), ...lastWords(result, state)],
    ...(said === undefined || said === "" ? {} : { said }),
    ...(saidId === undefined || saidId === "" ? {} : { saidId }),
    ...(Number.isNaN(due) ? {} : { dueAt: due }),
  };
}

/** Some say their result with the state alone. */
function lastWords({ status, artifacts }: Task, state: PeerState): PeerTask["artifacts"] {
  if (state !== "completed" || artifacts.length > 0 || status?.message === undefined) return [];
  return [{ id: "status", parts: partsOf(status.message.parts) }];
}

function artifactOf({ artifactId, parts }: Artifact): PeerTask["artifacts"][number] {
  return { id: artifactId.slice(0, longestId), parts: partsOf(parts) };
}

function partsOf(parts: readonly Part[] = []): PeerPart[] {
  return parts.slice(0, mostParts).flatMap((part) => partOf(part) ?? []);
}

function partOf({ content, filename, mediaType }: Part): PeerPart | undefined {
  if (content === undefined) return undefined;
  const named = { type: mediaType || "application/octet-stream", ...(filename ? { name: filename } : {}) };
  switch (content.$case) {
    case "text":
      return { kind: "text", text: String(content.value).slice(0, longestText) };
    case "data":
      return { kind: "data", data: content.value };
    case "raw":
      return { kind: "file", ...named, bytes: new Uint8Array(content.value) };
    case "url":
      return { kind: "file", ...named, url: String(content.value) };
  }
}

export function textOf(parts: readonly Part[] = []): string {
  return partsOf(parts)
    .flatMap((part) => (part.kind === "text" ? [part.text] : []))
    .join("\n")
    .slice(0, longestText);
}

export function requestOf(message: PeerMessage, modes: readonly string[]): SendMessageRequest {
  const { push } = message;
  const config = { tenant: "", id: "ascent", taskId: "", authentication: undefined };
  return {
    tenant: "",
    message: messageOf(message),
    configuration: {
      acceptedOutputModes: [...modes],
      taskPushNotificationConfig: push === undefined ? undefined : { ...config, ...push },
      returnImmediately: true,
    },
    metadata: undefined,
  };
}

function messageOf({ id, task = "", context, parts, chain, locale, timeZone }: PeerMessage): Message {
  return {
    messageId: id,
    contextId: context,
    taskId: task,
    role: Role.ROLE_USER,
    parts: parts.map(wirePart),
    metadata: {
      [chainExtension]: [...chain],
      ...(locale === undefined && timeZone === undefined ? {} : { [personExtension]: { locale, timeZone } }),
    },
    extensions: [chainExtension],
    referenceTaskIds: [],
  };
}

function wirePart(part: PeerPart): Part {
  if (part.kind === "text")
    return { ...nothing, content: { $case: "text", value: part.text }, mediaType: "text/plain" };
  if (part.kind === "data")
    return { ...nothing, content: { $case: "data", value: part.data }, mediaType: "application/json" };
  const value = Buffer.from(part.bytes ?? new Uint8Array());
  return { ...nothing, content: { $case: "raw", value }, filename: part.name ?? "", mediaType: part.type };
}
