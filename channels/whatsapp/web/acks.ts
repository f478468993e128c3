/**
 * What WhatsApp Web says of the number's own messages, as marks for the core. The page tells each once, to whoever listens: what
 * happens while nobody does is not told later.
 */
import type { ChannelDeps, DeliveryMark } from "../../../src/channel.ts";
import { fateOf, reasonOf } from "../../../src/errors.ts";
import { messageId } from "../../../src/ids.ts";
import { createWaits } from "../../../src/waits.ts";

/** As whatsapp-web.js numbers them; 0 and 1 say that it is on its way. */
const levels = { error: -1, device: 2, read: 3 } as const;
/** The word may be here before the answer to the sending: what was sent is recorded by then. */
const settleMs = 1_000;
const mostFailures = 5;

export interface WebAcks {
  /** @param message as the library gives it. */
  take(message: { readonly id: { readonly _serialized: string; readonly fromMe: boolean } }, level: number): void;
  /** What was taken is handed over, or was given up with the signal. */
  idle(): Promise<void>;
}

export function createWebAcks(deps: ChannelDeps, signal: () => AbortSignal): WebAcks {
  const { inbound, clock, log, tenant, channel, account } = deps;
  const about = { channel, account };
  const waits = createWaits(clock);
  const under = new Set<Promise<void>>();

  async function handOver(mark: DeliveryMark): Promise<void> {
    await waits.sleep(settleMs, signal());
    for (let failures = 0, counted = 0; counted < mostFailures; failures += 1) {
      try {
        for (const { id, reason } of await inbound.marks(deps, [mark])) {
          const raw = { failed: id };
          const of = { tenant, channel, account };
          await inbound.setAside({ account: of, id: messageId(deps, "undelivered", id), raw, reason });
        }
        return;
      } catch (error) {
        const fate = fateOf(error);
        if (fate.kind === "terminal" || fate.counts) counted += 1;
        log.warn({ ...about, reason: reasonOf(error) }, "whatsapp web: what became of a message is told again");
        if (signal().aborted) return;
        await waits.pause(error, failures, signal());
      }
    }
    log.error({ ...about, kind: mark.kind }, "whatsapp web: what became of a message could not be kept");
  }

  return {
    take({ id: { _serialized: id, fromMe } }, level) {
      const at = clock.now();
      const mark = fromMe ? markOf(id, at, level) : undefined;
      if (mark === undefined) return;
      const work = handOver(mark).finally(() => under.delete(work));
      under.add(work);
    },
    async idle() {
      await Promise.all(under);
    },
  };
}

function markOf(id: string, at: number, level: number): DeliveryMark | undefined {
  if (level === levels.error) return { kind: "failed", id, at, reason: "whatsapp web: the message could not be sent" };
  if (level >= levels.read) return { kind: "read", id, at };
  return level === levels.device ? { kind: "delivered", id, at } : undefined;
}
