/**
 * The channel port: what a messaging platform is to the core.
 *
 * A channel is a small required part (name, account, traits, dialect, send) and the abilities that its platform has, each a
 * small interface of its own; an ability that the platform lacks is absent, never a method that throws. What is missing is
 * made up for once, in `format.ts`, from {@link Traits}.
 */
import type { Belongings } from "./belongings.ts";
import type { Endings } from "./endings.ts";
import type { AccountRef, MessageId } from "./ids.ts";
import type {
  Address,
  AskedFor,
  Button,
  InboundEvent,
  MediaKind,
  MediaPart,
  NoticeKey,
  Participant,
} from "./message.ts";
import type { Blobs, Clock, Log, Records, Signals, Transcript } from "./ports.ts";

/** Limits and abilities as data. Sizes of text are in the units that {@link Dialect.measure} counts. */
export interface Traits {
  /** By what an event's `sequence` rises: the platform's own counter, its time, or nothing but arrival. */
  readonly order: "sequence" | "time" | "arrival";
  readonly text: { readonly max: number };
  /** Text under a medium; 0 where the platform has none. */
  readonly caption: { readonly max: number };
  /** Absent: buttons become a numbered list. `id`: bytes of UTF-8 that a button's id may take. */
  readonly buttons?: { readonly max: number; readonly label: number; readonly id: number };
  /** Kinds that can be sent, each with the most bytes the platform takes; others become a link. */
  readonly media: Partial<Record<MediaKind, number>>;
  readonly location: boolean;
  readonly replies: boolean;
  /**
   * The platform reports what became of messages that it took ({@link Inbound.marks}): with the `key` of their sending, or by its
   * own `id` of them alone. An answer is kept for {@link sentMs} after it was sent, so that a failure finds it.
   */
  readonly receipts: false | "key" | "id";
  /** Whoever sent a message waits for an answer to the sending itself: a refusal is told there, by {@link Inbound.admit}. */
  readonly refuses?: true;
  /** It sends, and fetches media, only where {@link Connect.connect} holds its socket. */
  readonly bySocket?: true;
  /** A send with the same key within this time is made once. */
  readonly idempotentMs?: number;
  /** How often {@link Typing} must be repeated to stay visible; Infinity where it stays until switched off. */
  readonly typingMs?: number;
  /** The shortest time between two {@link Preview} updates, and where they can be shown. */
  readonly preview?: { readonly everyMs: number; readonly in: readonly Address["kind"][] };
}

/** The platform's own markup. Both functions are pure and total: bad markdown is shown as text, never thrown. */
export interface Dialect {
  /** Markdown (CommonMark, GFM) to the platform's markup. */
  render(markdown: string): string;
  /** Plain text to the platform's markup: escapes what would be markup. */
  escape(plain: string): string;
  /** The length of rendered text as the platform counts it against its limit. */
  measure(rendered: string): number;
}

/** One platform message, already in the channel's dialect and within its limits. */
export type Outgoing =
  | { readonly kind: "text"; readonly text: string; readonly buttons?: readonly Button[] }
  | {
      readonly kind: "media";
      readonly media: MediaPart;
      readonly caption?: string;
      readonly buttons?: readonly Button[];
    }
  | { readonly kind: "location"; readonly latitude: number; readonly longitude: number; readonly name?: string };

export interface SendContext {
  readonly to: Address;
  /** The same for every attempt to send this part: the platform's idempotency key where it has one. */
  readonly key: string;
  /** The inbound messages this part answers. */
  readonly answers: readonly string[];
  /** Show it as a reply to this one of them, where the platform can. */
  readonly replyTo?: string;
  /** The gateway itself speaks, not the agent. */
  readonly notice: boolean;
  /** What it says then. */
  readonly noticeKey?: NoticeKey;
  /** A call waits for a word, and this says so; its `from` are among the messages that this answers, or an earlier one did. */
  readonly asks?: AskedFor;
  /** This is what came of such a call, or that nobody decided; its `from` may have been answered by what asked. */
  readonly decides?: AskedFor;
  /** The first and the last part of an answer. */
  readonly first: boolean;
  readonly last: boolean;
  /** An earlier attempt may have reached the platform. */
  readonly again: boolean;
  readonly signal: AbortSignal;
}

