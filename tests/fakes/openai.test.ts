import OpenAI, { APIError, toFile } from "openai";
import { describe, expect, onTestFinished, test } from "vitest";
import { connectOpenAiFake, startOpenAiFake, type OpenAiFake, type OpenAiFakeOptions } from "./openai.ts";

const WEATHER = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const MODEL = "fake-model";

async function start(options: OpenAiFakeOptions = {}): Promise<{ fake: OpenAiFake; client: OpenAI }> {
  const fake = await startOpenAiFake(options);
  onTestFinished(() => fake.close());
  return { fake, client: new OpenAI({ baseURL: fake.baseURL, apiKey: "key", maxRetries: 0 }) };
}

async function failure(promise: Promise<unknown>): Promise<{ status: unknown; text: string }> {
  const error = await promise.then(
    () => new Error("answered"),
    (reason: unknown) => reason,
  );
  return { status: error instanceof APIError ? error.status : undefined, text: String(error) };
}

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const events: T[] = [];
  for await (const event of stream) events.push(event);
  return events;
}

test("a request for a summary answers no message: it names what people said, and no turn takes it for its own", async () => {
  const { client, fake } = await start();
  const said = "summary: so far: m-5-1\nuser: hello m-5-2\nagent: answer to: hello m-5-2 and m-5-9";
  const summary = await client.chat.completions.create({
    model: MODEL,
    messages: [
      { role: "system", content: "Summarize a conversation." },
      { role: "user", content: said },
    ],
  });
  expect(summary.choices[0]?.message.content).toBe("so far: m-5-1 m-5-2");
  const turn = await client.chat.completions.create({
    model: MODEL,
    messages: [
      { role: "system", content: "Be brief." },
      { role: "user", content: "[summary] so far: m-5-1 m-5-2" },
      { role: "user", content: "next m-5-3" },
    ],
  });
  expect(turn.choices[0]?.message.content).toBe("answer to: next m-5-3");
  expect(fake.log.map(({ summary: asked, tokens }) => ({ asked, tokens }))).toEqual([
    { asked: true, tokens: [] },
    { asked: false, tokens: ["m-5-3"] },
  ]);
});

describe("the echo", () => {
  test("names every message since the last answer, and nothing older", async () => {
    const { client } = await start();
    const completion = await client.chat.completions.create({
      model: MODEL,
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "hello m-5-1" },
        { role: "assistant", content: "answer to: hello m-5-1" },
        { role: "user", content: "first m-5-2" },
        { role: "user", content: [{ type: "text", text: "then m-5-3" }] },
      ],
    });
    expect(completion.choices[0]?.message.content).toBe("answer to: then m-5-3 (with m-5-2)");
    expect(completion.usage?.total_tokens).toBeGreaterThan(10);
  });

  test("reads the items of the Responses API alike", async () => {
    const { client, fake } = await start();
    const response = await client.responses.create({
      model: MODEL,
      instructions: "Be brief.",
      input: [
        { role: "user", content: "hello m-5-1" },
        { type: "message", role: "assistant", content: "answer to: hello m-5-1" },
        { role: "user", content: [{ type: "input_text", text: "again m--100-2 m-5-1" }] },
      ],
    });
    expect(response.output_text).toBe("answer to: again m--100-2 m-5-1");
    expect(fake.log[0]).toMatchObject({
      api: "responses",
      messages: 3,
      tokens: ["m--100-2", "m-5-1"],
      repeated: ["m-5-1"],
    });
    expect((await client.responses.create({ model: MODEL, input: "plain" })).output_text).toBe("answer to: plain");
  });
});

describe("streams", () => {
  test("chat chunks add up to the whole, with usage when asked", async () => {
    const { client } = await start({ tokensPerSecond: 400 });
    const stream = client.chat.completions.stream({
      model: MODEL,
      messages: [{ role: "user", content: "one two three" }],
      stream_options: { include_usage: true },
    });
    expect(await stream.finalContent()).toBe("answer to: one two three");
    expect((await stream.totalUsage()).total_tokens).toBeGreaterThan(0);
  });

  test("response events come in OpenAI's order and add up to the whole", async () => {
    const { client } = await start();
    const events = await collect(await client.responses.create({ model: MODEL, input: "one", stream: true }));
    expect(events.map((event) => event.type)).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.delta",
      "response.output_text.delta",
      "response.output_text.delta",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.completed",
    ]);
    expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, index) => index));
    const whole = await client.responses.stream({ model: MODEL, input: "one two" }).finalResponse();
    expect(whole.output_text).toBe("answer to: one two");
  });
});

