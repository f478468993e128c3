import { expect, it } from "vitest";
import { createBudget } from "../../src/budget.ts";

it("runs what fits at once and the rest in the order of asking, whatever fails", async () => {
  const inTurn = createBudget(10);
  const begun: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<void>>();
  const ask = (name: string, share: number) => {
    const end = Promise.withResolvers<void>();
    ends.set(name, end);
    return inTurn(share, async () => {
      begun.push(name);
      await end.promise;
    });
  };
  const first = ask("first", 6);
  const second = ask("second", 4);
  const large = ask("large", 99);
  const small = ask("small", 1);
  await Promise.resolve();
  expect(begun).toEqual(["first", "second"]);
  ends.get("first")?.reject(new Error("no"));
  await expect(first).rejects.toThrow("no");
  expect(begun).toEqual(["first", "second"]);
  ends.get("second")?.resolve();
  await second;
  await expect.poll(() => begun).toEqual(["first", "second", "large"]);
  ends.get("large")?.resolve();
  await large;
  await expect.poll(() => begun).toEqual(["first", "second", "large", "small"]);
  ends.get("small")?.resolve();
  await small;
});
