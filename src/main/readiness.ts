/**
 * Whether the gateway says that it can take messages: when the runtime has started and every channel is connected, is known
 * never to connect, or has had {@link connectMs} for it. A platform that is away keeps nobody else's people out.
 */
import type { Clock, Log } from "../ports.ts";

const connectMs = 5_000;

export interface Readiness {
  /** What is waited for, in words; undefined once the gateway is ready. */
  reason(): string | undefined;
  /** Call it when the runtime has started, with what connects by name. Resolves when the gateway is ready. */
  connecting(attempts: ReadonlyMap<string, Promise<unknown>>): Promise<void>;
  /** It will not connect any more: `ascent doctor` says why. */
  isOff(name: string): void;
  off(): readonly string[];
}

export function createReadiness({ clock, log }: { readonly clock: Clock; readonly log: Log }): Readiness {
  let reason: string | undefined = "The gateway is starting.";
  const off = new Set<string>();
  return {
    isOff: (name) => void off.add(name),
    off: () => [...off],
    reason: () => reason,
    async connecting(attempts) {
      const open = new Set(attempts.keys());
      reason = `Still connecting: ${[...open].join(", ")}.`;
      const all = Promise.all([...attempts].map(([name, attempt]) => attempt.finally(() => open.delete(name))));
      const enough = Promise.withResolvers<void>();
      const cancel = clock.after(connectMs, enough.resolve);
      await Promise.race([all, enough.promise]);
      cancel();
      if (open.size > 0)
        log.warn({ channels: [...open] }, "ready, though not all channels are connected: they go on trying");
      reason = undefined;
    },
  };
}
