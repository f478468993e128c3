/** The operator's documents by command and by A2A: the real gateway as a process, its commands beside it, kill -9. */
import { TaskState, type Task } from "@a2a-js/sdk";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import type { StoredDocument } from "../../src/knowledge.ts";
import { startOpenAiFake } from "../fakes/openai.ts";
import { a2aClient, requestOf, textsOf } from "../services/a2a-client.ts";
import { docxOf, pdfOf } from "../unit/documents.fixture.ts";
import { openSite } from "../unit/library/fixture.ts";
import { createGateway } from "./gateway-process.ts";
import { eventually, openStage, said } from "./stage.ts";

const key = "a-key-of-whoever-asks-the-agents";
const timeout = 90_000;

async function open(env: Readonly<Record<string, string>> = {}) {
  const gateway = await createGateway({
    env: (url) => ({ ASCENT_MODEL: "demo", ASCENT_A2A_KEYS: key, PUBLIC_URL: url, ...env }),
    config: { channels: { web: { main: { enabled: false } } } },
  });
  onTestFinished(() => gateway.close());
  const docs = join(dirname(gateway.data), "docs");
  await mkdir(join(docs, "deep"), { recursive: true });
  const write = (name: string, content: string | Buffer) => writeFile(join(docs, name), content);
  const list = async (...args: string[]) =>
    JSON.parse((await gateway.ascent("knowledge", "list", "--json", ...args)).out) as StoredDocument[];
  const ask = async (agent: string, text: string) => {
    const client = await a2aClient({ url: gateway.url, agent, headers: { authorization: `Bearer ${key}` } });
    const task = (await client.sendMessage(requestOf(text))) as Task;
    return { state: task.status?.state, text: textsOf(task).join("\n") };
  };
  return { gateway, docs, write, list, ask };
}

