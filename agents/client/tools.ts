import { tool, type RunContext, type Tool } from "@openai/agents";
import { z } from "zod";
import { InputError, reasonOf } from "../../src/errors.ts";
import { mediaKindOf } from "../../src/media.ts";
import type { Log } from "../../src/ports.ts";
import { calculate, formatNumber } from "./calculate.ts";
import { guardedCall } from "./guardrails/call.ts";
import { matchesName, needOf, type ToolRule } from "../../src/tool-policy.ts";
import type { Need } from "../../src/tools.ts";
import { builtInTools, type BuiltInTool } from "./settings.ts";
import { forgetNote, remember, searchPast } from "./notes.ts";
import { isAsked, refused } from "./toolbox.ts";
import { isAfterContent, type TurnContext } from "./turn-context.ts";

const mostFileBytes = 1_000_000;
const mostFiles = 10;
/** Bytes of a button's id: Telegram takes 64, and a channel may add its own prefix. */
const buttonIdBytes = 40;

interface Definition<Parameters extends z.ZodObject> {
  readonly name: BuiltInTool;
  readonly description: string;
  readonly parameters: Parameters;
  /** What of a call the person gets to see: it is checked as the answer is. */
  readonly shows?: (input: z.infer<Parameters>) => readonly string[];
  /** @throws InputError whose message the model is told; of any other error it learns only that there was one. */
  run(input: z.infer<Parameters>, turn: TurnContext): string | Promise<string>;
}

interface Allowed {
  /** Names, with "*". */
  readonly allowed: readonly string[];
  readonly rules: readonly ToolRule[];
  readonly log: Log;
}
type Needed = (name: string, args: unknown, content: boolean) => Need;

/** They change nothing: only a rule makes anybody be asked. */
export function ownNeedOf(tool: string, args: unknown, content: boolean, rules: readonly ToolRule[]): Need {
  return needOf({ tool, effect: "none", args, content }, rules, "nothing");
}

/** Those that these names allow. They are stateless: what they gather is in the run's {@link TurnContext}. */
export function createTools({ allowed, rules, log }: Allowed): Tool<TurnContext>[] {
  const needed = (name: string, args: unknown, content: boolean) => ownNeedOf(name, args, content, rules);
  const all: Record<BuiltInTool, Tool<TurnContext>> = {
    current_time: define(currentTime, log, needed),
    calculate: define(calculator, log, needed),
    offer_choices: define(offerChoices, log, needed),
    send_file: define(sendFile, log, needed),
    remember: define(remember, log, needed),
    forget_note: define(forgetNote, log, needed),
    search_past: define(searchPast, log, needed),
  };
  return builtInTools.filter((name) => allowed.some((pattern) => matchesName(pattern, name))).map((name) => all[name]);
}

function define<Parameters extends z.ZodObject>(
  of: Definition<Parameters>,
  log: Log,
  needed: Needed,
): Tool<TurnContext> {
  return tool<z.ZodObject, TurnContext>({
    name: of.name,
    description: of.description,
    parameters: of.parameters,
    inputGuardrails: of.shows === undefined ? [] : [guardedCall((args) => shownOf(of, args))],
    needsApproval: async ({ context }, args) => isAsked(needed(of.name, args, isAfterContent(context))),
    errorFunction: () => "The call does not fit the tool's parameters.",
    async execute(input, context?: RunContext<TurnContext>) {
      const turn = context?.context;
      if (turn === undefined) throw new Error("a client agent's tool runs in a turn only");
      turn.signal.throwIfAborted();
      if (needed(of.name, input, turn.content) === "refuse") {
        turn.doubts.add("tool-refused");
        return refused;
      }
      try {
        return await of.run(input as z.infer<Parameters>, turn);
      } catch (error) {
        if (turn.signal.aborted) throw error;
        if (error instanceof InputError) return `Not done: ${error.message}`;
        turn.doubts.add("tool-failed");
        log.warn({ turn: turn.turn, tool: of.name, reason: reasonOf(error) }, "a tool failed");
        return "Not done: the tool failed. Do not try it again in this turn.";
      }
    },
  });
}

function shownOf<Parameters extends z.ZodObject>({ parameters, shows }: Definition<Parameters>, args: unknown) {
  const read = parameters.safeParse(args);
  return (read.success && shows?.(read.data)) || [];
}

