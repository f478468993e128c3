/** Whom a bot can write to first: a direct chat has its person's id, a group's is negative. */
import type { Reached, Target } from "../../src/channel.ts";
import { InputError } from "../../src/errors.ts";
import { conversationId, participantId, type AccountRef } from "../../src/ids.ts";

/** @throws InputError for what is no id of Telegram's. */
export function reach({ tenant, channel, account }: AccountRef, { kind, id, thread }: Target): Reached {
  const of = { tenant, channel, account };
  const isGroup = id.startsWith("-");
  if (!/^-?[1-9]\d{0,15}$/.test(id)) {
    const words =
      "telegram: an id is a number, of a group a negative one; a person's is shown by `ascent pairing list`";
    throw new InputError(`${words} or by bots such as @userinfobot`);
  }
  if (isGroup !== (kind === "group"))
    throw new InputError(
      isGroup
        ? "telegram: this is the id of a group: say that a group is meant (--group)"
        : "telegram: this is the id of a person; a group's is negative, such as -1001234567890",
    );
  if (thread !== undefined && !/^[1-9]\d{0,15}$/.test(thread))
    throw new InputError("telegram: a thread is the number of a topic");
  const to = { ...of, conversation: conversationId(of, id, thread), kind, chat: id };
  return {
    to: thread === undefined ? to : { ...to, thread },
    participant: { id: participantId(of, id), user: id },
  };
}
