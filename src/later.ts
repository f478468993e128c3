/** A call's result that is still on its way when the actor is done with it: its host lets the next call in meanwhile. */

// Registered, so that two copies of this module know each other's.
const result = Symbol.for("ascent.later");

export interface Later {
  readonly [result]: Promise<unknown>;
}

export function later(promise: Promise<unknown>): Later {
  // Whoever gets it hears of a failure; it may fail before anybody does.
  promise.catch(() => undefined);
  return { [result]: promise };
}

/** What a host tells the caller, once the actor is free again. */
export function resultOf(value: unknown): unknown {
  return typeof value === "object" && value !== null && result in value ? (value as Later)[result] : value;
}
