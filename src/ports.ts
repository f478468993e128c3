/**
 * What the core needs of a runtime. Two implement it: `adapters/embedded` (one process, SQLite) and `adapters/dapr`
 * (the sidecar); both pass `tests/contract/runtime.ts`, which lists what differs between them with the reason.
 *
 * Every method that writes resolves once the write is durable, and rejects with an InfrastructureError when it may not be.
 */
import type { AgentId } from "./ids.ts";

/** Time as a parameter. `now` may jump; `monotonic` never goes back; both in milliseconds. */
export interface Clock {
  now(): number;
  monotonic(): number;
  /** Runs `task` once after `ms`; the returned function cancels it. A pending task does not keep the process alive. */
  after(ms: number, task: () => void): () => void;
}

/** A CloudEvents 1.0 event in its JSON form, with our extension attributes. @see https://cloudevents.io */
export interface CloudEvent<Data = unknown> {
  readonly specversion: "1.0";
  /** Unique within `source`: an event with an id that was seen before is the same event. */
  readonly id: string;
  readonly source: string;
  readonly type: string;
  /** RFC 3339. */
  readonly time: string;
  readonly datacontenttype: "application/json";
  /** What keeps its order: the conversation. Also the partition key of brokers that have partitions. */
  readonly subject: string;
  /** Extension: the id of the event published before this one with the same subject, as its publisher saw it. */
  readonly previous?: string;
  /** Extension: those published before `previous` a short time ago, the latest first, with a space between. */
  readonly earlier?: string;
  readonly data: Data;
}

export const topics = ["inbound", "outbound", "receipts"] as const;
export type Topic = (typeof topics)[number];

/**
 * Publish and subscribe, at least once.
 *
 * Events of one subject are delivered one at a time in the order of their publishing where the runtime says `ordered`,
 * else possibly out of order and concurrently. Subjects never wait for each other where it says `isolated`; where a broker
 * hands out one event of a partition at a time, those that share one do.
 */
export interface Bus {
  /** Data for the contract suite and the core: see above. */
  readonly ordered: boolean;
  /** Known once the runtime has started. */
  readonly isolated: boolean;

  /**
   * Resolves once every event is durable; the events of one call are published in their order.
   * @throws OverloadedError when the backlog is full: nothing was published.
   */
  publish(topic: Topic, events: readonly CloudEvent[]): Promise<void>;

  /**
   * One subscriber per topic, set before {@link Runtime.start}. The event is acknowledged when the handler resolves. When it
   * rejects, `fateOf` decides: terminal errors and those that used up five attempts make it a dead letter; others are
   * delivered again. A process that dies leaves its unacknowledged events to be delivered again. Handlers must not change
   * the event.
   */
  subscribe(topic: Topic, handler: (event: CloudEvent) => Promise<void>): void;
}

/** One write of an actor: all of it is applied, or none. Values are JSON. */
export interface ActorCommit {
  readonly put?: Readonly<Record<string, unknown>>;
  readonly remove?: readonly string[];
  /**
   * A periodic reminder that is armed no later than the write is visible; where arming it fails the write still happens.
   * Arming a reminder of that name again replaces it.
   */
  readonly arm?: { readonly name: string; readonly periodMs: number };
  /**
   * Published with the write or right after it, in their order; a crash in between may lose them, so that the state must be
   * able to say them again.
   */
  readonly publish?: readonly { readonly topic: Topic; readonly event: CloudEvent }[];
}

export interface ActorContext {
  readonly id: AgentId;
  /** The stored values of these keys; an absent key is absent from the result. */
  load(keys: readonly string[]): Promise<ReadonlyMap<string, unknown>>;
  /**
   * `armed` is false where `arm` was asked for and failed, or whether it did is not known. `published` tells whether all of
   * `publish` is on the bus; where it is false, that is left to whoever reads the state. It never rejects.
   */
  commit(write: ActorCommit): Promise<{ readonly armed: boolean; readonly published: Promise<boolean> }>;
  /** As {@link ActorCommit.arm}, at any time, also outside of the actor's calls. False as `armed` is. */
  arm(reminder: NonNullable<ActorCommit["arm"]>): Promise<boolean>;
  disarm(name: string): Promise<void>;
}

/** A hosted actor. Its calls run one at a time; after one rejects, the actor is dropped and loaded again for the next call. */
export interface Actor {
  /** The result may be a `later`: the caller waits for it, the actor's next call does not. */
  call(method: string, data: unknown): Promise<unknown>;
  /** A reminder fired. At least once per period, also after a restart; a rejection is logged and the reminder fires again. */
  remind(name: string): Promise<void>;
}

export interface ActorHost {
  /**
   * True where at most one process at a time can host actors and a new one starts only after the old one's death
   * (embedded): a turn that another process started is then known to be dead.
   */
  readonly exclusive: boolean;

  /** Once, before {@link Runtime.start}. `activate` runs before an actor's first call and after each time it was dropped. */
  register(activate: (context: ActorContext) => Promise<Actor>): void;

