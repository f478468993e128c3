/**
 * What happens in a run, fixed before it begins: what people do and what goes wrong. Everything here can be left out one
 * element at a time, which is how a failing run is made small; what is not here (latencies, ties) the seed decides.
 */
import type { Topic } from "../../src/ports.ts";

/** What differs between the two runtimes: see `broker.ts`, `hosting.ts` and `process.ts`. */
export const flavours = ["embedded", "dapr"] as const;
export type Flavour = (typeof flavours)[number];

/** In every fourth world answers are rated, and all of them are doubtful. */
export function isRated({ seed }: Pick<Plan, "seed">): boolean {
  return seed % 4 === 0;
}

export interface Plan {
  readonly seed: number;
  readonly flavour: Flavour;
  /** Processes at once: one where the host is exclusive. */
  readonly replicas: number;
  /** Deliveries of one topic that one process handles at once, and after how long an unsettled one is delivered again. */
  readonly workers: number;
  /** The broker says so: otherwise deliveries acknowledge what the agent's outbox holds. */
  readonly isolated: boolean;
  readonly processingMs: number;
  /** So many of the replicas deliver; the others have agents only. */
  readonly senders: number;
  /** Wall clock at the start of the run. */
  readonly epoch: number;
  readonly settings: {
    readonly whileRunning: "queue" | "interrupt";
    readonly turnTimeoutMs: number;
    readonly historyItems: number;
    /** Turns that a process runs at once: its only tenant has half of them, as if there were others. */
    readonly places: number;
    /** How long a call waits for its task. */
    readonly inlineMs: number;
    /** How long an operator may say nothing; absent: for ever. */
    readonly silentMs?: number;
  };
  readonly channels: readonly ChannelPlan[];
  readonly conversations: readonly ConversationPlan[];
  readonly faults: readonly Fault[];
}

export interface ChannelPlan {
  readonly name: string;
  readonly order: "sequence" | "time" | "arrival";
  /** How updates reach the gateway: pushed one by one, pushed without waiting for one another, or fetched by one process. */
  readonly intake: "webhook" | "parallel" | "polling";
  /** Polling: updates handed over in one call. */
  readonly batch: number;
  readonly idempotentMs?: number;
  /** The channel shows typing and drafts. */
  readonly lively: boolean;
  /** It has buttons; else people type the number of what they would press. */
  readonly buttons: boolean;
}

export interface ConversationPlan {
  readonly name: string;
  readonly channel: string;
  readonly kind: "direct" | "group";
  readonly chat: string;
  readonly thread?: string;
  readonly actions: readonly Action[];
}

/** One thing that one person does. `id` is unique in the plan; it is also the token that the message's text carries. */
export interface Action {
  readonly id: string;
  readonly user: string;
  /** After the action before it, or once the gateway has said something since then (or two minutes have passed). */
  readonly after: "previous" | "answer";
  readonly waitMs: number;
  readonly does:
    | { readonly kind: "say"; readonly addressed: boolean; readonly mood: Mood; readonly parts: number }
    /** Nobody does it: the gateway is asked to say these words there, or to give its agent a note. Once, however often. */
    | { readonly kind: "request"; readonly form: "words" }
    | { readonly kind: "request"; readonly form: "note"; readonly mood: Mood }
    | { readonly kind: "command"; readonly name: "start" | "help" | "reset" | "stop" | "link" | "unlink" | "person" }
    /** Sends the last code that the gateway gave in that conversation, or a wrong one where it gave none in time. */
    | { readonly kind: "join"; readonly of: string }
    /** Decides what the agent last asked in that conversation, or first; nothing where it has not asked in time. */
    | { readonly kind: "press"; readonly says: Word; readonly of: "latest" | "first"; readonly mood: Mood }
    /** An operator decides what the agent last asked there. */
    | { readonly kind: "decide"; readonly says: Word; readonly mood: Mood }
    /** An operator does it. */
    | {
        readonly kind: "operate";
        readonly step: "take" | "say" | "release";
        readonly by: Operator;
        readonly force: boolean;
      }
    /** Answers that question; nothing where it has not been put in time. */
    | { readonly kind: "reply"; readonly of: string; readonly with: "words" | "choice" | "skip" }
    | { readonly kind: "edit" | "delete" | "react"; readonly of: string };
  /** Webhooks: the same update, this many times at once. */
  readonly copies: number;
  /** Webhooks: and once more so much later. */
  readonly echoMs?: number;
}

export type Word = "approve" | "deny";
export type Operator = "bob" | "eve";

