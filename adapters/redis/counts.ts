/** How fast people write, and models are asked, counted for all replicas together. While Redis is away each counts by itself. */
import { createHash } from "node:crypto";
import { Redis, type Result } from "ioredis";
import { createLoopGuard, createRates, loop, type LoopGuard, type Rates } from "../../src/rates.ts";
import type { MinuteLimits, RequestWindow } from "../../src/model-line.ts";
import type { Clock, Log } from "../../src/ports.ts";
import { defineWindow, sharedWindow } from "./window.ts";

declare module "ioredis" {
  interface RedisCommander<Context> {
    ascentTake(key: string, perMinute: number): Result<number, Context>;
    ascentGiveBack(key: string): Result<null, Context>;
  }
}

export interface RedisCounts {
  readonly rates: Rates;
  /** Of a model's provider. @param own counts while Redis is away. */
  window(provider: string, limits: MinuteLimits, own: RequestWindow): RequestWindow;
  readonly loops: LoopGuard;
  close(): void;
}

/** As the bucket of `src/rates.ts`, by the server's clock; a full one is forgotten by itself. */
const take = `
local most = tonumber(ARGV[1])
local t = redis.call("TIME")
local now = t[1] * 1000 + t[2] / 1000
local known = redis.call("HMGET", KEYS[1], "left", "at")
local left = math.min(most, (tonumber(known[1]) or most) + math.max(0, now - (tonumber(known[2]) or now)) / 60000 * most)
local wait = 0
if left >= 1 then left = left - 1 else wait = math.ceil((1 - left) / most * 60000) end
redis.call("HSET", KEYS[1], "left", string.format("%.6f", left), "at", string.format("%.3f", now))
redis.call("PEXPIRE", KEYS[1], 60000)
return wait`;
/** One more than fits is cut off by the next take. */
const giveBack = `if redis.call("EXISTS", KEYS[1]) == 1 then redis.call("HINCRBYFLOAT", KEYS[1], "left", 1) end`;

/** A message does not wait longer for it. */
const answerMs = 250;
const prefix = "ascent:count:";

/** @param options.url redis://[user:password@]host:port[/db], or rediss:// for TLS. */
export function connectCounts({ url, clock, log }: { url: string; clock: Clock; log: Log }): RedisCounts {
  const redis = new Redis(url, { enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: answerMs });
  redis.defineCommand("ascentTake", { numberOfKeys: 1, lua: take });
  redis.defineCommand("ascentGiveBack", { numberOfKeys: 1, lua: giveBack });
  defineWindow(redis);
  const own = { rates: createRates(clock), loops: createLoopGuard(clock) };
  let away = false;
  redis.on("error", (error) => {
    if (!away)
      log.warn(
        { reason: error.message },
        "Redis is away: each replica counts messages and requests of models by itself",
      );
    away = true;
  });
  redis.on("ready", () => (away = false));

  // Ids of people are nobody's to read there.
  const keyOf = (kind: string, key: string) =>
    `${prefix}${kind}:${createHash("sha256").update(key).digest("base64url")}`;
  const orOwn = <Value>(asked: Promise<Value>, local: () => Value) => asked.catch(local);

  return {
    rates: {
      take(key, perMinute) {
        if (perMinute === Infinity) return 0;
        return orOwn(redis.ascentTake(keyOf("rate", key), perMinute), () => own.rates.take(key, perMinute));
      },
      giveBack(key) {
        redis.ascentGiveBack(keyOf("rate", key)).catch(() => own.rates.giveBack(key));
      },
    },
    loops: {
      person(conversation) {
        own.loops.person(conversation);
        redis.del(keyOf("loop", conversation)).catch(() => undefined);
      },
      bot(conversation) {
        const key = keyOf("loop", conversation);
        const counted = redis
          .multi()
          .incr(key)
          .pexpire(key, loop.windowMs)
          .exec()
          .then((replies) => {
            const [error, count] = replies?.[0] ?? [new Error("no reply")];
            if (error !== null) throw error;
            return Number(count);
          });
        return orOwn(counted, () => own.loops.bot(conversation));
      },
    },
    window: (provider, limits, by) => sharedWindow(redis, `${prefix}model:${provider}`, limits, by, clock),
    close: () => redis.disconnect(),
  };
}
