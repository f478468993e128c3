/**
 * The process that "idle-memory.ts" measures: `node idle-process.ts <settings as JSON>`. The real core on Dapr; a tenth of the
 * conversations comes first and goes idle: there the measuring begins, in a process that is warm. Then come the others, three
 * turns each, 256 at a time. It ends when no actor is in memory, and none comes back for a reminder.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { openDapr } from "../../../adapters/dapr/index.ts";
import { createCore } from "../../../src/core.ts";
import { systemClock } from "../../../src/main/clock.ts";
import { log, moment, sizes, talker, words } from "../idle-talk.ts";
import { until } from "../session.ts";

const { count, leak, idleMs, ...given } = z
  .object({
    count: z.number(),
    /** Bytes that every conversation leaves behind: a handicap. */
    leak: z.number(),
    idleMs: z.number(),
    sidecarUrl: z.string(),
    apiToken: z.string(),
    appToken: z.string(),
    port: z.number(),
  })
  .parse(JSON.parse(process.argv[2] ?? "{}"));

/** The watchdog's period and more: who has not come back by then has no reminder, and what is kept of the recent is gone too. */
const restMs = 100_000;
const { port, ...addresses } = given;
const listen = { host: "127.0.0.1", port };
const runtime = await openDapr({ ...addresses, listen, clock: systemClock, log, idleMs });
const talk = talker();
const core = createCore({ runtime, clock: systemClock, log, instance: "bench", ...talk.ends });
await runtime.start();

const cold = await moment();
await talk.all(core.inbound, 0, count / 10);
await idle();
const began = await moment();
await talk.all(core.inbound, count / 10, count);
const peak = sizes();
const leaked = leak > 0 ? Array.from({ length: count }, (_, n) => words(n, leak / 5)) : [];
await idle();
const ended = await moment();
console.log(JSON.stringify({ cold, began, peak, ended, kept: leaked.length }));
process.exit(0);

async function idle(): Promise<void> {
  let since = performance.now();
  await until(
    600_000,
    "all conversations idle",
    () => {
      if (runtime.inside.active() > 0) since = performance.now();
      return performance.now() - since > restMs;
    },
    250,
  );
  await sleep(1_000);
}
