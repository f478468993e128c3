/** Charts as pictures: drawn as SVG and turned to PNG, without a browser, in a thread that exists only meanwhile. */
import { Worker } from "node:worker_threads";
import { createBudget } from "../../src/budget.ts";
import type { Charts } from "../../src/charts.ts";
import { InfrastructureError, InputError, reasonOf } from "../../src/errors.ts";
import type { Clock, Log } from "../../src/ports.ts";
import type { Drawing, Drawn } from "./worker.ts";

const mostMs = 20_000;
const resourceLimits = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 32 };

export function createCharts({ clock, log }: { readonly clock: Clock; readonly log: Log }): Charts {
  const inTurn = createBudget(1);

  return {
    async draw(chart, locale, signal) {
      return inTurn(1, async () => {
        signal?.throwIfAborted();
        const workerData: Drawing = { chart, locale };
        const options = {
          workerData,
          resourceLimits,
          env: {},
          execArgv: ["--no-warnings"],
          stdout: true,
          stderr: true,
        };
        const thread = new Worker(new URL("./worker.ts", import.meta.url), options);
        thread.stdout.resume();
        thread.stderr.resume();
        const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
        thread.once("message", (drawn: Drawn) => {
          if ("png" in drawn) return resolve(drawn.png);
          log.warn({ kind: chart.kind, reason: reasonOf(new Error(drawn.error)) }, "a chart cannot be drawn");
          reject(new InputError("the chart cannot be drawn"));
        });
        thread.once("error", (error: NodeJS.ErrnoException) =>
          reject(
            error.code === "ERR_WORKER_OUT_OF_MEMORY"
              ? new InputError("the chart has too much in it")
              : new InfrastructureError("the thread of a chart failed", { cause: error }),
          ),
        );
        thread.once("exit", () => reject(new InfrastructureError("the thread of a chart ended")));
        const onAbort = () => reject(signal?.reason);
        signal?.addEventListener("abort", onAbort, { once: true });
        const stopTimer = clock.after(mostMs, () => reject(new InputError("drawing the chart takes too long")));
        try {
          return await promise;
        } finally {
          stopTimer();
          signal?.removeEventListener("abort", onAbort);
          await thread.terminate();
        }
      });
    },
  };
}
