/** Two replicas that count what people write, on a real Redis. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectCounts, type RedisCounts } from "../../adapters/redis/counts.ts";
import { createWindow } from "../../adapters/models/window.ts";
import { loop } from "../../src/rates.ts";
import { clock } from "../contract/channel-deps.ts";
import { needs } from "../needs.ts";
import { startRedis, type RedisService } from "../services/redis.ts";
import { eventually } from "./stage.ts";
import { quiet } from "../unit/client-agent.fixture.ts";

describe.skipIf(needs("redis-server").missing)("messages of one person at two replicas", () => {
  let redis: RedisService;
  let replicas: RedisCounts[];

  beforeAll(async () => {
    redis = await startRedis();
    replicas = [1, 2].map(() => connectCounts({ url: redis.url, clock, log: quiet }));
    await eventually("both are connected", async () => {
      for (const { loops } of replicas) loops.person("ready");
      const rows = await Promise.all(replicas.map(async ({ loops }) => loops.bot("ready")));
      return rows.includes(1) && rows.includes(2);
    });
  }, 30_000);
  afterAll(async () => {
    for (const { close } of replicas) close();
    await redis.close();
  });

  it("count together, and what is given back may be taken again", async () => {
    const takes = Array.from({ length: 14 }, async (_, n) => replicas[n % 2]?.rates.take("ann", 10));
    const waits = await Promise.all(takes);
    expect(waits.filter((ms) => ms === 0)).toHaveLength(10);
    for (const ms of waits.filter((one) => one !== 0)) expect(ms).toBeGreaterThan(4_000);
    expect(Math.max(...waits.map(Number))).toBeLessThanOrEqual(6_000);
    expect(await replicas[0]?.rates.take("bob", 10)).toBe(0);
    replicas[0]?.rates.giveBack("ann");
    await expect.poll(async () => replicas[1]?.rates.take("ann", 10)).toBe(0);
  });

  it("know of bots that answer each other, until a person writes", async () => {
    for (let n = 1; n <= loop.most; n++) expect(await replicas[n % 2]?.loops.bot("room")).toBe(n);
    replicas[0]?.loops.person("room");
    await expect.poll(async () => Number(await replicas[1]?.loops.bot("room"))).toBeLessThanOrEqual(2);
  });

  it("count together what models are asked, in requests and in tokens, and say when there is room", async () => {
    const limits = { requestsPerMinute: 5, tokensPerMinute: 1_000 };
    const [one, other] = replicas.map((of) => of.window("provider", limits, createWindow(limits, clock)));
    const takes = await Promise.all(Array.from({ length: 8 }, async (_, n) => (n % 2 === 0 ? one : other)?.take(10)));
    const waits = takes.filter((taken) => typeof taken === "number");
    expect(waits).toHaveLength(3);
    for (const ms of waits) expect(ms).toBeGreaterThan(58_000);
    for (const ms of waits) expect(ms).toBeLessThanOrEqual(62_000);
    // As whoever was refused last knows it.
    expect(Math.max(...[one, other].map((of) => of?.waitMs(1, 10) ?? 0))).toBeGreaterThan(58_000);

    const byTokens = { tokensPerMinute: 1_000 };
    const [a, b] = replicas.map((of) => of.window("tokens", byTokens, createWindow(byTokens, clock)));
    const taken = await a?.take(900);
    expect(await b?.take(200)).toBeGreaterThan(58_000);
    if (typeof taken === "object") taken.settle(100);
    await expect.poll(async () => typeof (await b?.take(200))).toBe("object");
    expect(await b?.take(5_000)).toBeGreaterThan(58_000);

    const single = { requestsPerMinute: 1, tokensPerMinute: 100 };
    const [c, d] = replicas.map((of) => of.window("single", single, createWindow(single, clock)));
    const unmade = await c?.take(100);
    expect(await d?.take(1)).toBeGreaterThan(58_000);
    if (typeof unmade === "object") unmade.giveBack();
    await expect.poll(async () => typeof (await d?.take(100))).toBe("object");
    expect(await c?.take(1)).toBeGreaterThan(58_000);
  });

  it("count each by itself while Redis is away, and nobody waits for it", async () => {
    await redis.kill();
    await expect.poll(async () => replicas[0]?.rates.take("eve", 2)).toBe(0);
    const begun = performance.now();
    const waits = [];
    for (let n = 0; n < 4; n++) waits.push(await replicas[1]?.rates.take("eve", 2));
    expect(waits.filter((ms) => ms === 0).length).toBe(2);
    const limits = { requestsPerMinute: 2 };
    const window = replicas[1]?.window("provider", limits, createWindow(limits, clock));
    const taken = await Promise.all([1, 2, 3].map(async () => window?.take(0)));
    expect(taken.filter((one) => typeof one === "object")).toHaveLength(2);
    expect(performance.now() - begun).toBeLessThan(2_000);
  });
});
