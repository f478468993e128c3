/** Texts to vectors: POST /embeddings of OpenAI, and of every server that has it too. */
import type OpenAI from "openai";
import type { Charge, Meter, Payer } from "../../src/budgets.ts";
import { RetryableError, TerminalError } from "../../src/errors.ts";
import type { Embedder } from "../../src/knowledge.ts";
import { failureOf, type FailureContext } from "./failures.ts";
import { settleFailure } from "./metered.ts";
import { tokensOfText } from "./request.ts";

/** Of one request. */
const mostTexts = 64;

export interface EmbedderOptions {
  /** Built when the first text comes: a missing key is its failure. */
  readonly client: () => OpenAI;
  readonly model: string;
  readonly context: () => FailureContext;
  /** Where anybody has a budget. */
  readonly meter?: Meter | undefined;
}

export function createEmbedder({ client, model, context, meter }: EmbedderOptions): Embedder {
  /** The client repeats what the server refused for now; what is no answer at all is asked for again here. */
  async function ask(input: string[], of: Asking, triesLeft: number): Promise<Float32Array[]> {
    const { signal, payer } = of;
    const tokens = input.reduce((sum, text) => sum + tokensOfText(text), 0);
    const charge = payer && (await meter?.reserve(payer, { model: context().spec, input: tokens, output: 0 }));
    try {
      const options = signal === undefined ? {} : { signal };
      // Not every server has the client's own default, which is base64.
      const answer = await client().embeddings.create({ model, input, encoding_format: "float" }, options);
      charge?.settle(usageOf(answer, charge));
      return vectorsOf(answer, input.length);
    } catch (error) {
      const failure = failureOf(error, context());
      if (charge !== undefined) settleFailure(charge, failure);
      signal?.throwIfAborted();
      if (!(failure instanceof RetryableError)) throw failure;
      if (triesLeft > 0) return ask(input, of, triesLeft - 1);
      throw new TerminalError(`no usable vectors: ${failure.message}`, { cause: failure });
    }
  }
  return {
    get model() {
      return context().spec;
    },
    async embed(texts, signal, payer) {
      const vectors: Float32Array[] = [];
      for (let at = 0; at < texts.length; at += mostTexts) {
        vectors.push(...(await ask(texts.slice(at, at + mostTexts), { signal, payer }, context().tries - 1)));
      }
      return vectors;
    },
  };
}

interface Asking {
  readonly signal: AbortSignal | undefined;
  readonly payer: Payer | undefined;
}

function usageOf({ usage }: { readonly usage?: { readonly prompt_tokens?: number } }, { planned }: Charge) {
  return { ...planned, input: usage?.prompt_tokens || planned.input };
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