describe("documents by command", { timeout }, () => {
  test("are added, found, changed, pruned and removed, also while the gateway runs, which answers from them at once", async () => {
    const { gateway, docs, write, list, ask } = await open({ EMBEDDING_MODEL: "" });
    await gateway.start();
    expect((await ask("knowledge", "How many days of leave?")).text).toContain("There are no documents yet");
    await write("handbook.md", "# Handbook\n\n## Leave\n\nEmployees have 30 days of leave a year.\n");
    await write("deep/terms.pdf", pdfOf("Terms", "Goods can be returned within 14 days."));
    await write("memo.docx", docxOf("Memo", "The office in Lisbon opens in May."));
    await write("picture.png", "no document");
    await write("broken.pdf", "no PDF");
    await write("huge.log", Buffer.alloc(15_000_001, "x"));
    await write(".hidden.md", "The secret is hidden.");

    const added = await gateway.ascent("knowledge", "add", docs);
    expect([added.code, added.out]).toEqual([
      1,
      expect.stringContaining("3 added, 0 changed, 0 unchanged, 0 removed, 2 not read."),
    ]);
    expect(added.out).toContain("broken.pdf: it is damaged");
    expect(added.out).toContain("huge.log: it has more than 15 MB");
    expect((await ask("knowledge", "How many days of leave do I have?")).text).toContain(
      "[1] Handbook, Leave (handbook.md)",
    );
    expect((await ask("knowledge", "Until when can goods be returned?")).text).toContain("terms.pdf, page 2");
    expect((await ask("knowledge", "Who is the king of Spain?")).text).toContain("no passage in them fits");

    await write("handbook.md", "# Handbook\n\n## Leave\n\nEmployees have 31 days of leave a year.\n");
    await rm(join(docs, "memo.docx"));
    await rm(join(docs, "broken.pdf"));
    await rm(join(docs, "huge.log"));
    const again = await gateway.ascent("knowledge", "add", "--prune", docs);
    expect([again.code, again.out]).toEqual([
      0,
      expect.stringContaining("0 added, 1 changed, 1 unchanged, 1 removed, 0 not read."),
    ]);
    expect((await ask("knowledge", "How many days of leave do I have?")).text).toContain("31 days");

    const found = await gateway.ascent("knowledge", "search", "days of leave");
    expect(found.out).toContain("Handbook, Leave  (words 1.00)");
    const [first] = await list();
    expect((await gateway.ascent("knowledge", "remove", first?.id ?? "")).out).toContain("terms.pdf");
    expect(await list()).toMatchObject([{ title: "Handbook", collection: "main", passages: 1 }]);
    expect((await gateway.ascent("knowledge", "remove", "nothing")).err).toContain("There is no document nothing");
  });

  test("come from the web too, not from where it may not lead; tenants and collections are apart", async () => {
    const site = await openSite({ "/tea": "<title>On tea</title><h1>Tea</h1><p>Tea likes rain." });
    onTestFinished(site.close);
    const { gateway, list } = await open({ WEBHOOK_ALLOW_HOSTS: site.host });
    const add = (...args: string[]) => gateway.ascent("knowledge", "add", ...args);
    expect((await add(`${site.url}/tea`, "--tenant", "acme", "--collection", "drinks")).code).toBe(0);
    const refused = await add("http://169.254.169.254/latest", `${site.url}/none`);
    expect(refused.out).toContain("0 added, 0 changed, 0 unchanged, 0 removed, 2 not read.");
    expect(refused.out).toContain("the server answered 404");
    expect(await list()).toEqual([]);
    expect(await list("--tenant", "acme")).toMatchObject([
      { title: "On tea", source: `${site.url}/tea`, collection: "drinks" },
    ]);
    const search = async (...args: string[]) => (await gateway.ascent("knowledge", "search", "rain", ...args)).out;
    expect(await search()).toBe("No passage fits.\n");
    expect(await search("--tenant", "acme")).toContain("On tea");
    expect(await search("--tenant", "acme", "--collection", "food")).toBe("No passage fits.\n");
  });

  test("kill -9 in the middle leaves no half document, and the next run goes on", async () => {
    const model = await startOpenAiFake({ apiKey: "sk-canary", latencyMs: 40 });
    onTestFinished(model.close);
    const env = { EMBEDDING_MODEL: "compatible:small", OPENAI_BASE_URL: model.baseURL, OPENAI_API_KEY: "sk-canary" };
    const { gateway, docs, write, list } = await open(env);
    const sections = (n: number) =>
      Array.from({ length: 150 }, (_, at) => `## Section ${at}\n\nDocument ${n} says ${at} things about tea.\n`).join(
        "\n",
      );
    for (let n = 0; n < 12; n += 1) await write(`d${n}.md`, `# Document ${n}\n\n${sections(n)}`);
    // Each document takes three requests: these are in the middle of one.
    for (const requests of [2, 8, 17]) {
      await model.clearLog();
      const child = spawn("sh", [join(import.meta.dirname, "../../bin/ascent"), "knowledge", "add", docs], {
        env: { PATH: process.env["PATH"], ASCENT_MODEL: "demo", ASCENT_DATA: gateway.data, ...env },
        stdio: "ignore",
        detached: true,
      });
      const closed = once(child, "close");
      await expect.poll(() => model.log.length, { timeout: 20_000, interval: 5 }).toBeGreaterThanOrEqual(requests);
      process.kill(-(child.pid ?? 0), "SIGKILL");
      await closed;
      for (const document of await list()) expect(document.passages).toBe(150);
    }
    const before = (await list()).length;
    expect(before).toBeGreaterThan(2);
    expect(before).toBeLessThan(12);
    const { out } = await gateway.ascent("knowledge", "add", docs);
    expect(out).toContain(`${12 - before} added, 0 changed, ${before} unchanged`);
    const db = new DatabaseSync(join(gateway.data, "knowledge", "default.db"), { readOnly: true });
    const count = (of: string) => db.prepare(`SELECT count(*) AS n FROM ${of}`).get()?.["n"];
    expect([count("document"), count("passage"), count("vector")]).toEqual([12, 1_800, 1_800]);
    expect(db.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    db.close();
  });
});

test("the researcher reads what the gateway may reach, and names itself", { timeout }, async () => {
  const site = await openSite({ "/tea": "<title>On tea</title><h1>Tea</h1><p>Tea likes rain. It grows." });
  onTestFinished(site.close);
  const { gateway, ask } = await open({ WEBHOOK_ALLOW_HOSTS: site.host });
  await gateway.start();
  const { state, text } = await ask("researcher", `research ${site.url}/tea`);
  expect(state).toBe(TaskState.TASK_STATE_COMPLETED);
  expect(text).toContain("- On tea: Tea likes rain. It grows. [1]");
  expect(site.asked[0]?.agent).toBe(`Ascent-Researcher/1 (+${gateway.url})`);
  const refused = await ask("researcher", "research http://169.254.169.254/latest/meta-data and http://[::1]:3000/");
  expect(refused.state).toBe(TaskState.TASK_STATE_FAILED);
});

test("a person is answered from pages and documents, on the demo model too", { timeout }, async () => {
  const site = await openSite({ "/tea": "<title>On tea</title><h1>Tea</h1><p>Tea likes rain. It grows." });
  onTestFinished(site.close);
  const stage = await openStage({ env: { ASCENT_MODEL: "demo", WEBHOOK_ALLOW_HOSTS: site.host } });
  const file = join(dirname(stage.gateway.data), "handbook.md");
  await writeFile(file, "# Handbook\n\n## Leave\n\nEmployees have 30 days of leave a year.\n");
  await stage.gateway.ascent("knowledge", "add", file);
  const ann = 7_300_001;
  const says = (text: string) => stage.platform.user(ann).sends(ann, text);
  const heard = (words: string) =>
    eventually(words, () => said(stage, ann).find((text) => text.includes(words)), 30_000);
  await says("what do the documents say about leave?");
  expect(await heard("30 days of leave")).toContain("handbook.md");
  await says(`research ${site.url}/tea`);
  expect(await heard("Tea likes rain. It grows.")).toContain(`${site.url}/tea`);
});
