/**
 * What the demo passes on: a person's words to a skilled agent, an answer to an agent's question, and a call of a tool that is named
 * exactly. Nothing but a person's own words makes it call anything: what files hold, tools answer and notes say is data.
 */
import type { OpenTask } from "./read.ts";

/** A call of a tool that comes from outside. */
export interface Outside {
  readonly kind: "call";
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** What the demo knows of the tools of this turn. */
export interface Offered {
  readonly tools: ReadonlySet<string>;
  /** What other agents do for this conversation, oldest first. */
  readonly open: readonly OpenTask[];
  /** The new messages have files, which may go along. */
  readonly files: boolean;
}

const prefix = "agent__";
const answerMission = "mission__answer";
/** Tools of the same source that are no agents. */
const taskTools = new Set(["reply", "cancel", "tasks"]);

/** Whose business such words are, by the agents' names; English, German and Spanish. */
const business: readonly (readonly [string, RegExp])[] = [
  [
    "scheduler",
    /\bremind me\b|\bwake me\b|\breminders?\b|erinnere? mich|weck mich|\berinnerung(?:en)?\b|recu[eé]rd(?:a|e)me|recordatorios?\b|av[ií]same/i,
  ],
  [
    "researcher",
    /^(?:please |bitte |por favor,? )?(?:research|look up|read|summari[sz]e|recherchiere|lies|investiga|lee)\b[^]*https?:\/\/|^(?:please )?(?:research|recherchiere|investiga)\b/i,
  ],
  [
    "knowledge",
    /\bwhat (?:do|does|did) (?:the|our|my|your) (?:documents?|docs|files|handbook|manual|knowledge base) say\b|\baccording to (?:the|our|my) (?:documents?|docs|files|handbook|manual)\b|was (?:sagen|steht in) (?:die|den|unseren?) (?:dokumenten?|unterlagen)|qué dicen (?:los|nuestros) documentos/i,
  ],
  [
    "analyst",
    /^(?:please |bitte |por favor,? )?(?:comput(?:e|a)|analy[sz]e|analysiere|berechne|calcula|analiza|chart|plot|draw a chart|sum|average|count)\b/i,
  ],
];

export function agentsIn(tools: ReadonlySet<string>): readonly string[] {
  return [...tools].flatMap((name) => {
    const agent = name.startsWith(prefix) ? name.slice(prefix.length) : "";
    return agent === "" || taskTools.has(agent) ? [] : [agent];
  });
}

/** Undefined where the words ask for nothing of the kind, or nobody is there who does it. */
export function passedOn(text: string, offered: Offered): Outside | undefined {
  const { tools } = offered;
  const [, named = "", json = ""] = /^use\s+`?([\w-]+__[\w-]+)`?\s+(\{[^]*\})\s*$/i.exec(text) ?? [];
  if (tools.has(named)) return usedTool(named, json);
  const [, task = ""] = /^(?:please )?(?:cancel|stop) (?:the )?task ["“]?([\w-]+)["”]?\W*$/i.exec(text) ?? [];
  if (task !== "" && tools.has(`${prefix}cancel`)) return call(`${prefix}cancel`, { task });
  if (/^(?:list|show|what are)?\s*(?:my |the |open )*tasks\W*$/i.test(text) && tools.has(`${prefix}tasks`))
    return call(`${prefix}tasks`, {});
  const asked =
    /^(?:please )?(?:ask|frag(?:e)?|pregunta(?: a)?)\s+(?:the |den |die |al |a la )?([\w-]+?)[,:]?\s+(?:to |that )?([^]+)$/i.exec(
      text,
    );
  const agents = agentsIn(tools);
  const agent = agents.find((name) => name === asked?.[1]?.toLowerCase());
  if (agent !== undefined) return given(agent, asked?.[2] ?? text, offered);
  const own = business.find(([name, words]) => agents.includes(name) && words.test(text));
  return own === undefined ? undefined : given(own[0], text, offered);
}

/** What is said while an agent waits for an answer is that answer. */
export function answerTo(text: string, { tools, open }: Offered): Outside | undefined {
  const asking = open.findLast(({ asks }) => asks !== undefined);
  if (asking?.mission !== undefined) {
    const { step } = asking.mission;
    return tools.has(answerMission) ? call(answerMission, { mission: asking.task, step, answer: text }) : undefined;
  }
  if (asking === undefined || !tools.has(`${prefix}reply`)) return undefined;
  return call(`${prefix}reply`, { task: asking.task, answer: text });
}

function given(agent: string, words: string, { files }: Offered): Outside {
  return call(`${prefix}${agent}`, { task: words.trim(), ...(files ? { files: true } : {}) });
}

function usedTool(name: string, json: string): Outside | undefined {
  try {
    return call(name, JSON.parse(json) as Record<string, unknown>);
  } catch {
    return undefined; // not JSON: nothing is called that nobody wrote
  }
}

function call(name: string, args: Readonly<Record<string, unknown>>): Outside {
  return { kind: "call", name, arguments: args };
}

/** The last line of what is told of a task: which one it is and how it stands. */
const closing =
  /^\(task ("(?:[^"\\]|\\.)*") of the agent ("(?:[^"\\]|\\.)*")(?:, asked (?:"(?:[^"\\]|\\.)*"))?: (.*)\)$/;

/** For the model: the person sees the file. */
const goesAlong = /^\[the file "(?:[^"\\]|\\.)*" \([^)]*\) goes to the person with your answer\]$/;

/** What another agent says, as the demo tells it on. Undefined where the text is not of a task. */
export function sayOfTask(text: string): string | undefined {
  const lines = text.split("\n");
  // The gateway's own: whatever the agent said stands before it.
  const at = lines.findLastIndex((line) => closing.test(line));
  const [, task, agent, how = ""] = closing.exec(lines[at] ?? "") ?? [];
  if (task === undefined || agent === undefined) return undefined;
  const said = lines.slice(0, at).filter((line) => !goesAlong.test(line));
  const words = said.join("\n").trim();
  const [name, who] = [String(JSON.parse(task)), String(JSON.parse(agent))];
  if (/^it asks\b/.test(how)) return `**${who}** asks: ${words}\n\nJust answer: I will pass it on.`;
  if (/background/.test(how)) {
    const passed =
      words === "" ? `I passed that on to **${who}**.` : `I passed that on to **${who}**, which says: ${words}`;
    return `${passed}\n\nThe task \`${name}\` goes on by itself; I will tell you what comes of it.`;
  }
  if (words === "") return `About the task \`${name}\` of **${who}**: ${how}.`;
  // What falls due speaks for itself.
  if (who === "scheduler") return words;
  return /completed/.test(how)
    ? `**${who}** says: ${words}`
    : `**${who}** says: ${words}\n\n(Task \`${name}\`: ${how}.)`;
}

/** What a tool from outside answered. */
export function sayOfCall({ name }: Outside, result: string | undefined): string {
  if (result === undefined) return `\`${name}\` has not answered.`;
  const refused = /^Not done: ([^]*)$/.exec(result)?.[1];
  if (refused !== undefined) return `I called \`${name}\`, and it was not done: ${refused}`;
  const text = /^\[content [^\n]*\]\n([^]*)\n\[end of content\]$/.exec(result)?.[1] ?? result;
  if (name === `${prefix}tasks`) return text.split("\n").map(sayOfSummary).join("\n");
  return sayOfTask(text) ?? (/^(?:agent|mission)__/.test(name) ? text : `\`${name}\` says: ${text}`);
}

function sayOfSummary(line: string): string {
  try {
    const { task, agent, state, asked } = JSON.parse(line) as Readonly<Record<string, unknown>>;
    return `- \`${String(task)}\` (${String(agent)}, ${String(state)}): ${String(asked)}`;
  } catch {
    return line;
  }
}

const examples: Readonly<Record<string, string>> = {
  scheduler: "remind me in 1 minute to drink tea",
  researcher: "research https://example.com",
  knowledge: "what do the documents say about holidays?",
  analyst: "average of price by month",
};

/** Lines for the list of what can be tried. */
export function abilitiesOf(tools: ReadonlySet<string>): readonly string[] {
  const agents = agentsIn(tools).map((name) => {
    const example = examples[name];
    return example === undefined
      ? `- **ask ${name} …** – I pass your words on to the agent *${name}*`
      : `- **${name === "analyst" ? `ask analyst ${example}` : example}** – the agent *${name}* does that`;
  });
  if (tools.has("mission__start"))
    agents.push(
      "- **plan: ask knowledge …; ask me whether … (yes/no); then wait 10 seconds** – a mission of several steps",
    );
  const other = [...tools].find((name) => name.includes("__") && !/^(?:agent|mission)__/.test(name));
  return other === undefined
    ? agents
    : [...agents, `- **use ${other} {…}** – a tool by its name, with its arguments as JSON`];
}