export interface Sent {
  /** The platform's own id of the message, where it tells. */
  readonly id?: string;
}

/** So long a platform may take to say what became of a message. */
export const sentMs = 2 * 24 * 3_600_000;

/** What became of a message that the platform had taken. */
export type DeliveryMark = {
  /** The platform's own id of the message. */
  readonly id: string;
  /**
   * {@link SendContext.key} of its sending, where the platform hands it back. A channel that makes several messages of one part
   * has put "/" and a word behind it.
   */
  readonly key?: string;
  /** The platform's own time of it. */
  readonly at: number;
} & (
  | { readonly kind: "delivered" | "read" }
  /** `reason`: the platform's code and what it means, without message text. */
  | { readonly kind: "failed"; readonly reason: string }
);
export type FailedMark = Extract<DeliveryMark, { kind: "failed" }>;

/** A person sees that an answer is being worked on. Best effort: failures are logged and forgotten. */
export interface Typing {
  typing(to: Address, on: boolean): Promise<void>;
}

export interface AnswerDraft {
  readonly turn: string;
  /** All of it so far. It may start anew, shorter. */
  readonly text: string;
  /** The messages that it is going to answer. */
  readonly answers?: readonly MessageId[];
}

/** The answer as it grows, shown before it is final and replaced by what is sent. Best effort, never the answer itself. */
export interface Preview {
  preview(to: Address, draft: AnswerDraft): Promise<void>;
}

/** Bytes of a medium that came in with `source.from` "platform". */
export interface MediaFetch {
  /** @throws TerminalError where the platform no longer has it. */
  fetchMedia(
    ref: string,
    signal: AbortSignal,
  ): Promise<{ readonly body: ReadableStream<Uint8Array>; readonly type?: string; readonly size?: number }>;
}

/** The channel holds a socket or polls. Called once, after the runtime has started. */
export interface Connect {
  /**
   * Resolves when connected and rejects when that can never succeed (a wrong token); afterwards it reconnects by itself.
   * What comes in is acknowledged to the platform only after `inbound` has it. `signal` ends it: no event may be handed
   * over after {@link Connection.closed} resolves.
   */
  connect(signal: AbortSignal): Promise<Connection>;
}
export interface Connection {
  readonly closed: Promise<void>;
}

/** The account is a device that a person links to their phone, by a code that the phone scans. */
export interface DeviceLink {
  /** Once, before {@link Connect.connect}: `listener` is told of every change. It returns at once and does not throw. */
  watchLink(listener: (link: LinkState) => void): void;
}
export interface LinkState {
  readonly state: "no browser" | "starting" | "waiting for a scan" | "ready";
  /** What is to be scanned now, and until when it is good. Whoever scans it links their own phone. */
  readonly code?: { readonly text: string; readonly until: number } | undefined;
  /** Why the last browser ended, until another is ready. */
  readonly trouble?: string | undefined;
}

/** Frees what sending needed. Called once, after the last send. */
export interface Close {
  close(): void;
}

/** The channel answers HTTP requests. */
export interface HttpHandler {
  /** Path patterns of the server's router, for example "/webhooks/telegram". */
  readonly paths: readonly string[];
  /** @param from the peer's IP address, which is a proxy's where one stands before the gateway; undefined where it is not known. */
  handle(request: Request, from?: string): Promise<Response>;
}

/** The channel takes what comes from a component of the runtime. */
export interface BindingSource {
  /** The component's name. */
  readonly binding: string;
  /** As a request whose sender is known. Resolves once it is durable or set aside. */
  take(request: Request): Promise<void>;
}

/** What `ascent doctor` asks: each finding is a sentence and, when something is wrong or doubtful, the next step. */
export interface Check {
  check(signal: AbortSignal): Promise<readonly Finding[]>;
}
export interface Finding {
  readonly ok: boolean;
  readonly text: string;
  readonly next?: string;
}

/** What {@link Inbound.setAside} was given can be read once more: an operator asks for it, after an upgrade perhaps. */
export interface Reread {
  /**
   * Hands it over as if it came anew.
   * @throws InputError where it still cannot be read, and what `inbound` throws; it stays a dead letter then.
   */
  reread(raw: unknown): Promise<void>;
}

