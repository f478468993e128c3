/** Where a request may come from: a page of another site, or a name that leads here by somebody else's DNS, is told nothing. */
export interface GuardOptions {
  /** As the server listens. */
  readonly host: string;
  readonly publicUrl: string | undefined;
  readonly hosts: readonly string[];
  readonly origins: readonly string[];
}

const loopback = ["localhost", "127.0.0.1", "[::1]"];

/** Why it is refused, as an order; undefined where it is not. */
export function createGuard({
  host,
  publicUrl,
  hosts,
  origins,
}: GuardOptions): (request: Request) => string | undefined {
  const bracketed = host.includes(":") ? `[${host}]` : host;
  const own = publicUrl === undefined ? [] : [new URL(publicUrl)];
  const names = new Set(
    [...loopback, bracketed, ...own.map((url) => url.hostname), ...hosts].map((name) => name.toLowerCase()),
  );
  const allowed = new Set([...own, ...origins.map((origin) => new URL(origin))].map(({ origin }) => origin));
  return ({ headers, url }) => {
    const named = URL.parse(`http://${headers.get("host") ?? new URL(url).host}`);
    if (named === null || !(names.has(named.hostname) || names.has(named.host)))
      return "This gateway is not known by that name: add it to mcpServer.hosts, or set server.publicUrl.";
    const origin = headers.get("origin");
    if (origin !== null && !allowed.has(origin))
      return "Pages of that origin may not ask here: add it to mcpServer.origins.";
    return undefined;
  };
}
