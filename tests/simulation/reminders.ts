/** Periodic reminders of actors, kept outside every process. They fire at least once per period, also late or twice. */
import type { AgentId } from "../../src/ids.ts";
import type { World } from "./world.ts";

export interface Reminders {
  arm(id: AgentId, name: string, periodMs: number): void;
  disarm(id: AgentId, name: string): void;
  armed(): string[];
}

/** @param deliver false where no process is there to take it. */
export function createReminders(world: World, deliver: (id: AgentId, name: string) => boolean): Reminders {
  const { loop, faults } = world;
  const cancels = new Map<string, () => void>();

  const disarm = (id: AgentId, name: string): void => {
    cancels.get(`${id} ${name}`)?.();
    cancels.delete(`${id} ${name}`);
  };
  const arm = (id: AgentId, name: string, periodMs: number, firstMs = periodMs): void => {
    disarm(id, name);
    cancels.set(
      `${id} ${name}`,
      loop.at(loop.now() + firstMs, () => {
        const fault = faults.take("reminder", () => true);
        if (fault?.how === "late") return arm(id, name, periodMs, fault.forMs);
        const taken = deliver(id, name);
        if (taken) world.note("timer", () => `${name} of ${id}`);
        if (fault?.how === "twice") deliver(id, name);
        return arm(id, name, periodMs, taken ? periodMs : 1_000);
      }),
    );
  };
  return { arm: (id, name, periodMs) => arm(id, name, periodMs), disarm, armed: () => [...cancels.keys()] };
}
