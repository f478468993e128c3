/** A mission in simple words: "plan: ask knowledge …; ask me whether …; then wait 5 seconds; then ask analyst …". */
import { passedOn, type Offered, type Outside } from "./delegate.ts";

const start = "mission__start";
const units: Readonly<Record<string, number>> = { second: 1, minute: 60, hour: 3_600 };

interface Step extends Readonly<Record<string, unknown>> {
  readonly id: string;
}

/** What stands before a "then" comes first; what stands between two of them goes side by side. Undefined where it is no plan. */
export function planIn(text: string, offered: Offered): Outside | undefined {
  const [, words = ""] = /^plan:\s*([^]+)$/i.exec(text.trim()) ?? [];
  if (words === "" || !offered.tools.has(start)) return undefined;
  const steps: object[] = [];
  let before: readonly string[] = [];
  for (const group of words.split(/[;,.]?\s*\bthen\b:?\s*/i)) {
    const items = group.split(";").map((item) => item.trim());
    const made = items
      .filter((item) => item !== "")
      .map((item, at) => stepOf(item, steps.length + at + 1, before, offered));
    if (made.some((step) => step === undefined)) return undefined;
    steps.push(...made.filter((step) => step !== undefined));
    if (made.length > 0) before = made.flatMap((step) => (step === undefined ? [] : [step.id]));
  }
  if (steps.length === 0) return undefined;
  return { kind: "call", name: start, arguments: { title: titleOf(words), goal: words.slice(0, 2_000), steps } };
}

function stepOf(item: string, n: number, after: readonly string[], offered: Offered): Step | undefined {
  const common = { id: `step${n}`, ...(after.length === 0 ? {} : { after }) };
  const [, number, unit = ""] = /^wait (?:for )?(\d+) (second|minute|hour)s?\.?$/i.exec(item) ?? [];
  if (number !== undefined)
    return { ...common, do: "wait", seconds: Number(number) * (units[unit.toLowerCase()] ?? 1) };
  const [, question, choices] = /^ask me:? ([^(]+?)\s*(?:\(([^)]+)\))?\.?$/i.exec(item) ?? [];
  if (question !== undefined) {
    const options = choices?.split(/\s*\/\s*/).filter((one) => one !== "");
    return { ...common, do: "ask", question, ...(options === undefined ? {} : { options }) };
  }
  const given = passedOn(item, { ...offered, files: false });
  const [, agent] = /^agent__(?!(?:reply|cancel|tasks)$)(.+)$/.exec(given?.name ?? "") ?? [];
  if (agent === undefined) return undefined;
  return { ...common, do: "delegate", agent, task: String(given?.arguments["task"] ?? "") };
}

const titleOf = (words: string): string => {
  const line = words.replace(/\s+/g, " ").trim();
  return line.length <= 60 ? line : `${line.slice(0, 59).toWellFormed()}…`;
};

/** The last line of what is told of a mission. */
const closing = /^\(mission ("(?:[^"\\]|\\.)*") ("(?:[^"\\]|\\.)*"): (.*)\)$/;

/** What came of a mission, as the demo tells it on. Undefined where the text is not of one. */
export function sayOfMission(text: string): string | undefined {
  const lines = text.split("\n");
  const at = lines.findLastIndex((line) => closing.test(line));
  const [, , title, how = ""] = closing.exec(lines[at] ?? "") ?? [];
  if (title === undefined) return undefined;
  const plan = String(JSON.parse(title));
  const said = lines.slice(0, at).filter((line) => !line.startsWith("Goal: "));
  if (/^it asks\b/.test(how))
    return `**${plan}** asks: ${said.map(unquoted).join("\n")}\n\nJust answer: I will pass it on.`;
  return `The plan “${plan}”: ${how}.\n\n${said.map(unquoted).join("\n")}`;
}

/** What others said stands at the end of a line, as JSON. */
const quotation = /(^|: )("(?:[^"\\]|\\.)*")$/;

function unquoted(line: string): string {
  const [all, before = "", words = ""] = quotation.exec(line) ?? [];
  return all === undefined ? line : `${line.slice(0, -all.length)}${before}${String(JSON.parse(words))}`;
}