  /**
   * Calls the actor wherever it lives. Rejects with the error of the call where it is hosted here; across processes only
   * its fate survives. A rejected call may have been applied when the error is an InfrastructureError.
   */
  call(id: AgentId, method: string, data: unknown): Promise<unknown>;
}

/** Plain keyed state outside any actor, guarded by ETags. Values are JSON. */
export interface Records {
  get(key: string): Promise<{ readonly value: unknown; readonly etag: string } | undefined>;
  /**
   * @param options.etag write only over the value that had this etag; null: only where there is none; absent: always.
   * @param options.ttlMs forget it after that long.
   * @returns the new etag.
   * @throws ConflictError when the etag no longer holds; nothing was written.
   */
  put(key: string, value: unknown, options?: { etag?: string | null; ttlMs?: number }): Promise<string>;
  remove(key: string): Promise<void>;
}

/** Runs `handler` for a named job at its time, at least once, also after a restart. Scheduling a name again replaces it. */
export interface Jobs {
  schedule(name: string, when: { readonly dueAt: number } | { readonly everyMs: number }, data: unknown): Promise<void>;
  cancel(name: string): Promise<void>;
  /** Set before {@link Runtime.start}. A rejection is retried with backoff. */
  handle(handler: (name: string, data: unknown) => Promise<void>): void;
}

/**
 * A pure program that a runtime makes durable: it decides from what came back what comes next. Everything in it is JSON. The same
 * events lead to the same steps, whenever and wherever they are gone through again.
 */
export interface Program {
  /** What is under way was begun by a program of this name: one that would decide otherwise gets another. */
  readonly name: string;
  begin(input: unknown, now: number): WorkflowStep;
  /** An event that means nothing any more changes nothing. */
  next(state: unknown, event: WorkflowEvent, now: number): WorkflowStep;
  /**
   * Does one effect, and returns what the program is told of it. It may come again, in another process too, under the same key. A
   * rejection is tried again with backoff, for as long as the workflow is there.
   */
  run(effect: { readonly workflow: string; readonly key: string; readonly data: unknown }): Promise<unknown>;
}

export interface WorkflowStep {
  readonly state: unknown;
  /** Keys are unique within the workflow. */
  readonly effects?: readonly { readonly key: string; readonly data: unknown }[];
  readonly timers?: readonly { readonly key: string; readonly at: number }[];
  /** It has ended: nothing that is under way is waited for. */
  readonly done?: boolean;
}

export type WorkflowEvent =
  | { readonly kind: "result"; readonly key: string; readonly result: unknown }
  | { readonly kind: "timer"; readonly key: string }
  /** From outside; the program may be told the same one twice. */
  | { readonly kind: "signal"; readonly data: unknown };

/** Long work that outlives turns and processes, for a process that has started. Who is told that something was done has it durable. */
export interface Workflows {
  /** Once, before {@link Runtime.start}. */
  define(program: Program): void;
  /** Again is nothing, for as long as the runtime knows of it, ended or not. */
  begin(id: string, input: unknown): Promise<void>;
  /** False where there is none, or it has ended. */
  signal(id: string, data: unknown): Promise<boolean>;
  /** What is under way goes on; what comes of it, and what time brings, waits. False as of {@link signal}. */
  pause(id: string): Promise<boolean>;
  resume(id: string): Promise<boolean>;
  find(id: string): Promise<{ readonly status: "running" | "paused" | "ended"; readonly state: unknown } | undefined>;
  /** Ends it where it stands, and erases all that is kept of it. One that is not there is no error. */
  remove(id: string): Promise<void>;
}

/**
 * An append-only, ordered log per conversation: what the web page shows and where its event stream resumes.
 * Entries are JSON; `n` rises within a conversation but may skip.
 */
export interface Transcript {
  /** A second append with the same `key` returns the first one's `n` and `fresh: false`. */
  append(conversation: string, key: string, entry: unknown): Promise<{ readonly n: number; readonly fresh: boolean }>;
  /**
   * `after` alone: ascending from there. Otherwise the last ones (before `before` where it is given), returned in ascending
   * order too.
   */
  list(
    conversation: string,
    range: { readonly after?: number; readonly before?: number; readonly limit: number },
  ): Promise<readonly TranscriptEntry[]>;
  get(conversation: string, key: string): Promise<TranscriptEntry | undefined>;
  clear(conversation: string): Promise<void>;
}
export interface TranscriptEntry {
  readonly n: number;
  readonly key: string;
  readonly at: number;
  readonly entry: unknown;
}

/**
 * Bytes that people or agents sent, stored once for each owner under a digest of both, and deleted when nobody put or used
 * them for a time that is configured.
 */
