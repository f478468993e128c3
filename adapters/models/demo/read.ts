import type { ModelRequest } from "@openai/agents";
import { readHanding, type Handing } from "./handoff.ts";

/** What the demo sees of a request. */
export interface DemoRequest {
  /** The agent has said nothing yet in this conversation. */
  readonly first: boolean;
  /** What people said before, oldest first. */
  readonly earlier: readonly string[];
  /** The messages to answer, each as the agent's context wrote it. */
  readonly messages: readonly string[];
  readonly tools: ReadonlySet<string>;
  /** What the tools answered in this turn, by the id of the call; undefined before they were called. */
  readonly results: ReadonlyMap<string, string> | undefined;
  readonly summary: string | undefined;
  /** What was noted before, oldest first. */
  readonly notes: readonly string[];
  /** What other agents do for this conversation and has not ended, oldest first. */
  readonly open: readonly OpenTask[];
  readonly handing: Handing;
}

export interface OpenTask {
  /** Its name in the conversation. */
  readonly task: string;
  /** Its question, where it waits for the person's answer. */
  readonly asks: string | undefined;
  /** It is a mission, of which this step asks. */
  readonly mission?: { readonly step: string | undefined };
}

/** Lines that the agent's context puts before the conversation: `[context] …`, `[notes] …` and `[summary] …`. */
const aside = /^\[(context|notes|summary|note)\] ?/;
/** What is under way, on one line. */
const underWay = /^\[tasks (\{.*\})\]$/;
/** A person of the operator's has answered in the agent's place. */
const answeredFor = /^\[operator \{.*\}\]\n/;

export function readRequest(request: ModelRequest): DemoRequest {
  const items = typeof request.input === "string" ? [{ role: "user", content: request.input }] : request.input;
  const earlier: string[] = [];
  let messages: string[] = [];
  let results: Map<string, string> | undefined;
  let spoken = false;
  let summary: string | undefined;
  let notes: readonly string[] = [];
  let open: readonly OpenTask[] = [];
  for (const item of items as readonly Readonly<Record<string, unknown>>[]) {
    if (item["type"] === "function_call_result") {
      results ??= new Map();
      results.set(String(item["callId"]), textIn(item["output"]));
    } else if (item["role"] === "assistant") {
      spoken = true;
      earlier.push(...messages);
      messages = [];
    } else if (item["role"] === "user") {
      const text = textIn(item["content"]);
      const kind = aside.exec(text)?.[1];
      const tasks = underWay.exec(text)?.[1];
      if (answeredFor.test(text)) {
        earlier.push(...messages);
        messages = [];
      } else if (tasks !== undefined) open = openIn(tasks);
      else if (kind === undefined) messages.push(text);
      else if (kind === "summary") summary = text.replace(aside, "");
      else if (kind === "notes") notes = notesIn(text.replace(aside, ""));
    }
  }
  return {
    first: !spoken && summary === undefined,
    earlier,
    messages,
    tools: new Set(request.tools.flatMap((tool) => ("name" in tool ? [tool.name] : []))),
    results,
    summary,
    notes,
    open,
    handing: readHanding(request),
  };
}

function openIn(json: string): readonly OpenTask[] {
  const { agent, mission } = parsed(json) as { readonly agent?: unknown; readonly mission?: unknown };
  const missions = (Array.isArray(mission) ? mission : []).flatMap((one: unknown): OpenTask[] => {
    const { mission: task, asks } = (one ?? {}) as Readonly<Record<string, unknown>>;
    const [first] = (Array.isArray(asks) ? asks : []) as readonly { readonly step?: string }[];
    const asking = first === undefined ? undefined : "asked";
    return typeof task === "string" ? [{ task, asks: asking, mission: { step: first?.step } }] : [];
  });
  return [...tasksIn(agent), ...missions];
}

function tasksIn(agent: unknown): readonly OpenTask[] {
  if (!Array.isArray(agent)) return [];
  return agent.flatMap((one: unknown) => {
    const { task, asks, told } = (one ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof task !== "string" || told !== undefined) return [];
    return [{ task, asks: typeof asks === "string" ? asks : undefined }];
  });
}

function notesIn(json: string): readonly string[] {
  const all = parsed(json);
  return Array.isArray(all) ? all.map(({ note }: { readonly note?: unknown }) => String(note)) : [];
}

function parsed(json: string): object {
  try {
    return JSON.parse(json) as object;
  } catch {
    return {}; // cut to what the prompt can bear
  }
}

/** The text of an item's content or of a tool's output, whichever of the SDK's forms it has. */
export function textIn(content: unknown): string {
  if (typeof content === "string") return content;
  if (Array.isArray(content)) return content.map(textIn).filter(Boolean).join("\n");
  if (typeof content === "object" && content !== null && "text" in content) return String(content.text);
  return "";
}
