/** Whom the bot can write to first: a person by a direct chat that is asked for, a channel, thread or post by its id. */
import type { Reached, Target } from "../../src/channel.ts";
import { InputError } from "../../src/errors.ts";
import { participantId, type AccountRef } from "../../src/ids.ts";
import type { DiscordApi } from "./api.ts";
import { codes } from "./errors.ts";
import { addressOf } from "./names.ts";
import type { Places } from "./places.ts";

export interface ReachOptions {
  readonly account: AccountRef;
  readonly api: DiscordApi;
  readonly places: Places;
}

/** @see https://discord.com/developers/docs/resources/user#create-dm */
export async function reach({ account, api, places }: ReachOptions, { kind, id, thread }: Target): Promise<Reached> {
  for (const given of [id, ...(thread === undefined ? [] : [thread])]) {
    if (!/^\d{15,20}$/.test(given))
      throw new InputError(
        "discord: an id is a number of 15 to 20 digits: in Discord, Developer Mode on, right-click, Copy ID",
      );
  }
  if (kind === "group") {
    // A thread is a channel of its own.
    const channel = thread ?? id;
    return {
      to: addressOf(account, channel, kind),
      participant: { id: participantId(account, channel), user: channel },
    };
  }
  if (thread !== undefined) throw new InputError("discord: a direct chat has no threads");
  const asked = { method: "POST", route: "/users/@me/channels", body: { recipient_id: id } } as const;
  const opened = await api.attempt<{ id: string }, "nobody">("open a direct chat", asked, ({ status, code }) =>
    code === codes.invalidRecipient || (status === 400 && code === codes.invalidForm) || status === 404
      ? "nobody"
      : undefined,
  );
  if (opened === "nobody") throw new InputError("discord: there is no person with this id, or it is a bot's");
  // What is answered while no gateway runs is fetched from the chats that are known.
  await places.remember(opened.id, id);
  return { to: addressOf(account, opened.id, kind), participant: { id: participantId(account, id), user: id } };
}
