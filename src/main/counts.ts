import type { RedisCounts } from "../../adapters/redis/counts.ts";
import type { Clock, Log } from "../ports.ts";
import type { Config } from "./config.ts";

/** What replicas count together; undefined where each counts by itself. */
export async function openCounts({ redis: { url } }: Config, clock: Clock, log: Log): Promise<RedisCounts | undefined> {
  if (url === undefined) return undefined;
  const { connectCounts } = await import("../../adapters/redis/counts.ts");
  return connectCounts({ url, clock, log });
}
