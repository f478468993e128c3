/** Recordings to text: POST /audio/transcriptions of OpenAI, and of every server that has it too. */
import type OpenAI from "openai";
import { RetryableError, TerminalError } from "../../src/errors.ts";
import type { Medium, Transcriber } from "../../src/reading.ts";
import { failureOf, type FailureContext } from "./failures.ts";

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
}

export function createTranscriber({ client, model, context, maxBytes }: TranscriberOptions): Transcriber {
  /** The client repeats what the server refused for now; what is no answer at all is asked for again here. */
  async function ask(recording: Medium, triesLeft: number): Promise<string> {
    try {
      const bytes = new Uint8Array(recording.bytes);
      const file = new File([bytes], nameOf(recording), { type: recording.type });
      const answer: { readonly text?: unknown } = await client().audio.transcriptions.create({ model, file });
      if (typeof answer.text !== "string") throw new RetryableError("the transcription has no text");
      return answer.text;
    } catch (error) {
      const failure = failureOf(error, context());
      if (!(failure instanceof RetryableError)) throw failure;
      if (triesLeft > 0) return ask(recording, triesLeft - 1);
      throw new TerminalError(`no usable transcription: ${failure.message}`, { cause: failure });
    }
  }
  return { maxBytes, transcribe: (recording) => ask(recording, context().tries - 1) };
}

function nameOf({ type, name }: Medium): string {
  const given = /\.(?:flac|mp3|mp4|mpeg|mpga|m4a|ogg|oga|opus|wav|webm|aac|amr)$/i.exec(name ?? "")?.[0];
  // Telegram's voice notes end in .oga, which not every server knows.
  if (given !== undefined && !/^\.(?:oga|opus)$/i.test(given)) return `recording${given.toLowerCase()}`;
  const [plain = ""] = type.toLowerCase().split(";");
  return `recording.${endings[plain.trim()] ?? (given === undefined ? "mp3" : "ogg")}`;
}
