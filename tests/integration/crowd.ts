/** Many people who write at once, and a model that answers each of its runs in words of its own. */
import { setTimeout as sleep } from "node:timers/promises";
import { echo } from "../fakes/openai/reply.ts";
import type { Prompt, Reply } from "../fakes/openai/types.ts";
import type { Content } from "../fakes/telegram/actions.ts";
import { isAnswer } from "../fakes/telegram/log.ts";
import { token, tokensIn } from "../fakes/tokens.ts";
import { streamsOf, type Random } from "../simulation/random.ts";
import { inboundOf, type Stage } from "./stage.ts";

export interface CrowdOptions {
  readonly seed: number;
  readonly users: number;
  /** Milliseconds between a person's messages, from 0 on. */
  readonly pauseMs: number;
  /** How long the model takes, from and to; 20 to 600 ms unless given. */
  readonly modelMs?: readonly [number, number];
  /** Called with each message sent. */
  readonly onSent?: () => void;
  /** Called with each request of the model. */
  readonly onAsked?: () => void;
}

export interface Crowd {
  /** Resolves when everybody has stopped writing. */
  stop(): Promise<void>;
  /** Everybody writes one more message, in every conversation; numbers go on. */
  sayLast(): Promise<void>;
  /** What the conversation's last prompt held: tokens of its user messages and of its summary, as often as they stand there. */
  remembered(conversation: string): readonly string[];
  /** How many conversations' last prompts held a summary of what was before. */
  folded(): number;
  readonly conversations: readonly number[];
}

/** Chats: one private chat per person, and two groups in which people address the bot. */
const groups = [-4001, -4002];
const firstUser = 10_000;

export function startCrowd({ platform, model }: Pick<Stage, "platform" | "model">, options: CrowdOptions): Crowd {
  const [leastMs, mostMs] = options.modelMs ?? [20, 600];
  const streams = streamsOf(options.seed);
  const counters = new Map<number, number>();
  const prompts = new Map<string, { readonly tokens: readonly string[]; readonly folded: boolean }>();
  const waiting = new Map<string, () => void>();
  const users = Array.from({ length: options.users }, (_, index) => firstUser + index);
  const conversations = [...users, ...groups];
  let runs = 0;
  let stopped = false;

  platform.log.onAccepted((call) => {
    if (isAnswer(call)) for (const answered of tokensIn(call.text)) waiting.get(answered)?.();
  });
  model.script((prompt) => {
    options.onAsked?.();
    if (prompt.toSummarize !== undefined) return { latencyMs: streams("summaries").int(20, 600) };
    const said = textsOfUsers(prompt);
    const last = { tokens: said.flatMap(tokensIn), folded: said.some((text) => text.includes("[summary]")) };
    const [first] = prompt.tokens;
    if (first !== undefined) prompts.set(first.slice(0, first.lastIndexOf("-")), last);
    return { latencyMs: streams("model").int(leastMs, mostMs), ...replyTo(prompt, (runs += 1)) };
  });

  async function say(chat: number, user: number, random: Random): Promise<string> {
    const n = (counters.get(chat) ?? 0) + 1;
    counters.set(chat, n);
    const own = token(chat, n);
    await platform.user(user).sends(chat, contentOf(own, chat, random));
    options.onSent?.();
    return own;
  }

  async function person(user: number): Promise<void> {
    const random = streams(`person ${user}`);
    await sleep(random.int(0, options.pauseMs));
    while (!stopped) {
      const chat = random.chance(0.1) ? random.pick(groups) : user;
      const own = await say(chat, user, random);
      // Now and then somebody does not wait for the answer.
      if (!random.chance(0.3)) await answered(own);
      if (!stopped) await sleep(random.int(0, options.pauseMs));
    }
  }

  function answered(own: string): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        waiting.delete(own);
        resolve();
      };
      const timer = setTimeout(done, 5_000);
      waiting.set(own, done);
    });
  }

  const everybody = Promise.all(users.map(person));
  return {
    conversations,
    async stop() {
      stopped = true;
      for (const done of waiting.values()) done();
      await everybody;
    },
    async sayLast() {
      const random = streams("last");
      for (const chat of conversations) {
        if ((counters.get(chat) ?? 0) === 0) continue;
        const own = token(chat, (counters.get(chat) ?? 0) + 1);
        counters.set(chat, (counters.get(chat) ?? 0) + 1);
        await platform.user(chat < 0 ? random.pick(users) : chat).sends(chat, `${mention(chat)}goodbye ${own}`);
      }
    },
    remembered: (conversation) => prompts.get(`m-${conversation}`)?.tokens ?? [],
    folded: () => [...prompts.values()].filter(({ folded }) => folded).length,
  };
}

