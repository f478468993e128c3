/**
 * The messaging platform's own view: what people sent, what it was told is taken, and what it got from the gateway.
 * Its log is what the promise is judged by.
 */
import type { Outgoing, SendContext } from "../../src/channel.ts";
import type { Action, ChannelPlan, ConversationPlan, FaultOf } from "./plan.ts";
import type { Process } from "./process.ts";
import type { World } from "./world.ts";

/** Something a person did, as the platform knows it. */
export interface Post {
  readonly action: Action;
  readonly conversation: ConversationPlan;
  readonly channel: ChannelPlan;
  readonly at: number;
  /** The platform's own counter of the chat. */
  readonly sequence: number;
  /** The words, where only the moment tells them. */
  readonly words?: string;
  /** An operator was told that it is too late. */
  refused?: string;
  /** When it was first handed to the gateway, and by which process. */
  arrivedAt?: number;
  acknowledgedAt?: number;
}

/** A message of the gateway that the platform has. */
export interface Received {
  readonly at: number;
  readonly conversation: string;
  readonly text: string;
  readonly buttons: readonly string[];
  readonly key: string;
  /** The ids that it answers, as the gateway says. */
  readonly answers: readonly string[];
  readonly process: string;
  /** When the gateway's process heard that it was taken; absent when it heard something else, or nothing. */
  confirmedAt?: number;
  /** The platform answered with a time-out. */
  ambiguous?: true;
  /** The caller had given up before the platform took it. */
  tooLate?: true;
}

/** A request of a process to send one part to a conversation. */
export interface Request {
  readonly process: Process;
  readonly channel: ChannelPlan;
  readonly conversation: string;
  readonly part: Outgoing;
  readonly context: SendContext;
  readonly fault: FaultOf<"send"> | undefined;
}

/** What the platform makes of a request. `reply` is what the caller is told, once it hears it. */
export interface Response {
  readonly taken?: Received;
  readonly reply: () => { id: string };
}

export interface Platform {
  readonly posts: Post[];
  readonly received: readonly Received[];
  /** Sends that came while the platform had told the same process to wait. */
  readonly impatient: readonly string[];
  respond(request: Request): Response;
  /** The conversation of the plan that an address means. */
  nameOf(to: SendContext["to"]): string;
  /** When a person last did something. */
  lastAt(): number;
  /** Calls `listener` for every message of the gateway. */
  onReceived(listener: (received: Received) => void): void;
}

export function createPlatform(world: World): Platform {
  const { loop, faults, plan } = world;
  const { RateLimitedError, RetryableError, TerminalError } = world.subject.errors;
  const posts: Post[] = [];
  const received: Received[] = [];
  const impatient: string[] = [];
  const listeners: ((received: Received) => void)[] = [];
  const blocked = new Set<string>();
  const limits = new Map<string, { readonly until: number; readonly told: Set<Process> }>();
  /** When a key was first taken. */
  const keys = new Map<string, number>();

  const refuse = ({ conversation, context }: Request, error: Error, heard?: () => void): Response => {
    world.note("platform", () => `${conversation} ✗ ${error.message} for ${context.answers.join(" ")}`);
    return {
      reply: () => {
        heard?.();
        throw error;
      },
    };
  };

  const tooMany = (request: Request, until: number): Response => {
    const known = limits.get(request.conversation);
    const limit = known?.until === until ? known : { until, told: new Set<Process>() };
    limits.set(request.conversation, limit);
    const error = new RateLimitedError("429", { retryAfterMs: Math.ceil(until - loop.now()) });
    return refuse(request, error, () => limit.told.add(request.process));
  };

  /** @returns undefined where the platform has that key already. */
  const take = ({ channel, conversation, part, context, process }: Request): Received | undefined => {
    const first = keys.get(context.key);
    if (channel.idempotentMs !== undefined && first !== undefined && loop.now() < first + channel.idempotentMs) {
      world.note("platform", () => `has ${context.key} already`);
      return undefined;
    }
    keys.set(context.key, loop.now());
    const message: Received = {
      at: loop.now(),
      conversation,
      text: part.kind === "text" ? part.text : part.kind,
      buttons: "buttons" in part ? (part.buttons ?? []).map(({ id }) => id) : [],
      key: context.key,
      answers: [...context.answers],
      process: process.name,
    };
    received.push(message);
    world.note("platform", () => `${conversation} ⇐ ${JSON.stringify(message.text)} for ${context.answers.join(" ")}`);
    for (const listener of listeners) listener(message);
    return message;
  };

  const accept = (request: Request): Response => {
    const message = take(request);
    const taken = message === undefined ? {} : { taken: message };
    if (request.fault?.how === "ambiguous") {
      if (message !== undefined) message.ambiguous = true;
      return { ...taken, ...refuse(request, new RetryableError("504 after it was taken")) };
    }
    return {
      ...taken,
      reply: () => {
        if (message !== undefined) message.confirmedAt = loop.now();
        return { id: String(received.length) };
      },
    };
  };

  const respond = (request: Request): Response => {
    const { conversation, process, fault } = request;
    if (fault?.how === "blocked") blocked.add(conversation);
    if (blocked.has(conversation)) return refuse(request, new TerminalError("403 blocked by the user"));
    if (faults.out("platform")) return refuse(request, new RetryableError("503"));
    const limit = limits.get(conversation);
    if (limit !== undefined && loop.now() < limit.until) {
      if (limit.told.has(process)) impatient.push(`${process.name} sends to ${conversation} before it may`);
      return tooMany(request, limit.until);
    }
    if (fault?.how === "limited") return tooMany(request, loop.now() + fault.forMs);
    if (fault?.how === "unavailable") return refuse(request, new RetryableError("502"));
    if (fault?.how === "refused") return refuse(request, new TerminalError("400 bad request"));
    if (fault?.how === "garbage") return refuse(request, new SyntaxError("unexpected token < in JSON"));
    return accept(request);
  };

  return {
    posts,
    received,
    impatient,
    respond,
    nameOf: ({ channel, chat, thread, conversation }) =>
      plan.conversations.find((known) => known.channel === channel && known.chat === chat && known.thread === thread)
        ?.name ?? `unknown ${conversation}`,
    lastAt: () => posts.reduce((last, { at, action }) => Math.max(last, at + (action.echoMs ?? 0)), 0),
    onReceived: (listener) => void listeners.push(listener),
  };
}
