/** A reporter that ends the output of a run with one line: `N passed, N failed, N skipped`. */
import { writeSync } from "node:fs";
import type { Reporter, TestModule, TestSuite } from "vitest/node";

export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

type Part = Pick<TestModule | TestSuite, "errors" | "state"> & {
  readonly children: {
    allTests(): Iterable<{ result(): { readonly state: string } }>;
    allSuites(): Iterable<Pick<TestSuite, "errors">>;
  };
};

/**
 * Counts tests. What failed outside of a test counts as one failure each: a file that did not load, a hook, an unhandled
 * error, and a test that never finished. So a run that is not green never shows "0 failed".
 */
export function totals(modules: readonly Part[], unhandledErrors: number): Totals {
  const count = { passed: 0, failed: unhandledErrors, skipped: 0 };
  for (const module of modules) {
    const before = count.failed;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === "passed" || state === "skipped") count[state] += 1;
      else count.failed += 1;
    }
    for (const part of [module, ...module.children.allSuites()]) count.failed += part.errors().length;
    if (module.state() !== "passed" && module.state() !== "skipped" && count.failed === before) count.failed += 1;
  }
  return count;
}

/** Writes at exit, so that nothing comes after it; a bad exit code without any failure counts as one. */
export function closingLine(): Reporter {
  let last: Totals = { passed: 0, failed: 1, skipped: 0 };
  return {
    onInit() {
      process.once("exit", (code) => {
        const failed = code === 0 ? last.failed : Math.max(last.failed, 1);
        writeSync(1, `${last.passed} passed, ${failed} failed, ${last.skipped} skipped\n`);
      });
    },
    onTestRunEnd(modules, unhandledErrors, reason) {
      const counted = totals(modules, unhandledErrors.length);
      last = { ...counted, failed: reason === "passed" ? counted.failed : Math.max(counted.failed, 1) };
    },
  };
}
