import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createModels, type ModelsSettings } from "../../adapters/models/index.ts";
import { TerminalError, reasonOf } from "../../src/errors.ts";
import { listen } from "../fakes/http.ts";
import { startOpenAiFake, type OpenAiFake } from "../fakes/openai.ts";
import type { Failure } from "../fakes/openai/types.ts";
import { agentOn, hooks, rejection, testClock, turn } from "../unit/client-agent.fixture.ts";

const key = "sk-canary-0123456789";
const clock = testClock();
let fake: OpenAiFake;
beforeAll(async () => {
  fake = await startOpenAiFake({ apiKey: key, models: ["fake-model", "models/other"] });
});
afterAll(() => fake.close());
afterEach(async () => {
  fake.script(undefined);
  await fake.clearLog();
});

function modelsFor(baseURL: string, rest: ModelsSettings = {}) {
  const apiKeys = { openai: key, gemini: key, compatible: key };
  const baseURLs = { openai: baseURL, gemini: `${baseURL}/`, compatible: baseURL };
  return createModels({ apiKeys, baseURLs, timeoutMs: 5_000, maxRetries: 2, ...rest }, { clock });
}
function agentFor(spec: string, rest: ModelsSettings = {}, settings: Record<string, unknown> = {}) {
  return agentOn(modelsFor(fake.baseURL, rest), { model: spec, ...settings }).agent;
}
/** Fails the first requests in this way, then answers. */
function failFirst(times: number, failure: Failure): void {
  let left = times;
  fake.script(() => {
    left -= 1;
    return left >= 0 ? { failure } : { text: "All is well." };
  });
}
const textOf = (output: { answer: { parts: readonly unknown[] } }) => JSON.stringify(output.answer.parts);

const vendors = ["openai:fake-model", "gemini:fake-model", "compatible:fake-model"];
const watched = { name: "streamed", watch: () => hooks({ onText: () => {} }) };
const unwatched = { name: "whole", watch: () => hooks() };

describe.each(vendors)("%s", (spec) => {
  describe.each([unwatched, watched])("$name", ({ watch }) => {
    it("answers, with the tool's results and the usage", async () => {
      let asked = 0;
      fake.script(({ toolOutputs }) => {
        asked += 1;
        if (toolOutputs.length > 0) return { text: `It is ${toolOutputs.join()}.` };
        return { toolCalls: [{ name: "calculate", arguments: { expression: "6*7" } }] };
      });
      const output = await agentFor(spec).run(turn(["what is 6*7?"]), watch());
      expect(textOf(output)).toContain("It is 42.");
      expect(asked).toBe(2);
      expect(output.usage?.requests).toBe(2);
      expect(output.usage?.inputTokens).toBeGreaterThan(0);
      expect(new Set(fake.log.map((entry) => entry.api))).toEqual(
        new Set([spec.startsWith("openai") ? "responses" : "chat"]),
      );
    });

    it("waits as a 429 says and asks again", async () => {
      failFirst(1, { kind: "status", status: 429, retryAfter: 1 });
      const began = performance.now();
      expect(textOf(await agentFor(spec).run(turn(["hi"]), watch()))).toContain("All is well.");
      expect(performance.now() - began).toBeGreaterThan(950);
      expect(fake.log).toHaveLength(2);
    });

    it("gives up on 500s after its retries, with the status and no secret", async () => {
      failFirst(9, { kind: "status", status: 500, retryAfter: 0.01, message: `the text was: hi ${key}` });
      const error = await rejection(agentFor(spec).run(turn(["hi"]), watch()));
      expect(error).toBeInstanceOf(TerminalError);
      expect(reasonOf(error)).toContain("HTTP 500");
      expect(reasonOf(error)).not.toContain(key);
      expect(reasonOf(error)).not.toContain("the text was");
      expect(fake.log).toHaveLength(3);
    });

    it.each([
      ["garbage", { kind: "garbage" }],
      ["half an answer", { kind: "half" }],
      ["a closed connection", { kind: "close" }],
    ] as const)("asks again after %s, and gives up in the end", async (_, failure) => {
      failFirst(1, failure);
      expect(textOf(await agentFor(spec).run(turn(["hi"]), watch()))).toContain("All is well.");
      failFirst(99, failure);
      const error = await rejection(agentFor(spec, { maxRetries: 1 }, { retries: 1 }).run(turn(["hi"]), watch()));
      expect(error).toBeInstanceOf(TerminalError);
    });

    it("is asked once where the key is refused, and says which", async () => {
      const models = modelsFor(fake.baseURL, { apiKeys: { openai: "sk-no", gemini: "sk-no", compatible: "sk-no" } });
      const error = await rejection(agentOn(models, { model: spec }).agent.run(turn(["hi"]), watch()));
      expect(error).toBeInstanceOf(TerminalError);
      expect(error.message).toContain("refused the key (HTTP 401");
      expect(error.message).toContain(spec.startsWith("gemini") ? "GEMINI_API_KEY" : "OPENAI_API_KEY");
      expect(reasonOf(error)).not.toContain("sk-no");
    });

    it("stops at once when the turn is aborted, and hangs up on the model", async () => {
      fake.script(() => ({ latencyMs: 10_000 }));
      const controller = new AbortController();
      const reason = new Error("superseded");
      const running = rejection(agentFor(spec).run(turn(["hi"]), { ...watch(), signal: controller.signal }));
      await expect.poll(() => fake.log.length).toBe(1);
      const began = performance.now();
      controller.abort(reason);
      expect(await running).toBe(reason);
      expect(performance.now() - began).toBeLessThan(500);
      await expect.poll(() => fake.log[0]?.outcome).toBe("aborted");
    });

    it("is given up when it hangs longer than it may", async () => {
      fake.script(() => ({ failure: { kind: "hang" } }));
      const error = await rejection(agentFor(spec, { timeoutMs: 150, maxRetries: 0 }).run(turn(["hi"]), watch()));
      expect(error).toBeInstanceOf(TerminalError);
      expect(error.message).toMatch(/did not answer within/);
    });
  });

  it("streams the answer as it grows", async () => {
    fake.script(() => ({ text: "one two three four five", tokensPerSecond: 200 }));
    const shown: string[] = [];
    const output = await agentFor(spec).run(turn(["hi"]), hooks({ onText: (text) => shown.push(text) }));
    expect(shown.length).toBeGreaterThan(2);
    shown.forEach((text, at) => expect(text.startsWith(shown[at - 1] ?? "")).toBe(true));
    expect(textOf(output)).toContain(shown.at(-1));
  });

  it("is not asked for a stream where nobody watches", async () => {
    await agentFor(spec).run(turn(["hi"]), hooks());
    expect(fake.log.map((entry) => entry.stream)).toEqual([false]);
  });

  it("that falls silent within its stream is asked again", async () => {
    let asked = 0;
    fake.script(() => {
      asked += 1;
      return asked === 1 ? { text: "a b c d", tokensPerSecond: 2 } : { text: "All is well." };
    });
    const agent = agentFor(spec, { timeoutMs: 250 });
    expect(textOf(await agent.run(turn(["hi"]), watched.watch()))).toContain("All is well.");
  });
});

