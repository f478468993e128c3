import { describe, expect, it } from "vitest";
import { matchesName, needOf, toolRule, type ToolRule } from "../../src/tool-policy.ts";

const rules = (...of: readonly unknown[]): ToolRule[] => of.map((one) => toolRule.parse(one));
const pay = (args: unknown) => ({ tool: "bank__pay", effect: "once", args, content: false }) as const;

describe("what a tool call needs", () => {
  it("is nothing where it changes nothing, and else what its source says", () => {
    expect(needOf({ tool: "a__look", effect: "none", args: {}, content: false }, [], "operator")).toBe("nothing");
    expect(needOf(pay({}), [], "person")).toBe("person");
  });

  it("is what the first rule that fits says, by the tool and by its arguments", () => {
    const of = rules(
      { tool: "bank__pay", where: { amount: { over: 100 } }, needs: "operator" },
      { tool: "bank__*", where: { "to.country": { not: ["de", "AT"] } }, needs: "refuse" },
      { tool: "bank__*", needs: "nothing" },
    );
    expect(needOf(pay({ amount: 100.01, to: { country: "DE" } }), of, "person")).toBe("operator");
    expect(needOf(pay({ amount: 100, to: { country: "DE" } }), of, "person")).toBe("nothing");
    expect(needOf(pay({ amount: 100, to: { country: "fr" } }), of, "person")).toBe("refuse");
    expect(needOf({ tool: "mail__send", effect: "once", args: {}, content: false }, of, "person")).toBe("person");
  });

  it.each([["one thousand"], [undefined], [null], [{ value: 5 }], [Number.NaN], [[5]]])(
    "counts for the stricter where an argument cannot be judged: %j",
    (amount) => {
      const strict = rules({ tool: "*", where: { amount: { over: 100 } }, needs: "operator" });
      expect(needOf(pay({ amount }), strict, "nothing")).toBe("operator");
      const lenient = rules({ tool: "*", where: { amount: { under: 100 } }, needs: "nothing" });
      expect(needOf(pay({ amount }), lenient, "operator")).toBe("operator");
    },
  );

  it.each([["operator"], ["refuse"]])("lets no rule in doubt take the place of a stricter one: %s", (needs) => {
    const small = { tool: "bank__pay", where: { amount: { under: 100 } }, needs: "person" };
    const of = rules(small, { tool: "bank__pay", needs });
    expect(needOf(pay({ amount: "100.000,00" }), of, "nothing")).toBe(needs);
    expect(needOf(pay({ amount: 5 }), of, "nothing")).toBe("person");
    expect(needOf(pay({ amount: "100.000,00" }), rules(small), "operator")).toBe("operator");
  });

  it("takes a number that stands in a text for the number", () => {
    const of = rules({ tool: "*", where: { amount: { over: 100 } }, needs: "operator" });
    expect(needOf(pay({ amount: "1e3" }), of, "nothing")).toBe("operator");
    expect(needOf(pay({ amount: "5" }), of, "nothing")).toBe("nothing");
  });

  it("does not see what an object only inherits", () => {
    const of = rules({ tool: "*", where: { constructor: { is: "x" } }, needs: "refuse" });
    expect(needOf(pay({}), of, "nothing")).toBe("refuse");
  });

  it("refuses a condition that says nothing, and words that it does not know", () => {
    expect(toolRule.safeParse({ tool: "x", where: { a: {} }, needs: "person" }).success).toBe(false);
    expect(toolRule.safeParse({ tool: "x", needs: "somebody" }).success).toBe(false);
    expect(toolRule.safeParse({ tool: "x", when: "a > 1", needs: "person" }).success).toBe(false);
  });
});

describe("a pattern", () => {
  it.each([
    ["*", "anything", true],
    ["bank__pay", "bank__pay", true],
    ["bank__pay", "bank__payout", false],
    ["bank__*", "bank__pay", true],
    ["*__pay", "bank__pay", true],
    ["b*__*y", "bank__pay", true],
    ["a*a", "a", false],
    ["*ab*ab*", "ab", false],
    ["a*b*c", "abc", true],
    ["a*bc*c", "abc", false],
  ])("%s fits %s: %s", (pattern, name, fits) => {
    expect(matchesName(pattern, name)).toBe(fits);
  });
});
