/**
 * Adding a channel touches what CONTRIBUTING lists and nothing else: the sample channel is added to a copy of the project by
 * those steps, is checked there as a channel of ours is, and answers from there.
 */
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, onTestFailed, onTestFinished, test } from "vitest";
import { secret, startSamplePlatform } from "../contract/sample.ts";
import { startOpenAiFake } from "../fakes/openai.ts";
import { token } from "../fakes/tokens.ts";
import { checkImports } from "../house/imports.ts";
import { createGateway } from "./gateway-process.ts";
import { eventually } from "./stage.ts";

const root = resolve(import.meta.dirname, "../..");
const run = promisify(execFile);

/** What is the sample's already in this project, and where it stands in a project that has the channel. */
const own =
  /^tests\/(?:sample-channel(?:\/|$)|integration\/sample-channel\.|contract\/(?:payloads\/)?sample(?:[./]|$))/;
const files = [
  ["tests/sample-channel", "channels/sample"],
  ["tests/contract/sample.ts", "tests/contract/sample.ts"],
  ["tests/contract/sample.test.ts", "tests/contract/sample.test.ts"],
  ["tests/contract/payloads/sample", "tests/contract/payloads/sample"],
] as const;

/** File, the line that the new ones stand before, and they. */
const lines = [
  [
    "src/main/channels.ts",
    'import { telegramSettings } from "../../channels/telegram/settings.ts";',
    'import { sampleSettings } from "../../channels/sample/settings.ts";',
  ],
  [
    "src/main/channels.ts",
    "  telegram: kind({",
    '  sample: kind({\n    settings: sampleSettings,\n    load: async () => (await import("../../channels/sample/index.ts")).sample,\n  }),',
  ],
  [
    "src/main/environment.ts",
    '  WEBHOOK_ALLOW_HOSTS: { path: ["webhooks", "allowHosts"], list: true },',
    '  SAMPLE_SECRET: { path: ["channels", "sample", "main", "secret"], secret: true, stored: true },\n  SAMPLE_URL: { path: ["channels", "sample", "main", "url"] },',
  ],
  [
    "ascent.example.yaml",
    "webhooks:",
    "  # sample:\n  #   main:\n  #     secret: ${SAMPLE_SECRET} # [SAMPLE_SECRET]\n  #     url: https://sample.example.com/messages # [SAMPLE_URL]\n",
  ],
  [
    "tests/house/channel-table.ts",
    '  { title: "Web page", name: "web", settings: {} },',
    '  { title: "Sample", name: "sample", settings: { secret, url: "https://sample.example.com/messages" } },',
  ],
  ["README.md", "| Webhooks | `WEBHOOK_SECRET` ", "| Sample | `SAMPLE_SECRET` | text |"],
  ["README.md", "| `WEBHOOK_SECRET`, ", "| `SAMPLE_SECRET`, `SAMPLE_URL` | | the sample platform |"],
] as const;

let copy: string;

