/** The faults of a plan, looked up by the parts of the world that they strike. Each strikes once. */
import type { Fault, FaultOf } from "./plan.ts";

export interface Faults {
  /** Takes the first fault of that kind that is due and that `matches`. */
  take<Kind extends Fault["kind"]>(kind: Kind, matches: (fault: FaultOf<Kind>) => boolean): FaultOf<Kind> | undefined;
  /** An outage of that part is on. */
  out(of: FaultOf<"outage">["of"]): boolean;
  /** From here on nothing goes wrong any more. */
  end(): void;
}

export function createFaults(plan: readonly Fault[], now: () => number): Faults {
  let waiting = [...plan];
  const outages = plan.filter((fault) => fault.kind === "outage");
  return {
    take: <Kind extends Fault["kind"]>(kind: Kind, matches: (fault: FaultOf<Kind>) => boolean) => {
      for (const fault of waiting) {
        if (fault.at > now()) return undefined;
        if (fault.kind !== kind || !matches(fault as FaultOf<Kind>)) continue;
        waiting = waiting.filter((other) => other !== fault);
        return fault as FaultOf<Kind>;
      }
      return undefined;
    },
    out: (of) => outages.some((outage) => outage.of === of && outage.at <= now() && now() < outage.at + outage.forMs),
    end: () => {
      waiting = [];
    },
  };
}
