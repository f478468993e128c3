/**
 * What comes twice through nobody's fault: a platform without an idempotency key has accepted it, and the kill came before that was
 * recorded.
 */

/** How long a send may be accepted and not yet recorded: on two busy cores mostly under 50 ms, and more just after a start. */
const usualRecordMs = 300;

interface Sent {
  readonly text: string;
  /** When the platform had it, in monotonic milliseconds as of the kills; absent where nothing is taken twice. */
  readonly at?: number;
}

export const isInFlight = (at: number, kill: number, recordMs = usualRecordMs) => Math.abs(at - kill) < recordMs;

/** The messages of one chat in their order, without the copies of those that were in flight at a kill. */
export function withoutRepeats<Message extends Sent>(
  sent: readonly Message[],
  kills: readonly number[],
  recordMs = usualRecordMs,
): Message[] {
  return sent.filter(({ text, at }, n) => {
    const before = sent.slice(0, n).findLast((one) => one.text === text)?.at;
    return !kills.some((kill) => before !== undefined && isInFlight(before, kill, recordMs) && (at ?? kill) > kill);
  });
}
