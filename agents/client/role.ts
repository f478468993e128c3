/** What of a client agent is the same for every turn: what it is told, what it may use, and whom it may hand over to. */
import type { ModelSettings, Tool } from "@openai/agents";
import type { Log } from "../../src/ports.ts";
import { askOperator } from "./ask-operator.ts";
import { instructionsOf } from "./instructions.ts";
import { reportDoubt } from "./report-doubt.ts";
import type { ClientAgentSettings } from "./settings.ts";
import { createTools } from "./tools.ts";
import type { TurnContext } from "./turn-context.ts";

export interface Role {
  /** In the configuration. */
  readonly name: string;
  readonly settings: ClientAgentSettings;
  readonly instructions: string | ((context: InstructionsContext) => string | Promise<string>);
  readonly tools: readonly Tool<TurnContext>[];
  readonly modelSettings: ModelSettings;
}

/** What instructions that are written as a function are made of. */
export interface InstructionsContext {
  readonly channel: string;
  readonly tenant: string;
  readonly kind: "direct" | "group";
  /** As the platform tells it; of a group, who wrote last. */
  readonly person: { readonly name?: string | undefined; readonly locale?: string | undefined };
  readonly now: Date;
}

export function roleOf(
  name: string,
  settings: ClientAgentSettings,
  log: Log,
  given?: (context: InstructionsContext) => string | Promise<string>,
): Role {
  const { tools: allowed, rules, temperature, maxTokens } = settings;
  const own = createTools({ allowed, rules, log });
  const written = (words: string) => instructionsOf({ ...settings, instructions: words });
  return {
    name,
    settings,
    instructions:
      given === undefined ? written(settings.instructions) : async (context) => written(await given(context)),
    tools: [...own, ...(settings.asksOperator ? [askOperator] : []), ...(settings.reportsDoubts ? [reportDoubt] : [])],
    modelSettings: {
      ...(temperature === undefined ? {} : { temperature }),
      ...(maxTokens === undefined ? {} : { maxTokens }),
    },
  };
}
