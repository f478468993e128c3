/**
 * Push notifications: the task as it is, in the version that its caller spoke, to addresses that are looked at for every try. A token
 * of the caller's comes back with it, and it is signed with the agent's key over its body's digest, where the caller did not ask
 * for a credential of its own.
 */
import { A2A_CONTENT_TYPE, StreamResponse } from "@a2a-js/sdk";
import { V03PushNotificationSerializer } from "@a2a-js/sdk/compat/v0_3/server";
import { createHash } from "node:crypto";
import { RetryableError, TerminalError } from "../../src/errors.ts";
import type { SafeFetch } from "../../src/fetch.ts";
import type { Clock } from "../../src/ports.ts";
import type { PushSender } from "../../src/task-push.ts";
import type { SigningKey } from "./keys.ts";
import type { Wire } from "./wire.ts";

export interface PushOptions {
  readonly safeFetch: SafeFetch;
  readonly wire: Wire;
  readonly key: SigningKey;
  readonly clock: Clock;
  readonly newId: () => string;
}

const timeoutMs = 8_000;
const validSeconds = 300;
/** What may stand in a header, in one line. */
const headerText = /^[\x20-\x7e]*$/;

export function createPushSender({ safeFetch, wire, key, clock, newId }: PushOptions): PushSender {
  const legacy = new V03PushNotificationSerializer();
  return {
    async refusal({ url, token = "", authentication }) {
      const credentials = authentication === undefined ? "" : `${authentication.scheme} ${authentication.credentials}`;
      if (!headerText.test(token) || !headerText.test(credentials)) return "its token or credentials fit no header";
      return safeFetch.refusal(url);
    },
    async send({ url, token, authentication, wire: version }, task) {
      const value = await wire.task(task);
      const event: StreamResponse = { payload: { $case: "task", value } };
      const isLegacy = version === "0.3";
      const body = isLegacy ? legacy.serialize(event, value).body : JSON.stringify(StreamResponse.toJSON(event));
      const now = Math.floor(clock.now() / 1000);
      const signed = () =>
        key.token({
          iss: task.agent,
          aud: new URL(url).origin,
          sub: task.id,
          iat: now,
          exp: now + validSeconds,
          jti: newId(),
          request_body_sha256: createHash("sha256").update(body).digest("hex"),
        });
      const credentials = authentication?.credentials ?? "";
      const headers = {
        "content-type": isLegacy ? "application/json" : A2A_CONTENT_TYPE,
        authorization: credentials === "" ? `Bearer ${signed()}` : `${authentication?.scheme} ${credentials}`,
        ...(token === undefined ? {} : { "x-a2a-notification-token": token }),
      };
      const { status } = await safeFetch(url, { method: "POST", headers, body, timeoutMs, maxBytes: 0 });
      if (status >= 200 && status < 300) return;
      if (status === 410) throw new TerminalError("it wants no more (410)");
      throw new RetryableError(`it was not taken (${status})`);
    },
  };
}
