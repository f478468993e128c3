/** `npm run dapr` as a person runs it: one command, one page, one Ctrl-C; started again, the conversation is still there. */
import { equal, match, ok } from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, onTestFailed, onTestFinished, test } from "vitest";
import { freePorts } from "../../src/main/dapr/ports.ts";
import { needs } from "../needs.ts";
import { needsDapr } from "../services/dapr.ts";

const root = join(import.meta.dirname, "../..");
const redis = needs("redis-server");
const { missing } = await needsDapr();

describe.skipIf(missing || redis.missing)("npm run dapr", () => {
  test("gives the page, answers, tells doctor, ends on Ctrl-C, and goes on where it was", async () => {
    const data = await mkdtemp(join(tmpdir(), "ascent-run-"));
    const [port = 0] = await freePorts(1);
    const env = {
      PATH: process.env["PATH"] ?? "",
      HOME: process.env["HOME"] ?? "",
      ...(process.env["XDG_CACHE_HOME"] === undefined ? {} : { XDG_CACHE_HOME: process.env["XDG_CACHE_HOME"] }),
      ASCENT_DATA: data,
      PORT: String(port),
    };
    const url = `http://127.0.0.1:${port}`;
    let output = "";
    onTestFailed(() => console.error(output.slice(-4_000)));
    onTestFinished(() => rm(data, { recursive: true, force: true, maxRetries: 5 }));

    async function run() {
      const child = spawn("sh", ["bin/node", "src/main/dapr/run.ts"], {
        cwd: root,
        env,
        stdio: ["ignore", "pipe", "pipe"],
      });
      onTestFinished(() => void child.kill("SIGKILL"));
      for (const stream of [child.stdout, child.stderr])
        stream.on("data", (text: Buffer) => (output += text.toString()));
      for (let step = 0; step < 600 && !output.includes("Ctrl-C ends everything"); step++) await sleep(100);
      match(output, /the page is at http/);
      return {
        async end() {
          child.kill("SIGINT");
          await once(child, "exit");
          equal(child.exitCode, 0);
          output = "";
        },
      };
    }
    async function ascent(...args: string[]) {
      const child = spawn("sh", ["bin/ascent", ...args], { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
      let said = "";
      child.stdout.on("data", (text: Buffer) => (said += text.toString()));
      await once(child, "close");
      return { code: child.exitCode, said };
    }
    let cookie = "";
    async function call(method: string, path: string, body?: object) {
      const response = await fetch(url + path, {
        method,
        headers: { "content-type": "application/json", origin: url, cookie },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      cookie = response.headers.get("set-cookie")?.split(";")[0] ?? cookie;
      return response.text();
    }
    const shows = async (text: string) => {
      for (let step = 0; step < 200; step++) {
        if ((await call("GET", "/api/messages")).includes(text)) return true;
        await sleep(50);
      }
      return false;
    };

    const first = await run();
    match(await (await fetch(url)).text(), /<div id="root">/);
    await call("POST", "/api/session", {});
    await call("POST", "/api/messages", { id: crypto.randomUUID(), text: "what is 12*7+3?" });
    ok(await shows("**87**"));
    const doctor = await ascent("doctor");
    equal(doctor.code, 0, doctor.said);
    match(doctor.said, /sidecar: the resiliency policy is loaded/);
    match(doctor.said, /redis: appendonly is yes/);
    match((await ascent("deadletters", "list")).said, /There are no dead letters/);
    await first.end();
    equal(await fetch(url).catch(() => "gone"), "gone");

    const second = await run();
    ok(await shows("**87**"), "what was said is still there");
    await call("POST", "/api/messages", { id: crypto.randomUUID(), text: "what is 2+2?" });
    ok(await shows("**4**"));
    await second.end();
  }, 180_000);
});
