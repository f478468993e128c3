/** What an operator does in a conversation, by the core's own door. */
import type { Core } from "../../src/core.ts";
import { addressOf, participantOf } from "./events.ts";
import type { Action } from "./plan.ts";
import type { Post } from "./platform.ts";
import type { World } from "./world.ts";

/** @throws what the operator tries again after. */
export async function operate(
  { subject: { errors } }: World,
  { takeovers }: Core,
  post: Post,
  { step, by, force }: Extract<Action["does"], { kind: "operate" }>,
): Promise<void> {
  const { action, conversation } = post;
  const place = { to: addressOf(conversation), participant: participantOf(conversation, action.user) };
  try {
    if (step === "take") await takeovers.take(place, { by, force });
    else if (step === "say") await takeovers.say(place, { by, id: action.id, text: `says ${action.id}` });
    else await takeovers.release(place, { by, force });
  } catch (error) {
    if (!(error instanceof errors.InputError)) throw error;
    post.refused = error.message;
  }
}
