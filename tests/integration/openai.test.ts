/** The gateway behind the official clients of the OpenAI API, with a model on loopback and processes to kill. */
import { execFile } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import OpenAI, { APIError, AuthenticationError, BadRequestError, InternalServerError, NotFoundError } from "openai";
import { describe, expect, test } from "vitest";
import type { Prompt, Reply } from "../fakes/openai/types.ts";
import { needs } from "../needs.ts";
import { pythonWith } from "./python.ts";
import { openStage, type Stage } from "./stage.ts";

interface Behind extends Stage {
  readonly client: OpenAI;
  readonly other: OpenAI;
  /** What the model was asked, in order, summaries aside. */
  readonly prompts: readonly Prompt[];
}

async function open(reply: (prompt: Prompt) => Reply | undefined = () => undefined): Promise<Behind> {
  const keys = [1, 2].map(() => `sk-canary-${randomBytes(12).toString("hex")}`);
  const stage = await openStage({
    config: { agents: { assistant: {}, clerk: { name: "Clerk", instructions: "You keep the books." } } },
    env: { ASCENT_API_KEYS: keys.join(", ") },
  });
  const prompts: Prompt[] = [];
  stage.model.script((prompt) => {
    if (prompt.toSummarize !== undefined) return undefined;
    prompts.push(prompt);
    return reply(prompt);
  });
  const [client, other] = keys.map(
    (apiKey) => new OpenAI({ apiKey, baseURL: `${stage.gateway.url}/v1`, maxRetries: 0, timeout: 30_000 }),
  );
  if (client === undefined || other === undefined) throw new Error("no keys");
  return { ...stage, client, other, prompts };
}

/** What the model was given: role and text of each message. */
function given(prompt: Prompt | undefined): string[] {
  type Content = string | readonly { readonly text?: string }[];
  const messages = (prompt?.body["messages"] ?? []) as { role: string; content: Content }[];
  const textOf = (content: Content) =>
    typeof content === "string" ? content : content.map(({ text }) => text ?? "").join("");
  return messages.map(({ role, content }) => `${role}: ${textOf(content)}`);
}

