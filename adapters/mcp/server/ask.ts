/**
 * Questions to agents: each is a message of a channel of its own, so that it is answered once and outlives the process, and its
 * answer is kept until it is fetched under the same id.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Belongings } from "../../../src/belongings.ts";
import type { Channel, Inbound, Outgoing, SendContext, Sent } from "../../../src/channel.ts";
import type { Endings } from "../../../src/endings.ts";
import { ConflictError, InputError } from "../../../src/errors.ts";
import {
  conversationId,
  encodePart,
  messageId,
  participantId,
  partsOf,
  type AccountRef,
  type MessageId,
} from "../../../src/ids.ts";
import type { InboundMessage } from "../../../src/message.ts";
import type { Clock, Records } from "../../../src/ports.ts";

/** As long as the core recognises a message. */
const keptDays = 8;
const keptMs = keptDays * 24 * 3600 * 1000;
const longestQuestion = 100_000;
/** How soon an answer is noticed that another replica has stored. */
const lookMs = 1_000;
const mostTries = 20;

const stored = z.object({
  v: z.literal(1),
  /** Of what was asked: one id is one question. */
  digest: z.string(),
  at: z.number(),
  /** Under the key of its sending, so that a repeated sending adds nothing. */
  parts: z.array(z.object({ key: z.string(), text: z.string() })),
  done: z.boolean(),
  /** The gateway spoke instead of the agent. */
  failed: z.boolean(),
});
type Stored = z.infer<typeof stored>;

export interface Question {
  /** A name for the caller that tells nothing of its key, and one for the agent to know it by. */
  readonly caller: string;
  readonly callerName: string;
  readonly text: string;
  /** The agent's name in the configuration; absent: the first one. */
  readonly agent?: string | undefined;
  /** With a name the agent remembers what was said there. */
  readonly conversation?: string | undefined;
  /** The caller's own: asked again under it, it is the same question. */
  readonly id: string;
}

export interface Asked {
  readonly done: boolean;
  readonly failed: boolean;
  readonly text: string;
}

export interface AskChannel extends Channel {
  /** Resolves with the answer, or without one after that time. @throws InputError, RefusedError */
  ask(question: Question, forMs: number, signal: AbortSignal): Promise<Asked>;
}

export interface AskOptions {
  readonly account: AccountRef;
  readonly records: Records;
  readonly clock: Clock;
  readonly belongings: Belongings;
  readonly core: () => { readonly inbound: Pick<Inbound, "accept" | "admit">; readonly endings: Endings };
}

