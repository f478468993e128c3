/** Texts to vectors: POST /embeddings of OpenAI, and of every server that has it too. */
import type OpenAI from "openai";
import { RetryableError, TerminalError } from "../../src/errors.ts";
import type { Embedder } from "../../src/knowledge.ts";
import { failureOf, type FailureContext } from "./failures.ts";

/** Of one request. */
const mostTexts = 64;

export interface EmbedderOptions {
  /** Built when the first text comes: a missing key is its failure. */
  readonly client: () => OpenAI;
  readonly model: string;
  readonly context: () => FailureContext;
}

export function createEmbedder({ client, model, context }: EmbedderOptions): Embedder {
  /** The client repeats what the server refused for now; what is no answer at all is asked for again here. */
  async function ask(input: string[], signal: AbortSignal | undefined, triesLeft: number): Promise<Float32Array[]> {
    try {
      const options = signal === undefined ? {} : { signal };
      // Not every server has the client's own default, which is base64.
      const answer = await client().embeddings.create({ model, input, encoding_format: "float" }, options);
      return vectorsOf(answer, input.length);
    } catch (error) {
      signal?.throwIfAborted();
      const failure = failureOf(error, context());
      if (!(failure instanceof RetryableError)) throw failure;
      if (triesLeft > 0) return ask(input, signal, triesLeft - 1);
      throw new TerminalError(`no usable vectors: ${failure.message}`, { cause: failure });
    }
  }
  return {
    get model() {
      return context().spec;
    },
    async embed(texts, signal) {
      const vectors: Float32Array[] = [];
      for (let at = 0; at < texts.length; at += mostTexts) {
        vectors.push(...(await ask(texts.slice(at, at + mostTexts), signal, context().tries - 1)));
      }
      return vectors;
    },
  };
}

/** In the order of the texts, whatever that of the answer is. */
function vectorsOf(answer: { readonly data?: unknown }, count: number): Float32Array[] {
  const data = Array.isArray(answer.data) ? (answer.data as { index?: unknown; embedding?: unknown }[]) : [];
  const vectors: Float32Array[] = [];
  for (const [at, { index, embedding }] of data.entries()) {
    if (isVector(embedding)) vectors[typeof index === "number" ? index : at] = normalized(embedding);
  }
  const [first] = vectors;
  const isWhole = vectors.length === count && vectors.every((one) => one !== undefined && one.length === first?.length);
  if (!isWhole || Object.keys(vectors).length !== count) throw new RetryableError("the answer lacks vectors");
  return vectors;
}

function isVector(given: unknown): given is number[] {
  return Array.isArray(given) && given.length > 0 && given.every((one) => Number.isFinite(one));
}

function normalized(given: readonly number[]): Float32Array {
  const length = Math.hypot(...given) || 1;
  return Float32Array.from(given, (one) => one / length);
}