const currentTime: Definition<typeof timeParameters> = {
  name: "current_time",
  description: "The current date and time.",
  get parameters() {
    return timeParameters;
  },
  run({ timeZone }, turn) {
    const zone = timeZone ?? "UTC";
    try {
      const format = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "short", timeZone: zone });
      return `${format.format(turn.now())} (${zone})`;
    } catch (cause) {
      throw new InputError("that is no time zone; use an IANA name such as Europe/Berlin", { cause });
    }
  },
};
const timeParameters = z.object({
  timeZone: z.string().max(64).nullable().describe("IANA name, for example Europe/Berlin; null for UTC"),
});

const calculator: Definition<typeof calculateParameters> = {
  name: "calculate",
  description: "Evaluates an arithmetic expression exactly: + - * / % ^, parentheses, sqrt, abs, round, min, max, pi.",
  get parameters() {
    return calculateParameters;
  },
  run: ({ expression }) => formatNumber(calculate(expression)),
};
const calculateParameters = z.object({ expression: z.string().max(500) });

const offerChoices: Definition<typeof choicesParameters> = {
  name: "offer_choices",
  description: "Shows buttons under your answer for the person to press. Your answer should still ask the question.",
  get parameters() {
    return choicesParameters;
  },
  shows: ({ question, choices }) => [[question, ...choices].join("\n")],
  run({ question, choices }, turn) {
    const labels = [...new Set(choices.map((choice) => choice.trim()))].filter((label) => label !== "");
    if (labels.length === 0) throw new InputError("there is nothing to choose from");
    const ids = new Set<string>();
    const buttons = labels.map((label) => ({ id: buttonId(label, ids), label }));
    turn.choices = { question, buttons };
    return "The buttons will be shown under your answer. Do not list the choices again.";
  },
};
const choicesParameters = z.object({
  question: z.string().max(500).describe("what the person chooses"),
  choices: z.array(z.string().max(60)).max(10),
});

/** Says what was chosen by itself: the press may come back after the question has left the history. */
function buttonId(label: string, taken: Set<string>): string {
  const bytes = Buffer.from(label).subarray(0, buttonIdBytes - 3);
  const base = bytes.toString("utf8").replace(/\uFFFD+$/, "");
  let id = base;
  for (let n = 2; taken.has(id); n += 1) id = `${base}~${n}`;
  taken.add(id);
  return id;
}

const sendFile: Definition<typeof fileParameters> = {
  name: "send_file",
  description: "Sends the person a file along with your answer: a document, data, or a picture.",
  get parameters() {
    return fileParameters;
  },
  shows: ({ name, content, encoding, caption }) => [
    [name, caption ?? ""].join("\n"),
    encoding === "base64" ? Buffer.from(content, "base64").toString("utf8") : content,
  ],
  async run({ name, type, content, encoding, caption }, turn) {
    if (turn.attached.length >= mostFiles) throw new InputError(`an answer has at most ${mostFiles} files`);
    if (!/^[\w.+-]+\/[\w.+-]+$/.test(type)) throw new InputError("type is a media type such as text/plain");
    const bytes = Buffer.from(content, encoding === "base64" ? "base64" : "utf8");
    if (bytes.byteLength === 0) throw new InputError("the file is empty");
    const file = { name: fileName(name), type };
    const body = new Blob([bytes]).stream();
    const { id, size } = await turn.blobs.put(body, { ...file, maxBytes: mostFileBytes, owner: turn.conversation });
    const alt = caption === null ? {} : { alt: caption };
    turn.attached.push({ kind: mediaKindOf(type), source: { from: "blob", id }, ...file, size, ...alt });
    return "The file will be sent with your answer.";
  },
};
const fileParameters = z.object({
  name: z.string().min(1).max(200).describe("with its extension, for example report.csv"),
  type: z.string().max(100).describe("media type, for example text/csv"),
  content: z.string().max(mostFileBytes),
  encoding: z.enum(["text", "base64"]),
  caption: z.string().max(200).nullable().describe("what it shows, in a few words"),
});

/** The last part of a path, without what file systems and headers choke on. */
function fileName(name: string): string {
  const base = name.split(/[/\\]/).at(-1) ?? "";
  const clean = base
    .replace(/[\p{Cc}\p{Cf}"<>:|?*]/gu, "")
    .replace(/^\.+/, "")
    .trim()
    .slice(0, 120)
    .toWellFormed();
  return clean === "" ? "file" : clean;
}
