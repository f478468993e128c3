import { describe, expect, it } from "vitest";
import { createRoundRobin, createShares, unshared, type Shares } from "../../src/shares.ts";

/** As many as there are for this tenant now. */
function fill(shares: Shares, tenant: string): number {
  let count = 0;
  for (; shares.fits(tenant, 1); count++) shares.take(tenant, 1);
  return count;
}

describe("shares", () => {
  it("leave something for the next one, whoever came before", () => {
    const shares = createShares(100, () => undefined);
    expect(fill(shares, "flood")).toBe(50);
    expect(fill(shares, "second")).toBe(25);
    const others = Array.from({ length: 20 }, (_, at) => fill(shares, `other ${at}`));
    expect(others.slice(0, 6).every((count) => count > 0)).toBe(true);
  });

  it("come to the same for all who want as much as they get", () => {
    const shares = createShares(90, () => undefined);
    const tenants = ["a", "b"];
    const held = new Map(tenants.map((tenant) => [tenant, fill(shares, tenant)]));
    for (let round = 0; round < 500; round++) {
      const tenant = tenants[round % 2] ?? "";
      shares.giveBack(tenant, 1);
      held.set(tenant, (held.get(tenant) ?? 0) - 1);
      for (const each of tenants.toReversed()) held.set(each, (held.get(each) ?? 0) + fill(shares, each));
    }
    expect([...held.values()]).toEqual([30, 30]);
  });

  it("are all one's where nobody else is there, and never more than all", () => {
    expect(fill(createShares(100, unshared), "only")).toBe(100);
    const capped = createShares(10, (tenant) => (tenant === "small" ? 3 : 8));
    expect([fill(capped, "small"), fill(capped, "big"), fill(capped, "big")]).toEqual([3, 7, 0]);
  });

  it("let whoever has nothing take more than a share of what is left", () => {
    const shares = createShares(1, () => undefined);
    expect([fill(shares, "first"), fill(shares, "second")]).toEqual([1, 0]);
    shares.giveBack("first", 1);
    expect(fill(shares, "second")).toBe(1);
  });
});

describe("what waits", () => {
  const all = () => true;
  it("goes on by tenants in turn, each one's in its order", () => {
    const waiting = createRoundRobin<string>();
    for (let n = 1; n <= 4; n++) waiting.add("flood", `flood ${n}`);
    expect(waiting.next(all)).toBe("flood 1");
    waiting.add("a", "a 1");
    waiting.add("b", "b 1");
    const order = Array.from({ length: 6 }, () => waiting.next(all));
    expect(order).toEqual(["flood 2", "a 1", "b 1", "flood 3", "flood 4", undefined]);
  });

  it("is passed over while its tenant may not, and gone once it is deleted", () => {
    const waiting = createRoundRobin<string>();
    for (const item of ["x", "y", "z"]) waiting.add("a", item);
    waiting.add("b", "b");
    expect(waiting.next((tenant) => tenant !== "a")).toBe("b");
    expect(waiting.next((tenant) => tenant !== "a")).toBeUndefined();
    waiting.delete("a", "x");
    waiting.delete("a", "z");
    waiting.add("a", "x");
    expect([waiting.next(all), waiting.next(all), waiting.next(all)]).toEqual(["y", "x", undefined]);
    waiting.add("a", "again");
    expect(waiting.next(all)).toBe("again");
  });
});
