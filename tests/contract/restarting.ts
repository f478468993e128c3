import { rm } from "node:fs/promises";
import { openEmbedded } from "../../adapters/embedded/index.ts";
import type { Runtime } from "../../src/ports.ts";
import { clock, newDirectory, quietLog } from "../integration/embedded-fixture.ts";

/** A runtime as the contracts take it: stopped and opened again on the same data, as often as they ask. */
export async function restarting<Opened extends Runtime>(open: () => Promise<Opened>) {
  let runtime = await open();
  return {
    runtime,
    async restart() {
      await runtime.stop(0);
      return (runtime = await open());
    },
    cleanup: () => runtime.stop(0),
  };
}

/** The embedded one, on data of its own. */
export async function restartingEmbedded() {
  const directory = newDirectory();
  const made = await restarting(() => openEmbedded({ directory, clock, log: quietLog }));
  return {
    ...made,
    async cleanup() {
      await made.cleanup();
      await rm(directory, { recursive: true });
    },
  };
}
