/** Recordings to text: POST /audio/transcriptions of OpenAI, and of every server that has it too. */
import type OpenAI from "openai";
import type { CallUsage, Meter, Payer } from "../../src/budgets.ts";
import { RetryableError, TerminalError } from "../../src/errors.ts";
import type { Medium, Transcriber } from "../../src/reading.ts";
import { failureOf, type FailureContext } from "./failures.ts";
import { settleFailure } from "./metered.ts";
import { tokensOfText } from "./request.ts";

/** The server knows a recording's format by the end of its name. */
const endings: Readonly<Record<string, string>> = {
  "audio/ogg": "ogg",
  "audio/opus": "ogg",
  "audio/mpeg": "mp3",
  "audio/mp3": "mp3",
  "audio/mp4": "m4a",
  "audio/m4a": "m4a",
  "audio/x-m4a": "m4a",
  "audio/aac": "aac",
  "audio/wav": "wav",
  "audio/x-wav": "wav",
  "audio/wave": "wav",
  "audio/webm": "webm",
  "audio/flac": "flac",
  "audio/x-flac": "flac",
};

export interface TranscriberOptions {
  /** Built when the first recording comes: a missing key is its failure. */
  readonly client: () => OpenAI;
  readonly model: string;
  readonly context: () => FailureContext;
  readonly maxBytes: number;
  /** Where anybody has a budget. */
  readonly meter?: Meter | undefined;
}

/** Of the sparest recordings, so that what is reserved is enough; and what a second of one comes to. */
const bytesPerSecond = 1_500;
const tokensPerSecond = 10;

export function createTranscriber({ client, model, context, maxBytes, meter }: TranscriberOptions): Transcriber {
  /** The client repeats what the server refused for now; what is no answer at all is asked for again here. */
  async function ask(recording: Medium, payer: Payer | undefined, triesLeft: number): Promise<string> {
    const seconds = Math.ceil(recording.bytes.byteLength / bytesPerSecond);
    const input = seconds * tokensPerSecond;
    const charge = payer && (await meter?.reserve(payer, { model: context().spec, input, output: input, seconds }));
    try {
      const bytes = new Uint8Array(recording.bytes);
      const file = new File([bytes], nameOf(recording), { type: recording.type });
      const answer: Transcription = await client().audio.transcriptions.create({ model, file });
      charge?.settle(usageOf(answer, charge.planned));
      if (typeof answer.text !== "string") throw new RetryableError("the transcription has no text");
      return answer.text;
    } catch (error) {
      const failure = failureOf(error, context());
      if (charge !== undefined) settleFailure(charge, failure);
      if (!(failure instanceof RetryableError)) throw failure;
      if (triesLeft > 0) return ask(recording, payer, triesLeft - 1);
      throw new TerminalError(`no usable transcription: ${failure.message}`, { cause: failure });
    }
  }
  return { maxBytes, transcribe: (recording, payer) => ask(recording, payer, context().tries - 1) };
}

interface Transcription {
  readonly text?: unknown;
  readonly usage?: {
    readonly input_tokens?: number;
    readonly output_tokens?: number;
    readonly seconds?: number;
  };
}

/** Models are paid by tokens or by seconds, and say which; a server that says nothing had no more than was planned. */
function usageOf({ text, usage = {} }: Transcription, { seconds = 0, input }: CallUsage): CallUsage {
  const { input_tokens, output_tokens, seconds: counted } = usage;
  const said = typeof text === "string" ? tokensOfText(text) : 0;
  return { input: input_tokens ?? input, cached: 0, output: output_tokens ?? said, seconds: counted ?? seconds };
}

function nameOf({ type, name }: Medium): string {
  const given = /\.(?:flac|mp3|mp4|mpeg|mpga|m4a|ogg|oga|opus|wav|webm|aac|amr)$/i.exec(name ?? "")?.[0];
  // Telegram's voice notes end in .oga, which not every server knows.
  if (given !== undefined && !/^\.(?:oga|opus)$/i.test(given)) return `recording${given.toLowerCase()}`;
  const [plain = ""] = type.toLowerCase().split(";");
  return `recording.${endings[plain.trim()] ?? (given === undefined ? "mp3" : "ogg")}`;
}
