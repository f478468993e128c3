/** Whom a number can write to first: a person by the phone number or the id that hides it, a group by its id. */
import type { Reached, Target } from "../../src/channel.ts";
import { InputError } from "../../src/errors.ts";
import { conversationId, participantId, type AccountRef } from "../../src/ids.ts";
import { scoped } from "./messages.ts";
import type { Numbers } from "./numbers.ts";

const digits = /^[1-9]\d{6,14}$/;

/** @throws InputError for what is no id of the Cloud API's. */
export async function reach(account: AccountRef, numbers: Numbers, { kind, id, thread }: Target): Promise<Reached> {
  refuseThread(thread);
  if (kind === "group") {
    if (id.trim() === "") throw new InputError("whatsapp: a group is named by the id that Meta gave it");
    return placeOf(account, kind, id);
  }
  return placeOf(account, kind, scoped.test(id) ? id : await numbers.userOf(phoneOf(id)));
}

/** As {@link reach}, by the names that WhatsApp Web has for the same. */
export function reachByWeb(account: AccountRef, { kind, id, thread }: Target): Reached {
  refuseThread(thread);
  if (kind === "group") {
    const chat = id.endsWith("@g.us") ? id : `${id}@g.us`;
    if (!/^[\d-]{10,40}@g\.us$/.test(chat))
      throw new InputError("whatsapp: a group's id looks like 120363012345678901@g.us");
    return placeOf(account, kind, chat);
  }
  return placeOf(account, kind, /^\d{5,20}@(?:c\.us|lid)$/.test(id) ? id : `${phoneOf(id)}@c.us`);
}

function phoneOf(id: string): string {
  const phone = id.replace(/^\+|[\s()-]/g, "");
  if (!digits.test(phone))
    throw new InputError(
      "whatsapp: a person is a phone number with its country code, such as +491701234567, or the id that hides it",
    );
  return phone;
}

function refuseThread(thread: string | undefined): void {
  if (thread !== undefined) throw new InputError("whatsapp: a chat has no threads");
}

function placeOf({ tenant, channel, account }: AccountRef, kind: Target["kind"], chat: string): Reached {
  const of = { tenant, channel, account };
  return {
    to: { ...of, conversation: conversationId(of, chat), kind, chat },
    participant: { id: participantId(of, chat), user: chat },
  };
}
