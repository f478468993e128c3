/** Has the channels connect that hold a socket or poll: each by itself, and under a lease where there may be other replicas. */
import type { Channel, Connection } from "../channel.ts";
import { leaseName, type Connections } from "../connections.ts";
import { reasonOf } from "../errors.ts";
import { underLease, type LeaseOptions } from "../lease.ts";

export interface ConnectingOptions extends LeaseOptions {
  /** No other process has the channels. */
  readonly exclusive: boolean;
  readonly connections: Connections;
  /** Where other replicas can ask this one, where they may have to. */
  readonly replicaAddress?: () => string | undefined;
  /** It will not connect any more. */
  readonly isOff: (channel: Channel) => void;
  /** Ends all of them. */
  readonly signal: AbortSignal;
}

/** @returns what connects one channel; it resolves with undefined, and does not reject, where that cannot succeed. */
export function createConnecting(options: ConnectingOptions): (channel: Channel) => Promise<Connection | undefined> {
  const { clock, log, leaseMs, exclusive, connections, isOff, signal: intake } = options;

  async function open(channel: Channel, signal: AbortSignal): Promise<Connection | undefined> {
    connections.report(channel, "connecting");
    const connection = await channel.connect?.(signal);
    if (connection !== undefined) connections.report(channel, "connected");
    return connection;
  }

  /** Connected means that this process is, or stands by. */
  function leased(channel: Channel): Promise<Connection> {
    const first = Promise.withResolvers<void>();
    const address = channel.traits.bySocket === true ? options.replicaAddress?.() : undefined;
    const closed = underLease(leaseName(channel), { ...options, address }, intake, async (signal) => {
      const connection = await open(channel, signal);
      first.resolve();
      await connection?.closed;
      connections.release(channel);
    });
    closed.catch(first.reject);
    clock.after(leaseMs, first.resolve);
    return first.promise.then(() => ({ closed }));
  }

  return async (channel) => {
    const of = { channel: channel.channel, account: channel.account };
    const off = (error: unknown, words: string) => {
      if (intake.aborted) return;
      isOff(channel);
      connections.report(channel, "off", reasonOf(error));
      log.error({ ...of, reason: reasonOf(error) }, words);
    };
    try {
      const connection = await (exclusive ? open(channel, intake) : leased(channel));
      if (connection === undefined) return undefined;
      log.info(of, "channel connected");
      connection.closed.catch((error: unknown) => off(error, "channel lost its connection for good and stays off"));
      return connection;
    } catch (error) {
      // One account's trouble is not another's: the gateway goes on without it, and `ascent doctor` explains.
      off(error, "channel cannot connect and stays off");
      return undefined;
    }
  };
}
