/**
 * Which addresses a task may ask for: those in the caller's words, links of pages that were read, and what a search found, each as it
 * stands there. A model that was talked into carrying something out in an address of its own making has none to put it in.
 */

export interface Addresses {
  /** @param depth how many links it is away from where the task began. */
  add(url: string, depth: number): void;
  /** As it was added; undefined for any other. */
  find(url: string): { readonly url: string; readonly depth: number } | undefined;
  /** Takes out of a text what looks like an address and is none of these. */
  clean(text: string): string;
}

/** A task that follows links meets many. */
const mostAddresses = 10_000;
const inText = /\b(?:https?:\/\/|www\.)[^\s<>"'`|\\^{}[\]]+/gi;

export function createAddresses(): Addresses {
  const known = new Map<string, { readonly url: string; readonly depth: number }>();
  const find = (url: string) => known.get(canonical(url) ?? "");
  return {
    add(given, depth) {
      const url = canonical(given);
      if (url === undefined) return;
      const before = known.get(url);
      if (before === undefined ? known.size < mostAddresses : depth < before.depth) known.set(url, { url, depth });
    },
    find,
    clean: (text) =>
      text.replace(inText, (found) => {
        const url = trimmed(found);
        return find(url) === undefined ? `[address left out]${found.slice(url.length)}` : found;
      }),
  };
}

/** In the order of their mention, each once. */
export function addressesIn(text: string): string[] {
  const all = (text.match(inText) ?? []).flatMap((found) => canonical(trimmed(found)) ?? []);
  return [...new Set(all)];
}

/** Without the fragment, which is not sent. Undefined for what is not fetched at all. */
export function canonical(given: string): string | undefined {
  const url = URL.parse(/^www\./i.test(given) ? `https://${given}` : given);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") return undefined;
  url.hash = "";
  return url.href;
}

/** The sentence's punctuation is not the address's; a bracket is where it was opened there. */
function trimmed(found: string): string {
  const url = found.replace(/[.,;:!?*_~]+$/, "");
  const isOpen = !url.endsWith(")") || url.split("(").length >= url.split(")").length;
  return isOpen ? url : trimmed(url.slice(0, -1));
}
