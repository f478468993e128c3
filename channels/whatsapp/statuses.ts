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

/** How long a template that was begun may take; then whoever began it is gone. */
const claimMs = 60_000;

const kept = z.object({
  v: z.literal(1),
  to: address,
  words: z.string(),
  /** When somebody began to send it as a template. */
  taken: z.number().optional(),
  done: z.boolean().optional(),
});

export interface Statuses {
  /** @returns why a message did not reach its person and never will; undefined where there is nothing to keep. */
  take(status: Status): Promise<string | undefined>;
  /** The id under which Meta has what was sent with this key, where it told. */
  accepted(key: string): string | undefined;
  /**
   * Keeps the words of a message for the case that only a template may say them. Before it is sent: the word that it failed may
   * come sooner than the answer to the sending.
   */
  keep(key: string, to: Address, words: string): Promise<void>;
}

/** `asTemplate` sends words as the account's template; absent where it has none. */
export function createStatuses(
  deps: ChannelDeps,
  asTemplate: ((to: Address, words: string) => Promise<void>) | undefined,
): Statuses {
  const { records, clock, log, tenant, channel, account } = deps;
  const arrived = createRecent<string, string>(clock, rememberedMs);
  const keyOf = (key: string) => ["whatsapp", tenant, account, "sent", key].map(encodePart).join(":");

  /** @returns true where it is sent as a template, now or at an earlier telling. @throws where that shall be told again. */
  async function sendAsTemplate(sending: string): Promise<boolean> {
    const key = keyOf(sending);
    const found = await records.get(key);
    const known = kept.safeParse(found?.value);
    if (found === undefined || !known.success || asTemplate === undefined) return false;
    const { to, words, taken = 0, done = false } = known.data;
    if (done) return true;
    const busy = new RetryableError("whatsapp template: it is being sent", { retryAfterMs: 5_000 });
    if (clock.now() - taken < claimMs) throw busy;
    const put = (more: object, etag: string) => records.put(key, { v: 1, to, words, ...more }, { etag, ttlMs: keptMs });
    let etag: string;
    try {
      // Claimed first: the same status comes again, and to any replica.
      etag = await put({ taken: clock.now() }, found.etag);
    } catch (error) {
      throw error instanceof ConflictError ? busy : error;
    }
    try {
      await asTemplate(to, words);
    } catch (error) {
      await put({}, etag);
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
    async keep(key, to, words) {
      if (asTemplate === undefined) return;
      const record = keyOf(key);
      await Promise.all([
        deps.belongings.note(to.conversation, record),
        records.put(record, { v: 1, to, words }, { ttlMs: keptMs }),
      ]);
    },
    async take({ id, status, biz_opaque_callback_data: key, errors }) {
      if (key !== undefined) arrived.set(key, id);
      if (status !== "failed") {
        log.debug({ channel, account, status }, "whatsapp: a message moved on");
        return undefined;
      }
      const code = errors[0]?.code ?? -1;
      if (code === outsideWindow && key !== undefined && (await sendAsTemplate(key))) return undefined;
      const hint = hintOf(code) ?? "see Meta's list of error codes";
      const what = key === undefined ? "a message" : `message ${key}`;
      return `whatsapp: ${what} was accepted and not delivered: ${code}, ${hint}`;
    },
  };
}
