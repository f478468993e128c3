/**
 * How much state an agent has in Redis: what Dapr keeps under `<app>||<type>||<id>||<key>`, a hash with the field "data".
 * Chunks of seen ids are left out: they are written once, when they are full.
 */
import { Redis } from "ioredis";

const sampled = 200;

export interface StateSize {
  /** Of one agent, all its keys together: the mean of those that were looked at. */
  readonly bytes: number;
  readonly agents: number;
}

export async function stateSizeOf(url: string): Promise<StateSize> {
  const redis = new Redis(url);
  try {
    const sizes = new Map<string, number>();
    for await (const keys of redis.scanStream({ match: "*||*||*||*", count: 1_000 })) {
      for (const key of keys as string[]) {
        const [, type, id, name = ""] = key.split("||");
        if (name.startsWith("seen:")) continue;
        const actor = `${type} ${id}`;
        if (!sizes.has(actor) && sizes.size >= sampled) continue;
        sizes.set(actor, (sizes.get(actor) ?? 0) + (await redis.hstrlen(key, "data")));
      }
    }
    const all = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
    return { bytes: all / sizes.size, agents: sizes.size };
  } finally {
    redis.disconnect();
  }
}
