/** Whether a server is reached, and what it offers: for `ascent doctor`. */
import type { Finding } from "../../../src/channel.ts";
import { reasonOf } from "../../../src/errors.ts";
import type { SafeFetch } from "../../../src/fetch.ts";
import type { Clock, Log, Records } from "../../../src/ports.ts";
import type { McpServer } from "../settings.ts";
import { createCatalog } from "./catalog.ts";
import { authOf, openSession } from "./session.ts";

const mostShown = 40;
const nowhere: Log = { debug() {}, info() {}, warn() {}, error() {} };
/** What is looked at here is compared with nothing. */
const blank: Records = { get: async () => undefined, put: async () => "", remove: async () => undefined };

/** Never rejects. */
export async function checkMcpServer(
  name: string,
  settings: McpServer,
  { safeFetch, clock }: { readonly safeFetch: SafeFetch; readonly clock: Clock },
): Promise<Finding> {
  try {
    const options = {
      name,
      settings,
      auth: authOf(settings),
      safeFetch,
      clock,
      log: nowhere,
      changed: () => undefined,
    };
    const session = await openSession(options);
    try {
      const catalog = createCatalog({ name, settings, records: blank, clock, log: nowhere });
      const offers = [...(await catalog.offers((work) => work(session))).values()];
      const shown = offers.slice(0, mostShown).map(({ spec }) => `${spec.name} (${spec.effect})`);
      const more = offers.length > mostShown ? `, and ${offers.length - mostShown} more` : "";
      if (shown.length > 0) return { ok: true, text: `offers ${shown.join(", ")}${more}` };
      return { ok: false, text: "offers nothing", next: `Correct mcp.${name}.tools: it names none of the server's.` };
    } finally {
      await session.close().catch(() => undefined);
    }
  } catch (error) {
    const place = "url" in settings ? "url, its headers and its oauth" : "command and its args";
    return { ok: false, text: `is not reached: ${reasonOf(error)}`, next: `Correct mcp.${name}'s ${place}.` };
  }
}
