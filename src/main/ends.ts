/** What a process does at SIGTERM and SIGINT: it stops, and a second signal ends it at once. */
import { reasonOf } from "../errors.ts";
import type { Log } from "../ports.ts";

export function endOnSignals(log: Log, stop: () => Promise<void>): { readonly begun: () => boolean } {
  let stopping = false;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      // Nothing is lost by it: what is not finished is taken up by the next start.
      if (stopping) process.exit(1);
      stopping = true;
      log.info({ signal }, "stopping: what runs gets its time; a second signal ends it at once");
      stop().then(
        () => process.exit(0),
        (error: unknown) => {
          log.error({ reason: reasonOf(error) }, "stopping failed");
          process.exit(1);
        },
      );
    });
  }
  return { begun: () => stopping };
}
