import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createSandbox } from "../../../adapters/sandbox/index.ts";
import type { SandboxFile } from "../../../src/sandbox.ts";
import { quiet, rejection, testClock } from "../client-agent.fixture.ts";

const timeMs = 1_500;
const sandbox = createSandbox({ clock: testClock(), log: quiet }, { timeMs });
const file = (name: string, text: string | Uint8Array): SandboxFile => ({
  name,
  type: "application/octet-stream",
  bytes: typeof text === "string" ? new TextEncoder().encode(text) : text,
});
const run = (code: string, ...files: SandboxFile[]) => sandbox.run({ code, files });
const valueOf = async (code: string, ...files: SandboxFile[]) => {
  const outcome = await run(code, ...files);
  expect(outcome).toMatchObject({ kind: "done" });
  return outcome.kind === "done" ? outcome.value : undefined;
};

describe("a program in the sandbox", { timeout: 60_000 }, () => {
  it("returns JSON, emits and prints", async () => {
    const code = "console.log('a', { b: 1 }); emit({ c: 2 }); return await Promise.resolve([3, undefined, NaN])";
    expect(await run(code)).toEqual({ kind: "done", value: [3, null, null], emitted: [{ c: 2 }], log: 'a {"b":1}\n' });
    expect(await run("1 + 1")).toEqual({ kind: "done", value: undefined, emitted: [], log: "" });
  });

  it("learns what is wrong with it, and in which line", async () => {
    expect(await run("console.log('before');\nlet a = 1;\nb += a;")).toEqual({
      kind: "failed",
      problem: "ReferenceError: 'b' is not defined (line 3)",
      log: "before\n",
    });
    expect(await run("return (1 +")).toMatchObject({ kind: "failed", problem: expect.stringContaining("SyntaxError") });
    expect(await run("throw 'x'")).toMatchObject({ problem: "throws x" });
    expect(await run("return 5n")).toMatchObject({ problem: expect.stringContaining("BigInt") });
    expect(await run("const o = {}; o.o = o; return o")).toMatchObject({ problem: "TypeError: circular reference" });
    expect(await run("await new Promise(() => {})")).toMatchObject({ problem: expect.stringContaining("no timers") });
  });

  it("finds nothing that another left, and nothing of ours", async () => {
    await run("globalThis.left = 1; Object.prototype.left = 1; Array.prototype.map = 5");
    const names =
      "['left', 'process', 'require', 'fetch', 'WebAssembly', 'setTimeout', 'Atomics', 'Worker', 'std', 'os']";
    const escape = `return ${names}.map((name) => (() => {}).constructor.constructor('name', 'return typeof globalThis[name]')(name))`;
    expect(new Set((await valueOf(escape)) as string[])).toEqual(new Set(["undefined"]));
    expect(await valueOf("return [].map.length")).toBe(1);
    const reach =
      "let at = emit; const seen = []; while (at) { seen.push(...Reflect.ownKeys(at).map(String)); at = Object.getPrototypeOf(at) } return seen.join()";
    expect(await valueOf(reach)).not.toMatch(/context|handle|mainModule|binding/i);
    for (const module of ["fs", "node:fs", "std", "os", "./worker.ts"])
      expect(await run(`return await import("${module}")`)).toMatchObject({ kind: "failed" });
  });

  it.each([
    ["a loop", "for (;;);", "longer"],
    ["a loop that catches everything", "for (;;) { try { (function f() { f() })() } catch {} }", "longer"],
    ["a regular expression", "return /^(a+)+$/.test('a'.repeat(60) + 'b')", "longer"],
    ["promises that follow each other", "const f = () => Promise.resolve().then(f); await f()", /longer|memory/],
    [
      "an error that never tells",
      "throw Object.defineProperty(new Error(), 'message', { get() { for (;;); } })",
      "longer",
    ],
    ["a list that grows", "const a = []; for (;;) a.push(new Array(1e6).fill(7))", "memory"],
    ["buffers", "const a = []; for (;;) a.push(new ArrayBuffer(1e6))", "memory"],
    ["one large buffer", "new Uint8Array(2e9)", "memory"],
    ["text that doubles", "let a = 'x'; for (;;) a += a", "too long"],
    ["a call of itself", "function f() { return 1 + f() } return f()", "stack overflow"],
    ["a large result", "return 'x'.repeat(5e6)", "1000000 characters"],
    ["much emitted", "for (;;) emit(1)", "too much is emitted"],
    ["a long error", "throw new Error('x'.repeat(1e7))", "xxx"],
  ])("ends: %s", async (_, code, problem) => {
    const begun = performance.now();
    const outcome = await run(`console.log('x'.repeat(1e6)); ${code}`);
    expect(outcome).toMatchObject({ kind: "failed", problem: expect.stringMatching(problem) });
    expect(outcome.kind === "failed" && outcome.problem.length < 1_000).toBe(true);
    expect(outcome.log.length).toBeLessThanOrEqual(8_000);
    expect(performance.now() - begun).toBeLessThan(timeMs + 15_000);
  });

  it("ends from outside where the engine does not end it", async () => {
    const deep = "let a = []; for (let i = 0; i < 1e6; i++) a = [a]; return a";
    expect(await run(deep)).toMatchObject({ kind: "failed" });
    expect(await run("return new Array(1e9).join('x').length")).toMatchObject({ kind: "failed" });
  });

  it("may spoil its own results, and nothing else", async () => {
    const code =
      "JSON.stringify = () => 'no'; Array.prototype.push = () => 0; String = 1; emit(1); return { toJSON: () => ({ __proto__: null, ['__proto__']: 1 }) }";
    expect(await run(code)).toMatchObject({ kind: expect.stringMatching(/done|failed/) });
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it("leaves the process responsive and small, several at once", async () => {
    let longest = 0;
    let most = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
      most = Math.max(most, process.memoryUsage().rss);
    }, 10);
    const before = process.memoryUsage().rss;
    const bombs = [
      "for (;;);",
      "const a = []; for (;;) a.push(new Array(10000).fill(7))",
      "const a = []; for (;;) a.push('x'.repeat(1e6) + a.length)",
    ];
    const outcomes = await Promise.all([...bombs, ...bombs].map((code) => run(code)));
    clearInterval(timer);
    for (const outcome of outcomes) expect(outcome).toMatchObject({ problem: expect.stringMatching(/memory|longer/) });
    expect(longest).toBeLessThan(1_000);
    // Two at a time, of at most 149 MB each and their threads.
    expect(most - before).toBeLessThan(600e6);
  });

  it("is called off, while it runs and while it waits", async () => {
    const abort = new AbortController();
    const one = createSandbox({ clock: testClock(), log: quiet }, { timeMs: 30_000, threads: 1 });
    const running = one.run({ code: "for (;;);", files: [] }, abort.signal);
    const waiting = one.run({ code: "return 1", files: [] }, abort.signal);
    const after = one.run({ code: "return 2", files: [] });
    const ended = Promise.allSettled([running, waiting]);
    await sleep(300);
    abort.abort(new Error("called off"));
    expect(await ended).toMatchObject([{ reason: { message: "called off" } }, { reason: { message: "called off" } }]);
    expect(await after).toMatchObject({ value: 2 });
  });
});

