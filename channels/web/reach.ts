import type { ChannelDeps, Reached, Target } from "../../src/channel.ts";
import { InputError } from "../../src/errors.ts";
import { addressOf, participantOf } from "./parse.ts";

/** A page listens to its own conversation only: one that somebody has begun. @throws InputError for any other. */
export async function reach(deps: ChannelDeps, { kind, id, thread }: Target): Promise<Reached> {
  if (kind === "group" || thread !== undefined) throw new InputError("web: there are no groups and no threads");
  const to = addressOf(deps, id);
  const [known] = await deps.transcript.list(to.conversation, { limit: 1 });
  if (known === undefined)
    throw new InputError("web: nobody has written in this conversation: a page must have begun it", { status: 404 });
  return { to, participant: participantOf(deps, id) };
}
