/** What is published and not yet acknowledged, per topic: counted to refuse more than the gateway can hold. */
import { OverloadedError } from "../../src/errors.ts";
import { createShares, unshared } from "../../src/shares.ts";
import type { Limits } from "./limits.ts";

export interface Backlog {
  /**
   * @throws OverloadedError when so many more would be too many, or when the bytes that are there fill it already, for all
   * tenants together or for this one's share.
   */
  check(tenant: string, more: number): void;
  add(tenant: string, bytes: number): void;
  remove(tenant: string, bytes: number): void;
  /** True when an event may be kept in memory; then {@link release} gives its place back. */
  keep(tenant: string, depth: number, bytes: number): boolean;
  release(tenant: string, bytes: number): void;
}

export function createBacklog(topic: string, limits: Limits): Backlog {
  const share = (whole: number) => createShares(whole, limits.shared ? () => undefined : unshared);
  const rows = share(limits.backlogRows);
  const bytes = share(limits.backlogBytes);
  const keptRows = share(limits.windowRows);
  const keptBytes = share(limits.windowBytes);
  return {
    check(tenant, more) {
      if (rows.fits(tenant, more) && bytes.fits(tenant, 1)) return;
      throw new OverloadedError(`The backlog of topic "${topic}" is full: too many events wait.`);
    },
    add(tenant, size) {
      rows.take(tenant, 1);
      bytes.take(tenant, size);
    },
    remove(tenant, size) {
      rows.giveBack(tenant, 1);
      bytes.giveBack(tenant, size);
    },
    keep(tenant, depth, size) {
      if (depth >= limits.windowPerSubject || !keptRows.fits(tenant, 1) || !keptBytes.fits(tenant, size)) return false;
      keptRows.take(tenant, 1);
      keptBytes.take(tenant, size);
      return true;
    },
    release(tenant, size) {
      keptRows.giveBack(tenant, 1);
      keptBytes.giveBack(tenant, size);
    },
  };
}