export interface Blobs {
  /**
   * @param options.owner whose they are, a conversation's id, a task's or the like: the same bytes of another are another blob, and stay when these go.
   * @param options.draft no message has it yet: it is deleted after a day unless it is used, or put without this.
   * @param options.tenant whose it is, "default" unless given: of the same bytes each tenant has a blob of its own.
   * @throws InputError, and nothing is kept: 413 past `maxBytes`, 507 where there is no room for all of it.
   */
  put(
    body: ReadableStream<Uint8Array>,
    options: { type: string; name?: string; maxBytes: number; owner?: string; draft?: boolean; tenant?: string },
  ): Promise<Blob>;
  /**
   * Undefined where it is not, or no more; whoever opens a body reads or cancels it.
   * @param options.use a message has it from now on: its time begins anew. Reading alone prolongs nothing.
   */
  get(
    id: string,
    options?: { use?: boolean },
  ): Promise<(Blob & { readonly body: ReadableStream<Uint8Array> }) | undefined>;
  /** Deletes it; one that is not there is no error. Who reads it just now may fail. */
  remove(id: string): Promise<void>;
}
export interface Blob {
  readonly id: string;
  readonly type: string;
  readonly name?: string;
  readonly size: number;
}

/** What was set aside by a rule, for the operator: every inbound message that starts no turn is here, with the rule. */
export interface Journal {
  setAside(entries: readonly SetAside[]): Promise<void>;
  /** The newest first. */
  list(query: { readonly conversation?: string; readonly limit: number }): Promise<readonly SetAside[]>;
}
export interface SetAside {
  readonly id: string;
  readonly conversation: string;
  readonly rule: string;
  readonly at: number;
}

export interface DeadLetter {
  readonly id: string;
  readonly topic: Topic;
  readonly event: CloudEvent;
  readonly reason: string;
  readonly attempts: number;
  readonly at: number;
}
/** `n` is its place, from which a listing goes on: it rises, but may skip, and stays good when the letter is gone. */
export type ListedLetter = DeadLetter & { readonly n: number };
export interface DeadLetters {
  /** For what is given up outside a subscription's own retries: an outbox entry that no platform takes. */
  add(letter: DeadLetter): Promise<void>;
  /**
   * The newest first; those before the place `before` where it is given. One that was retried and failed again may stand at its
   * former place too, once for each.
   */
  list(limit: number, before?: number): Promise<readonly ListedLetter[]>;
  get(id: string): Promise<DeadLetter | undefined>;
  /** Publishes it again and removes it. @returns false where there is no such letter. */
  retry(id: string): Promise<boolean>;
  drop(id: string): Promise<boolean>;
}

export interface Secrets {
  get(name: string): Promise<string | undefined>;
}

/**
 * Words between the replicas of a gateway, to all but the one that speaks: what shows sooner by them, never what must arrive.
 * None is kept, ordered against anything else, or promised.
 */
export interface Signals {
  send(topic: string, data: unknown): void;
  /** @returns what ends it. */
  listen(topic: string, listener: (data: unknown) => void): () => void;
}

/** What comes from a binding: the component's own words, and its metadata as headers. */
export type BindingHandler = (request: Request) => Promise<void>;

/** Sources and targets that are components of the runtime: timers, queues, mail, storage. */
export interface Bindings {
  /**
   * Set before {@link Runtime.start}. The component is told "received" when the handler resolves; what it does when it rejects is
   * the component's own.
   * @throws InputError for a name that cannot be one.
   */
  take(name: string, handler: BindingHandler): void;
  /** Resolves when the component has it. @throws TerminalError where it never will. */
  send(name: string, operation: string, data: unknown, metadata?: Readonly<Record<string, string>>): Promise<void>;
  /**
   * Publishes a CloudEvent on a topic of a pub/sub component that is not the gateway's own. Resolves when its broker has it.
   * @throws TerminalError where it never will.
   */
  publish(
    component: string,
    topic: string,
    event: { readonly id: string; readonly type: string; readonly data: unknown },
  ): Promise<void>;
}

/** All ports of one runtime. */
export interface Runtime {
  readonly bus: Bus;
  readonly actors: ActorHost;
  readonly records: Records;
  readonly jobs: Jobs;
  readonly transcript: Transcript;
  readonly blobs: Blobs;
  readonly journal: Journal;
  readonly deadLetters: DeadLetters;
  readonly secrets: Secrets;
  /** Absent where this process has no part in them: it hosts no agents. */
  readonly workflows?: Workflows;
  /** Absent where the runtime has no components. */
  readonly bindings?: Bindings;
  /**
   * Before {@link start}: what other applications ask of this one by way of the runtime, at paths that begin with `prefix`. Who may ask
   * is the handler's to say. Absent where there are none.
   */
  invoked?(prefix: string, handler: (request: Request) => Promise<Response>): void;
  /** What other applications call this one by, once it has started; absent where there are none. */
  appId?(): string | undefined;
  /** Deliveries, reminders and jobs begin. */
  start(): Promise<void>;
  /** No new deliveries; waits for running handlers up to `graceMs`; what is unfinished is delivered again at the next start. */
  stop(graceMs: number): Promise<void>;
  /** A problem that makes the process not ready, in words; undefined while all is well. */
  health(): string | undefined;
}

/** The log, structured. Never takes message text or a secret. */
export interface Log {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}
