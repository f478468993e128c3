/** What the demo does about a request: first its tool calls, then, with their results, its text. Pure. */
import { abilitiesOf, sayOfCall, sayOfTask } from "./delegate.ts";
import { handedBy, handingAbilities, sayOfHanding } from "./handoff.ts";
import { hasFiles, intentsOf, isSaid, type Intent, type Topic } from "./intents.ts";
import { sayOfMission } from "./plan.ts";
import { picture } from "./picture.ts";
import type { DemoRequest } from "./read.ts";
import { abilities, fileText, introduction, sample, story } from "./texts.ts";

export interface DemoCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}
export type DemoReply =
  | { readonly kind: "calls"; readonly calls: readonly DemoCall[] }
  | { readonly kind: "text"; readonly text: string };

export function replyTo(request: DemoRequest): DemoReply {
  const { handing } = request;
  if (handing.since !== undefined) return { kind: "text", text: sayOfHanding(handing) };
  const transfer = handedBy(request.messages.filter(isSaid).join("\n"), handing);
  if (transfer !== undefined) return { kind: "calls", calls: [{ id: "call_handing", name: transfer, arguments: {} }] };
  const offered = { tools: request.tools, open: request.open, files: request.messages.some(hasFiles) };
  const intents = request.messages.flatMap((message) => intentsOf(message, offered));
  const calls = intents.flatMap((intent, at) => {
    const call = callFor(intent);
    return call !== undefined && request.tools.has(call.name) ? [{ id: `call_${at}`, ...call }] : [];
  });
  if (calls.length > 0 && request.results === undefined) return { kind: "calls", calls };

  const told = new Set<string>();
  intents.forEach((intent, at) => told.add(sayAbout(intent, request.results?.get(`call_${at}`), request)));
  const introduce = request.first && !intents.some((intent) => intent.kind === "topic" && intent.topic === "model");
  return { kind: "text", text: [...told, ...(introduce ? [introduction] : [])].filter(Boolean).join("\n\n") };
}

function callFor(intent: Intent): Omit<DemoCall, "id"> | undefined {
  if (intent.kind === "calculate") return { name: "calculate", arguments: { expression: intent.expression } };
  if (intent.kind === "remember") return { name: "remember", arguments: { note: intent.text, quote: intent.text } };
  if (intent.kind === "call") return { name: intent.name, arguments: intent.arguments };
  if (intent.kind !== "topic") return undefined;
  if (intent.topic === "time") return { name: "current_time", arguments: { timeZone: "UTC" } };
  if (intent.topic === "choices") {
    return { name: "offer_choices", arguments: { question: "Which one?", choices: ["Tea", "Coffee", "Surprise me"] } };
  }
  if (intent.topic === "file") {
    const content = { content: fileText, encoding: "text", caption: null };
    return { name: "send_file", arguments: { name: "demo.txt", type: "text/plain", ...content } };
  }
  if (intent.topic === "picture") {
    const content = { content: picture(), encoding: "base64", caption: "A sun over hills" };
    return { name: "send_file", arguments: { name: "demo.png", type: "image/png", ...content } };
  }
  return undefined;
}

function sayAbout(intent: Intent, result: string | undefined, request: DemoRequest): string {
  switch (intent.kind) {
    case "topic":
      return sayTopic(intent.topic, result, request);
    case "calculate":
      return sayResult(intent.expression.replaceAll("`", ""), result);
    case "remember":
      if (result?.startsWith("Not done") === true)
        return `I cannot note that: ${clip(result.replace(/^Not done: /, ""), 200)}.`;
      return `I will remember: “${clip(intent.text, 300)}”. Ask me “what did I say before?” later.`;
    case "press":
      return `You chose **${clip(intent.label, 80)}**. A real agent would now go on from there.`;
    case "attachment":
      return sayAttachment(intent.what, intent.about);
    case "call":
      return sayOfCall(intent, result);
    case "told":
      return (
        sayOfMission(intent.text) ??
        sayOfTask(intent.text) ??
        `This is about ${clip(intent.topic, 80)}: “${clip(intent.text, 600)}”. A real agent would write to you in its own words.`
      );
    case "unheard":
      return "I could not hear your recording: nothing here transcribes it. Please write it.";
    case "echo": {
      const text = clip(intent.text, 600);
      const heard = /\?\s*$/.test(text) ? `You asked: “${text}”` : `You wrote: “${text}”.`;
      return `${heard} The demo knows nothing about that; a real model would answer. Say *help* for what I can do.`;
    }
  }
}

