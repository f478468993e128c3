import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { createKnowledgeBase } from "../../adapters/vectors/sqlite/index.ts";
import type { KnowledgeBase } from "../../src/knowledge.ts";
import { documentOf, knowledgeContract } from "./knowledge.ts";

const clock = { now: () => 1_000 };

describe("documents in SQLite", () => {
  knowledgeContract(async () => {
    const directory = mkdtempSync(join(tmpdir(), "ascent-knowledge-"));
    const open: KnowledgeBase[] = [];
    return {
      open(options = {}) {
        const base = createKnowledgeBase({ directory, clock, ...options });
        open.push(base);
        return base;
      },
      async close() {
        for (const base of open) await base.close();
        rmSync(directory, { recursive: true });
      },
    };
  });

  it("are a file for each tenant, in which nothing is left of what was removed", async () => {
    const directory = mkdtempSync(join(tmpdir(), "ascent-knowledge-"));
    const base = createKnowledgeBase({ directory, clock });
    onTestFinished(async () => {
      await base.close();
      rmSync(directory, { recursive: true });
    });
    const vectors = { model: "test:small", of: [Float32Array.of(1, 0)] };
    const { id } = await base.put("acme", documentOf("a", [{ text: "The codeword is xylophonist." }], { vectors }));
    await base.put("acme", documentOf("b", [{ text: "Another one stays." }]));
    await base.put("../other", documentOf("a", [{ text: "x" }]));
    const files = readdirSync(directory).filter((name) => name.endsWith(".db"));
    expect(files.toSorted()).toEqual(["..%2Fother.db", "acme.db"]);
    const bytes = () =>
      readdirSync(directory)
        .map((name) => readFileSync(join(directory, name), "latin1"))
        .join("");
    expect(bytes()).toContain("xylophonist");
    expect(await base.remove("acme", id)).toBe(true);
    expect(bytes().toLowerCase()).not.toContain("xylophon");
  });
});
