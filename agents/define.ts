/**
 * The public entry `ascent/agent`: a client agent defined in TypeScript. A module that ascent.yaml names under
 * `agents.<name>.module` exports one as its default.
 */
import { z } from "zod";
import type { InstructionsContext } from "./client/role.ts";
import type { ToolCall, ToolResult, ToolSpec } from "../src/tools.ts";

export type { InstructionsContext };

/** What a tool's call knows of its turn. `key` is the same for every attempt at the same call. */
export type OwnCall = Pick<ToolCall, "key" | "turn" | "to" | "participant" | "signal" | "progress">;

export interface AgentTool {
  readonly description: string;
  readonly parameters: z.ZodObject;
  /** What a second call with the same key does, see {@link ToolSpec.effect}; "once", the safest, unless given. */
  readonly effect?: ToolSpec["effect"];
  /** What it resolves with is shown to the model as data. @throws InputError whose words the model is told. */
  run(args: unknown, call: OwnCall): Promise<string | ToolResult> | string | ToolResult;
}

export interface AgentDefinition {
  /** Instead of those of ascent.yaml; asked for at each turn where it is a function. */
  readonly instructions?: string | ((context: InstructionsContext) => string | Promise<string>);
  /** By their names: the model, and the operator's rules, know them as "own__<name>". */
  readonly tools?: Readonly<Record<string, AgentTool>>;
  /** Beside those of ascent.yaml. */
  readonly handoffs?: readonly string[];
  readonly about?: string;
}

/** Types the tool's arguments by its parameters. */
export function defineTool<Shape extends z.ZodObject>(
  tool: Omit<AgentTool, "parameters" | "run"> & {
    readonly parameters: Shape;
    run(args: z.output<Shape>, call: OwnCall): ReturnType<AgentTool["run"]>;
  },
): AgentTool {
  return { ...tool, run: (args, call) => tool.run(args as z.output<Shape>, call) };
}

export function defineAgent(definition: AgentDefinition): AgentDefinition {
  return definition;
}

const name = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,59}$/, "is no tool's name: use letters, digits, dashes and underscores");
const isFunction = (value: unknown) => typeof value === "function";
const fn = z.custom<never>(isFunction, "must be a function");
const schema = z.custom<z.ZodObject>(
  (value) => typeof value === "object" && value !== null && "safeParseAsync" in value,
  "must be a schema of zod: z.object({ … })",
);

/** What a module's default export has to be. */
export const agentDefinition = z.strictObject({
  instructions: z.union([z.string().min(1), fn], "must be a text, or a function that makes one").optional(),
  tools: z
    .record(
      name,
      z.strictObject({
        description: z.string().min(1),
        parameters: schema,
        effect: z.enum(["none", "idempotent", "once"]).optional(),
        run: fn,
      }),
    )
    .optional(),
  handoffs: z.array(z.string().min(1)).optional(),
  about: z.string().min(1).max(300).optional(),
});