describe("files in the sandbox", { timeout: 60_000 }, () => {
  const rows = (text: string | Uint8Array) => valueOf("return files['a.csv'].rows", file("a.csv", text));

  it("are tables, with numbers where a whole column is of them", async () => {
    expect(await rows("city,sales,zip\nBonn,1.5,01234\nKöln,,5\n\n")).toEqual([
      { city: "Bonn", sales: 1.5, zip: "01234" },
      { city: "Köln", sales: null, zip: "5" },
    ]);
    expect(await rows('name,n\n"a, ""b""\nc","1,234.5"\nx,n/a')).toEqual([
      { name: 'a, "b"\nc', n: "1,234.5" },
      { name: "x", n: "n/a" },
    ]);
    expect(await rows("a,a,\n1,2,3")).toEqual([{ a: 1, "a (2)": 2, "column 3": 3 }]);
    expect(await rows("__proto__,constructor\n1,2")).toEqual([JSON.parse('{"__proto__":1,"constructor":2}')]);
  });

  it("have the decimal sign of their country, in the encoding of their program", async () => {
    expect(await rows("Ort;Umsatz;Menge\nBonn;1.234,50;1.234\nKöln;2,5;7\n")).toEqual([
      { Ort: "Bonn", Umsatz: 1234.5, Menge: 1234 },
      { Ort: "Köln", Umsatz: 2.5, Menge: 7 },
    ]);
    expect(await rows("a\tb\n1,234.5\t1.234")).toEqual([{ a: 1234.5, b: 1.234 }]);
    expect(await rows(Buffer.from("Ort;n\nKöln;1", "latin1"))).toEqual([{ Ort: "Köln", n: 1 }]);
    expect(await rows(Buffer.from("\ufeffOrt;n\nKöln;1", "utf16le"))).toEqual([{ Ort: "Köln", n: 1 }]);
    expect(await rows("\ufeffOrt;n\nKöln;1")).toEqual([{ Ort: "Köln", n: 1 }]);
  });

  it("are JSON or text", async () => {
    const code =
      "const { 'a.json': a, 'b.json': b, 'c.txt': c } = files; return [a.columns, a.rows.length, b.value, b.rows ?? 0, c.text]";
    const given = [file("a.json", '[{"x":1},{"y":2}]'), file("b.json", '{"x":[1]}'), file("c.txt", "hello")];
    expect(await valueOf(code, ...given)).toEqual([["x", "y"], 2, { x: [1] }, 0, "hello"]);
  });

  it("are refused in words that say what to do", async () => {
    const refused = (name: string, text: string | Uint8Array) => rejection(run("return 1", file(name, text)));
    expect(await refused("a.json", "{")).toMatchObject({ name: "InputError", message: "a.json is no valid JSON" });
    expect(await refused("a.csv", 'a,b\n"1,2')).toMatchObject({ message: expect.stringContaining("quotation mark") });
    expect(await refused("a.csv", "")).toMatchObject({ message: "a.csv is empty" });
    expect(await refused("a.csv", "a,b\n1,2,3")).toMatchObject({ message: expect.stringContaining("row 1 of a.csv") });
    expect(await refused("a.csv", Uint8Array.of(80, 75, 0, 1))).toMatchObject({
      message: expect.stringContaining("save it as CSV"),
    });
    expect(await refused("a.csv", `a\n${"1\n".repeat(100_001)}`)).toMatchObject({
      message: expect.stringContaining("100000 rows"),
    });
    expect(await refused("a.csv", `${"a,".repeat(201)}\n1`)).toMatchObject({
      message: expect.stringContaining("200 columns"),
    });
  });

  it("may be as large as they may be", async () => {
    const text = `name,a,b,c,d\n${Array.from({ length: 100_000 }, (_, at) => `row ${at},${at},${at * 2},0.5,x`).join("\n")}`;
    const large = createSandbox({ clock: testClock(), log: quiet });
    const code = "return files['a.csv'].rows.reduce((sum, { a }) => sum + a, 0)";
    expect(await large.run({ code, files: [file("a.csv", text)] })).toMatchObject({ value: 4_999_950_000 });
  });
});
