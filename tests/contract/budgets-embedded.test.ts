import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { openEmbedded } from "../../adapters/embedded/index.ts";
import type { Records } from "../../src/ports.ts";
import { clock, newDirectory, quietLog } from "../integration/embedded-fixture.ts";
import { budgetsContract } from "./budgets.ts";

async function open(each: (records: Records) => readonly Records[]) {
  const directory = newDirectory();
  const { records, stop } = await openEmbedded({ directory, clock, log: quietLog });
  return {
    records: each(records),
    async close() {
      await stop(0);
      await rm(directory, { recursive: true });
    },
  };
}

/** As over a network: others write between a look and a write. */
function away(records: Records): Records {
  const trip = () => sleep(Math.random() * 3);
  return {
    get: async (key) => (await trip(), records.get(key)),
    put: async (key, value, options) => (await trip(), records.put(key, value, options)),
    remove: (key) => records.remove(key),
  };
}

budgetsContract({
  name: "the embedded runtime",
  shared: false,
  open: () => open((records) => [records]),
});

budgetsContract({
  name: "a store that three processes write",
  shared: true,
  open: () => open((records) => [away(records), away(records), away(records)]),
});
