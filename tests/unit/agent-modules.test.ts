import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadAgentModules, ownTools } from "../../src/main/agent-modules.ts";
import { ConfigError, type Config } from "../../src/main/config.ts";
import { settings } from "../../src/main/settings.ts";
import type { TurnId } from "../../src/ids.ts";
import type { ToolCall } from "../../src/tools.ts";
import { ann, direct } from "./client-agent.fixture.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(import.meta.dirname, "agent-modules-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

let count = 0;
async function load(text: string | undefined, more: object = {}) {
  const module = join(folder, `agent-${++count}.ts`);
  if (text !== undefined) writeFileSync(module, text);
  const parsed = settings.parse({ agents: { support: { module }, sales: {} }, ...more });
  return loadAgentModules({ ...parsed, file: undefined, model: { spec: "demo", because: "" } } satisfies Config);
}
async function problems(text: string | undefined, more: object = {}): Promise<readonly string[]> {
  const error: unknown = await load(text, more).catch((thrown: unknown) => thrown);
  if (error instanceof ConfigError) return error.problems;
  throw new Error(`it was taken, or failed otherwise: ${String(error)}`);
}

const calling = (agentName: string, args: unknown): ToolCall => ({
  agent: "a" as ToolCall["agent"],
  agentName,
  to: direct,
  participant: ann,
  turn: "t1" as TurnId,
  key: "k",
  args,
  signal: new AbortController().signal,
  progress: () => undefined,
  files: [],
  chain: [],
});

describe("an agent in TypeScript", () => {
  it("brings instructions, handoffs, and tools that are its own alone", async () => {
    const module = join(import.meta.dirname, "../sample-agent/order-desk.ts");
    const loaded = await load(undefined, { agents: { support: { module }, sales: {} } });
    expect(loaded.get("support")).toMatchObject({ handoffs: ["sales"], instructions: expect.any(Function) });
    const source = ownTools(loaded);
    const { signal } = new AbortController();
    expect(await source?.list(calling("support", {}), signal)).toMatchObject([
      { name: "order", effect: "none", parameters: { type: "object", required: ["number"] } },
      { name: "cancel_order", effect: "once" },
    ]);
    expect(await source?.list(calling("sales", {}), signal)).toEqual([]);
    expect(await source?.call("order", calling("support", { number: "1001" }))).toEqual({
      text: "Order 1001 left the house on Monday.",
    });
    await expect(source?.call("order", calling("support", { number: "x" }))).rejects.toThrow("number: has four digits");
    await expect(source?.call("order", calling("sales", { number: "12" }))).rejects.toThrow("no tool");
  });

  it.each([
    ["that is not there", undefined, "there is no file"],
    ["that does not parse", "export default {", "agents.support.module"],
    ["that fails", "throw new Error('no key is set')", "agents.support.module: no key is set"],
    ["without a default export", "export const agent = {}", "export default defineAgent"],
    ["with a setting that there is not", "export default { model: 'x' }", "model"],
    [
      "with a tool without a schema",
      "export default { tools: { a: { description: 'a', parameters: {}, run() {} } } }",
      "zod",
    ],
    [
      "with a tool whose parameters no model can be told of",
      `import { z } from "zod";
      const a = { description: "a", parameters: z.object({ at: z.date() }), run() {} };
      export default { tools: { a } }`,
      "tools.a.parameters: cannot be written as a JSON schema",
    ],
    [
      "with a tool whose parameters are no object",
      `import { z } from "zod"; export default { tools: { a: { description: "a", parameters: z.string(), run() {} } } }`,
      "tools.a.parameters: must be an object",
    ],
    ["that hands over to nobody", "export default { handoffs: ['nobody'] }", 'no agent "nobody"'],
  ])("%s does not start, and it says why", async (_, text, words) => {
    expect((await problems(text)).join("\n")).toContain(words);
  });

  it("shares no name with an MCP server", async () => {
    const mcp = { own: { url: "https://example.com/mcp" } };
    expect(await problems("export default {}", { mcp })).toEqual([expect.stringContaining("mcp.own")]);
  });
});

it("is found from the folder of the configuration on", async () => {
  const elsewhere = mkdtempSync(join(tmpdir(), "ascent-agents-"));
  try {
    writeFileSync(join(elsewhere, "ascent.yaml"), "");
    writeFileSync(join(elsewhere, "support.mjs"), "export default { about: 'orders' }");
    const parsed = settings.parse({ agents: { support: { module: "./support.mjs" } } });
    const file = join(elsewhere, "ascent.yaml");
    const loaded = await loadAgentModules({ ...parsed, file, model: { spec: "demo", because: "" } });
    expect(loaded.get("support")?.about).toBe("orders");
  } finally {
    rmSync(elsewhere, { recursive: true });
  }
});
