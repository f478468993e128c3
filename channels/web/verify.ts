/**
 * Who is asking: the session in its signed cookie, and whether the request comes from the gateway's own page.
 *
 * Only an id that this gateway signed is ever adopted, so that nobody can plant a session of their choosing.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";
import { getCookie, setCookie } from "hono/cookie";
import type { Context } from "hono";
import type { AccountRef } from "../../src/ids.ts";

export interface SessionOptions extends AccountRef {
  readonly secret: string;
  readonly publicUrl: string | undefined;
  readonly embedOrigins: readonly string[];
}

const lifetimeSeconds = 400 * 24 * 3600;

export function createSessions({ secret, publicUrl, embedOrigins, tenant, account }: SessionOptions) {
  if (secret === "")
    throw new Error("The web chat cannot sign its sessions: set ASCENT_SECRET to a long random value.");
  const secure = publicUrl?.startsWith("https://") === true;
  const embeddable = embedOrigins.length > 0;
  // The prefix keeps another host of the same domain from setting it.
  const name = `${secure ? "__Host-" : ""}ascent_session`;

  function signatureOf(id: string): Buffer {
    return createHmac("sha256", secret)
      .update(JSON.stringify(["web session", 1, tenant, account, id]))
      .digest();
  }

  return {
    /** The session's id, or undefined where the cookie is absent, of another version or not signed by us. */
    read(c: Context): string | undefined {
      const [version, id, signature, ...rest] = (getCookie(c, name) ?? "").split(".");
      if (version !== "v1" || id === undefined || id === "" || signature === undefined || rest.length > 0)
        return undefined;
      const given = Buffer.from(signature, "base64url");
      const expected = signatureOf(id);
      return given.length === expected.length && timingSafeEqual(given, expected) ? id : undefined;
    },

    /** In another site's frame the cookie must be secure: over https, or on this machine where browsers take http for it. */
    write(c: Context, id: string): void {
      const framed = embeddable && (secure || framedOnThisMachine(c.req.raw));
      setCookie(c, name, `v1.${id}.${signatureOf(id).toString("base64url")}`, {
        path: "/",
        httpOnly: true,
        maxAge: lifetimeSeconds,
        secure: secure || framed,
        ...(framed ? { sameSite: "None", partitioned: true } : { sameSite: "Lax" }),
      });
    },
  };
}

/** The embedded page names itself in the Referer; a page of its own needs no such cookie, and some browsers would refuse it. */
function framedOnThisMachine(request: Request): boolean {
  const page = URL.parse(request.headers.get("referer") ?? "");
  const local = /^(localhost|127\.0\.0\.1|\[::1\])$/.test(new URL(request.url).hostname);
  return local && page?.searchParams.get("embed") === "1";
}

/**
 * Whether the gateway may be asked under this host name. A name that an outsider owns could be made to lead to this machine
 * (DNS rebinding): their page would then be of the same origin. Such a name must be the public address; addresses, and names
 * that nobody can own in public, are let in.
 */
export function hostAllowed(request: Request, publicUrl: string | undefined): boolean {
  const { host, hostname } = new URL(request.url);
  if (publicUrl !== undefined && URL.parse(publicUrl)?.host === host) return true;
  const name = hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  return isIP(name) !== 0 || !name.includes(".") || /\.(localhost|local|lan|internal|home\.arpa)$/.test(name);
}

/**
 * A request that changes something must say that it comes from this gateway's page or an allowed site: browsers say so in
 * Sec-Fetch-Site and Origin, other programs set Origin. One that reads must not say otherwise.
 */
export function originAllowed(
  request: Request,
  { publicUrl, embedOrigins }: Pick<SessionOptions, "publicUrl" | "embedOrigins">,
): boolean {
  const origin = request.headers.get("origin");
  if (origin !== null) {
    const given = URL.parse(origin);
    if (given === null) return false;
    const own = publicUrl !== undefined && URL.parse(publicUrl)?.origin === given.origin;
    // Behind a proxy that ends TLS the scheme differs; the host is what the browser was told to ask.
    return own || given.host === new URL(request.url).host || embedOrigins.includes(given.origin);
  }
  const site = request.headers.get("sec-fetch-site");
  if (site !== null) return site === "same-origin" || site === "none";
  return request.method === "GET" || request.method === "HEAD";
}
