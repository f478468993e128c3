/** CloudEvents 1.0 around what travels on the bus, and back. @see https://github.com/cloudevents/spec */
import type { MessageId } from "./ids.ts";
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

/** @param previous the conversation's event before this one, as this process saw it. */
export function inboundEnvelope(event: InboundEvent, previous: MessageId | undefined): CloudEvent<InboundEvent> {
  const { tenant, channel, account, conversation } = event.address;
  return {
    ...common,
    id: event.id,
    source: `/ascent/channels/${[tenant, channel, account].map(encodeURIComponent).join("/")}`,
    type: "ascent.inbound.v1",
    time: new Date(event.receivedAt).toISOString(),
    subject: conversation,
    ...(previous === undefined ? {} : { previous }),
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

/** @throws ZodError for an event that no version of ours wrote; it ends in the dead letters. */
export const readInbound = (event: CloudEvent): InboundEvent => inboundEvent.parse(event.data);
export const readOutbound = (event: CloudEvent): OutboundEvent => outboundEvent.parse(event.data);
export const readReceipt = (event: CloudEvent): ReceiptEvent => receiptEvent.parse(event.data);
