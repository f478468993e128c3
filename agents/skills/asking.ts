/**
 * Other agents as tools of a skilled agent's model: those that its settings name, as far as they can be reached. What they answer is
 * data. What they are asked has no address that the caller has not written: one that a file put into the model's mind leads nowhere.
 */
import { z } from "zod";
import type { Delegating } from "../../src/delegation-nested.ts";
import { InputError } from "../../src/errors.ts";
import { digestOf } from "../../src/ids.ts";
import type { TaskHooks, TaskMessage, TaskPart } from "../../src/skilled.ts";
import type { ToolResult } from "../../src/tools.ts";
import { addressesIn, createAddresses } from "../../src/addresses.ts";
import { saidIn } from "./request.ts";
import { skillTool, type SkillTool } from "./run.ts";

export interface Asking {
  readonly tools: readonly SkillTool[];
  /** Those that have answered. */
  asked(): readonly string[];
  /** Files of their answers. */
  files(): readonly TaskPart[];
}

export interface AskingOptions {
  readonly delegating: Delegating | undefined;
  readonly names: readonly string[];
  readonly messages: readonly TaskMessage[];
  readonly hooks: Pick<TaskHooks, "progress">;
}

const longestTask = 4_000;
const mostAsks = 6;
const longestDescription = 1_000;
const reply = "reply";

export async function askingOthers({ delegating, names, messages, hooks }: AskingOptions): Promise<Asking> {
  const asked = new Set<string>();
  const files: TaskPart[] = [];
  const times = new Map<string, number>();
  let asks = 0;
  const addresses = createAddresses();
  for (const url of addressesIn(saidIn(messages))) addresses.add(url, 0);

  async function ask(
    of: Delegating,
    name: string,
    given: Record<string, string>,
    signal: AbortSignal,
  ): Promise<string> {
    asks += 1;
    if (asks > mostAsks) throw new InputError("others have been asked often enough: answer with what is known");
    const args = Object.fromEntries(Object.entries(given).map(([key, words]) => [key, addresses.clean(words)]));
    const said = digestOf(JSON.stringify([name, args]));
    // A run that is made again and asks the same comes back to the same.
    const time = (times.get(said) ?? 0) + 1;
    times.set(said, time);
    const { progress } = hooks;
    const { text, failed, parts = [] } = await of.call(name, { key: `${said} ${time}`, args, signal, progress });
    if (failed !== true && name !== reply) asked.add(name);
    files.push(...parts.flatMap(fileOf));
    return text;
  }

  function toolOf(of: Delegating, name: string, description: string): SkillTool {
    return skillTool({
      name: `agent__${name}`,
      description: description.slice(0, longestDescription),
      parameters: z.object({
        task: z.string().min(1).max(longestTask).describe("complete in itself: the agent sees nothing else"),
      }),
      outside: true,
      run: ({ task }, signal) => ask(of, name, { task }, signal),
    });
  }

  const replyTool = (of: Delegating) =>
    skillTool({
      name: `agent__${reply}`,
      description: "Answers an agent that has asked something for its task.",
      parameters: z.object({ task: z.string().min(1).max(200), answer: z.string().min(1).max(longestTask) }),
      outside: true,
      run: (given, signal) => ask(of, reply, given, signal),
    });

  const specs = delegating === undefined || names.length === 0 ? [] : await delegating.list();
  const known = specs.filter(({ name }) => names.includes(name));
  const tools =
    delegating === undefined || known.length === 0
      ? []
      : [...known.map(({ name, description }) => toolOf(delegating, name, description)), replyTool(delegating)];
  return { tools, asked: () => [...asked], files: () => files };
}

function fileOf(part: NonNullable<ToolResult["parts"]>[number]): TaskPart[] {
  if (!("source" in part) || part.source.from !== "blob") return [];
  const { type, name, size, source } = part;
  return [
    { kind: "file", type, blob: source.id, ...(name !== undefined && { name }), ...(size !== undefined && { size }) },
  ];
}