describe("tools", () => {
  test("a rule calls a tool on offer, and the next request answers with what it said", async () => {
    const { client, fake } = await start();
    await connectOpenAiFake(fake.url).rule({
      contains: "weather",
      reply: { toolCalls: [{ name: "weather", arguments: { city: "Oslo" } }] },
    });
    const tools = [{ type: "function" as const, function: { name: "weather", parameters: WEATHER } }];
    const question = { role: "user" as const, content: "weather? m-5-1" };
    const asked = await client.chat.completions
      .stream({ model: MODEL, messages: [question], tools })
      .finalChatCompletion();
    const message = asked.choices[0]!.message;
    expect(asked.choices[0]?.finish_reason).toBe("tool_calls");
    expect(message.tool_calls?.[0]).toMatchObject({ function: { name: "weather", arguments: '{"city":"Oslo"}' } });
    const output = { role: "tool" as const, tool_call_id: message.tool_calls![0]!.id, content: "rain" };
    const { tool_calls } = message;
    const answered = await client.chat.completions.create({
      model: MODEL,
      messages: [question, { role: "assistant", content: null, tool_calls: tool_calls! }, output],
      tools,
    });
    expect(answered.choices[0]?.message.content).toBe("answer to: weather? m-5-1 (tools said: rain)");
  });

  test("function calls of the Responses API, streamed and not", async () => {
    const { client, fake } = await start();
    fake.script((prompt) =>
      prompt.toolOutputs.length === 0
        ? { text: "Looking.", toolCalls: [{ name: "weather", arguments: { city: "Oslo" } }] }
        : undefined,
    );
    const tools = [{ type: "function" as const, name: "weather", parameters: WEATHER, strict: false }];
    const asked = await client.responses.stream({ model: MODEL, input: "weather?", tools }).finalResponse();
    expect(asked.output.map((item) => item.type)).toEqual(["message", "function_call"]);
    const call = asked.output.find((item) => item.type === "function_call")!;
    expect(call).toMatchObject({ name: "weather", arguments: '{"city":"Oslo"}', status: "completed" });
    const answered = await client.responses.create({
      model: MODEL,
      tools,
      input: [
        { role: "user", content: "weather?" },
        { role: "assistant", content: "Looking." },
        { type: "function_call", call_id: call.call_id, name: call.name, arguments: call.arguments },
        { type: "function_call_output", call_id: call.call_id, output: "rain" },
      ],
    });
    expect(answered.output_text).toBe("answer to: weather? (tools said: rain)");
  });
});

describe("failures", () => {
  test("429 with Retry-After and 500 in OpenAI's form, as often as told; the client's retry then succeeds", async () => {
    const { client, fake } = await start();
    await fake.rule({ times: 1, reply: { failure: { kind: "status", status: 429, retryAfter: 7 } } });
    const limited = await client.responses.create({ model: MODEL, input: "x" }).catch((error: unknown) => error);
    expect(limited).toMatchObject({ status: 429, code: "rate_limit_exceeded" });
    expect((limited as APIError).headers?.get("retry-after")).toBe("7");
    await fake.rule({ times: 1, reply: { failure: { kind: "status", status: 500 } } });
    expect((await client.responses.create({ model: MODEL, input: "x" }, { maxRetries: 1 })).output_text).toBe(
      "answer to: x",
    );
    expect(fake.log.map(({ outcome, status }) => [outcome, status])).toEqual([
      ["failed", 429],
      ["failed", 500],
      ["answered", 200],
    ]);
  });

  test.each(["garbage", "half", "close"] as const)(
    "%s reaches the client as an error, streamed or not",
    async (kind) => {
      const { client, fake } = await start();
      fake.script(() => ({ failure: { kind } }));
      const messages = [{ role: "user" as const, content: "x" }];
      const whole = await failure(
        client.chat.completions.create({ model: MODEL, messages }).then((completion) => completion.choices[0]!.message),
      );
      expect(whole.text).not.toContain("answered");
      const streamed = await failure(
        client.chat.completions.create({ model: MODEL, messages, stream: true }).then((stream) => collect(stream)),
      );
      expect(streamed.text).not.toContain("answered");
    },
  );

  test("a hang lasts until the client gives up, and is logged as failed", async () => {
    const { client, fake } = await start();
    await fake.rule({ times: 1, reply: { failure: { kind: "hang" } } });
    const hung = await failure(client.responses.create({ model: MODEL, input: "x" }, { timeout: 50 }));
    expect(hung.text).toContain("timed out");
    await fake.pace({ latencyMs: 200 });
    const slow = await failure(client.responses.create({ model: MODEL, input: "x" }, { timeout: 50 }));
    expect(slow.text).toContain("timed out");
    await expect.poll(() => fake.log.map((entry) => entry.outcome)).toEqual(["failed", "aborted"]);
  });
});

test("models, transcriptions and the key", async () => {
  const { client } = await start({ models: ["a", "b"] });
  expect((await client.models.list()).data.map((model) => model.id)).toEqual(["a", "b"]);
  const file = await toFile(Buffer.from("\u0000m-5-9\u0001"), "voice.ogg");
  const transcript = await client.audio.transcriptions.create({ model: "whisper-1", file });
  expect(transcript.text).toBe("transcript of voice.ogg, 7 bytes m-5-9");
  const { client: refused } = await start({ apiKey: "another" });
  expect((await failure(refused.models.list())).status).toBe(401);
});
