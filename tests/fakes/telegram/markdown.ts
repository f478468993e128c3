import { sortEntities } from "./entities.ts";
import { byteOffset, cannotParse, linkEntity } from "./html.ts";
import type { Entity, Formatted } from "./types.ts";

/** "MarkdownV2 style" of "Formatting options"; the grammar and the messages are those of TDLib's parse_markdown_v2. */
const RESERVED = "_*[]()~`>#+-=|{}.!\n";

type Kind =
  | "Bold"
  | "Italic"
  | "Underline"
  | "Strikethrough"
  | "Spoiler"
  | "Code"
  | "Pre"
  | "TextUrl"
  | "CustomEmoji"
  | "BlockQuote";

const TYPES: Readonly<Record<Kind, string>> = {
  Bold: "bold",
  Italic: "italic",
  Underline: "underline",
  Strikethrough: "strikethrough",
  Spoiler: "spoiler",
  Code: "code",
  Pre: "pre",
  TextUrl: "text_link",
  CustomEmoji: "custom_emoji",
  BlockQuote: "blockquote",
};

/** What closes an entity. */
const CLOSERS: Readonly<Record<Exclude<Kind, "BlockQuote">, string>> = {
  Bold: "*",
  Italic: "_",
  Underline: "__",
  Strikethrough: "~",
  Spoiler: "||",
  Code: "`",
  Pre: "```",
  TextUrl: "]",
  CustomEmoji: "]",
};

interface Open {
  readonly kind: Kind;
  readonly offset: number;
  readonly begin: number;
  readonly language?: string;
}

interface State {
  readonly source: string;
  readonly stack: Open[];
  readonly entities: Entity[];
  out: string;
  at: number;
  quoted: boolean;
}

export function parseMarkdownV2(source: string): Formatted {
  const state: State = { source, stack: [], entities: [], out: "", at: 0, quoted: false };
  while (state.at < source.length) step(state);
  if (state.quoted && state.stack.at(-1)?.kind === "BlockQuote") endQuote(state, "blockquote");
  const left = state.stack.at(-1);
  if (left !== undefined) throw cannotFindEnd(state, left);
  return { text: state.out, entities: sortEntities(state.entities) };
}

function step(state: State): void {
  const { source, stack } = state;
  const char = source[state.at] ?? "";
  const next = source.charCodeAt(state.at + 1);
  if (char === "\\" && next > 0 && next <= 126) {
    state.out += source[state.at + 1];
    state.at += 2;
    return;
  }
  const open = stack.at(-1);
  const reserved = open?.kind === "Code" || open?.kind === "Pre" ? "`" : RESERVED;
  if (!reserved.includes(char)) {
    state.out += char;
    state.at += 1;
  } else if (open !== undefined && closes(state, open)) close(state, open);
  else begin(state, char);
}

function closes(state: State, open: Open): boolean {
  const { source, at } = state;
  if (state.quoted && source[at] === "\n" && source[at + 1] !== ">") return true;
  if (open.kind === "BlockQuote") return source.startsWith("||", at) && /^(?:\n|$)/.test(source.slice(at + 2));
  if (open.kind === "Italic" && source[at + 1] === "_") return false;
  return source.startsWith(CLOSERS[open.kind], at);
}

function begin(state: State, char: string): void {
  const { source, at } = state;
  const push = (kind: Kind, mark: number, language?: string) => {
    const open = { kind, offset: state.out.length, begin: at };
    state.stack.push(language === undefined ? open : { ...open, language });
    state.at += mark;
  };
  const lineStart = state.out === "" || state.out.endsWith("\n");
  if (char === "_") return source[at + 1] === "_" ? push("Underline", 2) : push("Italic", 1);
  if (char === "*") return push("Bold", 1);
  if (char === "~") return push("Strikethrough", 1);
  if (char === "|" && source[at + 1] === "|") return push("Spoiler", 2);
  if (char === "[") return push("TextUrl", 1);
  if (char === "!" && source[at + 1] === "[") return push("CustomEmoji", 2);
  if (source.startsWith("```", at)) {
    const language = /^```([^\s`]+)(?=\s)/.exec(source.slice(at))?.[1];
    const mark = 3 + (language?.length ?? 0);
    return push("Pre", mark + (/^(?:\r\n|\n\r|\n|\r)/.exec(source.slice(at + mark))?.[0].length ?? 0), language);
  }
  if (char === "`") return push("Code", 1);
  if (char === "\n") {
    state.out += "\n";
    state.at += 1;
    if (state.quoted && source[state.at] === ">") state.at += 1;
    return;
  }
  if (char === ">" && lineStart && !state.quoted) {
    state.quoted = true;
    return push("BlockQuote", 1);
  }
  throw cannotParse(`Character '${char}' is reserved and must be escaped with the preceding '\\'`);
}

function close(state: State, open: Open): void {
  if (state.source[state.at] === "\n" || open.kind === "BlockQuote") {
    if (open.kind !== "BlockQuote") throw cannotFindEnd(state, open);
    const expandable = state.source[state.at] === "|";
    endQuote(state, expandable ? "expandable_blockquote" : "blockquote");
    if (expandable) state.at += 2;
    return;
  }
  state.stack.pop();
  const base = { type: TYPES[open.kind], offset: open.offset, length: state.out.length - open.offset };
  state.at += CLOSERS[open.kind].length;
  const entity = entityOf(state, open, base);
  if (entity !== undefined && base.length > 0) state.entities.push(entity);
}

function entityOf(state: State, open: Open, base: Entity): Entity | undefined {
  if (open.kind === "Pre" && open.language !== undefined) return { ...base, language: open.language };
  if (open.kind === "TextUrl") return linkEntity(base, parenthesised(state, "URL") ?? state.out.slice(open.offset));
  if (open.kind !== "CustomEmoji") return base;
  const url = parenthesised(state, "custom emoji URL");
  if (url === undefined) throw cannotParse("Custom emoji entity must contain a tg://emoji URL");
  const time = /^tg:\/\/time\?unix=(\d+)/.exec(url)?.[1];
  if (time !== undefined) return { ...base, type: "date_time", unix_time: Number(time) };
  const id = /^tg:\/\/emoji\?id=([1-9]\d*)$/.exec(url)?.[1];
  if (id === undefined) throw cannotParse("Custom emoji URL must have an emoji identifier");
  return { ...base, custom_emoji_id: id };
}

/** The `(url)` that follows a closed bracket. */
function parenthesised(state: State, what: string): string | undefined {
  if (state.source[state.at] !== "(") return undefined;
  const match = /^\(((?:\\.|[^)\\])*)\)/s.exec(state.source.slice(state.at));
  if (match === null) {
    throw cannotParse(`Can't find end of a ${what} at byte offset ${byteOffset(state.source, state.at + 1)}`);
  }
  state.at += match[0].length;
  return match[1]?.replace(/\\(.)/gs, "$1");
}

function endQuote(state: State, type: string): void {
  const open = state.stack.pop();
  state.quoted = false;
  if (open === undefined || state.out.length === open.offset) return;
  state.entities.push({ type, offset: open.offset, length: state.out.length - open.offset });
}

function cannotFindEnd(state: State, open: Open): Error {
  const kind = open.kind === "Pre" && open.language !== undefined ? "PreCode" : open.kind;
  return cannotParse(`Can't find end of ${kind} entity at byte offset ${byteOffset(state.source, open.begin)}`);
}