describe("a stream that ends politely in the middle", () => {
  it("is no answer", async () => {
    const chunk = { id: "c", object: "chat.completion.chunk", created: 1, model: "m" };
    const server = await listen((request, response) => {
      request.resume();
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(`data: ${JSON.stringify({ ...chunk, choices: [{ index: 0, delta: { content: "half an" } }] })}\n\n`);
    });
    const models = modelsFor(server.url);
    const agent = agentOn(models, { model: "compatible:m", retries: 1 }).agent;
    const error = await rejection(agent.run(turn(["hi"]), watched.watch()));
    await server.close();
    expect(error.message).toContain("ended its stream before its answer");
    expect(error.message).toContain("asked 2 times");
  });
});

describe("a kept connection", () => {
  it("that the server closes as it is used again costs no try", async () => {
    const seen = new Map<Socket, number>();
    const server = await listen((request, response) => {
      const uses = (seen.get(request.socket) ?? 0) + 1;
      seen.set(request.socket, uses);
      if (uses > 1) request.socket.destroy();
      else response.writeHead(200, { "content-type": "application/json" }).end('{"data":[],"object":"list"}');
    });
    const models = modelsFor(server.url, { maxRetries: 0 });
    const { signal } = new AbortController();
    for (let round = 0; round < 3; round += 1) {
      expect(await models.check("compatible:m", signal)).toMatchObject({ ok: true });
    }
    await server.close();
    expect([...seen.values()]).toEqual([2, 2, 1]);
  });
});

describe("doctor's check", () => {
  const { signal } = new AbortController();
  it("finds the model, or says which there are", async () => {
    const models = modelsFor(fake.baseURL);
    expect(await models.check("openai:fake-model", signal)).toMatchObject({ ok: true });
    expect(await models.check("gemini:other", signal)).toMatchObject({ ok: true });
    const missing = await models.check("compatible:nope", signal);
    expect(missing.ok).toBe(false);
    expect(missing.next).toContain("fake-model");
    expect(await models.check("demo", signal)).toMatchObject({ ok: true });
  });

  it("says what to do about a wrong key, no key, and no server", async () => {
    const wrong = await modelsFor(fake.baseURL, { apiKeys: { openai: "sk-no" } }).check("openai:fake-model", signal);
    expect(wrong).toMatchObject({ ok: false, next: "Put a valid key into OPENAI_API_KEY." });
    const none = await modelsFor(fake.baseURL, { apiKeys: {} }).check("gemini:x", signal);
    expect(none.ok).toBe(false);
    expect(none.text).toContain("GEMINI_API_KEY");
    const closed = await modelsFor("http://127.0.0.1:9/v1").check("compatible:x", signal);
    expect(closed.text).toContain("ECONNREFUSED");
    expect(closed.next).toContain("OPENAI_BASE_URL");
  });
});

describe("traces", () => {
  it.concurrent("never leave unless configured", async () => {
    expect(new Set(await observedRun(false))).toEqual(new Set(["127.0.0.1"]));
  });

  it.concurrent("leave where configured: the check above can fail", async () => {
    expect(new Set(await observedRun(true))).toEqual(new Set(["127.0.0.1", "api.openai.com"]));
  });

  /** Hosts that a process connects or looks up, which has OPENAI_API_KEY set and runs one turn, until its exit. */
  async function observedRun(tracing: boolean): Promise<string[]> {
    const script = join(import.meta.dirname, "models-tracing.fixture.ts");
    const child = spawn(process.execPath, [script, fake.baseURL, String(tracing)], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { PATH: process.env["PATH"], NODE_ENV: "production", OPENAI_API_KEY: key },
    });
    let out = "";
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    const [code] = (await once(child, "close")) as [number];
    expect(code).toBe(0);
    return JSON.parse(out) as string[];
  }
});
