import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { needs } from "../needs.ts";

const folder = mkdtempSync(join(tmpdir(), "ascent-needs-"));
const program = join(folder, "some-server");
writeFileSync(program, "#!/bin/sh\n");
chmodSync(program, 0o755);
writeFileSync(join(folder, "some-text"), "");
afterAll(() => rmSync(folder, { recursive: true }));

describe("a program that a test needs", () => {
  test("is found in PATH", () => {
    expect(needs("some-server", { env: { PATH: `/nowhere:${folder}` } })).toEqual({ missing: false, path: program });
  });

  test("is found where its variable says, also outside of PATH and in CI", () => {
    const env = { SOME_SERVER_PATH: program, PATH: "", CI: "true" };
    expect(needs("some-server", { env })).toEqual({ missing: false, path: program });
  });

  test("is missing with one line that names it", () => {
    const lines: string[] = [];
    const found = needs("absent-server", { env: { PATH: folder }, say: (line) => lines.push(line) });
    expect(found).toEqual({ missing: true, path: "" });
    expect(lines).toEqual(["skipped: absent-server is not installed (install it or set ABSENT_SERVER_PATH)"]);
  });

  test("is missing when the file of that name cannot be run", () => {
    expect(needs("some-text", { env: { PATH: folder }, say: () => {} }).missing).toBe(true);
  });

  test("fails the run when it is missing in CI", () => {
    expect(() => needs("absent-server", { env: { PATH: folder, CI: "true" } })).toThrow(
      /absent-server is not installed/,
    );
  });

  test("fails the run when its variable names nothing", () => {
    expect(() => needs("some-server", { env: { PATH: folder, SOME_SERVER_PATH: "/nowhere" } })).toThrow(
      /SOME_SERVER_PATH/,
    );
  });
});
