import { defineConfig } from "vitest/config";
import { closingLine } from "./tests/closing-line.ts";

export default defineConfig({
  test: {
    environment: "node",
    include: ["tests/**/*.test.ts"],
    exclude: ["**/node_modules/**", "tests/bench/rivals/**"],
    // Tests start real processes, so two of their files at a time fill two cores; more only makes them slow and late.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    reporters: ["default", closingLine()],
  },
});
