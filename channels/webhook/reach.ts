import type { Reached, Target } from "../../src/channel.ts";
import { InputError } from "../../src/errors.ts";
import { participantId, type AccountRef } from "../../src/ids.ts";
import type { Calls } from "./calls.ts";
import { addressOf } from "./parse.ts";

/** Whoever gave a callback hears what nobody asked for. @throws InputError where none is known. */
export async function reach(account: AccountRef, calls: Calls, { kind, id, thread }: Target): Promise<Reached> {
  const direct = kind === "direct";
  if (id === "" || direct !== (thread !== undefined))
    throw new InputError(
      "webhook: a person is named by `participant`, with `conversation` as the thread; a group by `conversation` alone",
    );
  const to = addressOf(account, { kind, conversation: thread ?? id, participant: id });
  if ((await calls.target(to.conversation)) === undefined)
    throw new InputError("webhook: nobody listens in this conversation: post a message with `callbackUrl` there", {
      status: 422,
    });
  return { to, participant: { id: participantId(account, id), user: id } };
}
