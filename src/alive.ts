/** A runner's signs of life, for an actor that another process may host. */
import { reasonOf } from "./errors.ts";
import type { Clock, Log } from "./ports.ts";

const beatMs = 5_000;
const unheardMs = 15_000;

export interface AliveOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly tell: () => Promise<"accepted" | "stale">;
  /** The turn is stale, or its actor could not be told for long and has started another attempt by now. */
  readonly lost: (why: "stale" | "unheard") => void;
}

/** Tells the actor every five seconds, from the fifth on, that the turn lives. The returned function ends it. */
export function keepAlive({ clock, log, tell, lost }: AliveOptions): () => void {
  let lastHeard = clock.monotonic();
  let cancel = clock.after(beatMs, beat);

  function beat(): void {
    cancel = clock.after(beatMs, beat);
    const sentAt = clock.monotonic();
    if (sentAt - lastHeard >= unheardMs) lost("unheard");
    tell().then(
      (reply) => {
        if (reply === "stale") lost("stale");
        else lastHeard = Math.max(lastHeard, sentAt);
      },
      (error: unknown) => log.debug({ reason: reasonOf(error) }, "a sign of life was not heard"),
    );
  }

  return () => cancel();
}
