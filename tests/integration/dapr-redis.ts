/** What stands in a cluster's Redis. */
import { Redis } from "ioredis";
import type { Cluster } from "../services/dapr.ts";

/** Keys for which `holds` is true of the key and its value, as JSON; a stream is the broker's. */
export async function keysWith({ env }: Cluster, holds: (stored: string) => boolean): Promise<string[]> {
  const redis = new Redis(`redis://${env["REDIS_HOST"]}`);
  try {
    const found: string[] = [];
    for (const key of await redis.keys("*")) {
      const type = await redis.type(key);
      if (type === "stream") continue;
      const value: unknown = type === "hash" ? await redis.hgetall(key) : await redis.get(key).catch(() => type);
      if (holds(JSON.stringify([key, value]))) found.push(key);
    }
    return found;
  } finally {
    redis.disconnect();
  }
}
