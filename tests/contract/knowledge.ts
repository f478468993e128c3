/** What every store of documents has to do: each of them runs this suite. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { InputError } from "../../src/errors.ts";
import type { KnowledgeBase, NewDocument, Question } from "../../src/knowledge.ts";
import { rejection } from "../unit/client-agent.fixture.ts";

export interface KnowledgeStage {
  /** Another one on the same documents, as another process would have it. The stage closes it. */
  open(options?: { readonly mostPassages?: number }): KnowledgeBase;
  /** Everything of it is gone. */
  close(): Promise<void>;
}

/** Anything is near enough. */
const anything = { words: 0.01, sense: -1 };

export function documentOf(
  source: string,
  passages: NewDocument["passages"],
  more: Partial<NewDocument> = {},
): NewDocument {
  return { collection: "main", source, title: source, digest: `digest of ${source}`, cut: false, passages, ...more };
}
const text = (...texts: readonly string[]) => texts.map((one) => ({ text: one }));
const vectorsOf = (...of: readonly (readonly number[])[]) => ({
  model: "test:small",
  of: of.map((one) => Float32Array.from(one, (x) => x / Math.hypot(...one))),
});
const asked = (words: string, more: Partial<Question> = {}): Question => ({
  text: words,
  limit: 10,
  least: anything,
  ...more,
});

