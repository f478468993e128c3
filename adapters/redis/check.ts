/** Whether a Redis keeps what it acknowledges. */
import { Redis } from "ioredis";
import type { Finding } from "../../src/channel.ts";

/** Settings of the server whose other values lose streams or state. */
const wanted: Readonly<Record<string, { readonly value: string; readonly loses: string }>> = {
  appendonly: { value: "yes", loses: "its sudden death takes everything since the last snapshot" },
  "maxmemory-policy": { value: "noeviction", loses: "when memory is full it drops messages and state" },
};

/** Never rejects. A hosted Redis may keep its settings to itself. */
export async function checkRedis(url: string): Promise<readonly Finding[]> {
  const redis = new Redis(url, { maxRetriesPerRequest: 0, retryStrategy: () => null, lazyConnect: true });
  redis.on("error", () => {
    // Told by the call that fails.
  });
  try {
    await redis.connect();
    const findings: Finding[] = [];
    for (const [name, { value, loses }] of Object.entries(wanted)) {
      const [, found] = (await redis.call("CONFIG", "GET", name).then(pairOf)) ?? [];
      if (found === undefined)
        findings.push({ ok: true, text: `does not tell its ${name}: make sure that it is ${value}` });
      else if (found === value) findings.push({ ok: true, text: `${name} is ${value}` });
      else
        findings.push({
          ok: false,
          text: `${name} is ${found}: ${loses}`,
          next: `Set ${name} ${value} in redis.conf.`,
        });
    }
    return findings;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [{ ok: false, text: `does not answer: ${reason}`, next: "Correct REDIS_URL, or start the Redis it names." }];
  } finally {
    redis.disconnect();
  }
}

/** RESP2 answers a list, RESP3 a map. */
function pairOf(answer: unknown): string[] | undefined {
  if (Array.isArray(answer)) return answer.map(String);
  if (answer instanceof Map) return [...answer].flat().map(String);
  return typeof answer === "object" && answer !== null ? Object.entries(answer).flat().map(String) : undefined;
}
