/**
 * Which addresses an outsider may make the gateway connect to: public unicast ones, and nothing else.
 *
 * `range()` of ipaddr.js names the special ranges of IANA's registries, and request-filtering-agent refuses by it alone. Both
 * take for public: IPv4-compatible addresses in their hexadecimal form ("::7f00:1", which is how the URL parser writes
 * "::127.0.0.1"), unassigned IPv6 space, and Azure's metadata address. Hence the two rules added here.
 *
 * @see https://www.iana.org/assignments/iana-ipv4-special-registry https://www.iana.org/assignments/iana-ipv6-special-registry
 */
import ipaddr from "ipaddr.js";

/** All global unicast space that was ever assigned. */
const globalUnicast = ipaddr.IPv6.parseCIDR("2000::/3");
/** Public by number, but answered by the cloud's own host: credentials and configuration. */
const metadata = new Set(["168.63.129.16"]);

/** @param address as the resolver or the URL parser wrote it, without brackets. */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address) || metadata.has(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== "unicast") return false;
  return parsed instanceof ipaddr.IPv4 || parsed.match(globalUnicast);
}
