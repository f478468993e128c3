/**
 * Tools as an evaluation has them: what they would answer was recorded, and what was not is refused. Only what the operator names is
 * really called.
 */
import { InputError } from "../../src/errors.ts";
import { matchesName } from "../../src/tool-policy.ts";
import type { ToolResult, ToolSource } from "../../src/tools.ts";
import type { RecordedTools } from "./cases.ts";
import { includes } from "./values.ts";

/**
 * @param real sources that there are; their tools are offered, and called where one of the patterns `mayRun` fits their name.
 * @returns sources under the same names as in production.
 */
export function evaluationSources(
  recorded: RecordedTools,
  real: readonly ToolSource[],
  mayRun: readonly string[],
): readonly ToolSource[] {
  const names = new Set([...Object.keys(recorded).map(sourceOf), ...real.map(({ name }) => name)]);
  return [...names].map((name) => {
    const of = real.find((one) => one.name === name);
    const own = Object.entries(recorded).filter(([tool]) => sourceOf(tool) === name);
    const source: ToolSource = {
      name,
      needs: of?.needs ?? "person",
      async list(caller, signal) {
        const offered = (await of?.list(caller, signal)) ?? [];
        const added = own.map(([tool, { description, parameters, effect }]) => {
          return { name: tool.slice(name.length + 2), description, parameters, effect };
        });
        return [...added, ...offered.filter((one) => added.every((other) => other.name !== one.name))];
      },
      async call(tool, call) {
        const full = `${name}__${tool}`;
        const result = resultOf(recorded, full, call.args);
        if (result !== undefined) return result;
        if (of !== undefined && mayRun.some((pattern) => matchesName(pattern, full))) return of.call(tool, call);
        throw new InputError("this is an evaluation, and no result is recorded for this call");
      },
    };
    return source;
  });
}

function sourceOf(tool: string): string {
  return tool.slice(0, tool.indexOf("__"));
}

/** The first that fits. */
function resultOf(recorded: RecordedTools, tool: string, args: unknown): ToolResult | undefined {
  const found = recorded[tool]?.results.find(({ where }) => where === undefined || includes(args, where));
  return found && { text: found.text, ...(found.failed === true && { failed: true as const }) };
}
