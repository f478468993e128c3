import { answerTo, passedOn, type Offered, type Outside } from "./delegate.ts";
import { planIn } from "./plan.ts";

/** What a message asks the demo for, found by simple rules. */
export type Intent =
  | { readonly kind: "topic"; readonly topic: Topic }
  | { readonly kind: "calculate"; readonly expression: string }
  | { readonly kind: "remember"; readonly text: string }
  | { readonly kind: "press"; readonly label: string }
  | { readonly kind: "attachment"; readonly what: string; readonly about: Readonly<Record<string, unknown>> }
  /** Something that the gateway tells of itself. */
  | { readonly kind: "told"; readonly topic: string; readonly text: string }
  | Outside
  /** A recording that nobody could hear. */
  | { readonly kind: "unheard" }
  | { readonly kind: "echo"; readonly text: string };

export type Topic =
  | "greeting"
  | "help"
  | "model"
  | "time"
  | "choices"
  | "file"
  | "picture"
  | "markdown"
  | "recall"
  | "story"
  | "thanks"
  | "bye"
  | "nothing";

const rules: readonly (readonly [RegExp, Topic])[] = [
  [
    /\b(are you (a )?(real|demo|bot|human)|who are you|which model|what model|real model|demo model|set a model)\b/,
    "model",
  ],
  [/\b(what can you do|help|commands|what do you do|how does this work)\b/, "help"],
  [/\b(what did i (say|write|tell)|do you remember|what do you remember|recall|what was my|before that)\b/, "recall"],
  [/\b(what time|the time|what date|what day|time is it|today'?s date|current (time|date)|clock)\b/, "time"],
  [/\b(choices?|buttons?|options|let me (choose|pick)|quick repl(y|ies)|menu)\b/, "choices"],
  [/\b(picture|image|photo|drawing)\b/, "picture"],
  [/\b(file|document|attachment)\b/, "file"],
  [/\b(story|long (text|answer|message|reply)|essay|poem)\b/, "story"],
  [/\b(markdown|table|code|formatting|format sample|rich text|list sample)\b/, "markdown"],
  [/\b(thanks|thank you|thx|cheers)\b/, "thanks"],
  [/\b(bye|goodbye|see you|good night)\b/, "bye"],
  [/^\W*(hi|hello|hey|good (morning|afternoon|evening|day)|greetings|yo|howdy|\/start)\b/, "greeting"],
];

/** Topics that a picture or file is *asked* for only by such a verb: "I like this picture" asks for nothing. */
const asking = /\b(send|give|show|make|draw|get|want|need|create|post|share|upload|have)\b/;

export function intentsOf(message: string, offered: Offered): readonly Intent[] {
  const [, told, text = ""] = /^\[note (\{[^\n]*\})\]\n([^]*)\n\[end of note\]$/.exec(message) ?? [];
  const about = told === undefined ? undefined : parsed(told);
  if (about !== undefined) return [{ kind: "told", topic: String(about["topic"]), text }];
  return wordsOf(message, offered);
}

/** A message may ask for several things: what was attached, then what the text says. */
function wordsOf(message: string, offered: Offered): readonly Intent[] {
  const intents: Intent[] = [];
  const words: string[] = [];
  for (const line of withoutContents(message).split("\n")) {
    const marker = /^\[(image|video|audio|voice|file|sticker|location|contact|pressed) (\{.*\})\]$/.exec(line);
    const about = marker?.[2] === undefined ? undefined : parsed(marker[2]);
    if (marker?.[1] === "pressed" && about !== undefined) {
      intents.push({ kind: "press", label: String(about["label"] ?? about["button"] ?? "") });
    } else if (marker?.[1] !== undefined && about !== undefined) {
      intents.push({ kind: "attachment", what: marker[1], about });
    } else if (line.startsWith("[note] you could not hear")) {
      intents.pop();
      intents.push({ kind: "unheard" });
    } else if (!/^\[(from|in reply to) .*\]$|^\[note\] /.test(line)) {
      words.push(line.replace(/^\[(?:voice|audio) [^\]]*\] /, ""));
    }
  }
  const text = words.join("\n").trim();
  if (text !== "")
    intents.push(planIn(text, offered) ?? passedOn(text, offered) ?? answered(text, offered) ?? intentOfText(text));
  return intents.length === 0 ? [{ kind: "topic", topic: "nothing" }] : intents;
}

/** What files hold is data: the demo answers what people write. */
function withoutContents(message: string): string {
  return message.replace(/^\[content [^\n]*\n[^]*?^\[end of content\]$/gm, "");
}

/** Small talk is nobody's answer. */
function answered(text: string, offered: Offered): Intent | undefined {
  const own = intentOfText(text);
  if (own.kind === "topic" && ["greeting", "help", "model", "thanks", "bye"].includes(own.topic)) return undefined;
  return answerTo(text, offered);
}

/** The message has something besides words. */
export function hasFiles(message: string): boolean {
  return /^\[(image|video|audio|voice|file) \{.*\}\]$/m.test(message);
}

function intentOfText(text: string): Intent {
  const lower = text.toLowerCase();
  const expression = expressionIn(text);
  if (expression !== undefined) return { kind: "calculate", expression };
  const remember = /^(?:please |pls )?(?:remember|note|keep in mind)(?: that)?:? (.+)/is.exec(text);
  if (remember?.[1] !== undefined) return { kind: "remember", text: remember[1] };
  for (const [pattern, topic] of rules) {
    if (!pattern.test(lower)) continue;
    if ((topic === "picture" || topic === "file") && !asking.test(lower)) continue;
    return { kind: "topic", topic };
  }
  return { kind: "echo", text };
}

/** "what is 12*7+3?", "(2+3)^2 =": a whole message that is arithmetic, with the usual words before it. */
function expressionIn(text: string): string | undefined {
  const asked =
    /^(?:what(?:'s| is)|calculate|compute|how much is|solve|and)?\s*([-+(\d.][-+*/^%×÷·().,\d\s]*?)\s*[=?.! ]*$/i.exec(
      text.trim(),
    );
  const expression = asked?.[1]?.trim();
  const isSum = expression !== undefined && /\d\)*\s*[-+*/^%×÷·]\s*[-+(]*\d/.test(expression);
  return isSum && !/^\d{1,4}([-/.]\d{1,4}){2}$/.test(expression) ? expression : undefined;
}

function parsed(json: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(json) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined; // a person typed something that only looks like a marker
  }
}

/** A person wrote it, and it is not what a file holds or the gateway tells. */
export function isSaid(message: string): boolean {
  return !message.startsWith("[");
}
