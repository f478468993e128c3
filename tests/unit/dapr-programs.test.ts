import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { daprBinaries, findDapr } from "../../src/main/dapr/binaries.ts";
import { corrections } from "../../src/main/dapr/corrections.ts";
import { startService } from "../../src/main/dapr/processes.ts";
import { findRedis, redisEnvironment } from "../../src/main/dapr/redis.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ascent-test-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function program(name: string, script: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

async function dapr(version: string): Promise<void> {
  await program("daprd", `echo ${version}`);
  for (const name of ["placement", "scheduler"]) await program(name, "exit 1");
}

describe("Dapr's programs", () => {
  test("an installed Dapr of the same minor version is taken, with sentry where it is there", async () => {
    await dapr("1.18.9");
    const env = { PATH: `/nowhere:${folder}`, HOME: folder };
    expect(await findDapr(env)).toMatchObject({ daprd: join(folder, "daprd"), sentry: undefined });
    await program("sentry", "exit 1");
    expect(await findDapr(env)).toMatchObject({ sentry: join(folder, "sentry") });
  });

  test("another version is passed over, and refused where it is named", async () => {
    await dapr("1.17.3");
    expect(await findDapr({ PATH: folder, HOME: folder })).toBeUndefined();
    await expect(findDapr({ ASCENT_DAPR_BIN: folder })).rejects.toThrow(/ASCENT_DAPR_BIN .* 1\.18/);
  });

  test("two that need a build at once build once", { timeout: 30_000 }, async () => {
    const module = join(folder, "module");
    for (const { file, edits } of corrections) {
      await mkdir(dirname(join(module, file)), { recursive: true });
      // An anchor that serves several edits is there once.
      const lines = edits.map(({ after, find }, at) => (edits[at - 1]?.after === after ? find : `${after} ${find}`));
      await writeFile(join(module, file), lines.join("\n"));
    }
    // A stand-in for Go: its last but one argument names the folder.
    await program(
      "go",
      `if [ "$1" = mod ]; then echo '{ "Dir": "${module}" }'; exit; fi
while [ $# -gt 2 ]; do shift; done
for name in daprd placement scheduler sentry; do
  printf '#!/bin/sh\\necho 1.18.2\\n' > "$1$name" && chmod +x "$1$name"
done
sleep 1`,
    );
    const said: string[] = [];
    const env = { PATH: `${folder}:/usr/bin:/bin`, HOME: folder };
    const options = { env, log: (line: string) => said.push(line) };
    const [one, other] = await Promise.all([daprBinaries(options), daprBinaries(options)]);
    expect(one).toEqual(other);
    expect(one.sentry).toBeDefined();
    expect(said.filter((line) => line.startsWith("building Dapr"))).toHaveLength(1);
    // Neither a lock nor half a build is left.
    expect(await readdir(join(folder, ".cache/ascent/dapr"))).toHaveLength(1);
  });

  test("a build that fails says what the compiler said, and leaves nothing", { timeout: 30_000 }, async () => {
    await program("go", "echo no such module >&2; exit 1");
    const env = { PATH: `${folder}:/usr/bin:/bin`, HOME: folder };
    await expect(daprBinaries({ env, log: () => {} })).rejects.toThrow("no such module");
    expect(await readdir(join(folder, ".cache/ascent/dapr"))).toEqual([]);
  });
});

describe("Redis", () => {
  test("a missing redis-server is named with how to install it", () => {
    expect(() => findRedis({ PATH: folder })).toThrow("apt install redis-server");
    expect(() => findRedis({ REDIS_SERVER_PATH: "/nowhere" })).toThrow("REDIS_SERVER_PATH");
  });

  test("its URL becomes what the components read, and never part of an error", () => {
    expect(redisEnvironment("rediss://default:p%40ss@cache.example:6380/2")).toEqual({
      REDIS_HOST: "cache.example:6380",
      REDIS_USERNAME: "default",
      REDIS_PASSWORD: "p@ss",
      REDIS_TLS: "true",
      REDIS_DB: "2",
    });
    expect(redisEnvironment("redis://localhost")).toMatchObject({ REDIS_HOST: "localhost:6379", REDIS_TLS: "false" });
    for (const wrong of ["localhost:6379", "http://:secret@host", "redis://:secret@host/x"]) {
      expect(() => redisEnvironment(wrong)).toThrow(/^REDIS_URL must be (?!.*secret)/);
    }
  });
});

describe("a program", () => {
  const start = (command: string, more: object = {}) =>
    startService({ name: "probe", command, args: [], env: {}, healthy: async () => true, log: () => {}, ...more });

  test("that ends before it is healthy is an error with its last words", async () => {
    const command = await program("probe", "echo not today >&2; exit 3");
    await expect(start(command, { healthy: async () => false })).rejects.toThrow("not today");
  });

  test("that is not there is an error, not an exception elsewhere", async () => {
    await expect(start(join(folder, "absent"), { healthy: async () => false })).rejects.toThrow("probe did not start");
  });

  test("is killed, started again, and tells of an end that nobody asked for", async () => {
    const exits: unknown[] = [];
    const command = await program("probe", "exec sleep 600");
    const service = await start(command, { onExit: (exit: unknown) => exits.push(exit) });
    const first = service.pid ?? 0;
    await service.kill();
    expect(service.pid).toBeUndefined();
    await service.restart();
    expect(service.pid).not.toBe(first);
    expect(exits).toEqual([]);
    process.kill(service.pid ?? 0, "SIGKILL");
    await expect.poll(() => exits).toEqual([{ code: null, signal: "SIGKILL" }]);
    await service.stop();
  });

  test("that ignores the request to end is killed after its grace", async () => {
    const command = await program("probe", "trap '' TERM; while :; do sleep 0.1; done");
    const service = await start(command);
    await service.stop(200);
    expect(service.pid).toBeUndefined();
  });
});
