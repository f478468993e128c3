import { APIConnectionError, APIError } from "openai";
import { describe, expect, it } from "vitest";
import { failureOf, type FailureContext } from "../../adapters/models/failures.ts";
import { createModels } from "../../adapters/models/index.ts";
import { parseModelSpec } from "../../adapters/models/spec.ts";
import { InputError, RetryableError, TerminalError, reasonOf } from "../../src/errors.ts";
import { testClock } from "./client-agent.fixture.ts";

describe("a model's name", () => {
  it("is demo or a vendor and its model, colons and all", () => {
    expect(parseModelSpec("demo")).toEqual({ vendor: "demo" });
    expect(parseModelSpec("compatible:llama3.2:3b")).toEqual({ vendor: "compatible", model: "llama3.2:3b" });
  });

  it.each(["", "gpt-5", "openai:", "anthropic:x", ":x", "demo:x"])("is refused as %j, with what is allowed", (spec) => {
    expect(() => parseModelSpec(spec)).toThrow(InputError);
    expect(() => parseModelSpec(spec)).toThrow("Use demo, openai:<model>");
  });
});

describe("models", () => {
  const clock = testClock();

  it("are made once", () => {
    const models = createModels({ apiKeys: { openai: "k" } }, { clock });
    expect(models.getModel("openai:a")).toBe(models.getModel("openai:a"));
    expect(models.getModel("openai:a")).not.toBe(models.getModel("openai:b"));
    expect(models.getModel()).toBe(models.getModel("demo"));
  });

  it("need a key or an address, and say which", () => {
    const models = createModels({}, { clock });
    expect(() => models.getModel("openai:a")).toThrow("OPENAI_API_KEY is not set");
    expect(() => models.getModel("gemini:a")).toThrow("GEMINI_API_KEY is not set");
    expect(() => models.getModel("compatible:a")).toThrow("OPENAI_BASE_URL is not set");
  });
});

describe("a failure", () => {
  const context: FailureContext = {
    spec: "openai:gpt-5",
    vendor: "openai",
    host: "api.openai.com",
    timeoutMs: 1_000,
    tries: 3,
  };
  const ofStatus = (status: number, body: object) =>
    failureOf(APIError.generate(status, { error: body }, undefined, new Headers()), context);

  it.each([
    [400, "does not take the request (HTTP 400 invalid_value input[3].content)"],
    [401, "refused the key (HTTP 401 invalid_value input[3].content); check OPENAI_API_KEY"],
    [403, "refused the key (HTTP 403"],
    [404, "no such model"],
    [429, "allows no more requests"],
    [503, "is failing (HTTP 503"],
  ])("of status %i is terminal and says what to do", (status, words) => {
    const error = ofStatus(status, { code: "invalid_value", param: "input[3].content", message: "no" });
    expect(error).toBeInstanceOf(TerminalError);
    expect(error.message).toContain(words);
  });

  it("carries neither the key nor the message that the vendor quotes", () => {
    const quoted = { message: "bad key sk-canary in: hello world", code: "sk-canary", type: "see: hello world" };
    const reason = reasonOf(ofStatus(400, quoted));
    expect(reason).not.toMatch(/canary|hello/);
    const odd = reasonOf(failureOf(new SyntaxError("Unexpected token h in hello world sk-canary"), context));
    expect(odd).not.toMatch(/canary|hello/);
  });

  it("of the connection names the host and the code", () => {
    const cause = Object.assign(new Error("connect"), { code: "ENOTFOUND" });
    const error = failureOf(new APIConnectionError({ message: "Connection error.", cause }), context);
    expect(error).toBeInstanceOf(TerminalError);
    expect(error.message).toContain("no connection to api.openai.com (ENOTFOUND); tried 3 times");
  });

  it("to understand the answer may be tried again", () => {
    expect(failureOf(new SyntaxError("x"), context)).toBeInstanceOf(RetryableError);
    expect(failureOf(new APIError(undefined, {}, undefined, undefined), context)).toBeInstanceOf(RetryableError);
  });
});
