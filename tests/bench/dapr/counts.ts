/** What a stack was asked so far: calls of the sidecar by kind, from its own metrics, and Redis' commands. */
import { Redis } from "ioredis";
import type { Stack } from "./cluster.ts";

export type Counts = ReadonlyMap<string, number>;

/** Counters of the sidecar that name a kind of work, and the labels that tell the kinds apart. */
const counters: Readonly<Record<string, readonly string[]>> = {
  dapr_http_server_request_count: ["method", "path"],
  dapr_http_client_sent_bytes_count: ["method", "path"],
  dapr_http_client_completed_count: ["method", "path"],
  dapr_component_state_count: ["component", "operation"],
  dapr_component_pubsub_ingress_count: ["topic"],
  dapr_component_pubsub_egress_count: ["topic"],
};

export async function countsOf({ sidecar, redisUrl }: Stack): Promise<Counts> {
  const [metrics, commands] = await Promise.all([metricsOf(sidecar.metricsPort), commandsOf(redisUrl)]);
  return new Map([...metrics, ...commands]);
}

/** What happened in between, per `turns`, the most frequent first. */
export function perTurn(before: Counts, after: Counts, turns: number): [string, number][] {
  return [...after]
    .map(([name, count]): [string, number] => [name, (count - (before.get(name) ?? 0)) / turns])
    .filter(([, count]) => count >= 0.005)
    .toSorted(([, a], [, b]) => b - a);
}

async function metricsOf(port: number): Promise<Counts> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const counts = new Map<string, number>();
  for (const [, name = "", labels = "", value] of text.matchAll(/^(\w+)\{(.*)\} ([\d.e+]+)$/gm)) {
    const wanted = counters[name];
    if (wanted === undefined) continue;
    const kind = wanted.map((label) => new RegExp(`\\b${label}="([^"]*)"`).exec(labels)?.[1] ?? "").join(" ");
    const key = `${name.slice("dapr_".length)} ${kind}`;
    counts.set(key, (counts.get(key) ?? 0) + Number(value));
  }
  return counts;
}

/** By command, as Redis spells it; a script's own commands are counted beside it. */
export async function commandsOf(url: string): Promise<Counts> {
  const redis = new Redis(url);
  try {
    const text = await redis.info("commandstats");
    const found = text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm);
    return new Map([...found].map(([, name = "", calls]) => [`redis ${name}`, Number(calls)]));
  } finally {
    redis.disconnect();
  }
}
