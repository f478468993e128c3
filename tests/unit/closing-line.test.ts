import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");

/** The last line and the exit code of a real run of these test files under the project's own reporter. */
function run(files: Readonly<Record<string, string>>): {
  readonly last: string | undefined;
  readonly code: number | null;
} {
  const folder = mkdtempSync(join(tmpdir(), "ascent-closing-"));
  try {
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    writeFileSync(
      join(folder, "vitest.config.ts"),
      `import { closingLine } from ${JSON.stringify(join(root, "tests/closing-line.ts"))};
       export default { test: { include: ["*.test.ts"], reporters: ["default", closingLine()] } };`,
    );
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(folder, name), `import { beforeAll, describe, expect, test } from "vitest";\n${text}`);
    }
    const vitest = join(root, "node_modules/vitest/vitest.mjs");
    const { stdout, status } = spawnSync(process.execPath, [vitest, "run"], { cwd: folder, encoding: "utf8" });
    return { last: stdout.trimEnd().split("\n").at(-1), code: status };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const green = `test("a", () => { expect(1).toBe(1); }); test.skip("b", () => {}); test.todo("c");`;

describe("the last line of a test run", () => {
  test("counts what passed and what was skipped", () => {
    expect(run({ "a.test.ts": green })).toEqual({ last: "1 passed, 0 failed, 2 skipped", code: 0 });
  });

  test("counts failed tests", () => {
    const red = `test("a", () => { expect(1).toBe(2); }); test("b", () => { expect(1).toBe(2); });`;
    expect(run({ "a.test.ts": green, "b.test.ts": red })).toEqual({ last: "1 passed, 2 failed, 2 skipped", code: 1 });
  });

  test("counts a file that does not load", () => {
    expect(run({ "a.test.ts": green, "b.test.ts": `throw new Error("broken");` })).toEqual({
      last: "1 passed, 1 failed, 2 skipped",
      code: 1,
    });
  });

  test("counts a file without any test", () => {
    expect(run({ "a.test.ts": green, "b.test.ts": "export {};" })).toEqual({
      last: "1 passed, 1 failed, 2 skipped",
      code: 1,
    });
  });

  test("counts a hook that throws", () => {
    const hook = `describe("d", () => { beforeAll(() => { throw new Error("hook"); }); test("a", () => {}); });`;
    const { last, code } = run({ "a.test.ts": green, "b.test.ts": hook });
    expect(last).toMatch(/^1 passed, [1-9]\d* failed, \d+ skipped$/);
    expect(code).toBe(1);
  });

  test("counts an error that no test caught", () => {
    const leak = `test("a", async () => { void Promise.reject(new Error("leak")); await new Promise((done) => setTimeout(done, 50)); });`;
    expect(run({ "a.test.ts": leak })).toEqual({ last: "1 passed, 1 failed, 0 skipped", code: 1 });
  });

  test("counts a run that found no test file", () => {
    expect(run({})).toEqual({ last: "0 passed, 1 failed, 0 skipped", code: 1 });
  });

  test("counts a test whose process dies", () => {
    const { last, code } = run({ "a.test.ts": `test("a", () => { process.kill(process.pid, "SIGKILL"); });` });
    expect(last).toMatch(/^0 passed, [1-9]\d* failed, 0 skipped$/);
    expect(code).toBe(1);
  });
});
