import { systemClock } from "../clock.ts";
import type { Config } from "../config.ts";
import { runningGateway, type CommandOperations } from "../control.ts";
import { openGateway } from "../gateway.ts";
import { createLog } from "../log.ts";

/** Asks the gateway that runs, at `url`; opens the data itself for the time of the work when none does. */
export async function withOperations<Result>(
  config: Config,
  work: (operations: CommandOperations, url: string | undefined) => Promise<Result>,
): Promise<Result> {
  const running = config.runtime === "embedded" ? await runningGateway(config.data) : undefined;
  if (running !== undefined) return work(running.operations, running.url);
  const gateway = await openGateway({ config, clock: systemClock, log: createLog("error") });
  try {
    // No turn starts here: what an agent has to answer is for the gateway's next start.
    await gateway.core.drain(0);
    return await work(gateway.operations, undefined);
  } finally {
    await gateway.stop();
  }
}
