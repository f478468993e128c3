import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbedded } from "../../adapters/embedded/index.ts";
import { clock, quietLog } from "../integration/embedded-fixture.ts";
import { runtimeContract } from "./runtime.ts";

runtimeContract({
  name: "the embedded runtime",
  concurrent: true,
  async make() {
    const directory = await mkdtemp(join(tmpdir(), "ascent-contract-"));
    const open = () => openEmbedded({ directory, clock, log: quietLog });
    let runtime = await open();
    return {
      runtime,
      async restart() {
        await runtime.stop(0);
        return (runtime = await open());
      },
      async cleanup() {
        await runtime.stop(0);
        await rm(directory, { recursive: true });
      },
    };
  },
});