/** I7 in full: the last prompt of every conversation holds each of its messages, once. */
export function forgotten(
  stage: Pick<Stage, "platform">,
  { conversations, remembered }: Pick<Crowd, "conversations" | "remembered">,
): string[] {
  const sent = Map.groupBy(inboundOf(stage), ({ token: own }) => own.slice(2, own.lastIndexOf("-")));
  return conversations.flatMap((chat) => {
    const all = (sent.get(String(chat)) ?? []).map(({ token: own }) => own);
    const known = remembered(String(chat));
    return all.flatMap((own) => {
      const times = known.filter((one) => one === own).length;
      return times === 1 ? [] : [`I7 the history of ${chat} holds ${own} ${times} times`];
    });
  });
}

const mention = (chat: number): string => (chat < 0 ? "@ascent_test_bot " : "");

function contentOf(own: string, chat: number, random: Random): Content {
  const kind = random.float();
  const text = `${mention(chat)}hello ${own}`;
  if (kind < 0.6 || chat < 0) return text;
  if (kind < 0.7) return { kind: "photo", size: 2_000, caption: `look ${own}` };
  if (kind < 0.76) return { kind: "document", size: 900, name: `${own}.pdf`, mime: "application/pdf" };
  if (kind < 0.82) return { kind: "voice", size: 700, duration: 2, caption: `listen ${own}` };
  return kind < 0.91 ? `a long one please ${own}` : `a file please ${own}`;
}

/** The text differs with every run, so that two answers of two runs are never taken for one sent twice. */
function replyTo(prompt: Prompt, run: number): Reply {
  const last = prompt.turn.at(-1) ?? "";
  const text = `${echo(prompt)} (run ${run})`;
  if (last.startsWith("a file") && prompt.toolOutputs.length === 0) {
    const file = { name: "answer.txt", type: "text/plain", content: "the file", encoding: "text", caption: null };
    return { toolCalls: [{ name: "send_file", arguments: file }] };
  }
  if (!last.startsWith("a long one")) return { text };
  // Three messages on Telegram. Only the first names what it answers; the others say whose pages they are.
  const page = (n: number) => `page ${n} of x-${prompt.tokens.at(-1)?.slice(2)} run ${run} ${"word ".repeat(700)}`;
  return { text: [`${text} ${"word ".repeat(700)}`, page(2), page(3)].join("\n\n") };
}

function textsOfUsers({ body }: Prompt): string[] {
  const messages = (body["messages"] ?? []) as { role: string; content: unknown }[];
  return messages.filter(({ role }) => role === "user").map(({ content }) => JSON.stringify(content));
}

/** Long answers: every page after the first came, in order, and no more often than its answer's first page. */
export function pagesWrong({ platform }: Pick<Stage, "platform">): string[] {
  const pages = platform.log.calls.filter(isAnswer).flatMap(({ chat, text }) => {
    const [, n, of] = /^page (\d) of (x-\S+ run \d+)/.exec(text) ?? [];
    return n === undefined || of === undefined ? [] : [{ chat, n: Number(n), of }];
  });
  return [...Map.groupBy(pages, ({ chat, of }) => `${of} in ${chat}`)].flatMap(([of, own]) => {
    const order = own.map(({ n }) => n).join("");
    // A page in flight at a kill may come twice, in its place.
    return /^2+3+$/.test(order) ? [] : [`pages of ${of} came as ${order}`];
  });
}
