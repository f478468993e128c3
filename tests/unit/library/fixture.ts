/** Skilled agents that read, run on one task by hand, and a website that remembers who asked for what. */
import { assistantMessage, functionCall, type ScriptedModel } from "@openai/agents/testing";
import { createDocuments } from "../../../adapters/documents/index.ts";
import type { SkillModels } from "../../../agents/skills/run.ts";
import type { ChildEnd, SkilledAgent, TaskMessage, TaskOutcome } from "../../../src/skilled.ts";
import { listen } from "../../fakes/http.ts";
import { clock } from "../../integration/embedded-fixture.ts";
import { quiet } from "../client-agent.fixture.ts";

export const documents = createDocuments({ clock, log: quiet });

export const says = (words: string) => [assistantMessage(words)];
let made = 0;
export const calls = (name: string, args: Record<string, unknown>) => [
  functionCall(name, args, { callId: `call_${(made += 1)}` }),
];

export function modelsOf(model?: ScriptedModel): SkillModels {
  const getModel = () => {
    if (model === undefined) throw new Error("the demo needs no model");
    return model;
  };
  return { provider: { getModel }, clock, log: quiet };
}

export interface Ran {
  readonly outcome: TaskOutcome;
  /** What it answers, asks or gives as its reason. */
  readonly text: string;
  readonly progress: readonly string[];
  readonly state: unknown;
}

export interface Given {
  readonly tenant?: string;
  readonly state?: unknown;
  readonly signal?: AbortSignal;
  readonly save?: (state: unknown) => Promise<void>;
  /** What became of its parts, by their keys: what is there is not done again. */
  readonly children?: Map<string, ChildEnd>;
  readonly isChild?: true;
}

export async function runTask(
  agent: SkilledAgent,
  said: string | readonly TaskMessage[],
  given: Given = {},
): Promise<Ran> {
  const progress: string[] = [];
  let state = given.state ?? null;
  const messages: readonly TaskMessage[] =
    typeof said === "string" ? [{ id: "m1", role: "user", parts: [{ kind: "text", text: said }] }] : said;
  const caller = { tenant: given.tenant ?? "default", id: "ann" };
  const person = { locale: undefined, timeZone: undefined, ...(given.isChild && { isChild: given.isChild }) };
  const { children = new Map<string, ChildEnd>() } = given;
  // One after the other, so that a script has an order.
  let last: Promise<unknown> = Promise.resolve();
  const outcome = await agent.execute(
    { task: "t1", caller, context: "c1", messages, state, because: "said", ...person },
    {
      signal: given.signal ?? new AbortController().signal,
      progress: (text) => void progress.push(text),
      async save(next) {
        await given.save?.(next);
        state = JSON.parse(JSON.stringify(next));
      },
      artifact: async () => {},
      others: async () => [],
      end: async () => {},
      child(key, { parts }) {
        const own = last.then(async () => {
          const known = children.get(key);
          if (known !== undefined) return known;
          const ran = await runTask(agent, [{ id: key, role: "user", parts: [...parts] }], { isChild: true });
          for (const words of ran.progress) progress.push(`part: ${words}`);
          const end: ChildEnd =
            ran.outcome.kind === "completed"
              ? { kind: "completed", parts: ran.outcome.parts }
              : { kind: "failed", reason: ran.text };
          children.set(key, end);
          return end;
        });
        last = own;
        return own;
      },
    },
  );
  return { outcome, text: textOf(outcome), progress, state };
}

function textOf(outcome: TaskOutcome): string {
  if (outcome.kind === "completed")
    return outcome.parts.map((part) => (part.kind === "text" ? part.text : "")).join("\n");
  if (outcome.kind === "input-required") return outcome.question;
  return outcome.kind === "waiting" ? (outcome.said ?? "") : outcome.reason;
}

/** The names of the tools on offer, for each time that the model was asked. */
export function offered(model: ScriptedModel): readonly string[][] {
  return model.calls.map(({ request }) => request.tools.map(({ name }) => name));
}

/** All that the model was shown. */
export function shownTo(model: ScriptedModel): string {
  return JSON.stringify(model.calls.map(({ request }) => request.input));
}

export interface SitePage {
  readonly type?: string;
  readonly body?: string | Buffer;
  readonly status?: number;
  readonly location?: string;
  readonly ms?: number;
}

export async function openSite(pages: Readonly<Record<string, SitePage | string>>) {
  const asked: { readonly path: string; readonly agent: string; readonly at: number }[] = [];
  let now = 0;
  let most = 0;
  const server = await listen((request, response) => {
    const path = request.url ?? "/";
    asked.push({ path, agent: request.headers["user-agent"] ?? "", at: performance.now() });
    now += 1;
    most = Math.max(most, now);
    const found = pages[path] ?? pages[path.split("?")[0] ?? ""] ?? { status: 404, body: "no such page" };
    const {
      type = "text/html; charset=utf-8",
      body = "",
      status = 200,
      location,
      ms = 0,
    } = typeof found === "string" ? { body: found } : found;
    setTimeout(() => {
      now -= 1;
      response.writeHead(location === undefined ? status : 302, {
        "content-type": type,
        ...(location === undefined ? {} : { location }),
      });
      response.end(body);
    }, ms);
  });
  return {
    url: server.url,
    host: new URL(server.url).host,
    asked,
    paths: () => asked.map(({ path }) => path),
    /** The most requests that were under way at once. */
    most: () => most,
    close: server.close,
  };
}
