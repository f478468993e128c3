/** What a visitor does at every channel while nothing dies, and what must come of it. */
import { expect } from "vitest";
import type { OpenAiFake } from "../../fakes/openai.ts";
import type { Prompt, Reply } from "../../fakes/openai/types.ts";
import { tokensIn } from "../../fakes/tokens.ts";
import { eventually } from "../stage.ts";
import type { Got, Leg, Stop, Visitor } from "./visitor.ts";

/** Long enough for all channels to be in their model call at once; a call that ends with its gateway may be longer. */
const thinkingMs = { think: 8_000, ponder: 18_000 };

export interface Traveller {
  readonly stop: Stop;
  readonly name: string;
  readonly visitor: Visitor;
  /** How long an answer may take, one that a kill stands before. */
  readonly patienceMs: number;
  /** The token of their next message. */
  next(): string;
  /** All that were given. */
  readonly tokens: readonly string[];
  /** Of a message that was edited while its turn ran: the attempt before ends on the way. */
  edited?: string;
}

export async function traveller(stop: Stop, name: string, patienceMs: number): Promise<Traveller> {
  const visitor = await stop.visitor(name);
  const tokens: string[] = [];
  return {
    stop,
    name,
    visitor,
    patienceMs,
    tokens,
    next() {
      tokens.push(`m-${stop.name}${name}-${tokens.length + 1}`);
      return tokens.at(-1) ?? "";
    },
  };
}

const words = Array.from({ length: 60 }, (_, n) => `word${n}`).join(" ");
const report = { name: "report.csv", type: "text/csv", content: "a,b\n1,2\n", encoding: "text", caption: null };
const choices = ["Tea", "Coffee"];

/** Answers by what was asked. `seen`: every prompt's body. */
export function script(seen: string[]): (prompt: Prompt) => Reply | undefined {
  const thought = new Set<string>();
  return ({ turn, tokens, toolOutputs, body }) => {
    seen.push(JSON.stringify(body));
    const asked = turn.at(-1) ?? "";
    const first = tokens.some((token) => !thought.has(token));
    for (const token of tokens) thought.add(token);
    if (asked.includes("slowly")) return { text: `well, ${tokens.join(" ")}: ${words}`, tokensPerSecond: 25 };
    if (asked.includes("typo")) return { latencyMs: 3_000 };
    const [, thinks] = /(think|ponder)/.exec(asked) ?? [];
    if (thinks !== undefined) return first ? { latencyMs: thinkingMs[thinks as keyof typeof thinkingMs] } : {};
    if (toolOutputs.length > 0) return undefined;
    if (asked.includes("report")) return { toolCalls: [{ name: "send_file", arguments: report }] };
    if (!asked.includes("offer")) return undefined;
    return { toolCalls: [{ name: "offer_choices", arguments: { question: "Which?", choices } }] };
  };
}

export function untilAnswered({ stop, visitor, patienceMs }: Traveller, token: string): Promise<Got> {
  return eventually(
    `${stop.name}: an answer to ${token}`,
    async () => (await visitor.got()).find(({ text }) => tokensIn(text).includes(token)),
    patienceMs,
  );
}

export async function asks(of: Traveller, what: string): Promise<Got> {
  const token = of.next();
  await of.visitor.says(`${what} ${token}`);
  return untilAnswered(of, token);
}

/** The model works on this message now. */
export function untilThinking({ log }: OpenAiFake, token: string): Promise<boolean> {
  return eventually(`the model is asked ${token}`, () =>
    log.some(({ tokens, endedAt }) => endedAt === undefined && tokens.includes(token)),
  );
}

/** What a channel has it must show, and what it has not its stop explains. */
function ability<Ability>({ stop }: Traveller, leg: Leg, given: Ability | undefined): Ability | undefined {
  expect(given === undefined, `${stop.name} ${leg}: an ability or a deviation`).toBe(
    stop.deviations[leg] !== undefined,
  );
  return given;
}

export async function walk(of: Traveller, model: OpenAiFake, seen: readonly string[]): Promise<void> {
  const { visitor } = of;
  const greeting = of.next();
  const said = await visitor.says(`slowly ${greeting}`);
  expect((await untilAnswered(of, greeting)).text).toContain("word59");
  const grew = ability(of, "grows", visitor.grew);
  if (grew !== undefined) expect(grew(), `${of.stop.name}: the answer grows`).toBeGreaterThan(0);

  await picture(of, seen);
  await choice(of);
  await edit(of, model);

  await ability(of, "slows down", visitor.slowsDown)?.();
  await asks(of, "hello");
  await visitor.breaksOff();
  await asks(of, "are you still there?");
  for (let copy = 0; copy < 3; copy++) await visitor.again(said);
  await asks(of, "and now");
}

async function picture(of: Traveller, seen: readonly string[]): Promise<void> {
  const send = ability(of, "pictures", of.visitor.sendsPicture);
  const bytes = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.from(`of ${of.stop.name}`)]);
  const token = of.next();
  await send?.(`the report ${token}`, bytes);
  await eventually(
    `${of.stop.name}: a file`,
    async () => (await of.visitor.got()).some(({ file }) => file === report.name),
    of.patienceMs,
  );
  await untilAnswered(of, token);
  expect(seen.join(), `${of.stop.name}: the model gets the picture`).toContain(bytes.toString("base64"));
}

async function choice(of: Traveller): Promise<void> {
  const { visitor, stop } = of;
  const asked = await asks(of, "offer");
  const { length } = await visitor.got();
  expect({ of: stop.name, buttons: asked.buttons }).toEqual({ of: stop.name, buttons: choices });
  await visitor.presses(asked, "Coffee");
  await eventually(
    `${stop.name}: an answer to the press`,
    async () => (await visitor.got()).slice(length).some(({ text }) => text.includes("Coffee")),
    of.patienceMs,
  );
}

async function edit(of: Traveller, model: OpenAiFake): Promise<void> {
  const edits = ability(of, "edits", of.visitor.edits);
  if (edits === undefined) return;
  const token = of.next();
  const said = await of.visitor.says(`typo ${token}`);
  await untilThinking(model, token);
  of.edited = token;
  await edits(said, `corrected ${token}`);
  expect((await untilAnswered(of, token)).text).toContain("corrected");
}
