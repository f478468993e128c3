/**
 * The dispatcher of one topic, in memory: a lane per subject with work, one item of a lane in flight, tenants served in turn and
 * each one's lanes in turn. A subject that floods or fails holds up nobody but itself; a lane without items is forgotten.
 */
import type { Clock } from "../../src/ports.ts";
import { createRoundRobin, type Shares } from "../../src/shares.ts";
import { createFifo, type Fifo } from "./fifo.ts";

export interface Lanes<Item> {
  add(subject: string, item: Item): void;
  /** Items of this subject that are not done. */
  depth(subject: string): number;
  /** Nothing is handled before the first call. */
  start(): void;
  /** Nothing more begins. Resolves when nothing is handled any more. */
  stop(): Promise<void>;
}

interface Lane<Item> {
  readonly subject: string;
  readonly tenant: string;
  readonly items: Fifo<Item>;
}

export interface LanesOptions<Item> {
  /** One for each item that is being handled. */
  readonly places: Shares;
  readonly tenantOf: (subject: string) => string;
  readonly clock: Clock;
  /** Undefined: done. A number: the item stays first in its lane and is handled again after so many ms. Never rejects. */
  readonly handle: (item: Item) => Promise<number | undefined>;
}

/** A timer that is set for longer than this fires at once. @see https://nodejs.org/api/timers.html */
const longestWaitMs = 2 ** 31 - 1;

export function createLanes<Item>({ places, tenantOf, clock, handle }: LanesOptions<Item>): Lanes<Item> {
  const lanes = new Map<string, Lane<Item>>();
  const ready = createRoundRobin<Lane<Item>>();
  const stopped = Promise.withResolvers<void>();
  let open = false;
  let running = 0;

  const mayRun = (tenant: string): boolean => places.fits(tenant, 1);

  function pump(): void {
    for (let lane; open && (lane = ready.next(mayRun)) !== undefined;) {
      running += 1;
      places.take(lane.tenant, 1);
      void run(lane);
    }
  }

  function again(lane: Lane<Item>): void {
    ready.add(lane.tenant, lane);
    pump();
  }

  async function run(lane: Lane<Item>): Promise<void> {
    const wait = await handle(lane.items.peek() as Item);
    running -= 1;
    places.giveBack(lane.tenant, 1);
    if (wait !== undefined) {
      clock.after(Math.min(wait, longestWaitMs), () => again(lane));
    } else {
      lane.items.shift();
      if (lane.items.length > 0) ready.add(lane.tenant, lane);
      else lanes.delete(lane.subject);
    }
    if (open) pump();
    else if (running === 0) stopped.resolve();
  }

  return {
    add(subject, item) {
      let lane = lanes.get(subject);
      if (lane === undefined) {
        lane = { subject, tenant: tenantOf(subject), items: createFifo() };
        lanes.set(subject, lane);
        ready.add(lane.tenant, lane);
      }
      lane.items.push(item);
      pump();
    },
    depth: (subject) => lanes.get(subject)?.items.length ?? 0,
    start() {
      open = true;
      pump();
    },
    stop() {
      open = false;
      if (running === 0) stopped.resolve();
      return stopped.promise;
    },
  };
}
