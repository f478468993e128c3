import { lookup as systemLookup } from "node:dns/promises";
import { isIP } from "node:net";
import { RetryableError } from "../../src/errors.ts";
import { TargetRefusedError } from "../../src/fetch.ts";
import { isPublic } from "./addresses.ts";

export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}
export type Resolve = (host: string) => Promise<readonly ResolvedAddress[]>;

/** A URL whose addresses were checked: the connection may go to these and to no others. */
export interface Target {
  readonly url: URL;
  readonly host: string;
  readonly addresses: readonly ResolvedAddress[];
}

/** @param allowHosts names, or names with a port, that may lead anywhere: "ci.internal", "localhost:8080", "10.0.0.7". */
export function createTargets(allowHosts: readonly string[], resolve: Resolve = resolveBySystem) {
  const allowed = new Set(allowHosts.map((host) => host.trim().toLowerCase()));

  /** @throws TargetRefusedError or RetryableError, both with words that are safe to show. */
  return async function targetOf(raw: string): Promise<Target> {
    const url = URL.parse(raw);
    if (url === null) throw new TargetRefusedError("it is not an absolute URL");
    if (url.protocol !== "http:" && url.protocol !== "https:") {
      throw new TargetRefusedError("it is neither an http nor an https URL");
    }
    if (url.username !== "" || url.password !== "") {
      throw new TargetRefusedError("it carries a user name or a password: leave them out");
    }
    // The URL parser has turned decimal, octal and hexadecimal forms into dotted ones already.
    const host = url.hostname
      .replace(/^\[|\]$/g, "")
      .replace(/\.$/, "")
      .toLowerCase();
    const port = url.port === "" ? (url.protocol === "http:" ? "80" : "443") : url.port;
    const exempt = allowed.has(host) || allowed.has(`${host}:${port}`) || allowed.has(`[${host}]:${port}`);
    const family = isIP(host);
    const addresses = family === 0 ? await addressesOf(host) : [{ address: host, family }];
    if (!exempt && !addresses.every(({ address }) => isPublic(address))) {
      throw new TargetRefusedError(
        `"${host}" is or leads to an address that is not public: use a public one, or let the operator allow this host by name`,
      );
    }
    return { url, host, addresses };
  };

  async function addressesOf(host: string): Promise<readonly ResolvedAddress[]> {
    try {
      const addresses = await resolve(host);
      if (addresses.length > 0) return addresses;
    } catch (error) {
      // What does not exist may exist later (a record being set up), so that only the caller can tell whether to wait.
      throw new RetryableError(`the host "${host}" cannot be resolved`, { cause: error });
    }
    throw new RetryableError(`the host "${host}" has no address`);
  }
}

/** The system's own resolver, hosts file included: what a connection by name would have used. */
function resolveBySystem(host: string): Promise<readonly ResolvedAddress[]> {
  return systemLookup(host, { all: true, order: "verbatim" });
}
