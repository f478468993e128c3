/** What both rivals share, as anyone would write it on the Agents SDK: one agent on a Chat Completions server, no traces. */
import {
  Agent,
  assistant,
  OpenAIProvider,
  Runner,
  setTracingDisabled,
  user,
  type AgentInputItem,
} from "@openai/agents";

/** Ours keeps 20 items of history (`context.historyItems`): so do they. */
export const historyItems = 20;

setTracingDisabled(true);
const provider = new OpenAIProvider({
  apiKey: required("OPENAI_API_KEY"),
  baseURL: required("OPENAI_BASE_URL"),
  useResponses: false,
});
const runner = new Runner({ modelProvider: provider, tracingDisabled: true });
const agent = new Agent({ name: "bench", instructions: required("INSTRUCTIONS"), model: required("MODEL") });

export interface Said {
  readonly role: "user" | "assistant";
  readonly text: string;
}

/** Runs one turn over the conversation so far; the last item is the person's new message. */
export async function answer(conversation: readonly Said[]): Promise<string> {
  const items: AgentInputItem[] = conversation.map(({ role, text }) =>
    role === "user" ? user(text) : assistant(text),
  );
  const { finalOutput } = await runner.run(agent, items);
  return finalOutput ?? "";
}

export function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === "") throw new Error(`${name} is not set`);
  return value;
}

/** Tells the bench that the bot is about to poll. */
export function ready(): void {
  process.stdout.write("ready\n");
}