async function all<Item>(stream: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

const user = (content: string) => [{ role: "user" as const, content }];
const header = (name: string, value: string) => ({ headers: { [name]: value } });
const thrown = (work: Promise<unknown>): Promise<unknown> =>
  work.then(() => undefined).catch((error: unknown) => error);
const saidIn = async (client: OpenAI, conversation: string) => {
  const said: string[] = [];
  for await (const item of client.conversations.items.list(conversation, { limit: 100 })) {
    const [part] = item.type === "message" ? item.content : [];
    if (part !== undefined && "text" in part && part.text !== null) said.unshift(part.text);
  }
  return said;
};

describe("the official client", () => {
  test("asks completions: history, streams, conversations, agents", async () => {
    const { client, other, prompts } = await open(({ turn }) =>
      turn.join().includes("word59") ? { tokensPerSecond: 150 } : undefined,
    );
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(["ascent", "assistant", "clerk"]);
    expect((await client.models.retrieve("clerk")).owned_by).toBe("ascent");

    const completion = await client.chat.completions.create({
      model: "ascent",
      messages: [
        { role: "system", content: "The shop is closed on Mondays." },
        ...user("My name is Ann."),
        { role: "assistant", content: "Hello Ann." },
        ...user("Who am I?"),
      ],
    });
    expect(completion.choices[0]).toMatchObject({
      finish_reason: "stop",
      message: { role: "assistant", content: "answer to: Who am I?" },
    });
    const whole = given(prompts[0]);
    expect(whole.slice(-4)).toEqual([
      "user: [note] The shop is closed on Mondays.",
      "user: My name is Ann.",
      "assistant: Hello Ann.",
      "user: Who am I?",
    ]);

    const long = Array.from({ length: 60 }, (_, n) => `word${n}`).join(" ");
    const stream = await client.chat.completions.create({ model: "clerk", messages: user(long), stream: true });
    const deltas: string[] = [];
    let end: string | null | undefined;
    for await (const { choices } of stream) {
      deltas.push(choices[0]?.delta.content ?? "");
      end = choices[0]?.finish_reason;
    }
    expect(deltas.join("")).toBe(`answer to: ${long}`);
    expect(deltas.length).toBeGreaterThan(5);
    expect(end).toBe("stop");
    expect(given(prompts[1])[0]).toContain("You keep the books.");

    // A conversation with a name: the gateway remembers, and what the request tells of the past does not count.
    for (const text of ["one", "two"]) {
      const messages = [...user("never said"), { role: "assistant" as const, content: "nor this" }, ...user(text)];
      await client.chat.completions.create({ model: "ascent", messages, metadata: { conversation: "c 1" } });
    }
    const remembered = given(prompts.at(-1));
    expect(remembered.slice(-3)).toEqual(["user: one", "assistant: answer to: one", "user: two"]);
    expect(await saidIn(client, "c 1")).toEqual(["one", "answer to: one", "two", "answer to: two"]);
    expect(await saidIn(other, "c 1")).toEqual([]);
    await other.chat.completions.create(
      { model: "ascent", messages: user("mine") },
      header("X-Conversation-Id", "c 1"),
    );
    expect(given(prompts.at(-1)).filter((line) => !line.startsWith("system"))).toHaveLength(2);
  });

  test("asks responses: streams, what follows on another, items and references", async () => {
    const { client, prompts } = await open();
    const first = await client.responses.create({ model: "ascent", input: "one", instructions: "Be kind." });
    expect(first).toMatchObject({ status: "completed", output_text: "answer to: one" });
    expect(given(prompts[0]).slice(-2)).toEqual(["user: [note] Be kind.", "user: one"]);
    const stream = client.responses.stream({ model: "ascent", input: "two", previous_response_id: first.id });
    const types: string[] = [];
    for await (const { type } of stream) types.push(type);
    const second = await stream.finalResponse();
    expect(second).toMatchObject({
      status: "completed",
      output_text: "answer to: two",
      previous_response_id: first.id,
    });
    expect(types[0]).toBe("response.created");
    expect(types.at(-1)).toBe("response.completed");
    expect(given(prompts[1]).slice(-4)).toEqual([
      "user: [note] Be kind.",
      "user: one",
      "assistant: answer to: one",
      "user: two",
    ]);
    expect(await client.responses.retrieve(second.id)).toMatchObject({
      status: "completed",
      output: [{ id: `msg_${second.id.slice(5)}` }],
    });
    const [item] = first.output;
    const input = [{ type: "item_reference" as const, id: item?.id ?? "" }, ...user("three")];
    await client.responses.create({ model: "ascent", input });
    expect(given(prompts[2]).slice(-2)).toEqual(["assistant: answer to: one", "user: three"]);
    const pictures = [
      { type: "input_text" as const, text: "four" },
      { type: "input_image" as const, image_url: "data:image/png;base64,iVBORw0KGgo=", detail: "auto" as const },
    ];
    await client.responses.create({ model: "ascent", input: [{ role: "user", content: pictures }] });
    expect(given(prompts[3]).at(-1)).toContain('four\n[image {"type":"image/png"');
  });

  test("is told what is wrong in the API's own way", async () => {
    const { client, gateway } = await open((prompt) =>
      prompt.turn.join().includes("fails") ? { failure: { kind: "status", status: 400 } } : undefined,
    );
    const ask = (more: object) =>
      thrown(client.chat.completions.create({ model: "ascent", messages: user("x"), ...more } as never));
    const stranger = new OpenAI({ apiKey: "sk-of-nobody-at-all", baseURL: `${gateway.url}/v1`, maxRetries: 0 });
    const wrong = await thrown(stranger.models.list());
    expect(wrong).toBeInstanceOf(AuthenticationError);
    expect(wrong).toMatchObject({ status: 401, code: "invalid_api_key" });
    const absent = await ask({ model: "gpt-4o" });
    expect(absent).toBeInstanceOf(NotFoundError);
    expect(absent).toMatchObject({ code: "model_not_found", param: "model", type: "invalid_request_error" });
    for (const more of [
      { n: 2 },
      { tools: [{ type: "function", function: { name: "f" } }] },
      { logprobs: true },
      { response_format: { type: "json_object" } },
      { stop: ["x"] },
    ]) {
      const refused = await ask(more);
      expect(refused).toBeInstanceOf(BadRequestError);
      expect(refused).toMatchObject({ code: "unsupported_parameter", param: Object.keys(more)[0] });
    }
    expect(
      await ask({ n: 1, tools: [], logprobs: false, temperature: 0, seed: 1, user: "u", store: true }),
    ).toBeUndefined();
    expect(await ask({ messages: [] })).toMatchObject({ status: 400, param: "messages" });

    // The agent's failure is an error too, and is not asked again by itself.
    const patient = client.withOptions({ maxRetries: 2 });
    const once = header("Idempotency-Key", randomUUID());
    const fails = { model: "ascent", messages: user("fails") };
    const failed = await thrown(patient.chat.completions.create(fails, once));
    expect(failed).toBeInstanceOf(InternalServerError);
    expect(failed).toMatchObject({ status: 500, code: "agent_failed" });
    expect(await thrown(patient.chat.completions.create(fails, once))).toMatchObject({ code: "agent_failed" });
    const streamed = await client.chat.completions.create({ ...fails, stream: true });
    const broken = await thrown(all(streamed));
    expect(broken).toBeInstanceOf(APIError);
    expect(broken).toMatchObject({ code: "agent_failed" });
    const response = await client.responses.stream({ model: "ascent", input: "fails" }).finalResponse();
    expect(response).toMatchObject({ status: "failed", error: { code: "server_error" } });
  });

  test("has the rest of its answer from a gateway that is told to end", async () => {
    const { client, gateway } = await open(() => ({ tokensPerSecond: 40 }));
    const long = Array.from({ length: 60 }, (_, n) => `word${n}`).join(" ");
    const whole = client.responses.create({ model: "ascent", input: long });
    const stream = await client.chat.completions.create({ model: "ascent", messages: user(long), stream: true });
    const chunks = all(stream);
    await sleep(500);
    const ended = gateway.terminate();
    expect((await chunks).map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe(`answer to: ${long}`);
    expect((await chunks).at(-1)?.choices[0]?.finish_reason).toBe("stop");
    expect((await whole).output_text).toBe(`answer to: ${long}`);
    expect(await ended).toMatchObject({ code: 0 });
  });

  test("a hundred at once get an answer each, their own", async () => {
    const { client } = await open();
    const texts = Array.from({ length: 100 }, (_, n) => `question ${n}`);
    const answers = await Promise.all(
      texts.map(async (text, n) => {
        if (n % 2 === 0) return (await client.responses.create({ model: "ascent", input: text })).output_text;
        const completion = await client.chat.completions.create({ model: "ascent", messages: user(text) });
        return completion.choices[0]?.message.content;
      }),
    );
    expect(answers).toEqual(texts.map((text) => `answer to: ${text}`));
  });
});

describe("an Idempotency-Key", () => {
  test("is one question: asked again, while it runs, after a restart and by another way", async () => {
    const { client, other, gateway, prompts } = await open(() => ({ latencyMs: 400 }));
    const once = header("Idempotency-Key", "order-17/step 2".replace(" ", "-"));
    const question = { model: "ascent", messages: user("how many?") };
    const [first, second] = await Promise.all([1, 2].map(() => client.chat.completions.create(question, once)));
    expect(second).toEqual(first);
    const stream = await client.chat.completions.create({ ...question, stream: true }, once);
    const chunks = await all(stream);
    expect(chunks[0]?.id).toBe(first?.id);
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe(
      first?.choices[0]?.message.content,
    );
    await gateway.terminate();
    await gateway.start();
    expect(await client.chat.completions.create(question, once)).toEqual(first);
    expect(prompts).toHaveLength(1);
    const changed = await thrown(client.chat.completions.create({ ...question, messages: user("how few?") }, once));
    expect(changed).toMatchObject({ status: 422, code: "idempotency_key_reused" });
    const theirs = await other.chat.completions.create(question, once);
    expect(theirs.id).not.toBe(first?.id);
  });

  test("finds the answer of a question whose client went away", async () => {
    const { client, prompts } = await open(() => ({ latencyMs: 700 }));
    const once = header("Idempotency-Key", randomUUID());
    const question = { model: "ascent", input: "still there?" };
    const gone = AbortSignal.timeout(200);
    expect(await thrown(client.responses.create(question, { ...once, signal: gone }))).toBeInstanceOf(Error);
    await sleep(1_200);
    expect((await client.responses.create(question, once)).output_text).toBe("answer to: still there?");
    expect(prompts).toHaveLength(1);
  });

  test("kill -9 under load: every question is answered once, in order", { timeout: 120_000 }, async () => {
    const { client, gateway } = await open(() => ({ latencyMs: 150 }));
    const questions = 20;
    /** As any client should: the same request under the same key until it has an answer. */
    async function until<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
      for (const end = performance.now() + 60_000; ; await sleep(50)) {
        try {
          return await ask();
        } catch (error) {
          const passes = error instanceof APIError && (error.status === undefined || error.status >= 503);
          const cutOff = !(error instanceof APIError);
          if (!(passes || cutOff) || performance.now() > end) throw error;
        }
      }
    }
    async function talk(name: string): Promise<void> {
      for (let n = 0; n < questions; n++) {
        const once = { headers: { "Idempotency-Key": `${name}-${n}`, "X-Conversation-Id": name } };
        const text = `${name} asks ${n}`;
        const answer = await until(async () => {
          if (n % 3 === 0) return (await client.responses.create({ model: "ascent", input: text }, once)).output_text;
          const question = { model: "ascent", messages: user(text) };
          if (n % 3 === 1) return (await client.chat.completions.create(question, once)).choices[0]?.message.content;
          const chunks = await all(await client.chat.completions.create({ ...question, stream: true }, once));
          if (chunks.at(-1)?.choices[0]?.finish_reason !== "stop") throw new Error("cut off");
          return chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("");
        });
        expect(answer).toBe(`answer to: ${text}`);
      }
    }
    const names = Array.from({ length: 8 }, (_, n) => `talk${n}`);
    let talking = true;
    const killer = (async () => {
      for (let kill = 0; kill < 5 && talking; kill++) {
        await sleep(250 + Math.random() * 300);
        if (!talking) break;
        await gateway.kill();
        await gateway.start();
      }
    })();
    await Promise.all(names.map(talk)).finally(() => (talking = false));
    await killer;
    expect(gateway.kills.length).toBeGreaterThanOrEqual(3);
    for (const name of names) {
      const asked = Array.from({ length: questions }, (_, n) => `${name} asks ${n}`);
      expect(await saidIn(client, name)).toEqual(asked.flatMap((text) => [text, `answer to: ${text}`]));
    }
    expect(gateway.output()).not.toContain("sk-canary");
    expect(gateway.output()).not.toContain(" asks ");
  });
});

const python3 = needs("python3");
describe.skipIf(python3.missing)("the official client of Python", () => {
  test("asks both APIs, streamed and not", { timeout: 400_000 }, async () => {
    const folder = import.meta.dirname;
    const python = await pythonWith(python3.path, join(folder, "openai-requirements.txt"));
    const { client, prompts } = await open((prompt) =>
      prompt.turn.join().includes("fails") ? { failure: { kind: "status", status: 400 } } : undefined,
    );
    const args = [join(folder, "openai-client.py"), client.baseURL, String(client.apiKey)];
    const { stdout } = await promisify(execFile)(python, args, { timeout: 60_000 });
    const two = `python two ${"word ".repeat(40).trim()}`;
    const seen = JSON.parse(stdout) as { chunks: number };
    expect(seen).toEqual({
      models: ["ascent", "assistant", "clerk"],
      completion: ["answer to: python one", "stop"],
      chunks: seen.chunks,
      streamed: `answer to: ${two}`,
      finished: "stop",
      response: ["answer to: python three", "completed"],
      following: ["answer to: python four", true],
      events: ["response.created", "response.completed"],
      final: "answer to: python five",
      same: true,
      items: ["answer to: python eight", "python eight", "answer to: python seven", "python seven"],
      refusals: [
        ["AuthenticationError", "invalid_api_key"],
        ["NotFoundError", "model_not_found"],
        ["BadRequestError", "unsupported_parameter"],
        ["UnprocessableEntityError", "idempotency_key_reused"],
        ["InternalServerError", "agent_failed"],
      ],
    });
    expect(prompts.filter(({ turn }) => turn.join().includes("python six"))).toHaveLength(1);
  });
});
