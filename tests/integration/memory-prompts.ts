/** What is needed to see that nobody's facts reach another's prompt: a model that notes what it is told to, and the look at all it saw. */
import { randomBytes } from "node:crypto";
import type { Prompt, Reply } from "../fakes/openai/types.ts";

/** Whose a fact is stands in it. */
export const factOf = (owner: string) => `my treasure is canary${owner}x${randomBytes(6).toString("hex")}`;
export const ownersIn = (text: string) =>
  [...text.matchAll(/canary([a-z]+\d*)x[0-9a-f]{12}/g)].map(([, owner]) => owner ?? "");

export interface Seen {
  readonly model: string;
  /** Who wrote what the request is about. */
  readonly by: readonly string[];
  readonly summary: boolean;
  readonly body: string;
}

/** A model that does what it is asked to, and keeps everything that it was ever shown. */
export function obey(seen: Seen[]) {
  return (prompt: Prompt): Reply | undefined => {
    const { turn, toolOutputs, toSummarize, model, body } = prompt;
    const about = toSummarize ?? turn.at(-1) ?? "";
    const by = [...about.matchAll(/by-([a-z]+\d*)/g)].map(([, owner]) => owner ?? "");
    seen.push({ model, by: [...new Set(by)], summary: toSummarize !== undefined, body: JSON.stringify(body) });
    if (toSummarize !== undefined) return undefined;
    const { 0: fact } = /my treasure is \w+/.exec(about) ?? {};
    if (toolOutputs.length > 0) return { text: `${about} → ${toolOutputs.join("; ")}` };
    if (fact !== undefined) return { toolCalls: [{ name: "remember", arguments: { note: fact, quote: fact } }] };
    if (about.includes("search"))
      return { toolCalls: [{ name: "search_past", arguments: { query: "what is the treasure?" } }] };
    return { text: `heard: ${about}` };
  };
}

/** Prompts in which a fact stands that is not of those who may know it. */
export function leaks(seen: readonly Seen[], persons: readonly (readonly string[])[] = []): string[] {
  const mayKnow = (owner: string) => persons.find((all) => all.includes(owner)) ?? [owner];
  return seen.flatMap(({ model, by, body }) => {
    const [owner = "nobody"] = by;
    const known = mayKnow(owner);
    const others = ownersIn(body).filter((one) => !known.includes(one));
    const strangers = by.filter((one) => !known.includes(one));
    const tenant = owner.startsWith(model) || (model === "acme" && owner.startsWith("sales")) ? [] : [`by ${model}`];
    return [...others, ...strangers, ...tenant].map(
      (what) => `a prompt of ${owner}'s has ${what}: ${body.slice(0, 300)}`,
    );
  });
}

/** What the model was last shown to answer this one. */
export function lastTurn(seen: readonly Seen[], owner?: string): string {
  return seen.findLast(({ by, summary }) => !summary && (owner === undefined || by.includes(owner)))?.body ?? "";
}
