import { accountsOf } from "../accounts.ts";
import { loadAgentModules } from "../agent-modules.ts";
import { loadRunningConfig } from "../config.ts";
import { createRouting, type Routing } from "../routing.ts";
import { describeRoutes, lostRoutes } from "../routing-words.ts";
import { printable } from "./printable.ts";

const line = (words: string) => void process.stdout.write(`${printable(words)}\n`);

/** Which agents there are, and who answers where, by the configuration alone. */
export async function agents(): Promise<void> {
  const config = await loadRunningConfig();
  await loadAgentModules(config);
  for (const [name, { name: title, about, handoffs, command }] of Object.entries(config.agents)) {
    const more = [
      about,
      ...(command === undefined ? [] : [`/${command}`]),
      ...(handoffs.length === 0 ? [] : [`hands over to ${handoffs.join(", ")}`]),
    ].filter((part) => part !== undefined);
    line(`${name} (${title})${more.length === 0 ? "" : `: ${more.join("; ")}`}`);
  }
  line("");
  for (const { place, text } of describeRoutes(config)) line(`${place}: ${text}`);
  for (const words of lostRoutes(config)) line(`WARN ${words}`);
}

export interface RouteOptions {
  readonly group?: true;
  readonly thread?: string;
  readonly person?: string;
  readonly language?: string;
}

/** Who answers there, and why. */
export async function route(address: string, options: RouteOptions): Promise<void> {
  const config = await loadRunningConfig();
  const [channel = "", account = "", ...rest] = address.split("/");
  const known = accountsOf(config).find((one) => one.name === channel && one.account === account);
  const chat = rest.join("/");
  if (known === undefined) {
    const names = accountsOf(config).map((one) => `${one.name}/${one.account}`);
    throw new Error(
      `There is no account "${channel}/${account}"; there are ${names.join(", ")}. Give channel/account/id.`,
    );
  }
  if (chat === "") throw new Error("Whose conversation? Give channel/account/id, such as telegram/main/7200001.");
  const kind = options.group === true ? "group" : "direct";
  const { thread, language, person = chat } = options;
  const to = { tenant: known.own.tenant, channel, account, kind, chat, ...(thread === undefined ? {} : { thread }) };
  const participant = { user: person, ...(language === undefined ? {} : { locale: language }) };
  explain(createRouting(config), to as Parameters<Routing["at"]>[0], participant);
}

function explain(routing: Routing, to: Parameters<Routing["at"]>[0], participant: { user: string; locale?: string }) {
  const { agent, because } = routing.at(to, participant);
  line(`${agent} answers there: ${because}.`);
  const others = routing.offeredAt(to, participant).slice(1);
  const words = others.map(({ name, command }) => (command === undefined ? name : `${name} (/${command})`));
  line(
    words.length === 0
      ? "Nobody else can be chosen there."
      : `People may choose there with /agent: ${words.join(", ")}.`,
  );
  line("A conversation that was handed over, or in which somebody chose, stays with that agent until /agent default.");
}
