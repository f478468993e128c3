/**
 * What becomes of messages that Meta accepted, as marks for the core. "failed" is where most refusals come: what can still reach
 * the person as a template goes out as one.
 *
 * A status also tells that an earlier attempt to send did arrive, by the key that the sending gave along.
 */
import { z } from "zod";
import { sentMs, type ChannelDeps, type DeliveryMark } from "../../src/channel.ts";
import { ConflictError, fateOf, reasonOf, RetryableError } from "../../src/errors.ts";
import { encodePart } from "../../src/ids.ts";
import type { Address } from "../../src/message.ts";
import { createRecent } from "../../src/recent.ts";
import { hintOf, outsideWindow } from "./errors.ts";
import { asWords } from "./messages.ts";
import type { Status } from "./payload.ts";

/** How long a send that is repeated may ask whether it was made before. */
const rememberedMs = 3600 * 1000;
/** How long a template that was begun may take; then whoever began it is gone. */
const claimMs = 60_000;
/** Behind the key of a part: the template that went out in its place. */
const asTemplate = "/template";

/** Somebody sends a part as a template, since this time, or has. */
const claim = z.object({ v: z.literal(1), taken: z.number(), done: z.boolean().optional() });

export interface Statuses {
  /** @returns the mark of it; undefined where there is nothing to tell. @throws where it shall be told again. */
  take(status: Status): Promise<DeliveryMark | undefined>;
  /** The id under which Meta has what was sent with this key, where it told. */
  accepted(key: string): string | undefined;
}

/** Sends words as the account's template. */
export type SendTemplate = (to: Address, words: string, key: string) => Promise<void>;

/** @param send absent where the account has no template. */
export function createStatuses(deps: ChannelDeps, send: SendTemplate | undefined): Statuses {
  const { inbound, records, clock, log, tenant, channel, account } = deps;
  const arrived = createRecent<string, string>(clock, rememberedMs);
  const claimKey = (key: string) => ["whatsapp", tenant, account, "template", key].map(encodePart).join(":");

  /** @returns true where it is sent as a template, now or at an earlier telling. @throws where that shall be told again. */
  async function sentAsTemplate(key: string): Promise<boolean> {
    const [part = ""] = key.split("/");
    const sent = send === undefined ? undefined : await inbound.sent(deps, part);
    const words = sent === undefined ? "" : asWords(sent.part);
    if (sent === undefined || send === undefined || words === "") return false;
    const found = await records.get(claimKey(part));
    const { taken = 0, done = false } = claim.safeParse(found?.value).data ?? {};
    if (done) return true;
    const busy = new RetryableError("whatsapp template: it is being sent", { retryAfterMs: 5_000 });
    if (clock.now() - taken < claimMs) throw busy;
    const put = (more: object, etag: string | null) =>
      records.put(claimKey(part), { v: 1, ...more }, { etag, ttlMs: sentMs });
    let etag: string;
    try {
      // Claimed first: the same status comes again, and to any replica.
      etag = await put({ taken: clock.now() }, found?.etag ?? null);
    } catch (error) {
      throw error instanceof ConflictError ? busy : error;
    }
    try {
      await send(sent.to, words, `${part}${asTemplate}`);
    } catch (error) {
      await put({ taken: 0 }, etag);
      log.warn({ channel, account, reason: reasonOf(error) }, "whatsapp: the template was not taken");
      if (fateOf(error).kind === "terminal") return false;
      throw error instanceof RetryableError
        ? error
        : new RetryableError("whatsapp template: not sent", { cause: error });
    }
    await put({ taken: clock.now(), done: true }, etag);
    return true;
  }

  return {
    accepted: (key) => arrived.get(key),
    async take({ id, status, timestamp, biz_opaque_callback_data: key, errors }) {
      if (key !== undefined) arrived.set(key, id);
      const at = timestamp === undefined ? clock.now() : timestamp * 1_000;
      const of = { id, at, ...(key === undefined ? {} : { key }) };
      // A recording that was played was read.
      if (status === "delivered") return { ...of, kind: "delivered" };
      if (status === "read" || status === "played") return { ...of, kind: "read" };
      if (status !== "failed") return undefined;
      const code = errors[0]?.code ?? -1;
      const window = code === outsideWindow && key?.endsWith(asTemplate) === false;
      if (window && (await sentAsTemplate(key))) return undefined;
      const hint = hintOf(code) ?? "see Meta's list of error codes";
      return { ...of, kind: "failed", reason: `whatsapp: accepted and not delivered: ${code}, ${hint}` };
    },
  };
}
