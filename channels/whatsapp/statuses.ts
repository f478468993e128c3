/**
 * What becomes of messages that Meta accepted. Delivered and read are noted in the log; "failed" is where most refusals
 * come: what can still reach the person as a template goes out as one, everything else becomes a dead letter.
 *
 * A status also tells that an earlier attempt to send did arrive, by the key that the sending gave along.
 */
import { z } from "zod";
import type { ChannelDeps } from "../../src/channel.ts";
import { ConflictError, fateOf, reasonOf, RetryableError } from "../../src/errors.ts";
import { encodePart } from "../../src/ids.ts";
import { address, type Address } from "../../src/message.ts";
import { createRecent } from "../../src/recent.ts";
import { hintOf, outsideWindow } from "./errors.ts";
import type { Status } from "./payload.ts";

/** How long Meta may take to say that a message failed. */
const keptMs = 2 * 24 * 3600 * 1000;
/** How long a send that is repeated may ask whether it was made before. */
const rememberedMs = 3600 * 1000;

const kept = z.object({ v: z.literal(1), to: address, words: z.string(), taken: z.boolean() });

export interface Statuses {
  /** @returns why a message did not reach its person and never will; undefined where there is nothing to keep. */
  take(status: Status): Promise<string | undefined>;
  /** The id under which Meta has what was sent with this key, where it told. */
  accepted(key: string): string | undefined;
  /** Keeps the words of a message for the case that only a template may say them. */
  keep(wamid: string, to: Address, words: string): Promise<void>;
}

/** `asTemplate` sends words as the account's template; absent where it has none. */
export function createStatuses(
  deps: ChannelDeps,
  asTemplate: ((to: Address, words: string) => Promise<void>) | undefined,
): Statuses {
  const { records, clock, log, tenant, channel, account } = deps;
  const arrived = createRecent<string, string>(clock, rememberedMs);
  const keyOf = (wamid: string) => ["whatsapp", tenant, account, "sent", wamid].map(encodePart).join(":");

  /** @returns true where it is under way as a template, now or since an earlier telling. */
  async function sendAsTemplate(wamid: string): Promise<boolean> {
    const found = await records.get(keyOf(wamid));
    const known = kept.safeParse(found?.value);
    if (found === undefined || !known.success || asTemplate === undefined) return false;
    if (known.data.taken) return true;
    const { to, words } = known.data;
    let etag: string;
    try {
      // Claimed first: the same status comes again, and to any replica.
      etag = await records.put(keyOf(wamid), { ...known.data, taken: true }, { etag: found.etag, ttlMs: keptMs });
    } catch (error) {
      if (error instanceof ConflictError) return true;
      throw error;
    }
    try {
      await asTemplate(to, words);
      return true;
    } catch (error) {
      await records.put(keyOf(wamid), known.data, { etag, ttlMs: keptMs });
      log.warn({ channel, account, reason: reasonOf(error) }, "whatsapp: the template was not taken");
      if (fateOf(error).kind === "terminal") return false;
      throw error instanceof RetryableError
        ? error
        : new RetryableError("whatsapp template: not sent", { cause: error });
    }
  }

  return {
    accepted: (key) => arrived.get(key),
    async keep(wamid, to, words) {
      if (asTemplate === undefined) return;
      await records.put(keyOf(wamid), { v: 1, to, words, taken: false }, { ttlMs: keptMs });
    },
    async take({ id, status, biz_opaque_callback_data: key, errors }) {
      if (key !== undefined) arrived.set(key, id);
      if (status !== "failed") {
        log.debug({ channel, account, status }, "whatsapp: a message moved on");
        return undefined;
      }
      const code = errors[0]?.code ?? -1;
      if (code === outsideWindow && (await sendAsTemplate(id))) return undefined;
      const hint = hintOf(code) ?? "see Meta's list of error codes";
      const what = key === undefined ? "a message" : `message ${key}`;
      return `whatsapp: ${what} was accepted and not delivered: ${code}, ${hint}`;
    },
  };
}
