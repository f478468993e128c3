/**
 * Read marks and the typing indicator: on WhatsApp both are said of a message that came in, so the last one of each
 * conversation is remembered for a while. Best effort: another process that took the message in knows it better.
 */
import type { ChannelDeps } from "../../src/channel.ts";
import { reasonOf } from "../../src/errors.ts";
import { partsOf, type ConversationId } from "../../src/ids.ts";
import type { Address, InboundEvent } from "../../src/message.ts";
import { createRecent } from "../../src/recent.ts";
import type { GraphApi } from "./api.ts";
import { mapError } from "./errors.ts";
import type { CloudOptions } from "./settings.ts";

/** Longer than any turn. */
const keptMs = 1_800_000;
const deadlineMs = 10_000;

export interface Signs {
  /** A message is durable. */
  came(event: InboundEvent): void;
  /** @throws what Graph answers. */
  typing(to: Address): Promise<void>;
  /** An answer goes out: what it answers was read. */
  answered(to: Address): void;
}

interface Last {
  readonly wamid: string;
  readonly read: boolean;
}

export function createSigns(
  { clock, log, channel, account }: ChannelDeps,
  options: CloudOptions,
  api: GraphApi,
): Signs {
  const last = createRecent<ConversationId, Last>(clock, keptMs);

  async function say(to: Address, { wamid }: Last, more: object): Promise<void> {
    const body = { status: "read", message_id: wamid, ...more };
    try {
      await api.messages(body, AbortSignal.timeout(deadlineMs));
    } catch (error) {
      throw mapError(error, "read mark", options.token);
    }
    if (last.get(to.conversation)?.wamid === wamid) last.set(to.conversation, { wamid, read: true });
  }

  return {
    came({ kind, id, address }) {
      const wamid = partsOf(id)?.at(-1);
      if (kind === "message" && wamid !== undefined) last.set(address.conversation, { wamid, read: false });
    },
    async typing(to) {
      const known = last.get(to.conversation);
      // In groups WhatsApp shows none.
      if (known !== undefined && to.kind === "direct") await say(to, known, { typing_indicator: { type: "text" } });
    },
    answered(to) {
      const known = last.get(to.conversation);
      if (!options.readMarks || known === undefined || known.read) return;
      last.set(to.conversation, { ...known, read: true });
      say(to, known, {}).catch((error: unknown) => {
        log.debug({ channel, account, reason: reasonOf(error) }, "whatsapp: not marked as read");
      });
    },
  };
}
