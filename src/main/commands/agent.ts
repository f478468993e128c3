import { openAgentService } from "../agent-service.ts";
import { systemClock } from "../clock.ts";
import { loadConfig } from "../config.ts";
import { endOnSignals } from "../ends.ts";
import { createLog } from "../log.ts";
import { returnMemoryWhenIdle } from "../memory.ts";

/** Runs until SIGTERM or SIGINT; a second signal ends it at once. */
export async function serve(name: string, { port }: { readonly port?: number }): Promise<void> {
  const loaded = await loadConfig();
  const config = port === undefined ? loaded : { ...loaded, server: { ...loaded.server, port } };
  const log = createLog(config.logLevel);
  const service = await openAgentService({ config, name, clock: systemClock, log });
  returnMemoryWhenIdle(systemClock);
  const ends = endOnSignals(log, () => service.stop());
  try {
    const url = await service.start();
    if (!ends.begun()) process.stdout.write(`\n  The agent ${name} is ready: ${url}/a2a/${name}\n\n`);
  } catch (error) {
    await service.stop();
    throw error;
  }
}
