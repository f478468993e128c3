/**
 * The gateway in a world in which time goes faster: `node fast-gateway.fixture.ts <speed> <epoch>`. All of its limits and deadlines are
 * those of the configuration, and a minute of them takes 60 / speed seconds. Every life has the same clock, from the epoch on.
 */
import type { Clock } from "../../src/ports.ts";
import { loadConfig } from "../../src/main/config.ts";
import { endOnSignals } from "../../src/main/ends.ts";
import { openGateway } from "../../src/main/gateway.ts";
import { createLog } from "../../src/main/log.ts";

const [speed = 1, epoch = 0] = process.argv.slice(2).map(Number);

const clock: Clock = {
  now: () => Math.round(epoch + (Date.now() - epoch) * speed),
  monotonic: () => performance.now() * speed,
  after(ms, task) {
    const timer = setTimeout(task, Math.min(ms / speed, 2 ** 31 - 1));
    timer.unref();
    return () => clearTimeout(timer);
  },
};

const config = await loadConfig();
const log = createLog(config.logLevel);
const gateway = await openGateway({ config, clock, log });
endOnSignals(log, () => gateway.stop());
await gateway.start();