export function knowledgeContract(start: () => Promise<KnowledgeStage>): void {
  let stage: KnowledgeStage;
  let base: KnowledgeBase;
  beforeEach(async () => {
    stage = await start();
    base = stage.open();
  }, 60_000);
  afterEach(() => stage.close());
  const textsFor = async (tenant: string, question: Question, of = base) =>
    (await of.search(tenant, question)).map((one) => one.text);

  describe("documents", () => {
    it("are kept as they came, and listed by collection and source", async () => {
      const passages = [{ text: "Tea likes rain.", section: "Tea › Weather", page: 3 }, { text: "It grows." }];
      const kept = await base.put("default", documentOf("/docs/b.md", passages, { title: "On tea", cut: true }));
      expect(kept).toMatchObject({ title: "On tea", source: "/docs/b.md", collection: "main", passages: 2, cut: true });
      expect(kept).not.toHaveProperty("model");
      await base.put("default", documentOf("/docs/a.md", text("a"), { collection: "Other" }));
      await base.put(
        "default",
        documentOf("/docs/A.md", text("a"), { collection: "main", vectors: vectorsOf([1, 0]) }),
      );
      expect((await base.list("default")).map(({ collection, source }) => `${collection} ${source}`)).toEqual([
        "Other /docs/a.md",
        "main /docs/A.md",
        "main /docs/b.md",
      ]);
      expect(await base.list("default", "Other")).toHaveLength(1);
      expect(await base.get("default", { collection: "main", source: "/docs/b.md" })).toEqual(kept);
      expect(await base.get("default", { collection: "main", source: "/docs/A.md" })).toMatchObject({
        model: "test:small",
      });
      expect(await base.get("default", { collection: "Other", source: "/docs/b.md" })).toBeUndefined();
      const [found] = await base.search("default", asked("rain"));
      const { id, title, source, collection } = kept;
      expect(found).toEqual({ ...passages[0], words: 1, document: { id, title, source, collection } });
    });

    it("take the place of what was known by the same source, in the same collection", async () => {
      const first = await base.put("default", documentOf("a", text("Tea is green.", "Milk is white.")));
      await base.put("default", documentOf("a", text("Tea stays."), { collection: "other" }));
      const second = await base.put("default", documentOf("a", text("Tea is black."), { digest: "new" }));
      expect(second.id).toBe(first.id);
      expect(await base.list("default", "main")).toEqual([second]);
      expect(await textsFor("default", asked("tea milk"))).toEqual(
        expect.arrayContaining(["Tea is black.", "Tea stays."]),
      );
      expect(await textsFor("default", asked("milk"))).toEqual([]);
    });

    it("stay as they were where writing them breaks off", async () => {
      const kept = await base.put("default", documentOf("a", text("Tea is green.")));
      const broken = [
        { text: "Tea is white." },
        { text: "x", page: "none" as unknown as number },
        ...text(null as unknown as string),
      ];
      await rejection(base.put("default", documentOf("a", broken)));
      expect(await base.list("default")).toEqual([kept]);
      expect(await textsFor("default", asked("tea"))).toEqual(["Tea is green."]);
    });

    it("are gone when they are removed", async () => {
      const { id } = await base.put("default", documentOf("a", text("Tea is green."), { vectors: vectorsOf([1, 0]) }));
      await base.put("default", documentOf("b", text("Tea is black.")));
      expect(await base.remove("default", id)).toBe(true);
      expect(await base.remove("default", id)).toBe(false);
      expect(await textsFor("default", asked("tea", { vector: senseOf([1, 0]) }))).toEqual(["Tea is black."]);
    });

    it("of any size and with any characters", async () => {
      const words = (at: number) => `number${at} ${"x".repeat(1_500)} \u0000 😀 'quoted' "$1" \\ ${"\ud800"}`;
      const passages = Array.from({ length: 450 }, (_, at) => ({ text: words(at), section: "a\u0000b" }));
      const of = passages.map((_, at) => [Math.cos(at), Math.sin(at), 1]);
      const title = "'; DROP TABLE document; --";
      await base.put("default", documentOf("big", passages, { title, vectors: vectorsOf(...of) }));
      expect(await base.list("default")).toMatchObject([{ passages: 450, title }]);
      const [found] = await base.search("default", asked("number321", { limit: 1 }));
      expect(found?.text).toContain("number321 ");
      expect(found?.text).toContain("😀 'quoted' \"$1\" \\");
    });
  });

  const senseOf = (of: readonly number[], model = "test:small") => ({ model, of: vectorsOf(of).of[0] as Float32Array });

  describe("a tenant's documents", () => {
    it("are nobody else's, whatever the tenants' names", async () => {
      const tenants = ["acme", "Acme", "../acme", "acme' OR '1'='1", "ac%", "ac/me"];
      for (const tenant of tenants) {
        const vectors = vectorsOf([1, 0]);
        await base.put(tenant, documentOf("same", text(`The password of ${tenant} is here.`), { vectors }));
      }
      for (const tenant of tenants) {
        expect(await textsFor(tenant, asked("password", { vector: senseOf([1, 0]) }))).toEqual([
          `The password of ${tenant} is here.`,
        ]);
        expect(await base.list(tenant)).toHaveLength(1);
        // Others' do not even take the places of its own.
        expect(await textsFor(tenant, asked("password", { limit: 1 }))).toHaveLength(1);
        expect(await textsFor(tenant, asked("nothing", { limit: 1, vector: senseOf([1, 0]) }))).toHaveLength(1);
      }
      const [own] = await base.list("acme");
      expect(await base.remove("stranger", own?.id ?? "")).toBe(false);
      expect(await base.remove("Acme", own?.id ?? "")).toBe(true);
      expect(await textsFor("Acme", asked("password"))).toEqual([]);
      expect(await base.list("acme")).toHaveLength(1);
      expect(await base.list("stranger")).toEqual([]);
      expect(await base.search("stranger", asked("password", { vector: senseOf([1, 0]) }))).toEqual([]);
    });

    it("have room for so many passages, what takes another's place not counted", async () => {
      const small = stage.open({ mostPassages: 3 });
      await small.put("default", documentOf("a", text("one", "two")));
      const refused = await rejection(small.put("default", documentOf("b", text("three", "four"))));
      expect(refused).toBeInstanceOf(InputError);
      expect(refused.message).toContain("2 of 3 passages are taken");
      expect(await small.put("default", documentOf("a", text("three", "four", "five")))).toMatchObject({ passages: 3 });
      expect(await small.put("other", documentOf("b", text("three", "four")))).toMatchObject({ passages: 2 });
    });

    it("have no more room for writers that come at once", async () => {
      const writers = Array.from({ length: 4 }, () => stage.open({ mostPassages: 5 }));
      const puts = writers.map((one, at) => one.put("default", documentOf(`d${at}`, text("one", "two"))));
      const settled = await Promise.allSettled(puts);
      expect(settled.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
      expect(await base.list("default")).toHaveLength(2);
    });
  });

  describe("two that have the same documents open", () => {
    it("see each other's changes at once", async () => {
      const other = stage.open();
      expect(await other.list("default")).toEqual([]);
      const { id } = await base.put("default", documentOf("a", text("Tea is green.")));
      expect(await textsFor("default", asked("tea"), other)).toEqual(["Tea is green."]);
      await other.put("default", documentOf("a", text("Tea is black.")));
      expect(await textsFor("default", asked("tea"))).toEqual(["Tea is black."]);
      expect(await base.remove("default", id)).toBe(true);
      expect(await textsFor("default", asked("tea"), other)).toEqual([]);
    });

    it("never leave a mixture where both write the same document", async () => {
      const other = stage.open();
      for (let round = 0; round < 5; round += 1) {
        await Promise.all(
          [base, other].map((one, at) =>
            one.put("default", documentOf("a", text(...Array.from({ length: 3 + at }, () => `Tea of writer${at}.`)))),
          ),
        );
        const found = await textsFor("default", asked("tea"));
        expect(new Set(found).size).toBe(1);
        expect(found).toHaveLength((await base.list("default"))[0]?.passages ?? 0);
      }
    });

    it("get ready at once", async () => {
      const all = Array.from({ length: 6 }, () => stage.open());
      await Promise.all(all.map((one) => one.prepare()));
      await Promise.all(all.map((one) => one.list("default")));
    });
  });

  describe("by its words a passage", () => {
    beforeEach(async () => {
      const passages = [
        { text: "The red car is fast." },
        { text: "The red bike is slow." },
        { text: "The blue car is slow.", section: "Blue" },
        { text: "Running employees return goods at 10.5% of example.com/path-to." },
        { text: "Über den Wolken gibt es Urlaubstage, naïve Leute." },
      ];
      await base.put("default", documentOf("a", passages, { title: "Vehicles" }));
      await base.put("default", documentOf("b", text("Something about bananas."), { collection: "fruit" }));
    });

    it("is the better the more it has of the question, rare words most of all", async () => {
      const found = await base.search("default", asked("slow blue car"));
      expect(found[0]).toMatchObject({ section: "Blue", words: 1 });
      expect(found.map((one) => one.text)).toHaveLength(3);
      for (const one of found.slice(1)) expect(one.words).toBeLessThan(0.7);
      const [rare] = await base.search("default", asked("slow car bananas"));
      expect(rare?.document.source).toBe("a");
      expect((await base.search("default", asked("slow bananas")))[0]?.document.source).toBe("b");
    });

    it("does not fit below the threshold", async () => {
      const least = { words: 0.6, sense: 1 };
      expect(await textsFor("default", asked("slow blue car", { least }))).toEqual(["The blue car is slow."]);
      expect(await textsFor("default", asked("yellow submarine", { least }))).toEqual([]);
      expect(await textsFor("default", asked("slow blue car", { limit: 1 }))).toHaveLength(1);
    });

    it("is found by stems, beginnings, title and headings, without accents", async () => {
      const finds = async (question: string) => (await textsFor("default", asked(question)))[0]?.slice(0, 7);
      expect(await finds("employee runs")).toBe("Running");
      expect(await finds("urlaub")).toBe("Über de");
      expect(await finds("URLAUBSTAG")).toBe("Über de");
      expect(await finds("uber")).toBe("Über de");
      expect(await finds("naive")).toBe("Über de");
      expect(await finds("vehicle")).toBe("The red");
      expect(await finds("example")).toBe("Running");
      expect(await finds("path")).toBe("Running");
      // Of few letters only the word itself counts.
      expect(await finds("goo")).toBeUndefined();
    });

    it("is looked for in the collections that are named", async () => {
      const within = (...collections: string[]) => textsFor("default", asked("bananas car", { collections }));
      expect(await within("fruit")).toEqual(["Something about bananas."]);
      expect(await within("main")).toHaveLength(2);
      expect(await within("main", "fruit")).toHaveLength(3);
      expect(await within("none", "'")).toEqual([]);
    });

    it("is found whatever stands in the question", async () => {
      const odd = [
        '"',
        "car AND NOT (",
        "text:car*",
        "NEAR(car red)",
        "' OR 1=1 --",
        "茶",
        "한국어",
        "the of and",
        "\u0000",
        "car:* & !red",
        "\u0301",
        "\\",
        "a<->b",
        "\ud800",
      ];
      for (const question of [...odd, "x".repeat(50_000), "word ".repeat(5_000), odd.join(" ")])
        await expect(base.search("default", asked(question))).resolves.toBeDefined();
      expect(await textsFor("default", asked("BANANÁS*"))).toEqual(["Something about bananas."]);
    });
  });

  describe("by its sense a passage", () => {
    beforeEach(async () => {
      const vectors = vectorsOf([1, 0, 0], [1, 1, 0], [0, 0, 1]);
      await base.put("default", documentOf("a", text("alpha", "beta", "gamma"), { vectors }));
      const other = { model: "test:other", of: vectorsOf([1, 0, 0]).of };
      await base.put("default", documentOf("b", text("delta"), { vectors: other }));
      await base.put("default", documentOf("c", text("epsilon")));
      await base.put("default", documentOf("d", text("zeta"), { vectors: vectorsOf([1, 0]), collection: "short" }));
    });

    it("is found by the cosine, the nearest first", async () => {
      const found = await base.search(
        "default",
        asked("nothing", { vector: senseOf([2, 0.1, 0]), least: { words: 1, sense: 0.3 } }),
      );
      expect(found.map((one) => one.text)).toEqual(["alpha", "beta"]);
      expect(found[0]?.sense).toBeCloseTo(0.99875, 4);
      expect(found[1]?.sense).toBeCloseTo(0.74154, 4);
      expect(found[0]?.words).toBe(0);
    });

    it("is compared with vectors of the same model and size alone", async () => {
      const least = { words: 1, sense: 0.9 };
      const by = (vector: NonNullable<Question["vector"]>, collections?: string[]) =>
        textsFor("default", asked("nothing", { vector, least, ...(collections && { collections }) }));
      expect(await by(senseOf([1, 0, 0], "test:other"))).toEqual(["delta"]);
      expect(await by(senseOf([1, 0, 0], "test:none"))).toEqual([]);
      expect(await by(senseOf([1, 0, 0]))).toEqual(["alpha"]);
      expect(await by(senseOf([1, 0]))).toEqual(["zeta"]);
      expect(await by(senseOf([1, 0]), ["main"])).toEqual([]);
    });

    it("comes first where its words fit, too", async () => {
      const vector = senseOf([1, 0.95, 0]);
      const found = await base.search("default", asked("alpha", { vector, least: { words: 0.5, sense: 0.5 } }));
      expect(found.map((one) => one.text)).toEqual(["alpha", "beta"]);
      expect(found[0]).toMatchObject({ words: 1, sense: expect.closeTo(0.725, 2) });
    });
  });
}
