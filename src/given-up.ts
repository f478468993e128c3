/** What becomes of an answer that does not reach its person: the operator, the agent and who subscribed are told. */
import { failed, type Announce } from "./announce.ts";
import { outboundEnvelope, receiptEnvelope } from "./envelope.ts";
import type { OutboundEvent } from "./message.ts";
import type { Runtime } from "./ports.ts";

export interface Tellers {
  readonly runtime: Pick<Runtime, "bus" | "deadLetters">;
  readonly announce?: Announce | undefined;
}

export interface Failure {
  readonly reason: string;
  readonly tries: number;
  readonly at: number;
  /** The platform had taken it. */
  readonly late?: true;
}

/** The dead letter, then the word to the agent. Resolves once all of it is durable; a second time replaces the first. */
export async function tellGivenUp(
  { runtime, announce }: Tellers,
  entry: OutboundEvent,
  { reason, tries, at, late }: Failure,
): Promise<void> {
  const { agent, to, seq, answers } = entry;
  const event = outboundEnvelope(entry);
  await runtime.deadLetters.add({ id: event.id, topic: "outbound", event, reason, attempts: tries, at });
  const notice = entry.answer.notice !== undefined;
  const unasked = answers.length === 0;
  const receipt = receiptEnvelope({ v: 1, kind: "failed", agent, to, seq, notice, unasked, reason, at });
  await runtime.bus.publish("receipts", [receipt]);
  await announce?.([failed(entry, reason, at, late)]);
}
