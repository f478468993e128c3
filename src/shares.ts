/**
 * What tenants share: places for turns and handlers, room in a backlog, bytes of files. One that floods or hangs must leave
 * something to the others, and nobody is kept from what nobody else wants.
 */
export interface Shares {
  /** Whether the tenant may have so much more: there is room for it, within the tenant's share. Takes nothing. */
  fits(tenant: string, amount: number): boolean;
  /** Counts it as taken, whether it fits or not. */
  take(tenant: string, amount: number): void;
  giveBack(tenant: string, amount: number): void;
}

/**
 * @param mostOf what one tenant may have of the whole, where that is said. Undefined: as much as it leaves free, so that the
 * first gets a half, another one then a third, and something is left for the next; a tenant that has nothing may have anything
 * that is left.
 */
export function createShares(whole: number, mostOf: (tenant: string) => number | undefined): Shares {
  const taken = new Map<string, number>();
  let all = 0;
  return {
    fits(tenant, amount) {
      const free = whole - all - amount;
      if (free < 0) return false;
      const before = taken.get(tenant) ?? 0;
      const most = mostOf(tenant);
      return most === undefined ? before === 0 || before + amount <= free : before + amount <= most;
    },
    take(tenant, amount) {
      taken.set(tenant, (taken.get(tenant) ?? 0) + amount);
      all += amount;
    },
    giveBack(tenant, amount) {
      taken.set(tenant, (taken.get(tenant) ?? 0) - amount);
      all -= amount;
    },
  };
}

/** Nobody else is there to leave something to. */
export const unshared = (): number => Infinity;

/** What waits for a share: tenants in turn, what is one's in the order of its coming. */
export interface RoundRobin<Item> {
  add(tenant: string, item: Item): void;
  delete(tenant: string, item: Item): void;
  /** Takes out the next one of a tenant that may go on. */
  next(may: (tenant: string) => boolean): Item | undefined;
}

export function createRoundRobin<Item>(): RoundRobin<Item> {
  /** The tenant whose turn is next comes first. */
  const lines = new Map<string, Line<Item>>();
  return {
    add(tenant, item) {
      let line = lines.get(tenant);
      if (line === undefined) lines.set(tenant, (line = createLine()));
      line.items.add(item);
    },
    delete: (tenant, item) => void lines.get(tenant)?.items.delete(item),
    next(may) {
      for (const [tenant, line] of lines) {
        if (line.items.size === 0 || !may(tenant)) continue;
        if (lines.size > 1) {
          lines.delete(tenant);
          lines.set(tenant, line);
        }
        return line.shift();
      }
      return undefined;
    },
  };
}

interface Line<Item> {
  readonly items: Set<Item>;
  /** The first one, which there is. */
  shift(): Item;
}

/** Looking for the first of a set passes those that were deleted before it: an iterator that is kept does so once. */
function createLine<Item>(): Line<Item> {
  const items = new Set<Item>();
  let from = items.values();
  return {
    items,
    shift() {
      let first = from.next();
      if (first.done === true) {
        from = items.values();
        first = from.next();
      }
      const item = first.value as Item;
      items.delete(item);
      return item;
    },
  };
}
