/** A broad question in parts: what each is about, what it may read, and what comes back of it. */
import { z } from "zod";
import type { TaskPart, TaskRun } from "../../../src/skilled.ts";
import type { ResearcherSettings } from "./settings.ts";

const bounds = z.object({
  pages: z.number().int().nonnegative(),
  bytes: z.number().nonnegative(),
  depth: z.number().int().nonnegative(),
});
export type Bounds = Readonly<z.infer<typeof bounds>>;

const part = bounds.extend({ question: z.string(), addresses: z.array(z.string()) });
export type Part = Readonly<z.infer<typeof part>>;

/** `said`: how often its caller had said something. */
export const plan = z.object({ said: z.number(), parts: z.array(part) });
export type Plan = Readonly<z.infer<typeof plan>>;

/** Addresses are such that may be read. */
export type Wanted = Pick<Part, "question" | "addresses">;

export const mostPartAddresses = 5;
export const longestPartAddress = 1_000;
export const longestPartQuestion = 1_000;

/** What who works on a part is told, and nothing else. */
export function messageOf({ question, addresses, pages, bytes, depth }: Part): readonly TaskPart[] {
  return [
    { kind: "text", text: [question, ...addresses].join("\n") },
    { kind: "data", data: { pages, bytes, depth } },
  ];
}

/** Those of a task of its own are the settings'. */
export function boundsIn({ isChild, messages }: TaskRun, settings: ResearcherSettings): Bounds {
  const own = { pages: settings.pages, bytes: settings.totalBytes, depth: settings.depth };
  const data = isChild ? messages[0]?.parts.find((one) => one.kind === "data")?.data : undefined;
  const given = bounds.safeParse(data);
  if (!given.success) return own;
  const { pages, bytes, depth } = given.data;
  return {
    pages: Math.min(pages, own.pages),
    bytes: Math.min(bytes, own.bytes),
    depth: Math.min(depth, own.depth),
  };
}

const finding = z.object({
  sources: z.array(z.object({ number: z.number(), title: z.string(), url: z.string(), readAt: z.number() })),
  failures: z.array(z.string()),
});
export type Finding = Readonly<z.infer<typeof finding>> & { readonly text: string };

/** As the outcome of a part, and back. */
export function findingParts({ text, sources, failures }: Finding): readonly TaskPart[] {
  return [
    { kind: "text", text },
    { kind: "data", data: { sources, failures } },
  ];
}

export function findingIn(parts: readonly TaskPart[]): Finding | undefined {
  const data = finding.safeParse(parts.find((one) => one.kind === "data")?.data);
  const text = parts.flatMap((one) => (one.kind === "text" ? [one.text] : [])).join("\n");
  return data.success ? { ...data.data, text } : undefined;
}
