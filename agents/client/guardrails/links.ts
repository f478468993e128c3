/**
 * Links in a text as messengers and browsers find them: written out, in markdown, in HTML, and without "https://" where a path follows.
 * A preview of one is fetched by whoever shows the message, so that an address can carry out what is written into it.
 */
import { canonical } from "../../../src/addresses.ts";

export interface LinksAllowed {
  readonly which: "all" | "data";
  /** In small letters; their subdomains too. */
  readonly domains: readonly string[];
  /** Addresses that were given, as `addressesIn` finds them. */
  readonly given: ReadonlySet<string>;
}

const leftOut = "[link left out]";
const longestPlain = 24;
/** `[text](target "title")` and `![text](target)`, first, so that of a link its text stays; then a target that stands alone. */
const markdown = /(!?)\[([^[\]\n]{0,500})\]\([ \t]{0,9}<?([^\s<>()]{1,4000})>?(?:[ \t]{1,9}[^()\n]{0,300})?\)/g;
const alone =
  /(?:\b[a-z][a-z0-9+.-]{1,20}:)?\/\/[^\s<>"'`|\\^{}[\]]+|\b(?:data|javascript|mailto|tel|sms|tg|whatsapp):[^\s<>"'`|\\^{}[\]]+|(?<![\w@.-])(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}(?::\d{1,5})?[/?#][^\s<>"'`|\\^{}[\]]*|\bwww\.[^\s<>"'`|\\^{}[\]]+/gi;

/** @returns the text without the links that are not let through, and how many those were. */
export function cleanLinks(text: string, allowed: LinksAllowed): { readonly text: string; readonly found: number } {
  let found = 0;
  const isOut = (target: string, image: boolean): boolean => {
    const out = !isLetThrough(target, image, allowed);
    if (out) found += 1;
    return out;
  };
  const withoutMarked = text.replace(markdown, (all, bang: string, label: string, target: string) => {
    if (!isTarget(target)) return all;
    return isOut(target, bang === "!") ? `${label} ${leftOut}`.trim() : all;
  });
  const clean = withoutMarked.replace(alone, (target) => {
    const end = target.replace(/[.,;:!?*_~)\]]{1,20}$/, "");
    return isOut(end, false) && isOut(target, false) ? `${leftOut}${target.slice(end.length)}` : target;
  });
  return { text: clean, found };
}

/** What is no address at all leads within the page, or nowhere. */
function isTarget(target: string): boolean {
  return /^(?:[a-z][a-z0-9+.-]*:|\/\/|www\.)|^[^/?#]{1,253}\.[a-z]{2,24}(?::\d+)?(?:[/?#]|$)/i.test(target);
}

function isLetThrough(target: string, image: boolean, { which, domains, given: known }: LinksAllowed): boolean {
  const whole = target.startsWith("//")
    ? `https:${target}`
    : /^[a-z][a-z0-9+.-]{1,20}:(?!\d)/i.test(target)
      ? target
      : `https://${target}`;
  const address = canonical(whole);
  const url = URL.parse(whole);
  if (url === null) return false;
  if (address !== undefined && known.has(address) && url.hash === "") return true;
  const host = url.hostname.toLowerCase();
  if (address !== undefined && domains.some((name) => host === name || host.endsWith(`.${name}`))) return true;
  return which === "data" && address !== undefined && !image && !carriesData(url);
}

/** A guess, on the safe side of what encyclopedias and shops have: see docs/guardrails.md. */
function carriesData({ username, password, hostname, pathname, search, hash }: URL): boolean {
  if (`${username}${password}${search}${hash}` !== "") return true;
  const parts = [...pathname.split("/"), ...hostname.split(".")];
  return parts.some((part) => part.length > longestPlain || /%[0-9a-f]{2}/i.test(part) || /\d{5}/.test(part));
}
