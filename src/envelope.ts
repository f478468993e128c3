/** CloudEvents 1.0 around what travels on the bus, and back. @see https://github.com/cloudevents/spec */
import { z } from "zod";
import type { Unreadable } from "./channel.ts";
import { encodePart, type AccountRef, type MessageId } from "./ids.ts";
import {
  inboundEvent,
  outboundEvent,
  receiptEvent,
  type InboundEvent,
  type OutboundEvent,
  type ReceiptEvent,
} from "./message.ts";
import type { CloudEvent } from "./ports.ts";

const common = { specversion: "1.0", datacontenttype: "application/json" } as const;

/** @param before the conversation's events before this one, the latest first, as this process saw them. */
export function inboundEnvelope(event: InboundEvent, before: readonly MessageId[]): CloudEvent<InboundEvent> {
  const [previous, ...earlier] = before;
  return {
    ...common,
    id: event.id,
    source: sourceOf(event.address),
    type: "ascent.inbound.v1",
    time: new Date(event.receivedAt).toISOString(),
    subject: event.address.conversation,
    ...(previous === undefined ? {} : { previous }),
    ...(earlier.length === 0 ? {} : { earlier: earlier.join(" ") }),
    data: event,
  };
}

export function outboundEnvelope(entry: OutboundEvent): CloudEvent<OutboundEvent> {
  return {
    ...common,
    id: `${entry.to.conversation}#${entry.seq}`,
    source: "/ascent/agents",
    type: "ascent.outbound.v1",
    time: new Date(entry.at).toISOString(),
    subject: entry.to.conversation,
    data: entry,
  };
}

export function receiptEnvelope(receipt: ReceiptEvent): CloudEvent<ReceiptEvent> {
  return {
    ...common,
    id: `${receipt.to.conversation}#${receipt.seq}:${receipt.kind}`,
    source: "/ascent/delivery",
    type: "ascent.receipt.v1",
    time: new Date(receipt.at).toISOString(),
    subject: receipt.to.conversation,
    data: receipt,
  };
}

const unreadableType = "ascent.unreadable.v1";
const unreadableData = z.object({
  v: z.literal(1),
  account: z.object({ tenant: z.string(), channel: z.string(), account: z.string() }),
  raw: z.unknown(),
});

/** What stands in the dead letters in place of an event that could not be made. It is never published. */
export function unreadableEnvelope({ account, id, raw }: Unreadable, at: number): CloudEvent {
  const data: z.infer<typeof unreadableData> = { v: 1, account, raw };
  return {
    ...common,
    id,
    source: sourceOf(account),
    type: unreadableType,
    time: new Date(at).toISOString(),
    subject: [account.tenant, account.channel, account.account].map(encodePart).join(":"),
    data,
  };
}

/** Undefined for any other event. */
export function readUnreadable(event: CloudEvent): z.infer<typeof unreadableData> | undefined {
  return event.type === unreadableType ? unreadableData.parse(event.data) : undefined;
}

/** The events before it, as its envelope names them. */
export function beforeInbound({ previous, earlier }: CloudEvent) {
  return {
    ...(previous === undefined ? {} : { previous: previous as MessageId }),
    ...(earlier === undefined ? {} : { earlier: earlier.split(" ") as MessageId[] }),
  };
}

/** @throws ZodError for an event that no version of ours wrote; it ends in the dead letters. */
export const readInbound = (event: CloudEvent): InboundEvent => inboundEvent.parse(event.data);
export const readOutbound = (event: CloudEvent): OutboundEvent => outboundEvent.parse(event.data);
export const readReceipt = (event: CloudEvent): ReceiptEvent => receiptEvent.parse(event.data);

function sourceOf({ tenant, channel, account }: AccountRef): string {
  return `/ascent/channels/${[tenant, channel, account].map(encodeURIComponent).join("/")}`;
}
