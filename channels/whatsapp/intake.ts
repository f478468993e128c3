/** From what Meta posts to `inbound`: durable, or set aside where the operator sees it, and only then answered 200. */
import type { ChannelDeps, DeliveryMark, FailedMark } from "../../src/channel.ts";
import { fateOf, InputError, reasonOf } from "../../src/errors.ts";
import { messageId, type MessageId } from "../../src/ids.ts";
import type { InboundEvent } from "../../src/message.ts";
import { createRecent } from "../../src/recent.ts";
import type { Numbers } from "./numbers.ts";
import { parse, type Parsed } from "./parse.ts";
import type { CloudOptions } from "./settings.ts";
import type { Signs } from "./signs.ts";
import type { Statuses } from "./statuses.ts";

/** So often an event may fail with an error that is nobody's outage before it is set aside. */
const mostFailures = 5;

export interface Intake {
  /**
   * Resolves once all of it is durable or set aside: only then may Meta be told so.
   * @throws InputError for what is no webhook, and what `inbound` throws: nothing may be acknowledged.
   */
  accept(payload: unknown): Promise<void>;
  /** One that was set aside, once more. @throws InputError where it still cannot be read or delivered. */
  reread(payload: unknown): Promise<void>;
}

export interface IntakeParts {
  readonly signs: Signs;
  readonly statuses: Statuses;
  readonly numbers: Numbers;
}

export function createIntake(deps: ChannelDeps, options: CloudOptions, parts: IntakeParts): Intake {
  const { signs, statuses, numbers } = parts;
  const { inbound, log, clock, tenant, channel, account } = deps;
  const about = { channel, account };
  const failures = createRecent<MessageId, number>(clock, 24 * 3600 * 1000);

  const read = (payload: unknown): Parsed => {
    const { phoneNumberId } = options;
    return parse(payload, { tenant, channel, account, phoneNumberId, receivedAt: clock.now() });
  };

  async function setAside(id: MessageId, raw: unknown, reason: string): Promise<void> {
    await inbound.setAside({ account: { tenant, channel, account }, id, raw, reason });
    log.error({ ...about, id, reason }, "whatsapp: set aside and kept as a dead letter");
  }

  /** One by one, so that an event that can never be accepted holds up no other. */
  async function acceptEach(events: readonly InboundEvent[]): Promise<void> {
    for (const event of events) {
      try {
        await inbound.accept([event]);
      } catch (error) {
        const fate = fateOf(error);
        const failed = (failures.get(event.id) ?? 0) + 1;
        if (fate.kind === "retry" && fate.counts) failures.set(event.id, failed);
        if (fate.kind === "retry" && !(fate.counts && failed >= mostFailures)) throw error;
        await setAside(event.id, event.raw, reasonOf(error));
      }
    }
  }

  async function acceptAll(events: readonly InboundEvent[]): Promise<void> {
    if (events.length === 0) return;
    try {
      await inbound.accept(events);
    } catch (error) {
      const fate = fateOf(error);
      if (fate.kind === "retry" && !fate.counts) throw error;
      await acceptEach(events);
    }
    for (const event of events) signs.came(event);
  }

  /** @returns the failures of messages that nobody knows. */
  async function handOver(told: Parsed["statuses"]): Promise<readonly FailedMark[]> {
    const marks: DeliveryMark[] = [];
    for (const { status } of told) {
      const mark = await statuses.take(status);
      if (mark !== undefined) marks.push(mark);
    }
    return marks.length === 0 ? [] : inbound.marks(deps, marks);
  }

  return {
    async accept(payload) {
      const { events, statuses: told, unreadable, numbers: learned, others } = read(payload);
      await acceptAll(events);
      for (const one of learned) await numbers.learn(one);
      for (const { id, raw, reason } of unreadable) await setAside(id, raw, reason);
      for (const { id, reason } of await handOver(told)) {
        const raw = told.find(({ status }) => status.id === id && status.status === "failed")?.raw;
        await setAside(messageId(deps, "undelivered", id), raw, reason);
      }
      if (others.length > 0) log.info({ ...about, what: others }, "whatsapp: a change that is no message");
    },
    async reread(payload) {
      const { events, statuses: told, unreadable } = read(payload);
      const [bad] = unreadable;
      if (bad !== undefined) throw new InputError(`${bad.reason}; it still cannot be read`, { status: 422 });
      if (events.length > 0) await inbound.accept(events);
      const [unknown] = await handOver(told);
      if (unknown !== undefined) throw new InputError(unknown.reason, { status: 422 });
    },
  };
}
