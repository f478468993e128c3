/** The search engine that the operator named. What it finds is data, as the pages are. */
import { z } from "zod";
import { InputError, RetryableError, TerminalError } from "../../../src/errors.ts";
import type { SafeFetch } from "../../../src/fetch.ts";

export interface Hit {
  readonly title: string;
  readonly url: string;
  readonly text: string;
}

/** @throws InputError that says why there is nothing. */
export type Search = (query: string, signal: AbortSignal) => Promise<readonly Hit[]>;

const text = z.string().catch("");
const hit = z.looseObject({
  url: text,
  link: text,
  title: text,
  name: text,
  content: text,
  snippet: text,
  description: text,
});
const hits = z.array(hit.catch({ url: "", link: "", title: "", name: "", content: "", snippet: "", description: "" }));
/** SearXNG has "results", others one of these. */
const answer = z.union([
  hits,
  z.looseObject({ results: hits }).transform(({ results }) => results),
  z.looseObject({ items: hits }).transform(({ items }) => items),
  z.looseObject({ web: z.looseObject({ results: hits }) }).transform(({ web }) => web.results),
]);

const mostHits = 10;
const longestText = 400;
const maxBytes = 2_000_000;
const timeoutMs = 20_000;

/** @param safeFetch may reach the engine, also where it is in a private network. */
export function createSearch(template: string, safeFetch: SafeFetch, userAgent: string): Search {
  return async (query, signal) => {
    const url = template.replaceAll("{query}", encodeURIComponent(query.toWellFormed()));
    const headers = { "user-agent": userAgent, accept: "application/json" };
    const found = await asked(() => safeFetch(url, { headers, maxBytes, timeoutMs, signal }), signal);
    return found.slice(0, mostHits);
  };
}

async function asked(fetch: () => ReturnType<SafeFetch>, signal: AbortSignal): Promise<Hit[]> {
  try {
    const { status, body } = await fetch();
    if (status !== 200) throw new InputError(`the search engine answered ${status}`);
    const parsed = answer.safeParse(JSON.parse(new TextDecoder().decode(body)));
    if (!parsed.success) throw new InputError("the search engine's answer has another form");
    return parsed.data.map(hitOf).filter(({ url }) => /^https?:\/\//.test(url));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof SyntaxError) throw new InputError("the search engine's answer is no JSON", { cause: error });
    if (error instanceof TerminalError || error instanceof RetryableError)
      throw new InputError("the search engine cannot be reached", { cause: error });
    throw error;
  }
}

function hitOf(of: z.infer<typeof hit>): Hit {
  const plain = (given: string) => given.replace(/\s+/g, " ").trim().slice(0, longestText).toWellFormed();
  return {
    url: of.url || of.link,
    title: plain(of.title || of.name),
    text: plain(of.content || of.snippet || of.description),
  };
}
