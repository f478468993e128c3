/** A server of its own, and in it a database for each test: of a user who may add pgvector, and of one who may not. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { checkPostgres } from "../../adapters/vectors/postgres/check.ts";
import { createPostgresKnowledge } from "../../adapters/vectors/postgres/index.ts";
import { InfrastructureError, reasonOf } from "../../src/errors.ts";
import type { KnowledgeBase } from "../../src/knowledge.ts";
import { needs } from "../needs.ts";
import { needsPgvector, query, startPostgres, type PostgresService } from "../services/postgres.ts";
import { rejection } from "../unit/client-agent.fixture.ts";
import { documentOf, knowledgeContract } from "./knowledge.ts";

const { missing } = needs("postgres");
const pgvector = await needsPgvector();
const clock = { now: () => 1_000 };
const question = { text: "tea", limit: 5, least: { words: 0.1, sense: 0.5 } };

describe.skipIf(missing)("documents in PostgreSQL", () => {
  let postgres: PostgresService;
  let made = 0;
  beforeAll(async () => {
    postgres = await startPostgres();
    await query(postgres.url, "CREATE ROLE plain LOGIN");
  }, 60_000);
  afterAll(() => postgres?.close());

  async function database(owner: "ascent" | "plain"): Promise<string> {
    const name = `knowledge_${(made += 1)}`;
    await query(postgres.url, `CREATE DATABASE ${name} OWNER ${owner}`);
    const url = new URL(postgres.url);
    url.pathname = `/${name}`;
    url.username = owner;
    return url.href;
  }

  async function stageOf(owner: "ascent" | "plain") {
    const url = await database(owner);
    const all: KnowledgeBase[] = [];
    return {
      url,
      open(options = {}) {
        const base = createPostgresKnowledge({ url, clock, ...options });
        all.push(base);
        return base;
      },
      close: async () => void (await Promise.all(all.map((base) => base.close()))),
    };
  }

  describe.skipIf(pgvector.missing)("with pgvector", () => {
    knowledgeContract(() => stageOf("ascent"));

    it("use it", async () => {
      const { url, open, close } = await stageOf("ascent");
      await open().prepare();
      expect(await query(url, "SELECT extname FROM pg_extension")).toContain("vector");
      expect(await checkPostgres(url)).toMatchObject([
        { ok: true },
        { ok: true, text: expect.stringMatching(/^pgvector/) },
      ]);
      await close();
    });

    it("find it in whichever schema it is", async () => {
      const { url, open, close } = await stageOf("ascent");
      await query(url, "CREATE SCHEMA elsewhere; CREATE EXTENSION vector SCHEMA elsewhere");
      const base = open();
      const of = Float32Array.of(1, 0);
      await base.put("default", documentOf("a", [{ text: "Tea." }], { vectors: { model: "m", of: [of] } }));
      expect(await base.search("default", { ...question, text: "x", vector: { model: "m", of } })).toHaveLength(1);
      await close();
    });
  });

  describe.skipIf(pgvector.missing)("that get pgvector later", () => {
    it("find what was there before", async () => {
      const { url, open, close } = await stageOf("plain");
      const of = Float32Array.of(1, 0);
      await open().put("default", documentOf("a", [{ text: "Tea." }], { vectors: { model: "m", of: [of] } }));
      const asOwner = new URL(url);
      asOwner.username = "ascent";
      await query(asOwner.href, "CREATE EXTENSION vector");
      expect(await open().search("default", { ...question, text: "x", vector: { model: "m", of } })).toHaveLength(1);
      await close();
    });
  });

  describe("without pgvector", () => {
    knowledgeContract(() => stageOf("plain"));

    it("say so", async () => {
      const { url, open, close } = await stageOf("plain");
      await open().prepare();
      expect(await query(url, "SELECT extname FROM pg_extension")).not.toContain("vector");
      const [, finding] = await checkPostgres(url);
      expect(finding).toMatchObject({ ok: true, text: expect.stringMatching(/^without pgvector/) });
      expect(finding?.next).toMatch(pgvector.missing ? /postgresql-<version>-pgvector/ : /CREATE EXTENSION vector/);
      await close();
    });
  });

  it("are made at once by many that start at once, and not by one that is older than their tables", async () => {
    const { url, open, close } = await stageOf("plain");
    await Promise.all(Array.from({ length: 12 }, () => open().prepare()));
    expect(await query(url, "SELECT version FROM ascent_knowledge.layout")).toBe("1\n");
    await query(url, "UPDATE ascent_knowledge.layout SET version = 99");
    expect((await rejection(open().prepare())).message).toContain("a newer version of Ascent");
    expect(await checkPostgres(url)).toMatchObject([{ ok: false, text: expect.stringContaining("a newer version") }]);
    await close();
  });

  it("leave no half table where making them breaks off", async () => {
    const { url, open, close } = await stageOf("plain");
    await query(url, "CREATE SCHEMA ascent_knowledge; CREATE TABLE ascent_knowledge.document (x int)");
    await rejection(open().prepare());
    await query(url, "DROP TABLE ascent_knowledge.document; DROP SCHEMA ascent_knowledge");
    const base = open();
    await base.put("default", documentOf("a", [{ text: "Tea." }]));
    expect(await base.search("default", question)).toHaveLength(1);
    await close();
  });

  it("come back with their server, and a failure says nothing of what was asked or who asks", async () => {
    // One that recovers fast, since it has little.
    const own = await startPostgres();
    onTestFinished(() => own.close());
    const base = createPostgresKnowledge({ url: own.url, clock });
    await base.put("default", documentOf("a", [{ text: "Tea." }]));
    await own.kill();
    const error = await rejection(base.search("default", { ...question, text: "a secret canary" }));
    expect(error).toBeInstanceOf(InfrastructureError);
    expect(reasonOf(error)).not.toMatch(/canary|SELECT/);
    await own.restart();
    await expect.poll(() => base.search("default", question).catch(() => []), { timeout: 30_000 }).toHaveLength(1);
    await base.close();
  }, 90_000);

  it("are checked: who cannot be reached or may not make tables is told in a sentence", async () => {
    const url = await database("ascent");
    const stranger = new URL(url);
    stranger.username = "plain";
    stranger.password = "hunter2";
    const [refused] = await checkPostgres(stranger.href);
    expect(refused).toMatchObject({
      ok: false,
      text: expect.stringContaining("may not make the schema"),
      next: expect.stringContaining("Grant it CREATE"),
    });
    for (const [place, value, words] of [
      ["port", "9", "does not answer"],
      ["username", "nobody", 'role "nobody" does not exist'],
      ["pathname", "/none", 'database "none" does not exist'],
    ] as const) {
      const wrong = new URL(stranger);
      wrong[place] = value;
      const [finding] = await checkPostgres(wrong.href);
      expect(finding).toMatchObject({
        ok: false,
        text: expect.stringContaining(words),
        next: expect.stringContaining("ASCENT_KNOWLEDGE_URL"),
      });
      expect(JSON.stringify(finding)).not.toContain("hunter2");
    }
  });
});
