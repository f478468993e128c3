/** Which agent answers, and why: the sender's word, then what people and agents chose there, then routes, account, the first. */
import type { Offered, Who } from "../agent-choice.ts";
import type { Address, Participant } from "../message.ts";
import { accountKey, accountsOf } from "./accounts.ts";
import type { Config } from "./config.ts";
import { conditions, fits, wanted, type Condition, type Route } from "./route-settings.ts";

type Place = Pick<Address, "tenant" | "channel" | "account" | "kind" | "chat" | "thread" | "agent">;

export interface Routed {
  readonly agent: string;
  readonly because: string;
  readonly offer?: readonly string[] | undefined;
}

export interface Routing {
  /** By the configuration alone. */
  at(to: Place, participant?: Who["participant"]): Routed;
  /** With what is kept with the conversation. `base` would answer had nobody handed it on. */
  agentFor(to: Place, who: Who): { readonly name: string; readonly base: string };
  offeredAt(to: Place, participant: Pick<Participant, "user" | "locale">): readonly Offered[];
  /** Commands of agents, each with its agent. */
  readonly commands: ReadonlyMap<string, string>;
}

/** @param handoffsOf whom an agent may hand over to, where that is more than the configuration says. */
export function createRouting(
  config: Config,
  handoffsOf = (name: string): readonly string[] => config.agents[name]?.handoffs ?? [],
): Routing {
  const { agents, routes } = config;
  const [first] = Object.keys(agents);
  if (first === undefined) throw new Error("no agent is configured");
  const has = (name: string | undefined): name is string => name !== undefined && Object.hasOwn(agents, name);
  const byAccount = new Map(
    accountsOf(config).map(({ name, account, own }) => [
      accountKey({ tenant: own.tenant, channel: name, account }),
      own.agent,
    ]),
  );

  function at(to: Place, participant: Who["participant"]): Routed {
    if (has(to.agent)) return { agent: to.agent, because: "the sender names it", offer: [] };
    const found = routes.findIndex((route) => conditions.every((one) => holds(route, one, to, participant)));
    const route = routes[found];
    if (route !== undefined) return { agent: route.agent, because: words(route, found), offer: route.offer };
    const own = byAccount.get(accountKey(to));
    if (has(own)) return { agent: own, because: `channels.${to.channel}.${to.account}.agent says so` };
    return { agent: first as string, because: "it is the first of agents" };
  }

  const offeredNames = ({ agent, offer }: Routed): readonly string[] => {
    const all = Object.keys(agents).filter((name) => {
      const { offered, command } = agents[name] ?? {};
      return offered ?? command !== undefined;
    });
    return [...new Set([agent, ...(offer ?? all)])];
  };

  /** By one handoff, or by several. */
  function mayComeTo(name: string, from: string): boolean {
    const reached = new Set([from]);
    // What is added meanwhile is looked at too.
    for (const one of reached) for (const next of handoffsOf(one)) reached.add(next);
    return reached.has(name);
  }

  return {
    at,
    agentFor(to, { participant, choice = {}, begunBy }) {
      const routed = at(to, participant);
      const { picked, handed } = choice;
      const base = picked !== undefined && has(picked) && offeredNames(routed).includes(picked) ? picked : routed.agent;
      const name = handed?.from === base && has(handed.to) && mayComeTo(handed.to, base) ? handed.to : base;
      if (!has(begunBy)) return { name, base };
      return { name: begunBy, base: begunBy === name ? base : begunBy };
    },
    offeredAt: (to, participant) =>
      offeredNames(at(to, participant)).flatMap((name) => {
        const own = agents[name];
        if (own === undefined) return [];
        return [{ name, title: own.name, about: own.about, command: own.command }];
      }),
    commands: new Map(
      Object.entries(agents).flatMap(([name, { command }]) =>
        command === undefined ? [] : [[command, name] as const],
      ),
    ),
  };
}

function holds(route: Route, condition: Condition, to: Place, participant: Who["participant"]): boolean {
  const asked = wanted(route, condition);
  if (asked === undefined) return true;
  const value = valueOf(condition, to, participant);
  return value !== undefined && asked.some((one) => fits(condition, one, value));
}

function valueOf(condition: Condition, to: Place, participant: Who["participant"]): string | undefined {
  if (condition === "person") return participant?.user;
  return condition === "language" ? participant?.locale : to[condition];
}

function words(route: Route, at: number): string {
  const said = conditions.flatMap((one) => {
    const asked = route[one];
    return asked === undefined ? [] : [`${one} ${typeof asked === "string" ? asked : asked.join(" or ")}`];
  });
  return `routes.${at} is the first that fits (${said.join(", ") || "everything"})`;
}
