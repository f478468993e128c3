/** `npm run dapr:build`: makes sure that Dapr's programs are there, and says where. */
import { dirname } from "node:path";
import { daprBinaries } from "./binaries.ts";

// Through exit, so that a build under way ends too.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

try {
  // oxlint-disable-next-line no-restricted-properties -- the entry of a command of its own, without a configuration
  const found = await daprBinaries({ env: process.env, log: (line) => process.stderr.write(`${line}\n`) });
  process.stdout.write(`${dirname(found.daprd)}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
