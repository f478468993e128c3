/** What a tool call needs before it is made: rules of the operator's, in their order; the first that fits decides. */
import { z } from "zod";
import { needs, type Need, type ToolSpec } from "./tools.ts";

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const condition = z
  .strictObject({
    over: z.number().optional(),
    under: z.number().optional(),
    is: z.union([scalar, z.array(scalar)]).optional(),
    not: z.union([scalar, z.array(scalar)]).optional(),
  })
  .refine((of) => Object.keys(of).length > 0, "says nothing: give over, under, is or not");
type Condition = z.infer<typeof condition>;

export const toolRule = z.strictObject({
  /** A tool's name as the model sees it, such as "bank__pay"; "*" stands for any characters. */
  tool: z.string().min(1),
  /** Conditions on arguments; all of them hold. "payment.amount" is an argument within one. */
  where: z.record(z.string().min(1), condition).optional(),
  /** It counts from where the turn holds content from outside: a file, a tool's answer, what another agent said. */
  after: z.literal("content", 'must be "content", or be left out').optional(),
  needs: z.enum(needs, `must be one of ${needs.join(", ")}`),
});
export type ToolRule = z.infer<typeof toolRule>;

export interface JudgedCall {
  readonly tool: string;
  readonly effect: ToolSpec["effect"];
  readonly args: unknown;
  /** The model had content from outside before it when it made the call. */
  readonly content: boolean;
}

/**
 * @param otherwise what a tool with effects needs where no rule speaks of it. What cannot be taken back needs the person's word at
 *   least once there is content that may have asked for it: only a rule says otherwise.
 */
export function needOf(call: JudgedCall, rules: readonly ToolRule[], otherwise: Need): Need {
  const doubtful: Need[] = [];
  for (const one of rules) {
    if ((one.after !== undefined && !call.content) || !matchesName(one.tool, call.tool)) continue;
    const fit = fits(one, call.args);
    if (fit === true) return strictest([...doubtful, one.needs]);
    // An argument that is absent or of another kind evades no rule, and takes none's place.
    if (fit === undefined) doubtful.push(one.needs);
  }
  return strictest([...doubtful, unruled(call, otherwise)]);
}

/** Of none it is "refuse". */
export const strictest = (all: readonly Need[]): Need => needs.findLast((need) => all.includes(need)) ?? "refuse";

function unruled({ effect, content }: JudgedCall, otherwise: Need): Need {
  if (effect === "none") return "nothing";
  return effect === "once" && content && otherwise === "nothing" ? "person" : otherwise;
}

/** Undefined where an argument cannot be judged. */
function fits({ where = {} }: ToolRule, args: unknown): boolean | undefined {
  const judged = Object.entries(where).map(([path, of]) => holds(of, at(args, path.split("."))));
  if (judged.includes(false)) return false;
  return judged.includes(undefined) ? undefined : true;
}

/** Undefined where the value cannot be judged. */
function holds(of: Condition, value: unknown): boolean | undefined {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  const isNumber = typeof number === "number" && !Number.isNaN(number);
  const isKnown = scalar.safeParse(value).success;
  const judged = [
    of.over === undefined ? true : isNumber ? number > of.over : undefined,
    of.under === undefined ? true : isNumber ? number < of.under : undefined,
    of.is === undefined ? true : isKnown ? oneOf(of.is, value) : undefined,
    of.not === undefined ? true : isKnown ? !oneOf(of.not, value) : undefined,
  ];
  if (judged.includes(false)) return false;
  return judged.includes(undefined) ? undefined : true;
}

function oneOf(wanted: NonNullable<Condition["is"]>, value: unknown): boolean {
  return [wanted].flat().some((one) => String(one).toLowerCase() === String(value).toLowerCase());
}

function at(value: unknown, [key, ...rest]: readonly string[]): unknown {
  if (key === undefined) return value;
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return at((value as Record<string, unknown>)[key], rest);
}

export function matchesName(pattern: string, name: string): boolean {
  const [head = "", ...tail] = pattern.split("*");
  const last = tail.pop();
  if (last === undefined) return name === head;
  if (!name.startsWith(head) || name.length < head.length + last.length || !name.endsWith(last)) return false;
  let from = head.length;
  return tail.every((part) => {
    const found = name.indexOf(part, from);
    from = found + part.length;
    return found !== -1 && from <= name.length - last.length;
  });
}
