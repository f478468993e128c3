const schemes = new Set(["http:", "https:", "mailto:"]);

/** The address if a person may safely follow it, else undefined. What has no scheme of its own is no address here. */
export const safeHref = (href: string): string | undefined => {
  try {
    const url = new URL(href);
    return schemes.has(url.protocol) ? url.href : undefined;
  } catch {
    return undefined;
  }
};

/** Attachments come from the gateway itself and from nowhere else. */
export const ownUrl = (url: string, base: string): string | undefined => {
  try {
    const resolved = new URL(url, base);
    return resolved.origin === new URL(base).origin && /^https?:$/.test(resolved.protocol) ? resolved.href : undefined;
  } catch {
    return undefined;
  }
};

const named: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: "\u00a0",
  hellip: "…",
  mdash: "—",
  ndash: "–",
  rarr: "→",
  larr: "←",
  copy: "©",
  times: "×",
  deg: "°",
  euro: "€",
};

/** Character references in markdown's text, which React would otherwise show as they are written. */
export const decode = (text: string): string =>
  text.includes("&")
    ? text.replace(
        /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|(\w{2,8}));/g,
        (whole, decimal?: string, hex?: string, name?: string) => {
          if (name !== undefined) return named[name] ?? whole;
          const code = decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal);
          return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
            ? String.fromCodePoint(code)
            : "\ufffd";
        },
      )
    : text;
