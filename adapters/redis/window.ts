/** How often models are asked, counted for all replicas together, by the server's clock. While Redis is away each counts by itself. */
import type { Redis, Result } from "ioredis";
import type { Counted, MinuteLimits, RequestWindow } from "../../src/model-line.ts";
import type { Clock } from "../../src/ports.ts";

declare module "ioredis" {
  interface RedisCommander<Context> {
    ascentAsk(key: string, most: number, mostTokens: number, tokens: number): Result<[number, number], Context>;
    ascentSettle(key: string, second: number, tokens: number, requests: number): Result<null, Context>;
  }
}

/**
 * Requests and tokens of every second, which count until a whole minute after it. As many fields as seconds in which there was a request.
 * Answers 0 and the second where it is counted, else the milliseconds until it may fit.
 */
const ask = `
local most, mostTokens, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local t = redis.call("TIME")
local now = tonumber(t[1])
local ms = now * 1000 + tonumber(t[2]) / 1000
local all = redis.call("HGETALL", KEYS[1])
local seconds, counts, requests, tokens = {}, {}, 0, 0
for i = 1, #all, 2 do
  local kind, second, count = string.sub(all[i], 1, 1), tonumber(string.sub(all[i], 2)), tonumber(all[i + 1])
  if second + 61 <= now then
    redis.call("HDEL", KEYS[1], all[i])
  else
    if counts[second] == nil then
      counts[second] = { r = 0, t = 0 }
      table.insert(seconds, second)
    end
    counts[second][kind] = count
    if kind == "r" then requests = requests + count else tokens = tokens + count end
  end
end
if requests < most and tokens + cost <= mostTokens then
  redis.call("HINCRBY", KEYS[1], "r" .. t[1], 1)
  redis.call("HINCRBY", KEYS[1], "t" .. t[1], cost)
  redis.call("PEXPIRE", KEYS[1], 62000)
  return { 0, now }
end
table.sort(seconds)
for _, second in ipairs(seconds) do
  requests, tokens = requests - counts[second].r, tokens - counts[second].t
  if requests < most and tokens + cost <= mostTokens then return { math.max(1, math.ceil((second + 61) * 1000 - ms)), now } end
end
return { 1000, now }`;
/** Adds to what is counted of that second, unless it is over. */
const settle = `
if redis.call("HEXISTS", KEYS[1], "t" .. ARGV[1]) == 1 then
  redis.call("HINCRBY", KEYS[1], "t" .. ARGV[1], ARGV[2])
  redis.call("HINCRBY", KEYS[1], "r" .. ARGV[1], ARGV[3])
end`;

const minuteMs = 61_000;

export function defineWindow(redis: Redis): void {
  redis.defineCommand("ascentAsk", { numberOfKeys: 1, lua: ask });
  redis.defineCommand("ascentSettle", { numberOfKeys: 1, lua: settle });
}

/** @param own counts while Redis is away. */
export function sharedWindow(
  redis: Redis,
  key: string,
  limits: MinuteLimits,
  own: RequestWindow,
  clock: Clock,
): RequestWindow {
  const { requestsPerMinute: most = Number.MAX_SAFE_INTEGER, tokensPerMinute: mostTokens = Number.MAX_SAFE_INTEGER } =
    limits;
  /** When there was room next, as the server said last. */
  let roomAt = 0;

  async function take(asked: number): Promise<Counted | number> {
    const tokens = Math.min(Math.ceil(asked), mostTokens);
    try {
      const [waitMs, second] = await redis.ascentAsk(key, most, mostTokens, tokens);
      roomAt = clock.monotonic() + waitMs;
      if (waitMs > 0) return waitMs;
      const add = (more: number, requests: number) =>
        void redis.ascentSettle(key, second, more, requests).catch(() => undefined);
      return {
        settle(used) {
          const more = Math.round(used - tokens);
          if (more !== 0) add(more, 0);
        },
        giveBack: () => add(-tokens, -1),
      };
    } catch {
      return own.take(asked);
    }
  }

  return {
    take,
    waitMs(requests, tokens) {
      const byRequests = Math.floor((requests - 1) / most);
      const byTokens = Math.floor((requests * tokens) / mostTokens);
      return Math.max(0, roomAt - clock.monotonic()) + Math.max(byRequests, byTokens) * minuteMs;
    },
  };
}