function sayResult(expression: string, result: string | undefined): string {
  if (result === undefined) return "I cannot calculate here: the tool `calculate` is not switched on.";
  const problem = /^Not done: (.*)/.exec(result)?.[1];
  return problem === undefined
    ? `\`${expression}\` = **${result}**`
    : `I cannot calculate \`${expression}\`: ${problem}.`;
}

function sayTopic(topic: Topic, result: string | undefined, request: DemoRequest): string {
  switch (topic) {
    case "greeting":
      return "Hello! Say *help* to see what I can do.";
    case "help":
      return [abilities, ...handingAbilities(request.handing), ...abilitiesOf(request.tools)].join("\n");
    case "model":
      return introduction;
    case "time":
      return result === undefined
        ? "I have no clock here: the tool `current_time` is not switched on."
        : `It is ${result}.`;
    case "choices":
      return result === undefined
        ? "I cannot offer choices here: the tool is not switched on."
        : "Which one would you like?";
    case "file":
    case "picture":
      if (result === undefined) return "I cannot send files here: the tool `send_file` is not switched on.";
      return topic === "file" ? "Here is a file." : "Here is a picture.";
    case "markdown":
      return sample;
    case "recall":
      return recall(request);
    case "story":
      return story(request.earlier.length);
    case "thanks":
      return "You are welcome.";
    case "bye":
      return "Goodbye!";
    case "nothing":
      return "I got a message without any text. Say *help* to see what I can do.";
  }
}

/** The person's own words, newest last; a request to recall is not worth recalling. */
function recall(request: DemoRequest): string {
  const said = request.earlier
    .map((message) => message.replace(/^\[(from|in reply to) .*\]\n?/gm, "").trim())
    .filter((text) => text !== "" && !/what did i (say|write|tell)/i.test(text))
    .slice(-5);
  const parts: string[] = [];
  if (said.length > 0) {
    const list = said.map((text) => `- “${clip(text.replaceAll("\n", " "), 160)}”`);
    parts.push(`Before this you said:\n\n${list.join("\n")}`);
  }
  if (request.notes.length > 0)
    parts.push(
      `I noted:\n\n${request.notes
        .slice(-5)
        .map((note) => `- ${clip(note, 160)}`)
        .join("\n")}`,
    );
  if (request.summary !== undefined) parts.push(`From earlier I remember:\n\n${clip(request.summary, 800)}`);
  return parts.length === 0 ? "You have said nothing before this." : parts.join("\n\n");
}

function sayAttachment(what: string, about: Readonly<Record<string, unknown>>): string {
  const of = (key: string): string => (about[key] === undefined ? "" : clip(String(about[key]), 120));
  if (what === "location") {
    const name = of("name") || of("address");
    return `You are at ${of("latitude")}, ${of("longitude")}${name === "" ? "" : ` (${name})`}. Thanks for the location.`;
  }
  if (what === "contact") return `I got the contact ${of("name")}${of("phone") === "" ? "" : `, ${of("phone")}`}.`;
  if (what === "sticker") return `Nice sticker ${of("description")}`.trim();
  const details = [of("name") || `your ${what}`, of("size"), of("duration")].filter((detail) => detail !== "");
  return `I got ${details.join(", ")}.`;
}

function clip(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1).toWellFormed()}…`;
}
