/** The channels of all accounts that the configuration names. */
import { createHash } from "node:crypto";
import { pageDirectory } from "../../channels/web/page/build.ts";
import type { Belongings } from "../belongings.ts";
import type { Channel } from "../channel.ts";
import type { Core } from "../core.ts";
import type { SafeFetch } from "../fetch.ts";
import { throughHolder, type HeldChannel } from "../holder.ts";
import type { Clock, Log, Runtime, Signals } from "../ports.ts";
import { blobsOf } from "../tenant-blobs.ts";
import type { Serving } from "./a2a.ts";
import { accountKey, accountsOf } from "./accounts.ts";
import type { Agents } from "./agents.ts";
import { channelKinds } from "./channels.ts";
import type { Config } from "./config.ts";
import { documentsOf } from "./console.ts";

export interface ChannelsOptions {
  readonly config: Config;
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly log: Log;
  readonly instance: string;
  readonly secret: string;
  /** What replicas show one another. */
  readonly token: string;
  readonly safeFetch: SafeFetch;
  readonly signals: Signals | undefined;
  readonly newId: () => string;
  readonly core: Core;
  readonly belongings: Belongings;
  readonly agents: Agents;
  readonly serving: Serving;
}

/**
 * @param channels where they are put, by {@link accountKey}: the core looks there.
 * @returns those of them that one replica alone can send with.
 */
export async function openChannels(
  channels: Map<string, Channel>,
  options: ChannelsOptions,
): Promise<readonly HeldChannel[]> {
  const { config, runtime, clock, log, instance, secret, token, safeFetch } = options;
  const { signals, newId, core, belongings, agents, serving } = options;
  const held: HeldChannel[] = [];
  /** Where one replica alone can send, the others ask it. */
  const reachable = (channel: Channel): Channel => {
    if (runtime.actors.exclusive || channel.traits.bySocket !== true) return channel;
    held.push(throughHolder(channel, { records: runtime.records, clock, instance, token, fetch }));
    return held.at(-1)?.channel ?? channel;
  };
  for (const { name, account, settings, own } of accountsOf(config)) {
    const ref = { tenant: own.tenant, channel: name, account };
    const make = await channelKinds[name].load();
    const channel = make(
      settings,
      {
        ...ref,
        inbound: core.inbound,
        records: runtime.records,
        transcript: runtime.transcript,
        blobs: blobsOf(runtime.blobs, own.tenant),
        belongings,
        endings: core.endings,
        ...(core.feedback === undefined ? {} : { ratings: core.feedback }),
        ...(signals === undefined ? {} : { signals }),
        clock,
        log,
        newId,
        commands: agents.commandsAt(ref),
        publicUrl: config.server.publicUrl,
        // Each account signs with a key of its own.
        secret: createHash("sha256")
          .update(`${secret}:${accountKey(ref)}`)
          .digest("base64url"),
      },
      {
        agent: agents.introduce(ref),
        agents: agents.names,
        pageDirectory,
        documents: documentsOf(config),
        safeFetch,
        groups: own.groups,
        data: config.data,
        profiles: agents.profiles,
        host: serving.add,
      },
    );
    channels.set(accountKey(ref), reachable(channel));
    const { binding, take } = channel;
    if (binding === undefined || take === undefined) continue;
    if (runtime.bindings === undefined)
      throw new Error(
        `${name}/${account} takes from the binding "${binding}": set ASCENT_RUNTIME=dapr, or leave it out.`,
      );
    runtime.bindings.take(binding, take);
  }
  return held;
}
