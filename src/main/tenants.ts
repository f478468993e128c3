/** What each of the tenants that accounts belong to may take of what they share. */
import { createShares, type Shares } from "../shares.ts";
import { accountsOf } from "./accounts.ts";
import type { Config } from "./config.ts";

/** There is somebody to leave something to. */
export function areSeveral(config: Config): boolean {
  return new Set(accountsOf(config).map(({ own }) => own.tenant)).size > 1;
}

/** For turns that run at once. */
export function turnPlaces(config: Config): Shares {
  const { tenants = {}, limits } = config;
  const usual = areSeveral(config) ? undefined : Infinity;
  const mostOf = new Map(Object.entries(tenants).map(([name, own]) => [name, own.limits.turns]));
  return createShares(limits.turns, (of) => mostOf.get(of) ?? usual);
}

export function blobBytesOf({ tenants = {} }: Config): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(tenants).flatMap(([name, { limits }]) =>
      limits.blobBytes === undefined ? [] : [[name, limits.blobBytes]],
    ),
  );
}
