import type { Prompt, ToolCall } from "./types.ts";

/** What the model says in full, before it takes either API's form. */
export interface Answer {
  /** Unique within the fake; the ids of all objects of the answer are made of it. */
  readonly id: string;
  readonly text: string | undefined;
  readonly toolCalls: readonly ToolCall[];
}

/** A server-sent event; the paced ones carry a piece of the answer and wait for their turn. */
export interface Frame {
  readonly data: string;
  readonly paced: boolean;
}

/** The pieces a stream sends: words with the space before them. */
export function wordsOf(text: string): readonly string[] {
  return text.match(/\s*\S+|\s+$/g) ?? [];
}

/** Token counts at four characters each. */
export function usageOf(prompt: Prompt, answer: Answer): { readonly input: number; readonly output: number } {
  const said =
    (answer.text?.length ?? 0) + answer.toolCalls.reduce((sum, call) => sum + JSON.stringify(call.arguments).length, 0);
  return { input: Math.ceil(prompt.characters / 4), output: Math.ceil(said / 4) };
}
