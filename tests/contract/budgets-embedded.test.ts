import { rm } from "node:fs/promises";
import { openEmbedded } from "../../adapters/embedded/index.ts";
import { clock, newDirectory, quietLog } from "../integration/embedded-fixture.ts";
import { budgetsContract } from "./budgets.ts";

budgetsContract({
  name: "the embedded runtime",
  shared: false,
  async open() {
    const directory = newDirectory();
    const { records, stop } = await openEmbedded({ directory, clock, log: quietLog });
    return {
      records: [records],
      async close() {
        await stop(0);
        await rm(directory, { recursive: true });
      },
    };
  },
});
