/**
 * What every implementation of the runtime ports keeps, sentence by sentence of `src/ports.ts`. An implementation runs it
 * against the real thing:
 *
 *     runtimeContract({ name: "embedded", make });
 *
 * Features are data and change what is asserted (`bus.ordered`); what an implementation cannot keep at all is named in
 * `deviations` by the test's title, with the reason, and shows as skipped.
 */
import { afterAll, describe, test } from "vitest";
import { actorContract } from "./runtime-actors.ts";
import { busContract } from "./runtime-bus.ts";
import { failureContract } from "./runtime-failures.ts";
import { reminderContract } from "./runtime-reminders.ts";
import { createStage, type Check, type RuntimeSubject } from "./runtime-stage.ts";
import { storeContract } from "./runtime-stores.ts";
import { jobContract } from "./runtime-jobs.ts";
import { workflowContract } from "./runtime-workflows.ts";

export interface RuntimeContract {
  readonly name: string;
  make(): Promise<RuntimeSubject>;
  readonly deviations?: Readonly<Record<string, string>>;
  /** How much longer than on the embedded runtime things may take: 1 by default. */
  readonly slowness?: number;
  /** Tests may run at the same time: each `make` has data of its own. */
  readonly concurrent?: boolean;
  /** How often a test may be tried again: where tests share a broker, it hands one what another left behind. */
  readonly retries?: number;
}

export function runtimeContract({
  name,
  make,
  deviations = {},
  slowness = 1,
  concurrent = false,
  retries = 0,
}: RuntimeContract): void {
  const unused = new Set(Object.keys(deviations));

  const check: Check = (title, run) => {
    const reason = deviations[title];
    unused.delete(title);
    const shown = reason === undefined ? title : `${title} (not here: ${reason})`;
    const body = async () => {
      const subject = await make();
      try {
        await run(createStage(subject, slowness));
      } finally {
        await subject.cleanup();
      }
    };
    test(`${shown}`, { concurrent, skip: reason !== undefined, retry: retries }, body);
  };

  describe(`the runtime contract, kept by ${name}`, () => {
    busContract(check);
    failureContract(check);
    actorContract(check);
    reminderContract(check);
    storeContract(check);
    jobContract(check);
    workflowContract(check);
    afterAll(() => {
      if (unused.size > 0) throw new Error(`deviations that name no test: ${[...unused].join("; ")}`);
    });
  });
}
