/** Whose request it is. */
export interface Place {
  readonly tenant: string;
  readonly line: string;
}

/** What waits: tenants in turn, a tenant's lines in turn, what is of one line in the order of its coming. */
export interface FairLine<Item extends Place> {
  add(item: Item): void;
  /** Before everything else: it has had its turn already. Among such, in the order of their coming. */
  addAgain(item: Item): void;
  delete(item: Item): void;
  /** The one whose turn is next; it stays. */
  next(): Item | undefined;
  /** Takes that one out. */
  shift(): Item | undefined;
  /** How many have their turn before one that would be added now. */
  ahead(of: Place): number;
  items(): Item[];
}

export function createFairLine<Item extends Place>(): FairLine<Item> {
  const again: Item[] = [];
  /** Whose turn is next comes first; what is empty is not there. */
  const tenants = new Map<string, Map<string, Item[]>>();

  function first(): { readonly lines: Map<string, Item[]>; readonly items: Item[]; readonly item: Item } | undefined {
    for (const lines of tenants.values()) {
      for (const items of lines.values()) {
        const [item] = items;
        if (item !== undefined) return { lines, items, item };
      }
    }
    return undefined;
  }

  function remove({ tenant, line }: Place, items: Item[], at: number): void {
    items.splice(at, 1);
    if (items.length > 0) return;
    const lines = tenants.get(tenant);
    lines?.delete(line);
    if (lines?.size === 0) tenants.delete(tenant);
  }

  /** Its line, and its tenant, have had their turn. */
  function rotate({ tenant, line }: Place): void {
    const lines = tenants.get(tenant);
    if (lines === undefined) return;
    toEnd(tenants, tenant, lines);
    const items = lines.get(line);
    if (items !== undefined) toEnd(lines, line, items);
  }

  return {
    add(item) {
      let lines = tenants.get(item.tenant);
      if (lines === undefined) tenants.set(item.tenant, (lines = new Map<string, Item[]>()));
      const items = lines.get(item.line);
      if (items === undefined) lines.set(item.line, [item]);
      else items.push(item);
    },
    addAgain: (item) => void again.push(item),
    delete(item) {
      const early = again.indexOf(item);
      if (early >= 0) return void again.splice(early, 1);
      const items = tenants.get(item.tenant)?.get(item.line);
      const at = items?.indexOf(item) ?? -1;
      if (items !== undefined && at >= 0) remove(item, items, at);
    },
    next: () => again[0] ?? first()?.item,
    shift() {
      if (again.length > 0) return again.shift();
      const found = first();
      if (found === undefined) return undefined;
      remove(found.item, found.items, 0);
      rotate(found.item);
      return found.item;
    },
    ahead({ tenant, line }) {
      const own = tenants.get(tenant);
      const before = own?.get(line)?.length ?? 0;
      // In the round in which it is its turn, every other line of the tenant has had as many, where it has them.
      let inTenant = before;
      for (const [name, items] of own ?? []) if (name !== line) inTenant += Math.min(items.length, before + 1);
      let others = 0;
      for (const [name, lines] of tenants) {
        if (name === tenant) continue;
        let waiting = 0;
        for (const items of lines.values()) waiting += items.length;
        others += Math.min(waiting, inTenant + 1);
      }
      return again.length + inTenant + others;
    },
    items: () => [...again, ...[...tenants.values()].flatMap((lines) => [...lines.values()].flat())],
  };
}

function toEnd<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
}