export function createAskChannel({ account, records, clock, belongings, core }: AskOptions): AskChannel {
  const waiting = new Map<string, Set<() => void>>();
  const keyOf = (id: string) => `mcp:ask:${encodePart(account.tenant)}:${id}`;

  async function find(id: string): Promise<{ readonly value: Stored; readonly etag: string } | undefined> {
    const row = await records.get(keyOf(id));
    return row === undefined ? undefined : { value: stored.parse(row.value), etag: row.etag };
  }

  async function begin(id: string, question: Question): Promise<Stored> {
    const digest = digestOf([question.text, question.agent ?? "", question.conversation ?? ""]);
    const known = (await find(id))?.value;
    if (known !== undefined) return sameQuestion(known, digest);
    const fresh: Stored = { v: 1, digest, at: clock.now(), parts: [], done: false, failed: false };
    const event = eventOf(account, id, question, fresh.at);
    await core().inbound.admit(event);
    await Promise.all([
      belongings.note(event.address.conversation, keyOf(id), { of: event.id }),
      // Nobody can come back to it.
      question.conversation === undefined ? core().endings.note(event, keptDays) : undefined,
    ]);
    try {
      await records.put(keyOf(id), fresh, { etag: null, ttlMs: keptMs });
      return fresh;
    } catch (error) {
      const other = error instanceof ConflictError ? (await find(id))?.value : undefined;
      if (other === undefined) throw error;
      return sameQuestion(other, digest);
    }
  }

  /** In this process at once; where another one stores the answer it is looked for. */
  function changed(id: string, ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const all = waiting.get(id) ?? new Set();
      const end = () => {
        cancel();
        signal.removeEventListener("abort", end);
        all.delete(end);
        if (all.size === 0) waiting.delete(id);
        resolve();
      };
      const cancel = clock.after(ms, end);
      signal.addEventListener("abort", end, { once: true });
      waiting.set(id, all.add(end));
    });
  }

  async function addPart(
    id: string,
    part: { key: string; text: string },
    end: { done: boolean; failed: boolean },
  ): Promise<void> {
    for (let tries = 1; ; tries++) {
      const row = await find(id);
      if (row === undefined || row.value.done || row.value.parts.some(({ key }) => key === part.key)) return;
      const value = { ...row.value, ...end, parts: [...row.value.parts, part] };
      try {
        await records.put(keyOf(id), value, { etag: row.etag, ttlMs: keptMs });
        return;
      } catch (error) {
        if (!(error instanceof ConflictError) || tries === mostTries) throw error;
      }
    }
  }

  return {
    ...account,
    traits: {
      order: "arrival",
      text: { max: longestQuestion },
      caption: { max: longestQuestion },
      media: {},
      location: false,
      replies: false,
      receipts: false,
      refuses: true,
      idempotentMs: Infinity,
    },
    // A program reads it: markdown is as good as anything.
    dialect: { render: (markdown) => markdown, escape: (plain) => plain, measure: (text) => text.length },
    async send(part: Outgoing, { key, answers, notice, last, signal }: SendContext): Promise<Sent> {
      signal.throwIfAborted();
      for (const answered of answers) {
        const [id] = partsOf(answered as MessageId) ?? [];
        if (id === undefined) continue;
        await addPart(id, { key, text: textOf(part) }, { done: last, failed: notice });
        for (const wake of waiting.get(id) ?? []) wake();
      }
      return {};
    },
    async ask(question, forMs, signal) {
      if (question.text.trim() === "") throw new InputError("question: has to have words");
      if (question.text.length > longestQuestion)
        throw new InputError(`question: has at most ${longestQuestion} characters`);
      const id = digestOf([question.caller, question.id]).slice(0, 32);
      const until = clock.monotonic() + forMs;
      let call = await begin(id, question);
      if (!call.done) await core().inbound.accept([eventOf(account, id, question, call.at)], { admitted: true });
      while (!call.done && clock.monotonic() < until && !signal.aborted) {
        await changed(id, Math.min(lookMs, until - clock.monotonic()), signal);
        call = (await find(id))?.value ?? call;
      }
      return { done: call.done, failed: call.failed, text: call.parts.map(({ text }) => text).join("\n\n") };
    },
  };
}

function sameQuestion(call: Stored, digest: string): Stored {
  if (call.digest === digest) return call;
  throw new InputError("id: another question came under it before; a new one needs a new id");
}

function digestOf(parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64url");
}

/** Each conversation is a person of its own to the core, so that none remembers what was said in another. */
function eventOf(account: AccountRef, id: string, question: Question, at: number): InboundMessage {
  const { caller, callerName, agent, conversation, text } = question;
  const own = conversation === undefined ? `call-${id}` : `name-${conversation}`;
  const chat = [caller, agent ?? "", own].map(encodePart).join("/");
  return {
    v: 1,
    kind: "message",
    id: messageId(account, id),
    address: {
      ...account,
      conversation: conversationId(account, chat),
      kind: "direct",
      chat,
      ...(agent === undefined ? {} : { agent }),
    },
    participant: { id: participantId(account, chat), user: caller, name: callerName },
    receivedAt: at,
    message: { parts: [{ kind: "text", text, format: "plain" }], addressed: true },
  };
}

function textOf(part: Outgoing): string {
  switch (part.kind) {
    case "text": {
      const choices = part.buttons?.map(({ label }) => label).join(" | ");
      return choices === undefined ? part.text : `${part.text}\n\n[${choices}]`;
    }
    case "location":
      return [part.name, `${part.latitude}, ${part.longitude}`].filter(Boolean).join(": ");
    case "media":
      return [`[${part.media.kind} ${part.media.name ?? part.media.type}]`, part.caption].filter(Boolean).join("\n");
  }
}
