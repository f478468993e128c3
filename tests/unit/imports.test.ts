import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { checkImports } from "../house/imports.ts";

const root = resolve(import.meta.dirname, "../..");
const planted: string[] = [];

/** A project of these files that sees our node_modules. */
function plant(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "ascent-imports-"));
  planted.push(folder);
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

afterEach(() => {
  for (const folder of planted.splice(0)) rmSync(folder, { recursive: true, force: true });
});

describe("the import rules", () => {
  test("hold for this project, whose files are really read", async () => {
    const { modules, violations } = await checkImports(root);
    expect(violations).toEqual([]);
    expect(modules).toBeGreaterThan(10);
  });

  test("let every folder import what the table allows", async () => {
    const folder = plant({
      "src/ids.ts": `import { createHash } from "node:crypto"; import { z } from "zod"; export const id = [createHash, z];`,
      "src/format.ts": `import { lexer } from "marked"; import { id } from "./ids.ts"; export const format = [lexer, id];`,
      "src/main/cli.ts": `import "commander"; import "node:fs"; import "../ids.ts"; import "../../channels/telegram/index.ts"; import "../../adapters/embedded/index.ts"; import "../../agents/client/index.ts";`,
      "channels/telegram/index.ts": `import "grammy"; import "./parse.ts"; import "../../src/format.ts";`,
      "channels/telegram/parse.ts": `import type { Update } from "grammy/types"; export type Raw = Update;`,
      "channels/web/index.ts": `import "hono"; import "@hono/zod-openapi"; import "node:fs"; import "vite"; import "../../src/ids.ts";`,
      "channels/web/page/main.tsx": `import "react"; import "react-dom/client"; import "../../../src/ids.ts";`,
      "adapters/embedded/index.ts": `import "node:sqlite"; import "../../src/ids.ts";`,
      "adapters/models/index.ts": `import "openai"; import "@openai/agents";`,
      "adapters/http/index.ts": `import "hono"; import "@hono/node-server";`,
      "agents/client/index.ts": `import "@openai/agents"; import "zod"; import "../../src/ids.ts";`,
      "tests/unit/a.test.ts": `import "node:sqlite"; import "grammy"; import "openai"; import "../../src/main/cli.ts";`,
    });
    expect(await checkImports(folder)).toEqual({ modules: 12, violations: [] });
  });

  test.each([
    ["core-imports-core", "src/a.ts", `import "node:fs";`],
    ["core-imports-core", "src/a.ts", `import "node:timers/promises";`],
    ["core-imports-core", "src/a.ts", `import "hono";`],
    ["core-imports-core", "src/a.ts", `import type { Bot } from "grammy"; export type A = Bot;`],
    ["core-imports-core", "src/a.ts", `import "./main/config.ts";`],
    ["core-imports-core", "src/a.ts", `export const later = () => import("../channels/web/index.ts");`],
    ["channels-import-core", "channels/telegram/a.ts", `import "../web/index.ts";`],
    ["channels-import-core", "channels/telegram/a.ts", `import "../../src/main/config.ts";`],
    ["channels-import-core", "channels/telegram/a.ts", `export * from "../../adapters/http/index.ts";`],
    ["adapters-import-core", "adapters/embedded/a.ts", `import "../http/index.ts";`],
    ["adapters-import-core", "adapters/embedded/a.ts", `import "../../agents/client/index.ts";`],
    ["agents-import-core", "agents/client/a.ts", `import "../../adapters/http/index.ts";`],
    ["agents-import-core", "agents/client/a.ts", `import "hono";`],
    ["agents-stay-pure", "agents/client/a.ts", `import "node:fs";`],
    ["tests-stay-outside", "src/main/a.ts", `import "../../tests/needs.ts";`],
    ["page-runs-in-a-browser", "channels/web/page/a.tsx", `import "node:fs";`],
    ["sqlite-in-embedded", "src/main/a.ts", `import "node:sqlite";`],
    ["sqlite-in-embedded", "channels/web/a.ts", `import "node:sqlite";`],
    ["grammy belongs to channels/telegram", "channels/web/a.ts", `import "grammy";`],
    ["grammy belongs to channels/telegram", "src/main/a.ts", `import "grammy";`],
    ["openai belongs to adapters/models", "agents/client/a.ts", `import "openai";`],
    [
      "@openai/agents belongs to agents, adapters/models, adapters/mcp",
      "adapters/http/a.ts",
      `import "@openai/agents";`,
    ],
    ["one-folder-per-sdk", "channels/webhook/a.ts", `import "swagger-ui-dist";`],
    ["resolvable", "channels/webhook/a.ts", `import "./absent.ts";`],
    ["acyclic", "src/a.ts", `import "./b.ts";`],
  ])("catch a planted violation of %s in %s: %s", async (rule, path, text) => {
    const folder = plant({
      "src/b.ts": path === "src/a.ts" ? `import "./a.ts";` : "",
      "src/main/config.ts": "",
      "channels/web/index.ts": `import "swagger-ui-dist";`,
      "adapters/http/index.ts": "",
      "agents/client/index.ts": "",
      "tests/needs.ts": "",
      [path]: text,
    });
    const { violations } = await checkImports(folder);
    expect(violations.map((violation) => violation.split(": ")[0])).toContain(rule);
  });
});
