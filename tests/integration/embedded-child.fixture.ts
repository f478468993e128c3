/**
 * A process of its own over the embedded runtime: `node embedded-child.fixture.ts <directory> <role>`. Each line it prints
 * is JSON, written synchronously, so that what is printed before a kill was durable.
 *
 * hold: opens the data and waits. write: publishes, commits and acknowledges without end, printing what resolved.
 * fill: publishes 64 kB every 20 ms, printing every outcome.
 */
import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { openEmbedded } from "../../adapters/embedded/index.ts";
import { agent, clock, eventOf, quietLog } from "./embedded-fixture.ts";

const [directory = "", role = "hold", life = "0"] = process.argv.slice(2);
const say = (line: unknown) => writeSync(1, `${JSON.stringify(line)}\n`);

say({ starting: process.pid });
try {
  const runtime = await openEmbedded({ directory, clock, log: quietLog });
  setInterval(() => undefined, 1000);
  if (role === "write") {
    runtime.actors.register(async (context) => {
      let count = ((await context.load(["count"])).get("count") ?? 0) as number;
      return {
        async call() {
          await context.commit({ put: { count: count + 1 } });
          return (count += 1);
        },
        remind: async () => undefined,
      };
    });
    runtime.bus.subscribe("inbound", async (event) => void say({ seen: event.id }));
  }
  await runtime.start();
  runtime.describe({ address: `http://127.0.0.1/${role}` });
  say({ ready: process.pid });
  if (role === "write") await Promise.all(Array.from({ length: 8 }, (_, at) => write(`s${at}`)));
  if (role === "fill") await fill();

  async function write(subject: string): Promise<void> {
    for (let n = 0; n < 1_000_000; n += 1) {
      const event = eventOf(subject, Number(life) * 1_000_000 + n);
      await runtime.bus.publish("outbound", [event]);
      say({ published: event.id });
      say({ count: await runtime.actors.call(agent(subject), "add", null), of: subject });
      await runtime.bus.publish("inbound", [{ ...event, id: `in-${event.id}` }]);
    }
  }

  async function fill(): Promise<void> {
    for (let n = 0; n < 2000; n += 1) {
      const outcome = await runtime.bus.publish("outbound", [eventOf("full", n, "x".repeat(65_536))]).then(
        () => "kept",
        (error: unknown) => (error instanceof Error ? error.name : "?"),
      );
      say({ n, outcome, health: runtime.health() ?? null });
      await sleep(20);
    }
  }
} catch (error) {
  say({ refused: error instanceof Error ? error.message : String(error) });
  process.exitCode = 1;
}
