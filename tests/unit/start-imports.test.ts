/** A start pays for what is configured: modules of other channels and adapters are not read. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const script = `
  import { registerHooks } from "node:module";
  const loaded = [];
  registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context); } });
  await import("./src/main/commands/start.ts");
  console.log(JSON.stringify(loaded));
`;

test("until an account needs it, nothing of a channel is loaded but its settings", async () => {
  const args = ["bin/node", "--input-type=module", "-e", script];
  const { stdout } = await promisify(execFile)("sh", args, { maxBuffer: 16 * 1024 * 1024 });
  const loaded = JSON.parse(stdout) as string[];
  const ours = loaded.filter((url) => !url.includes("/node_modules/"));
  const channels = ours.flatMap((url) => /\/channels\/(.+)$/.exec(url)?.[1] ?? []);
  expect(channels.length).toBeGreaterThan(4);
  // The page's builder, and what settings check secrets with.
  const beside = ["web/page/build.ts", "webhook/secrets.ts"];
  expect(channels.filter((path) => !path.endsWith("/settings.ts") && !beside.includes(path))).toEqual([]);
  expect(ours.filter((url) => /\/adapters\/(?:dapr|redis|embedded\/index)/.test(url))).toEqual([]);
  const sdks =
    /\/node_modules\/(?:grammy|discord\.js|whatsapp-web\.js|ioredis|@dapr|jsonata|standardwebhooks|vite|chrono-node|temporal-polyfill|quickjs-emscripten|echarts|papaparse)\//;
  expect(loaded.filter((url) => sdks.test(url))).toEqual([]);
});
