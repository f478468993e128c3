/** Texts to vectors by a server that speaks OpenAI's protocol, well and badly. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createModels } from "../../adapters/models/index.ts";
import { reasonOf, TerminalError } from "../../src/errors.ts";
import { startOpenAiFake, type OpenAiFake } from "../fakes/openai.ts";
import type { Failure } from "../fakes/openai/types.ts";
import { rejection, testClock } from "../unit/client-agent.fixture.ts";

const key = "sk-canary-0123456789";
let fake: OpenAiFake;
beforeAll(async () => {
  fake = await startOpenAiFake({ apiKey: key });
});
afterAll(() => fake.close());
afterEach(async () => {
  fake.script(undefined);
  await fake.clearLog();
});

function embedderOf(apiKey = key) {
  const { embedder } = createModels(
    {
      baseURLs: { compatible: fake.baseURL },
      maxRetries: 1,
      embedding: { model: "compatible:small", apiKey, baseURL: fake.baseURL, timeoutMs: 5_000 },
    },
    { clock: testClock() },
  );
  if (embedder === undefined) throw new Error("there is no embedder");
  return embedder;
}

describe("texts", () => {
  it("come back as vectors of length 1, in their order, in several requests where they are many", async () => {
    const embedder = embedderOf();
    expect(embedder.model).toBe("compatible:small");
    const texts = Array.from({ length: 150 }, (_, at) => `text about thing${at % 7}`);
    const vectors = await embedder.embed(texts);
    expect(vectors).toHaveLength(150);
    expect(fake.log.map(({ api, model }) => [api, model])).toEqual(
      Array.from({ length: 3 }, () => ["embedding", "small"]),
    );
    for (const vector of vectors) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    expect(vectors[0]).toEqual(vectors[7]);
    expect(vectors[0]).not.toEqual(vectors[1]);
  });

  it.each<[string, Failure]>([
    ["a 503", { kind: "status", status: 503, retryAfter: 0.05 }],
    ["half an answer", { kind: "half" }],
    ["no JSON", { kind: "garbage" }],
    ["a connection that ends", { kind: "close" }],
  ])("survive %s", async (_name, failure) => {
    let left = 1;
    fake.script(() => ((left -= 1) >= 0 ? { failure } : {}));
    expect(await embedderOf().embed(["tea"])).toHaveLength(1);
  });

  it("that get none are a terminal failure, without the key or the texts", async () => {
    fake.script(() => ({ failure: { kind: "status", status: 400, message: "canary-text" } }));
    const error = await rejection(embedderOf().embed(["canary-text"]));
    expect(error).toBeInstanceOf(TerminalError);
    expect(reasonOf(error)).not.toMatch(/canary/);
    expect(await rejection(embedderOf("wrong").embed(["tea"]))).toBeInstanceOf(TerminalError);
  });

  it("are given up when nobody waits for them", async () => {
    fake.script(() => ({ failure: { kind: "hang" } }));
    const abort = new AbortController();
    const work = embedderOf().embed(["tea"], abort.signal);
    setTimeout(() => abort.abort(new Error("enough")), 50);
    await expect(work).rejects.toThrow("enough");
  });
});
