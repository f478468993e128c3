/**
 * How each account stands with its platform. The process that holds a socket knows; where there may be other replicas it keeps
 * what it knows in a record too, so that any of them can tell an operator.
 */
import { z } from "zod";
import type { Channel, LinkState } from "./channel.ts";
import { reasonOf } from "./errors.ts";
import { encodePart, type AccountRef } from "./ids.ts";
import { leaseHolder } from "./lease.ts";
import type { Clock, Log, Records } from "./ports.ts";

/** "on request": it is called, and holds no connection. "elsewhere": another replica holds it, and has not told how it stands. */
export const connectionStates = ["on request", "connecting", "connected", "off", "elsewhere"] as const;

const linkState = z.object({
  state: z.enum(["no browser", "starting", "waiting for a scan", "ready"]),
  code: z.object({ text: z.string(), until: z.number() }).optional(),
  trouble: z.string().optional(),
});
const connection = z.object({
  state: z.enum(connectionStates),
  /** Why it is off. */
  reason: z.string().optional(),
  link: linkState.optional(),
});
export type ConnectionState = z.infer<typeof connection> & {
  /** False where another replica holds it. */
  readonly here: boolean;
};
type Told = z.infer<typeof connection>;
/** Only what its present holder wrote counts: see {@link leaseHolder}. */
const row = z.object({ v: z.literal(1), holder: z.string(), connection });

export interface Connections {
  /** How an account that this process holds stands now. */
  report(of: AccountRef, state: "connecting" | "connected" | "off", reason?: string): void;
  /** This process does not hold it any more. */
  release(of: AccountRef): void;
  watch(channel: Channel): void;
  stateOf(channel: Channel): Promise<ConnectionState>;
}

export interface ConnectionsOptions {
  readonly records: Records;
  readonly clock: Clock;
  readonly log: Log;
  readonly instance: string;
  /** Other replicas may hold what this one does not. */
  readonly shared: boolean;
}

const againMs = 5_000;

/** The name of the lease under which an account's socket is held. */
export function leaseName({ tenant, channel, account }: AccountRef): string {
  return [tenant, channel, account].map(encodePart).join(":");
}

export function createConnections(options: ConnectionsOptions): Connections {
  const { records, clock, log, instance, shared } = options;
  const own = new Map<string, Told>();
  const links = new Map<string, LinkState>();
  /** What is to be written, by name; one write at a time, and only the last state counts. */
  const owed = new Map<string, Told>();
  const writing = new Set<string>();
  const keyOf = (name: string) => `connection:${name}`;

  function keep(name: string, told: Told): void {
    own.set(name, told);
    if (!shared) return;
    owed.set(name, told);
    if (!writing.has(name)) void write(name);
  }

  async function write(name: string): Promise<void> {
    writing.add(name);
    for (let told = owed.get(name); told !== undefined; told = owed.get(name)) {
      try {
        await records.put(keyOf(name), { v: 1, holder: instance, connection: told });
        if (owed.get(name) === told) owed.delete(name);
      } catch (error) {
        log.debug({ connection: name, reason: reasonOf(error) }, "how a channel stands is not known elsewhere yet");
        await new Promise<void>((resolve) => void clock.after(againMs, resolve));
      }
    }
    writing.delete(name);
  }

  async function elsewhere(name: string): Promise<ConnectionState> {
    const holder = (await leaseHolder(name, records))?.holder;
    if (holder === undefined) return { state: "connecting", here: true };
    const found = row.safeParse((await records.get(keyOf(name)))?.value);
    if (!found.success || found.data.holder !== holder) return { state: "elsewhere", here: false };
    return { ...found.data.connection, here: false };
  }

  /** A code is worth nothing once it is over. */
  function current(told: ConnectionState): ConnectionState {
    const { link } = told;
    if (link?.code === undefined || link.code.until > clock.now()) return told;
    const { code: _over, ...rest } = link;
    return { ...told, link: rest };
  }

  return {
    report(of, state, reason) {
      const name = leaseName(of);
      const link = links.get(name);
      keep(name, { state, ...(reason === undefined ? {} : { reason }), ...(link === undefined ? {} : { link }) });
    },
    release(of) {
      for (const known of [own, links, owed]) known.delete(leaseName(of));
    },
    watch(channel) {
      const name = leaseName(channel);
      channel.watchLink?.((link) => {
        links.set(name, link);
        const before = own.get(name);
        if (before !== undefined) keep(name, { ...before, link });
      });
    },
    async stateOf(channel) {
      if (channel.connect === undefined) return { state: "on request", here: true };
      const name = leaseName(channel);
      const told = own.get(name);
      if (told !== undefined) return current({ ...told, here: true });
      return shared ? current(await elsewhere(name)) : { state: "connecting", here: true };
    },
  };
}
