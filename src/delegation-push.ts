/**
 * How peers tell that a task has changed. What they say of it is not read: it has the task looked at, which is the same however often
 * it is said, and whoever says it knows the delegation's token.
 */
import { localPush, type Delegations } from "./delegation.ts";
import type { HttpHandler } from "./channel.ts";
import { reasonOf, RetryableError, TerminalError } from "./errors.ts";
import type { Log } from "./ports.ts";
import type { PushSender } from "./task-push.ts";

type Heard = Pick<Delegations, "isGenuine" | "changed">;

export const pushPath = "/delegations";

/** Those in this process need no address. @param heard once everything is put together. */
export function withLocalPush(sender: PushSender, heard: () => Heard): PushSender {
  const idOf = (url: string) => (url.startsWith(localPush) ? url.slice(localPush.length) : undefined);
  return {
    async refusal(push) {
      const id = idOf(push.url);
      if (id === undefined) return sender.refusal(push);
      return heard().isGenuine(id, push.token ?? "") ? undefined : "it is nobody's";
    },
    async send(push, task) {
      const id = idOf(push.url);
      if (id === undefined) return sender.send(push, task);
      if (!heard().isGenuine(id, push.token ?? "")) throw new TerminalError("the push notification is nobody's");
      try {
        await heard().changed(id);
      } catch (error) {
        throw new RetryableError("a delegation could not be looked at", { cause: error });
      }
    },
  };
}

/** For the gateway's server. */
export function pushHandler(heard: () => Heard, log: Log): HttpHandler {
  return {
    paths: [`${pushPath}/:id`],
    async handle(request) {
      await request.body?.cancel();
      if (request.method !== "POST") return new Response(null, { status: 405, headers: { allow: "POST" } });
      const id = decodeURIComponent(new URL(request.url).pathname.split("/").at(-1) ?? "");
      // What `Authorization` carries is the peer's own.
      const token = request.headers.get("x-a2a-notification-token") ?? "";
      if (!heard().isGenuine(id, token)) return new Response(null, { status: 404 });
      try {
        await heard().changed(id);
        return new Response(null, { status: 204 });
      } catch (error) {
        log.warn({ delegation: id, reason: reasonOf(error) }, "a push notification is to come again");
        return new Response(null, { status: 503, headers: { "retry-after": "5" } });
      }
    },
  };
}
