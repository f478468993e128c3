/** The operators' API, where operators are configured. It is no channel: nobody talks to agents there. */
import { consolePath } from "../../channels/console/settings.ts";
import type { HttpHandler } from "../channel.ts";
import { operationsOf, type Operated, type Report } from "../operations.ts";
import type { Clock } from "../ports.ts";
import type { Config } from "./config.ts";

/** What the page at /docs shows beside the web page's own API. */
export function documentsOf({ operators = [] }: Pick<Config, "operators">): { name: string; url: string }[] {
  return operators.length === 0 ? [] : [{ name: "Operators", url: `${consolePath}/openapi.json` }];
}

/** None, or one. */
export async function consoleOf(config: Config, operated: Operated, clock: Clock): Promise<readonly HttpHandler[]> {
  const { operators = [] } = config;
  if (operators.length === 0) return [];
  const [{ createConsole }, { examine }] = await Promise.all([
    import("../../channels/console/index.ts"),
    import("./doctor.ts"),
  ]);
  const handler = createConsole({
    operators,
    operationsOf: (operator) => operationsOf(operated, operator),
    examine: () => reportsOf(examine(config)),
    clock,
    log: operated.log,
  });
  return [handler];
}

async function reportsOf(reports: AsyncIterable<Report>): Promise<readonly Report[]> {
  const all: Report[] = [];
  for await (const one of reports) all.push(one);
  return all;
}
