/**
 * The agent writes first: exact words of its own go out, or it is told something and answers with what it makes of it.
 *
 * Either is an event of the gateway's own on topic "inbound", and walks the line of a message from there. Its id derives from the
 * caller's, so that asking again, at once or days later, is asking once. No rule about senders keeps it out but one: nobody is
 * written to whom the account blocks.
 */
import type { Channel, Reached, Target } from "./channel.ts";
import { InputError, RefusedError, TerminalError } from "./errors.ts";
import { listsButtons } from "./format.ts";
import { messageId, type AccountRef, type ConversationId, type MessageId } from "./ids.ts";
import type { WayIn } from "./inbound.ts";
import type { Answer, MediaPart } from "./message.ts";
import type { Policy } from "./policy.ts";
import type { Clock } from "./ports.ts";

/** A conversation that is known with its person, as a turn is given them, or whoever the platform's own id names. */
export type Recipient = Reached | (Target & { readonly account: AccountRef });

export interface Note {
  /** What it is about, in a word or two: "reminder", "a task's result". */
  readonly topic: string;
  /** Data for the agent, never its instructions. */
  readonly text: string;
  /** In the gateway's own store. The agent reads them as it does a person's, and they go out with what it answers. */
  readonly files?: readonly MediaPart[];
  /** The agent whose business it is, by its name in the configuration; else whoever answers there. */
  readonly agent?: string;
}

/**
 * What resolves is durable. Where it rejects nothing is kept: an InputError or a RefusedError says what to do, after a
 * RetryableError the same may be asked again.
 */
export interface Proactive {
  /**
   * The conversation's next message, whatever waits or runs there; the agent remembers it as its own. What the platform does not
   * take becomes a dead letter that names the request.
   * @param id the caller's own: unique within the conversation, for eight days.
   * @param of.outside the words may come of content from outside: the agent remembers them so.
   */
  say(to: Recipient, id: string, answer: Answer, of?: { readonly outside: true }): Promise<Requested>;
  /**
   * Wakes the agent. The note has its place among the person's messages and is a part of what the next turn answers; /stop, /reset
   * and /forget set it aside as they do those.
   * @param id as of {@link Proactive.say}.
   */
  prompt(to: Recipient, id: string, note: Note): Promise<Requested>;
  /** The conversation that would be written to. @throws as {@link Proactive.say}. */
  reach(to: Recipient): Promise<Reached>;
}

export interface Requested {
  /** What the outbox's entry and a dead letter name. */
  readonly id: MessageId;
  readonly conversation: ConversationId;
}

export interface ProactiveOptions {
  readonly inbound: Pick<WayIn, "tell">;
  readonly clock: Clock;
  readonly channelOf: (to: AccountRef) => Channel | undefined;
  readonly policyOf: (to: AccountRef) => Policy;
}

const longestId = 200;
const longestTopic = 80;
/** Characters. */
const longestNote = 16_000;
const longestAnswer = 100_000;

export function createProactive({ inbound, clock, channelOf, policyOf }: ProactiveOptions): Proactive {
  async function reached(to: Recipient): Promise<Reached & { readonly channel: Channel }> {
    const account = "to" in to ? to.to : to.account;
    const name = `${account.channel}/${account.account}`;
    const channel = channelOf(account);
    if (channel === undefined) throw new InputError(`no account "${name}" is configured`, { status: 404 });
    if (channel.reach === undefined)
      throw new InputError(`${name} cannot be written to first: nobody listens there unless they have asked`, {
        status: 422,
      });
    const { block } = policyOf(account);
    const refuseBlocked = (user: string) => {
      if (!block.has(user)) return;
      const words = `${name} blocks ${user}: nothing is sent there until its \`block\` does not`;
      throw new RefusedError(words, { rule: "blocked" });
    };
    if ("id" in to) refuseBlocked(to.id);
    const found = "to" in to ? to : await reach(channel, to);
    refuseBlocked(found.participant.user);
    return { to: found.to, participant: found.participant, channel };
  }

  const headerOf = ({ to, participant }: Reached, id: string) => {
    // Of more parts than a channel's ids that people choose, so that nobody can take it before.
    const own = messageId(to, "requested", to.conversation, id);
    return { v: 1, id: own, address: to, participant, receivedAt: clock.now() } as const;
  };

  return {
    async reach(to) {
      const { channel: _channel, ...place } = await reached(to);
      return place;
    },
    async say(to, id, answer, of) {
      checkId(id);
      checkAnswer(answer);
      const { channel, ...place } = await reached(to);
      const header = headerOf(place, id);
      const listed = listsButtons(answer, channel);
      await inbound.tell({ ...header, kind: "said", answer, ...(listed && { listed }), ...of });
      return { id: header.id, conversation: place.to.conversation };
    },
    async prompt(to, id, { topic, text, files = [], agent }) {
      checkId(id);
      checkText("a note", text, longestNote);
      checkText("a note's topic", topic, longestTopic);
      const place = await reached(to);
      const header = headerOf(place, id);
      const words = { kind: "text", text, format: "plain" } as const;
      const message = { parts: [words, ...files], addressed: true };
      await inbound.tell({
        ...header,
        kind: "message",
        message,
        note: { topic, ...(agent === undefined ? {} : { agent }) },
      });
      return { id: header.id, conversation: place.to.conversation };
    },
  };
}

async function reach(channel: Channel, { kind, id, thread }: Target): Promise<Reached> {
  try {
    const found = await channel.reach?.({ kind, id, thread });
    if (found === undefined) throw new TypeError("the channel reaches nobody");
    return found;
  } catch (error) {
    if (!(error instanceof TerminalError)) throw error;
    throw new InputError(error.message, { status: 422, cause: error });
  }
}

function checkId(id: string): void {
  if (id === "" || id.length > longestId) throw new InputError(`an id has 1 to ${longestId} characters`);
}

function checkAnswer({ parts }: Answer): void {
  const texts = parts.flatMap((part) => (part.kind === "text" ? [part.text] : []));
  if (parts.length === texts.length) checkText("a message", texts.join(""), longestAnswer);
}

function checkText(what: string, text: string, most: number): void {
  if (text.trim() === "") throw new InputError(`${what} has to have words`);
  if (text.length > most) throw new InputError(`${what} has at most ${most} characters`);
}
