/** Who answers where, in words for operators. */
import { accountsOf } from "./accounts.ts";
import type { Config } from "./config.ts";
import { conditions, wanted, type Route } from "./route-settings.ts";
import { createRouting } from "./routing.ts";

export interface RouteWords {
  readonly place: string;
  readonly text: string;
}

/** A line for each account, and one for each route that takes a part of what comes there. */
export function describeRoutes(config: Config): readonly RouteWords[] {
  const routing = createRouting(config);
  return accountsOf(config).map(({ name: channel, account, own }) => {
    const of = { tenant: own.tenant, channel, account };
    const parts = config.routes.filter((route) => mayTake(route, of) && isPart(route));
    const said = parts.map((route) => `${route.agent} (${conditionsOf(route)})`);
    // What no condition on chats, people and languages holds for.
    const direct = routing.at({ ...of, kind: "direct", chat: "" }, undefined).agent;
    const group = routing.at({ ...of, kind: "group", chat: "" }, undefined).agent;
    const rest = direct === group ? direct : `${direct} in direct chats, ${group} in groups`;
    return { place: `${channel}/${account}`, text: [...said, said.length === 0 ? rest : `else ${rest}`].join(", ") };
  });
}

/** Those that no configured account is meant by: mostly a typing error. */
export function lostRoutes(config: Config): readonly string[] {
  const accounts = accountsOf(config).map(({ name: channel, account, own }) => ({
    tenant: own.tenant,
    channel,
    account,
  }));
  const names = accounts.map(({ channel, account }) => `${channel}/${account}`);
  return config.routes.flatMap((route, at) =>
    accounts.some((of) => mayTake(route, of))
      ? []
      : [`routes.${at} is of no account that is configured; there are ${names.join(", ")}`],
  );
}

function mayTake(route: Route, of: Readonly<Record<"tenant" | "channel" | "account", string>>): boolean {
  return (["tenant", "channel", "account"] as const).every((one) => route[one]?.includes(of[one]) !== false);
}

/** It takes some conversations of an account alone. */
function isPart(route: Route): boolean {
  return (["chat", "thread", "person", "language"] as const).some((one) => route[one] !== undefined);
}

function conditionsOf(route: Route): string {
  const own = conditions.slice(conditions.indexOf("kind"));
  return own
    .flatMap((one) => {
      const asked = route[one] === undefined ? undefined : wanted(route, one);
      return asked === undefined ? [] : [`${one} ${asked.join(" or ")}`];
    })
    .join(", ");
}
