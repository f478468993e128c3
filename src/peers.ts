/**
 * Skilled agents as those see them who give them tasks. `adapters/a2a` implements it on the A2A protocol.
 *
 * Whatever a peer says (its card, its words, its files) is data from outside.
 */
import type { TaskCaller } from "./skilled.ts";

export interface PeerCard {
  readonly title: string;
  readonly description: string;
  readonly skills: readonly { readonly name: string; readonly description: string }[];
  /** Media types, "image/*" and the like among them. */
  readonly inputModes: readonly string[];
  readonly outputModes: readonly string[];
  /** It tells of changes at a URL. */
  readonly pushes: boolean;
  /** Its artifacts come whole: what is seen once does not grow. */
  readonly whole: boolean;
}

export const peerStates = [
  "submitted",
  "working",
  "input-required",
  "completed",
  "failed",
  "canceled",
  "rejected",
] as const;
export type PeerState = (typeof peerStates)[number];

/** Bytes come with it, or are to be fetched: one of both. */
export interface PeerFile {
  readonly kind: "file";
  readonly name?: string;
  /** Media type. */
  readonly type: string;
  readonly bytes?: Uint8Array;
  readonly url?: string;
}
export type PeerPart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "data"; readonly data: unknown }
  | PeerFile;

export interface PeerTask {
  /** Absent where the peer answered with a message alone: the task has ended with it. */
  readonly id?: string;
  readonly state: PeerState;
  /** Its question, its reason, or what it waits for. */
  readonly said?: string;
  /** Tells one question from the next, whatever its words. */
  readonly saidId?: string;
  readonly artifacts: readonly { readonly id: string; readonly parts: readonly PeerPart[] }[];
  /** Nothing happens before, where the peer says so: milliseconds since the epoch. */
  readonly dueAt?: number;
}

export interface PeerMessage {
  /** Idempotency key: once more with the same one is the same message. */
  readonly id: string;
  /** The task that it goes on with; absent: a new one. */
  readonly task?: string;
  readonly context: string;
  readonly parts: readonly PeerPart[];
  /** The agents that it came through, the asking one last. */
  readonly chain: readonly string[];
  /** BCP 47, the person's. */
  readonly locale?: string;
  /** IANA name, the person's. */
  readonly timeZone?: string;
  /** Where the peer is to tell of changes. */
  readonly push?: { readonly url: string; readonly token: string };
}

/**
 * Every call: @throws InputError where the peer refuses, in its words; TerminalError where it never can be asked like this (a key
 * that it does not take); RetryableError where it cannot be reached now, or does not answer in time.
 */
export interface Peer {
  readonly name: string;
  /** Milliseconds after which a task that does not end is given up; absent: never. */
  readonly timeoutMs?: number | undefined;
  /** In this process: what changes is told at once, see {@link Delegations.changed}. */
  readonly local: boolean;
  /** Waits for a second at most, and never rejects. Undefined: it cannot be had now. */
  card(): Promise<PeerCard | undefined>;
  /** Resolves when the peer has it, not when it is done. */
  send(caller: TaskCaller, message: PeerMessage, signal: AbortSignal): Promise<PeerTask>;
  /** Undefined: the peer knows no such task. */
  get(caller: TaskCaller, task: string, signal: AbortSignal): Promise<PeerTask | undefined>;
  /** Something may have changed, or words on what is being done. Ends when nothing more is to be heard, and may never begin. */
  listen(caller: TaskCaller, task: string, signal: AbortSignal): AsyncIterable<{ readonly progress?: string }>;
  /** The task that a message made, where the peer knows of one. */
  find(
    caller: TaskCaller,
    message: { readonly id: string; readonly context: string },
    signal: AbortSignal,
  ): Promise<string | undefined>;
  /** Resolves when it is cancelled, has ended already, or is not known there. */
  cancel(caller: TaskCaller, task: string, signal: AbortSignal): Promise<void>;
  /**
   * Nothing is left there of the caller's tasks, or of the one; those that are open are cancelled first.
   * @returns false where the peer does not offer that.
   */
  erase(caller: TaskCaller, task: string | undefined, signal: AbortSignal): Promise<boolean>;
}

export interface Peers {
  /** Those that are known by name now. Never rejects. */
  all(): Promise<readonly Peer[]>;
  of(name: string): Promise<Peer | undefined>;
  /** Of a name that is nobody's now: an agent that says by itself that it runs, and may do so again after a restart. */
  mayReturn(name: string): boolean;
}

/** Whether one of these modes takes the media type. */
export function takesType(modes: readonly string[], type: string): boolean {
  const [own = ""] = type.toLowerCase().split(";");
  const kind = own.trim().split("/")[0] ?? "";
  return modes.some((mode) => [own.trim(), `${kind}/*`, "*/*", "*"].includes(mode.toLowerCase().trim()));
}
