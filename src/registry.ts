/**
 * Where agents that run as processes of their own are: a record for each, which its replicas write again and again, and which is gone
 * soon after the last of them. All that see the same records see it.
 */
import { z } from "zod";
import { reasonOf } from "./errors.ts";
import { encodePart } from "./ids.ts";
import type { Clock, Log, Records } from "./ports.ts";

const registered = z.object({
  v: z.literal(1),
  name: z.string(),
  /** Where it is called over HTTP: what stands before "/a2a/<name>". */
  address: z.string(),
  /** Its application's id, for calls by way of the runtime. */
  app: z.string().optional(),
  /** When it last said so, by its own clock. */
  at: z.number(),
});
export type Registered = z.infer<typeof registered>;

const beatMs = 10_000;
const keptMs = 45_000;
const keyOf = (name: string) => `registry:${encodePart(name)}`;

export interface Registry {
  /** From now on until what is returned is called; then it is gone at once. */
  register(entry: Pick<Registered, "name" | "address" | "app">): () => Promise<void>;
  /** Undefined where none runs. */
  find(name: string): Promise<Registered | undefined>;
}

export function createRegistry({ records, clock, log }: { records: Records; clock: Clock; log: Log }): Registry {
  return {
    register(entry) {
      let over = false;
      let cancel = () => {};
      let last: Promise<unknown> = Promise.resolve();
      function beat(): void {
        if (over) return;
        const value: Registered = { v: 1, ...entry, at: clock.now() };
        last = records.put(keyOf(entry.name), value, { ttlMs: keptMs }).catch((error: unknown) => {
          log.warn({ agent: entry.name, reason: reasonOf(error) }, "the agent cannot say now where it is");
        });
        cancel = clock.after(beatMs, beat);
      }
      beat();
      return async () => {
        over = true;
        cancel();
        await last;
        // Another replica of it says so again within ten seconds.
        await records.remove(keyOf(entry.name)).catch(() => undefined);
      };
    },
    async find(name) {
      const found = await records.get(keyOf(name));
      return found && registered.parse(found.value);
    },
  };
}
