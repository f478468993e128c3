/** Which sends were in flight when something died: the only ones that may be made again. */
import type { Plan } from "../plan.ts";
import type { Received } from "../platform.ts";
import type { Evidence } from "./evidence.ts";

/** How long after the platform's reply the record of a send may not be written yet; while the store is in trouble, longer. */
const recordMs = { embedded: 50, dapr: 1_000, inTrouble: 90_000 } as const;

/** Nobody could know that it had arrived, or who knew it died (or stood still) before it could be written down. */
export function wasInFlight(
  { plan, processes }: Evidence,
  { ambiguous, confirmedAt, process: name }: Received,
): boolean {
  if (ambiguous === true || confirmedAt === undefined) return true;
  const process = processes.find((candidate) => candidate.name === name);
  if (process === undefined) return false;
  const until = confirmedAt + (storeFails(plan) ? recordMs.inTrouble : recordMs[plan.flavour]);
  if (process.diedAt !== undefined && process.diedAt < until) return true;
  return plan.faults.some(
    (fault) =>
      fault.kind === "freeze" &&
      fault.slot === process.slot &&
      fault.at < until &&
      confirmedAt < fault.at + fault.forMs + recordMs.dapr,
  );
}

function storeFails(plan: Plan): boolean {
  return plan.faults.some(
    (fault) =>
      (fault.kind === "outage" && fault.of !== "platform") ||
      (fault.kind === "operation" && (fault.how === "slow" || fault.operation === "write record")),
  );
}

/** Its process had stood still and went on with what it had begun before. */
export function stoodStill({ plan, processes }: Evidence, { at, process: name }: Received): boolean {
  const slot = processes.find((candidate) => candidate.name === name)?.slot;
  return plan.faults.some((fault) => fault.kind === "freeze" && fault.slot === slot && fault.at <= at);
}
