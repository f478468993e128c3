/** A verified body as the core's events. Pure. */
import { z } from "zod";
import { InputError } from "../../src/errors.ts";
import { type AccountRef, conversationId, messageId, participantId } from "../../src/ids.ts";
import type { InboundEvent } from "../../src/message.ts";

const posted = z.object({
  id: z.string().min(1),
  chat: z.string().min(1),
  from: z.object({ id: z.string().min(1), name: z.string().optional(), bot: z.boolean().default(false) }),
  text: z.string().min(1),
});

/** What bots write, this one among them, is no event. @throws InputError for what the platform does not send. */
export function parse(account: AccountRef, body: Uint8Array, receivedAt: number): InboundEvent[] {
  const { tenant, channel, account: name } = account;
  const { id, chat, from, text } = read(body);
  if (from.bot) return [];
  return [
    {
      v: 1,
      kind: "message",
      id: messageId(account, chat, id),
      address: { tenant, channel, account: name, conversation: conversationId(account, chat), kind: "direct", chat },
      participant: {
        id: participantId(account, from.id),
        user: from.id,
        ...(from.name !== undefined && { name: from.name }),
      },
      receivedAt,
      raw: { id, chat, from, text },
      message: { parts: [{ kind: "text", text, format: "plain" }], addressed: true },
    },
  ];
}

function read(body: Uint8Array): z.infer<typeof posted> {
  try {
    return posted.parse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body)));
  } catch (error) {
    throw new InputError("The body is no message of the platform's.", { cause: error });
  }
}