/** Whom the gateway writes to first, by the platform's own ids: a person, or a group. */
export interface Target {
  readonly kind: Address["kind"];
  readonly id: string;
  /** The thread, topic or forum post there. */
  readonly thread?: string | undefined;
}

/** The platform takes messages that answer nothing. */
export interface Reach {
  /**
   * Where that is, as messages from there would say it. A direct chat that is not there yet is opened, where that has to be asked for.
   * @throws InputError that says what to do: it is no such id, or nothing would be heard there; and what sending throws.
   */
  reach(target: Target): Promise<Reached> | Reached;
}
export interface Reached {
  readonly to: Address;
  /** Of a group the group itself. */
  readonly participant: Participant;
}

export interface Channel
  extends
    AccountRef,
    Partial<
      Typing &
        Preview &
        MediaFetch &
        Connect &
        DeviceLink &
        Close &
        HttpHandler &
        BindingSource &
        Check &
        Reread &
        Reach
    > {
  readonly traits: Traits;
  readonly dialect: Dialect;

  /**
   * Sends one part. Called in order within a conversation, concurrently across conversations.
   * @throws RateLimitedError, RetryableError or TerminalError; anything else is retried and counted.
   */
  send(part: Outgoing, context: SendContext): Promise<Sent>;
}

/** Where a channel hands over what its platform says of messages that it took. */
export interface MarksIn {
  /**
   * They may come twice, late and in any order. Resolves once every failure is a dead letter and its agent will hear of it; only
   * then may the platform be told so.
   * @returns the failures of messages that are not known (any more): these are the channel's to set aside.
   * @throws InfrastructureError: nothing may be acknowledged.
   */
  marks(account: AccountRef, marks: readonly DeliveryMark[]): Promise<readonly FailedMark[]>;
  /** What was sent under this key, while its platform may still say that it failed. */
  sent(account: AccountRef, key: string): Promise<{ readonly to: Address; readonly part: Outgoing } | undefined>;
}

/** Where a channel hands over what came in. */
export interface Inbound extends MarksIn {
  /**
   * Resolves once every event is durable or set aside by a rule; only then may the platform be told so. The events of one
   * call keep their order.
   * @param options.admitted {@link Inbound.admit} let all of them in, now or in an earlier try.
   * @throws OverloadedError or InfrastructureError: nothing may be acknowledged, the platform shall send again.
   */
  accept(events: readonly InboundEvent[], options?: { readonly admitted?: boolean }): Promise<void>;
  /**
   * For a channel that keeps something of a message before {@link Inbound.accept} has it, or whose sender waits: whether it
   * may come in. Once for each message, since it counts.
   * @throws RefusedError once the journal has the refusal, and what `accept` throws.
   */
  admit(event: InboundEvent): Promise<void>;
  /** Whether what this person says now would be heard at all: for what comes before a message, such as its files. */
  hears(person: Pick<InboundEvent, "address" | "participant">): Promise<boolean>;
  /**
   * For what the platform counts as delivered and nobody can read, or ever accept: it becomes a dead letter that holds all of
   * it. Resolves once that is durable; only then may the platform be told so. The same `id` again replaces the letter.
   */
  setAside(unreadable: Unreadable): Promise<void>;
}

export interface Unreadable {
  readonly account: AccountRef;
  readonly id: MessageId;
  /** As the platform sent it; JSON. */
  readonly raw: unknown;
  /** Without message text. */
  readonly reason: string;
}

/** What the composition gives every channel. */
export interface ChannelDeps extends AccountRef {
  readonly inbound: Inbound;
  readonly records: Records;
  readonly transcript: Transcript;
  readonly blobs: Blobs;
  /** For words of people in records of the channel's own. */
  readonly belongings: Belongings;
  /** For conversations that nobody can come back to. */
  readonly endings: Endings;
  /** To the other replicas, where there are any. */
  readonly signals?: Signals;
  readonly clock: Clock;
  readonly log: Log;
  /** Random ids: 128 bits or more, URL-safe. */
  readonly newId: () => string;
  /** The gateway's public address without a trailing slash, where it has one. */
  readonly publicUrl: string | undefined;
  /** Signs cookies and tokens. */
  readonly secret: string;
}
