/**
 * From WhatsApp Web to `inbound`, one by one in the order of arrival. WhatsApp counts a message as delivered when the page has
 * it, and tells it once: what this process had and did not make durable is read from the chats' history after its next
 * start, from the last durable message on. What comes twice has the same id.
 */
import { z } from "zod";
import type { ChannelDeps } from "../../../src/channel.ts";
import { fateOf, InputError, reasonOf } from "../../../src/errors.ts";
import { encodePart, messageId } from "../../../src/ids.ts";
import type { InboundEvent } from "../../../src/message.ts";
import { parseWeb, readModel, type WebContext } from "./parse.ts";
import { createWaits } from "../../../src/waits.ts";

/** History is read from so long before the last durable message: chats are not in step with each other. */
const overlapSeconds = 3_600;
const longestPauseMs = 30_000;
/** So often an event may fail with an error that is nobody's outage before it is set aside. */
const mostFailures = 5;

const mark = z.object({ v: z.literal(1), t: z.number() });

export interface WebIntake {
  /** Takes its turn behind what came before. */
  take(given: unknown, edited?: boolean): void;
  /** Reads what is newer than the last durable message; what comes meanwhile waits behind it. */
  catchUp(history: (sinceSeconds: number) => Promise<readonly unknown[]>): void;
  /** Everything that was taken is durable, set aside, or was given up with the signal. */
  idle(): Promise<void>;
  /** @throws InputError where it still cannot be read, and what `inbound` throws. */
  reread(given: unknown): Promise<void>;
}

export function createWebIntake(
  deps: ChannelDeps,
  context: () => Pick<WebContext, "own">,
  signal: () => AbortSignal,
): WebIntake {
  const { inbound, records, log, clock, tenant, channel, account } = deps;
  const waits = createWaits(clock);
  const about = { channel, account };
  const markKey = ["whatsapp", tenant, account, "web", "mark"].map(encodePart).join(":");
  let marked = 0;
  let tail = Promise.resolve();

  const enqueue = (work: () => Promise<void>) => {
    tail = tail.then(work).catch((error: unknown) => {
      log.error(
        { ...about, reason: reasonOf(error) },
        "whatsapp web: a step of the intake failed; history is read again at the next start",
      );
    });
  };
  const read = (given: unknown, edited: boolean) =>
    parseWeb(given, { tenant, channel, account, ...context(), receivedAt: clock.now() }, edited);

  async function setAside(given: unknown, id: string, reason: string): Promise<void> {
    await inbound.setAside({
      account: { tenant, channel, account },
      id: messageId(deps, "unreadable", id),
      raw: given,
      reason,
    });
    log.error({ ...about, reason }, "whatsapp web: set aside and kept as a dead letter");
  }

  /** Until it is durable or set aside. @returns false when it is no longer wanted. */
  async function handOver(given: unknown, edited: boolean): Promise<boolean> {
    const raw: unknown = JSON.parse(JSON.stringify(given));
    for (let failures = 0, counted = 0; !signal().aborted; failures += 1) {
      let event: InboundEvent | undefined;
      try {
        event = read(raw, edited);
        if (event !== undefined) await inbound.accept([event]);
        return true;
      } catch (error) {
        const fate = fateOf(error);
        if (fate.kind === "retry" && fate.counts) counted += 1;
        if (fate.kind === "terminal" || counted >= mostFailures) {
          await setAside(raw, event?.id ?? JSON.stringify((raw as { id?: unknown }).id ?? ""), reasonOf(error));
          return true;
        }
        log.warn({ ...about, reason: reasonOf(error) }, "whatsapp web: not accepted, trying again");
        const after = fate.afterMs ?? Math.min(longestPauseMs, 500 * 2 ** Math.min(failures, 10));
        await waits.sleep(after, signal());
      }
    }
    return false;
  }

  async function move(given: unknown): Promise<void> {
    let t = 0;
    try {
      t = readModel(given).t;
    } catch {
      return; // set aside already
    }
    if (t <= marked) return;
    marked = t;
    await records.put(markKey, { v: 1, t });
  }

  const takeOne = async (given: unknown, edited: boolean) => {
    if (await handOver(given, edited)) await move(given);
  };

  return {
    take: (given, edited = false) => enqueue(() => takeOne(given, edited)),
    catchUp: (history) =>
      enqueue(async () => {
        const known = mark.safeParse((await records.get(markKey))?.value);
        if (!known.success) {
          // A number that is new here: what was said to it before is not ours to answer.
          marked = Math.floor(clock.now() / 1_000);
          await records.put(markKey, { v: 1, t: marked });
          return;
        }
        marked = Math.max(marked, known.data.t);
        const missed = await history(known.data.t - overlapSeconds);
        for (const one of missed) await takeOne(one, false);
        log.info({ ...about, read: missed.length }, "whatsapp web: the chats' history is read");
      }),
    idle: () => tail,
    async reread(given) {
      let event: InboundEvent | undefined;
      try {
        event = read(given, false);
      } catch (error) {
        throw new InputError("whatsapp: it still cannot be read", { status: 422, cause: error });
      }
      if (event !== undefined) await inbound.accept([event]);
    },
  };
}
