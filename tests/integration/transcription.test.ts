/** Recordings to text by a server that speaks OpenAI's protocol, well and badly. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createModels, type TranscriptionSettings } from "../../adapters/models/index.ts";
import { reasonOf, TerminalError } from "../../src/errors.ts";
import { startOpenAiFake, type OpenAiFake } from "../fakes/openai.ts";
import type { Failure } from "../fakes/openai/types.ts";
import { rejection, testClock } from "../unit/client-agent.fixture.ts";

const key = "sk-canary-0123456789";
let fake: OpenAiFake;
beforeAll(async () => {
  fake = await startOpenAiFake({ apiKey: key, models: ["whisper-1"] });
});
afterAll(() => fake.close());
afterEach(async () => {
  fake.script(undefined);
  await fake.clearLog();
});

function modelsWith(transcription: Partial<TranscriptionSettings> = {}, apiKey = key) {
  const own = { model: "openai:whisper-1", maxBytes: 1_000, timeoutMs: 5_000, ...transcription };
  return createModels(
    {
      apiKeys: { openai: apiKey, compatible: apiKey },
      baseURLs: { openai: fake.baseURL },
      maxRetries: 1,
      transcription: own,
    },
    { clock: testClock() },
  );
}
function transcribe(
  bytes: string,
  of: { type?: string; name?: string } = {},
  rest: Partial<TranscriptionSettings> = {},
) {
  const { transcriber } = modelsWith(rest);
  if (transcriber === undefined) throw new Error("there is no transcriber");
  return transcriber.transcribe({ bytes: Buffer.from(bytes), type: of.type ?? "audio/ogg", name: of.name });
}
function failFirst(times: number, failure: Failure): void {
  let left = times;
  fake.script(() => ((left -= 1) >= 0 ? { failure } : { text: "All is well." }));
}

describe("a recording", () => {
  it.each([
    [{ type: "audio/ogg; codecs=opus" }, "recording.ogg"],
    [{ type: "audio/ogg", name: "voice.oga" }, "recording.ogg"],
    [{ type: "audio/mp4" }, "recording.m4a"],
    [{ type: "audio/mpeg", name: "My song.MP3" }, "recording.mp3"],
    [{ type: "application/octet-stream", name: "a.wav" }, "recording.wav"],
    [{ type: "audio/unknown" }, "recording.mp3"],
  ])("%j goes out under a name that tells its format", async (of, name) => {
    expect(await transcribe("\u0000m-1-1\u0001", of)).toBe(`transcript of ${name}, 7 bytes m-1-1`);
    expect(fake.log).toMatchObject([{ api: "transcription", model: "whisper-1", outcome: "answered" }]);
  });

  it.each([
    ["a 429, as it says", { kind: "status", status: 429, retryAfter: 0.05 }],
    ["a 500", { kind: "status", status: 500, retryAfter: 0.05 }],
    ["a closed connection", { kind: "close" }],
    ["garbage", { kind: "garbage" }],
    ["half an answer", { kind: "half" }],
  ] as const)("is sent again after %s, and given up in the end", async (_, failure) => {
    failFirst(1, failure);
    expect(await transcribe("x")).toBe("All is well.");
    failFirst(99, failure);
    expect(await rejection(transcribe("x"))).toBeInstanceOf(TerminalError);
  });

  it("is given up when the server hangs, and at once when it refuses; no error quotes what the server says", async () => {
    failFirst(9, { kind: "hang" });
    const hung = await rejection(transcribe("x", {}, { timeoutMs: 100 }));
    expect(reasonOf(hung)).toContain("openai:whisper-1 did not answer within 0.1 s; asked 2 times");
    await fake.clearLog();
    failFirst(9, { kind: "status", status: 400, message: `they said: hello ${key}` });
    const refused = await rejection(transcribe("x"));
    expect(reasonOf(refused)).toContain("HTTP 400");
    expect(reasonOf(refused)).not.toMatch(/hello|canary/);
    expect(fake.log).toHaveLength(1);
  });
});

describe("another address", () => {
  it("is not given the vendor's key", async () => {
    const refused = await rejection(transcribe("x", {}, { model: "compatible:whisper-1", baseURL: fake.baseURL }));
    expect(reasonOf(refused)).toContain("refused the key");
    const own = { model: "compatible:whisper-1", baseURL: fake.baseURL, apiKey: key };
    expect(await transcribe("x", {}, own)).toContain("transcript of");
  });
});

describe("doctor's check", () => {
  it("finds the model, or says what is missing", async () => {
    const { signal } = new AbortController();
    expect(await modelsWith().checkTranscription(signal)).toMatchObject({ ok: true });
    expect(await modelsWith({ model: "openai:nope" }).checkTranscription(signal)).toMatchObject({ ok: false });
    expect((await modelsWith({}, "").checkTranscription(signal))?.text).toContain("OPENAI_API_KEY");
    expect(await createModels({}, { clock: testClock() }).checkTranscription(signal)).toBeUndefined();
  });
});
