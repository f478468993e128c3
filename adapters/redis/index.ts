/** Signals between replicas over Redis: fire and forget. Without it, or while it is away, each replica shows its own only. */
import { Redis } from "ioredis";
import type { Log, Signals } from "../../src/ports.ts";

export interface RedisSignals extends Signals {
  close(): void;
}

const prefix = "ascent:signal:";

/** @param options.url redis://[user:password@]host:port[/db], or rediss:// for TLS. */
export function connectSignals({ url, instance, log }: { url: string; instance: string; log: Log }): RedisSignals {
  const listeners = new Map<string, Set<(data: unknown) => void>>();
  // What cannot be sent now is not worth sending later.
  const out = new Redis(url, { enableOfflineQueue: false, maxRetriesPerRequest: 0 });
  const incoming = new Redis(url);
  let away = false;
  for (const connection of [out, incoming]) {
    connection.on("error", (error) => {
      if (!away) log.warn({ reason: error.message }, "Redis is away: what other replicas do shows later");
      away = true;
    });
    connection.on("ready", () => (away = false));
  }

  incoming.on("message", (channel: string, text: string) => {
    const { from, data } = JSON.parse(text) as { from: string; data: unknown };
    if (from === instance) return;
    for (const listener of listeners.get(channel) ?? []) listener(data);
  });

  return {
    send(topic, data) {
      if (out.status !== "ready") return;
      out.publish(prefix + topic, JSON.stringify({ from: instance, data })).catch(() => {
        // Told by the connection's own error.
      });
    },
    listen(topic, listener) {
      const channel = prefix + topic;
      const own = listeners.get(channel) ?? new Set();
      if (own.size === 0) incoming.subscribe(channel).catch(() => undefined);
      listeners.set(channel, own.add(listener));
      return () => {
        own.delete(listener);
        if (own.size > 0 || listeners.get(channel) !== own) return;
        listeners.delete(channel);
        incoming.unsubscribe(channel).catch(() => undefined);
      };
    },
    close() {
      out.disconnect();
      incoming.disconnect();
    },
  };
}
