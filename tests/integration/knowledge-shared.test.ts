/** Documents in PostgreSQL: several real processes and their commands have the same ones, and a server that dies comes back. */
import type { Task } from "@a2a-js/sdk";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFailed, onTestFinished, test } from "vitest";
import type { StoredDocument } from "../../src/knowledge.ts";
import { startOpenAiFake, type OpenAiFake } from "../fakes/openai.ts";
import { needs } from "../needs.ts";
import { a2aClient, requestOf, textsOf } from "../services/a2a-client.ts";
import { query, startPostgres, type PostgresService } from "../services/postgres.ts";
import { createGateway } from "./gateway-process.ts";

const { missing } = needs("postgres");
const key = "a-key-of-whoever-asks-the-agents";
const timeout = 120_000;

describe.skipIf(missing)("documents that replicas share", { timeout }, () => {
  let postgres: PostgresService;
  let model: OpenAiFake;
  beforeAll(async () => {
    postgres = await startPostgres();
    model = await startOpenAiFake({ apiKey: "sk-canary" });
  }, 60_000);
  afterAll(async () => {
    await model?.close();
    await postgres?.close();
  });

  async function open(command: readonly string[], more: Readonly<Record<string, string>> = {}) {
    const gateway = await createGateway({
      env: (url) => ({
        ASCENT_MODEL: "demo",
        ASCENT_A2A_KEYS: key,
        PUBLIC_URL: url,
        ASCENT_KNOWLEDGE_URL: postgres.url,
        EMBEDDING_MODEL: "compatible:small",
        OPENAI_BASE_URL: model.baseURL,
        OPENAI_API_KEY: "sk-canary",
        ...more,
      }),
      config: { channels: { web: { main: { enabled: false } } } },
      command,
    });
    onTestFinished(() => gateway.close());
    onTestFailed(() => console.error(gateway.tail()));
    const ask = async (text: string) => {
      const headers = { authorization: `Bearer ${key}` };
      const client = await a2aClient({ url: gateway.url, agent: "knowledge", headers });
      return textsOf((await client.sendMessage(requestOf(text))) as Task).join("\n");
    };
    const list = async () =>
      JSON.parse((await gateway.ascent("knowledge", "list", "--json")).out) as readonly StoredDocument[];
    return { gateway, ask, list };
  }

  test("are seen by a gateway, another one and an agent's own process, whoever adds and removes them", async () => {
    const all = await Promise.all([open(["start"]), open(["start"]), open(["agent", "serve", "knowledge"])]);
    const [first, second, served] = all;
    await Promise.all(all.map(({ gateway }) => gateway.start()));
    for (const { ask } of all) expect(await ask("How many days of leave?")).toContain("There are no documents yet");

    const docs = join(dirname(first.gateway.data), "docs");
    await mkdir(docs);
    await writeFile(join(docs, "handbook.md"), "# Handbook\n\n## Leave\n\nEmployees have 30 days of leave a year.\n");
    await writeFile(join(docs, "pay.md"), "# Pay\n\nSalaries come on the 25th.\n");
    const added = await first.gateway.ascent("knowledge", "add", docs);
    expect([added.code, added.out]).toEqual([0, expect.stringContaining("2 added")]);
    for (const { ask } of all) {
      expect(await ask("How many days of leave?")).toContain("[1] Handbook, Leave (handbook.md)");
      // In other words: by its vector.
      expect(await ask("vacation days for employees in a year?")).toContain("30 days of leave");
    }
    await writeFile(join(docs, "handbook.md"), "# Handbook\n\n## Leave\n\nEmployees have 31 days of leave a year.\n");
    expect((await second.gateway.ascent("knowledge", "add", docs)).out).toContain("0 added, 1 changed, 1 unchanged");
    for (const { ask } of all) expect(await ask("How many days of leave?")).toContain("31 days");

    expect((await second.gateway.ascent("knowledge", "search", "days of leave")).out).toContain("words 1.00, sense");
    const [handbook] = await served.list();
    expect((await served.gateway.ascent("knowledge", "remove", handbook?.id ?? "")).code).toBe(0);
    for (const { ask } of all) expect(await ask("How many days of leave?")).not.toContain("31 days");
    for (const { list } of all) expect(await list()).toMatchObject([{ title: "Pay", model: "compatible:small" }]);
    const rows = await query(postgres.url, "SELECT count(*), min(text) FROM ascent_knowledge.passage");
    expect(rows).toBe("1|Salaries come on the 25th.\n");
  });

  test("are waited for where the server is away: the gateway starts, and answers when it is back", async () => {
    const { gateway, ask } = await open(["start"]);
    const file = join(dirname(gateway.data), "tea.md");
    await writeFile(file, "# Tea\n\nTea likes rain.\n");
    expect((await gateway.ascent("knowledge", "add", file)).code).toBe(0);
    await postgres.kill();
    await gateway.start();
    const answer = ask("What does tea like?");
    const told = await gateway.ascent("doctor");
    expect(told.out).toMatch(/documents.*does not answer/);
    expect(told.out).toContain("Correct ASCENT_KNOWLEDGE_URL");
    const failed = await gateway.ascent("knowledge", "list");
    expect([failed.code, failed.err]).toEqual([1, expect.stringContaining("documents' database does not answer")]);
    await postgres.restart();
    expect(await answer).toContain("Tea likes rain.");
    expect((await gateway.ascent("doctor")).out).toMatch(/documents.*PostgreSQL/);
    expect(gateway.output()).toContain("the documents cannot be reached");
    expect(gateway.output()).not.toContain("What does tea");
  });

  test("are refused a configuration that names no PostgreSQL", async () => {
    for (const [url, words] of [
      ["", "ASCENT_KNOWLEDGE_URL is set but empty"],
      ["mysql://db/ascent", "must be a URL that begins with postgres://"],
    ] as const) {
      const { gateway } = await open(["start"], { ASCENT_KNOWLEDGE_URL: url });
      expect((await gateway.ascent("doctor")).err).toContain(words);
    }
  });
});
