/** Pages and documents of the web as text. One request at a time goes to a host, whatever number of tasks want something of it. */
import { untilAborted } from "../../../src/abort.ts";
import { InputError, RetryableError, TerminalError } from "../../../src/errors.ts";
import type { SafeFetch } from "../../../src/fetch.ts";
import type { Clock } from "../../../src/ports.ts";
import type { Documents, DocumentText } from "../../../src/reading.ts";
import { addressesIn } from "../../../src/addresses.ts";

export interface Page {
  /** Where the last redirect led. */
  readonly url: string;
  readonly title: string;
  readonly text: string;
  readonly cut: boolean;
  /** Absolute addresses, in their order. */
  readonly links: readonly { readonly text: string; readonly url: string }[];
  readonly bytes: number;
  readonly readAt: number;
}

export interface ReaderDeps {
  readonly safeFetch: SafeFetch;
  readonly documents: Documents;
  readonly clock: Clock;
  /** Names the gateway to whoever is asked. */
  readonly userAgent: string;
}

export interface Reader {
  /** @throws InputError that says why it cannot be read. */
  read(url: string, maxBytes: number, signal: AbortSignal): Promise<Page>;
}

const timeoutMs = 20_000;
/** Between two requests to one host. */
const pauseMs = 250;
const mostChars = 200_000;
const longestTitle = 200;
const mostWritten = 100;

export function createReader({ safeFetch, documents, clock, userAgent }: ReaderDeps): Reader {
  const inTurn = createHostTurns(clock);

  async function fetched(url: string, maxBytes: number, signal: AbortSignal) {
    const { host } = new URL(url);
    try {
      return await inTurn(host, signal, () =>
        safeFetch(url, {
          headers: {
            "user-agent": userAgent,
            accept: "text/html, application/xhtml+xml, application/pdf;q=0.9, text/*;q=0.8, */*;q=0.5",
          },
          timeoutMs,
          maxBytes,
          signal,
        }),
      );
    } catch (error) {
      signal.throwIfAborted();
      // Their words are the fetch's own, and safe to show.
      if (error instanceof TerminalError || error instanceof RetryableError)
        throw new InputError(`${host}: ${error.message}`, { cause: error });
      throw error;
    }
  }

  return {
    async read(url, maxBytes, signal) {
      const response = await fetched(url, maxBytes, signal);
      const { host, pathname } = new URL(response.url);
      if (response.status < 200 || response.status > 299) throw new InputError(`${host} answered ${response.status}`);
      const type = response.headers.get("content-type") ?? "text/html";
      const medium = { bytes: response.body, type, name: pathname.split("/").at(-1) };
      if (!documents.reads(medium)) throw new InputError(`${host}: nobody here reads ${type.slice(0, 80)}`);
      const read = await documents.read(medium, mostChars, { marked: true });
      const text = read.text.replaceAll("\f", "\n\n");
      return {
        url: response.url,
        title: titleOf(read.title, text, response.url),
        text,
        cut: read.cut,
        links: linksOf(read, response.url),
        bytes: response.body.byteLength,
        readAt: clock.now(),
      };
    },
  };
}

/** Its links, and addresses that it writes out, as documents do. */
function linksOf({ links = [], base, text }: DocumentText, url: string): Page["links"] {
  const from = URL.parse(base ?? "", url)?.href ?? url;
  const linked = links.flatMap((link) => {
    const target = URL.parse(link.href, from);
    return target === null || !/^https?:$/.test(target.protocol) ? [] : [{ text: link.text, url: target.href }];
  });
  const written = addressesIn(text).slice(0, mostWritten);
  return [...linked, ...written.map((one) => ({ text: "", url: one }))];
}

function titleOf(given: string | undefined, text: string, url: string): string {
  const first = text
    .split("\n")
    .map((line) => line.replace(/^#+ /, "").trim())
    .find((line) => line !== "");
  const title = (given ?? first ?? url).replace(/\s+/g, " ");
  return title.length <= longestTitle ? title : `${title.slice(0, longestTitle - 1).toWellFormed()}…`;
}

/** Work for one host one after the other, with a pause in between; that of different hosts side by side. */
function createHostTurns(clock: Clock) {
  const last = new Map<string, Promise<void>>();
  return async function inTurn<Result>(
    host: string,
    signal: AbortSignal,
    work: () => Promise<Result>,
  ): Promise<Result> {
    const before = last.get(host) ?? Promise.resolve();
    const { promise: done, resolve: end } = Promise.withResolvers<void>();
    const own = before.then(() => done);
    last.set(host, own);
    void own.then(() => {
      if (last.get(host) === own) last.delete(host);
    });
    try {
      await untilAborted(before, signal);
      return await work();
    } finally {
      clock.after(pauseMs, end);
    }
  };
}
