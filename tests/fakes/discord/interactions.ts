import { performance } from "node:perf_hooks";
import { change } from "./messages.ts";
import { refusal, unknown, type Answer, type Asked, type Route } from "./answers.ts";
import type { InteractionEntry } from "./types.ts";
import type { World } from "./world.ts";

/** How long Discord waits for the first response. */
export const responseMs = 3_000;

/** Takes the first response to an interaction, by whichever way it came. @returns the refusal where it is none. */
export function respond(world: World, entry: InteractionEntry, body: unknown): Answer | undefined {
  const { type, data } = (body ?? {}) as { type?: number; data?: unknown };
  if (typeof type !== "number") return refusal(400, 50_035, "Invalid Form Body");
  if (entry.response !== undefined) return refusal(400, 40_060, "Interaction has already been acknowledged.");
  if (performance.now() - entry.at > responseMs) return unknown.interaction;
  entry.response = type;
  entry.respondedAt = performance.now();
  entry.data = data;
  if (type !== 5) return undefined;
  // What people see: the bot is thinking.
  const loading = { channel_id: entry.channel, author: world.me, content: "", type: 20, flags: 1 << 7 };
  entry.original = world.add({ ...loading, interaction: entry.id }).id;
  return undefined;
}

export function createInteractionRoutes(world: World): Route {
  function original({ method, path, ...asked }: Asked): Answer {
    const [, application, token, , which] = path;
    const entry = [...world.interactions.values()].find((one) => one.token === token);
    if (entry === undefined || application !== world.application || entry.response === undefined)
      return unknown.webhook;
    const message = world.messages.get(entry.original ?? "");
    if (which !== "@original" || message === undefined || message.deleted) return unknown.message;
    if (method === "GET") return { status: 200, body: world.shape(message) };
    if (method === "PATCH") return change(world, message, { method, path, ...asked });
    message.deleted = true;
    return { status: 204 };
  }

  return (asked) => {
    const [root, id = "", token, kind] = asked.path;
    if (root === "webhooks" && kind === "messages") return original(asked);
    if (root !== "interactions" || kind !== "callback" || asked.method !== "POST") return undefined;
    const entry = world.interactions.get(id);
    if (entry === undefined || entry.token !== token) return unknown.interaction;
    return respond(world, entry, asked.body) ?? { status: 204 };
  };
}