/** How the model takes a message. The first message of a turn decides. */
export interface Mood {
  readonly thinkMs: number;
  /** `stubborn`: goes on for `lateMs` after an abort, then answers all the same. `hang`: until it is aborted. */
  readonly ends: "answers" | "fails" | "breaks" | "hangs" | "stubborn";
  /** Only the first attempt ends so; later ones answer. */
  readonly once: boolean;
  readonly lateMs: number;
  /** Before it answers a tool asks this. */
  readonly question?: Question;
  /** Before it answers it gives these tasks to skilled agents, all at once. */
  readonly work?: readonly Work[];
  /** Where it would answer it stops before a call instead, until somebody has decided. */
  readonly asks?: Asking;
}

export interface Asking {
  readonly by: "person" | "operator";
  readonly forMs: number;
  /** Of the call, as its tool says. */
  readonly effect: "once" | "idempotent";
}

/** What a tool asks the person while its call waits. */
export interface Question {
  /** Unique in the plan, and what its words begin with. */
  readonly name: string;
  /** There are two things to choose from; else any words are an answer. */
  readonly options: boolean;
  readonly forMs: number;
}

/** A task for a skilled agent, and how that one takes it. */
export interface Work {
  /** Unique in the plan, and what its words begin with. */
  readonly name: string;
  /** In the gateway itself, whose tasks are kept as the gateway keeps them, or somewhere else. */
  readonly peer: (typeof peers)[number];
  readonly takesMs: number;
  readonly ends: "completes" | "fails" | "hangs";
  /** What it makes before the end. */
  readonly makes: number;
  /** Half-way it asks, and goes on when it is answered; who asked it answers, or has it cancelled. */
  readonly asks?: "answered" | "cancelled";
  /** Half-way it waits for its time, and says so. */
  readonly waits: boolean;
  /** Its first runs die of themselves; for those who keep tasks as the gateway does. */
  readonly breaks: number;
  /** The turn's next attempt does not come back for it. */
  readonly forgotten: boolean;
}
export const peers = ["near", "far"] as const;

/** Steps of a process that reach outside it: each can fail or be its last. */
export const operations = [
  "publish",
  "load",
  "commit",
  "arm",
  "disarm",
  "call",
  "read record",
  "write record",
  "journal",
  "dead letter",
  "send",
  "settle",
] as const;
/** Those of runs that wait for a word: a call that changes the world, and what is to be done at a time. */
export const askOperations = ["act", "job"] as const;
/** Those of tasks for others. */
export const workOperations = ["peer", "job", "read record", "write record"] as const;
export type Operation = (typeof operations)[number] | (typeof askOperations)[number] | (typeof workOperations)[number];

export type Fault = { readonly at: number } & (
  | { readonly kind: "crash"; readonly slot: number; readonly downMs: number }
  /** SIGTERM: the process drains, ends, and a new one takes its place. */
  | { readonly kind: "stop"; readonly slot: number; readonly graceMs: number; readonly downMs: number }
  /** The process stands still: its timers and replies wait. */
  | { readonly kind: "freeze"; readonly slot: number; readonly forMs: number }
  /** The wall clock jumps. */
  | { readonly kind: "jump"; readonly slot: number; readonly byMs: number }
  /** The conversation's actor is dropped from memory; with `move` it goes to another process. */
  | { readonly kind: "evict"; readonly conversation: string; readonly move: boolean }
  | { readonly kind: "outage"; readonly of: "bus" | "store" | "calls" | "platform"; readonly forMs: number }
  /**
   * The next operation of that kind: refused, applied although the caller sees it fail, slow, or the process's last one
   * before or after it is applied. A send is only slow or the last one here: it fails by faults of its own, below.
   */
  | {
      readonly kind: "operation";
      readonly operation: Operation;
      readonly how: "refuse" | "lose" | "slow" | "crash before" | "crash after";
      readonly forMs: number;
    }
  /** The next delivery of a topic: made twice, its acknowledgement lost, or late. */
  | {
      readonly kind: "delivery";
      readonly topic: Topic;
      readonly how: "twice" | "unacknowledged" | "late";
      readonly forMs: number;
    }
  | { readonly kind: "reminder"; readonly how: "late" | "twice"; readonly forMs: number }
  /** The next send to a conversation. `ambiguous`: the platform has it, the caller sees a time-out. */
  | {
      readonly kind: "send";
      readonly conversation: string;
      readonly how: "limited" | "unavailable" | "ambiguous" | "refused" | "blocked" | "garbage" | "slow";
      readonly forMs: number;
    }
);
export type FaultOf<Kind extends Fault["kind"]> = Extract<Fault, { kind: Kind }>;

/** When the last fault of the plan is over. */
export function faultsEnd(plan: Plan): number {
  return plan.faults.reduce((end, fault) => {
    const length = "forMs" in fault ? fault.forMs : "downMs" in fault ? fault.downMs : 0;
    return Math.max(end, fault.at + length);
  }, 0);
}