beforeAll(async () => {
  copy = mkdtempSync(join(tmpdir(), "ascent-sample-"));
  const wanted = (path: string) => !skipped.test(path) && !own.test(relative(root, path));
  cpSync(root, copy, { recursive: true, filter: wanted });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  for (const [from, to] of files) cpSync(join(root, from), join(copy, to), { recursive: true });
  for (const name of ["sample.ts", "sample.test.ts"])
    edit(`tests/contract/${name}`, (text) => text.replaceAll("../sample-channel/", "../../channels/sample/"));
  for (const [file, before, added] of lines) edit(file, (text) => inserted(text, before, added));
  await inCopy("tests/house/channel-table.ts"); // npm run readme
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

const skipped = /\/(?:node_modules|\.git|data|dist|coverage)(?:\/|$)/;

function edit(file: string, change: (text: string) => string): void {
  writeFileSync(join(copy, file), change(readFileSync(join(copy, file), "utf8")));
}

function inserted(text: string, before: string, added: string): string {
  const at = text.indexOf(`\n${before}`);
  if (at === -1) throw new Error(`no line begins with ${before}`);
  return `${text.slice(0, at)}\n${added}${text.slice(at)}`;
}

/** Runs a script of the copy there. Rejects with what it printed where it fails. */
async function inCopy(...script: readonly string[]): Promise<string> {
  const env = { PATH: process.env["PATH"] ?? "", HOME: copy };
  return run("sh", ["bin/node", ...script], { cwd: copy, env }).then(
    ({ stdout }) => stdout,
    ({ stdout, stderr }: { stdout: string; stderr: string }) => {
      throw new Error(`${script.join(" ")} failed:\n${stdout}${stderr}`);
    },
  );
}

function contents(folder: string): Map<string, string> {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (path) =>
      !skipped.test(`/${path}`) && !own.test(folder === root ? path : "") && statSync(join(folder, path)).isFile(),
  );
  return new Map(paths.map((path) => [path, readFileSync(join(folder, path), "base64")]));
}

test("it touches the files that CONTRIBUTING lists and no other", () => {
  const [before, after] = [contents(root), contents(copy)];
  expect(before.size).toBeGreaterThan(100);
  const touched = [...new Set([...before.keys(), ...after.keys()])].filter(
    (path) => before.get(path) !== after.get(path),
  );
  const guide = readFileSync(join(root, "CONTRIBUTING.md"), "utf8");
  const section = /## Add a channel\n([^]*?)\n## /.exec(guide)?.[1] ?? "";
  const listed = [...section.matchAll(/`([\w.<>/-]+)`/g)].map(([, path = ""]) => path.replaceAll("<name>", "sample"));
  const isListed = (path: string) => listed.some((one) => (one.endsWith("/") ? path.startsWith(one) : path === one));
  expect(touched.filter((path) => !isListed(path))).toEqual([]);
  const changed = new Set(touched.filter((path) => before.has(path)));
  expect(changed).toEqual(new Set(lines.map(([file]) => file)));
});

test("types, import rules, the contract suite and the tests of configuration and README hold there", async () => {
  const { modules, violations } = await checkImports(copy);
  expect(violations).toEqual([]);
  expect(modules).toBeGreaterThan(100);
  await inCopy("node_modules/typescript/bin/tsc", "-p", ".");
  const tests = ["tests/contract/sample.test.ts", "tests/unit/config.test.ts", "tests/unit/channel-table.test.ts"];
  expect(await inCopy("node_modules/vitest/vitest.mjs", "run", ...tests)).toContain(" 0 failed");
});

test("the gateway answers on it: once for a duplicate, and after kill -9 what it had taken and what came meanwhile", async () => {
  const model = await startOpenAiFake({ models: ["test"] });
  const platform = await startSamplePlatform((request) =>
    fetch(new Request(`${gateway.url}/webhooks/sample`, request)),
  );
  const gateway = await createGateway({
    root: copy,
    config: { channels: { web: { main: { enabled: false } } }, server: { graceSeconds: 5 } },
    env: () => ({
      ASCENT_CONFIG: "ascent.yaml",
      ASCENT_MODEL: "compatible:test",
      OPENAI_BASE_URL: model.baseURL,
      OPENAI_API_KEY: "sk-of-the-tests",
      SAMPLE_SECRET: secret,
      SAMPLE_URL: platform.url,
    }),
  });
  onTestFailed(() => console.error("the gateway's log ends:", gateway.tail()));
  onTestFinished(async () => {
    await platform.close();
    await gateway.close();
    await model.close();
  });
  await gateway.start();
  platform.box.resume();
  const [first, second, third] = [token("c1", 1), token("c1", 2), token("c1", 3)];
  const answersTo = (own: string) => platform.shown.filter(({ text }) => text.includes(own)).length;
  const runsOf = (own: string) => model.log.filter(({ tokens }) => tokens.includes(own)).length;

  const id = platform.says(`one ${first}`);
  await eventually("the first answer", () => answersTo(first) === 1);
  await platform.box.again(id);

  await model.pace({ latencyMs: 60_000 });
  const taken = platform.says(`two ${second}`);
  await eventually("the turn that the kill breaks off", () => platform.box.accepted(taken) && runsOf(second) === 1);
  await gateway.kill();
  platform.says(`three ${third}`);
  await model.pace({ latencyMs: 0 });
  await gateway.start();
  await platform.box.again(id);
  await eventually("the other answers", () => answersTo(second) === 1 && answersTo(third) === 1);

  expect([first, second, third].map(answersTo)).toEqual([1, 1, 1]);
  expect(runsOf(first)).toBe(1);
  expect(gateway.output()).not.toContain(secret);
});
