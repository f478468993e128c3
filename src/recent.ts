/** A map that forgets what was not set for a while: what only the recent needs, and nobody pays for when it is idle. */
import type { Clock } from "./ports.ts";

export interface Recent<Key, Value> {
  get(key: Key): Value | undefined;
  set(key: Key, value: Value): void;
  delete(key: Key): void;
}

export function createRecent<Key, Value>(clock: Clock, keptMs = 60_000): Recent<Key, Value> {
  /** The longest unset first. */
  const entries = new Map<Key, { readonly value: Value; readonly at: number }>();
  let sweeping = false;

  function sweepLater(): void {
    if (sweeping) return;
    sweeping = true;
    clock.after(keptMs / 2, () => {
      sweeping = false;
      for (const [key, { at }] of entries) {
        if (at + keptMs > clock.monotonic()) break;
        entries.delete(key);
      }
      if (entries.size > 0) sweepLater();
    });
  }

  return {
    get: (key) => entries.get(key)?.value,
    set(key, value) {
      entries.delete(key);
      entries.set(key, { value, at: clock.monotonic() });
      sweepLater();
    },
    delete: (key) => void entries.delete(key),
  };
}
