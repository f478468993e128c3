import type { Outgoing, SendContext, Sent } from "../../src/channel.ts";
import { partsOf, type MessageId } from "../../src/ids.ts";
import type { Calls } from "./calls.ts";
import type { Conversations } from "./conversations.ts";
import { textOf } from "./format.ts";
import { isNamed } from "./parse.ts";

/**
 * Stores a part under every call it answers; whoever waits for the call reads it there. What belongs to a conversation with a
 * name, or to no call, stands in the conversation's transcript too.
 */
export function createSend(calls: Calls, conversations: Conversations) {
  return async function send(part: Outgoing, context: SendContext): Promise<Sent> {
    const { to, key, answers, notice, last, signal } = context;
    signal.throwIfAborted();
    const text = textOf(part);
    let known = false;
    const kept = isNamed(to.chat);
    const id = kept || answers.length === 0 ? await keep(context, text) : undefined;
    for (const answered of answers) {
      const call = callOf(answered);
      if (call === undefined) continue;
      if (await calls.addPart(call, { key, text }, { done: last, failed: notice })) known = true;
    }
    if (id !== undefined) return { id };
    return known ? {} : { id: await keep(context, text) };
  };

  function keep({ to, key, notice }: SendContext, text: string): Promise<string> {
    return conversations.add(to.conversation, key, { role: "assistant", text, ...(notice && { notice }) });
  }
}

/** The call of a message of ours. */
export function callOf(message: string): string | undefined {
  return partsOf(message as MessageId)?.[0];
}
