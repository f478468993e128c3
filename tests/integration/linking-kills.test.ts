/** kill -9 between any two steps by which agents take over and give back: the real core on the real file, in a process of its own. */
import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually } from "./stage.ts";

const secret = randomBytes(32).toString("base64");
let directory: string;
let child: ChildProcess;
let port = 0;

async function start(killAt = ""): Promise<void> {
  const args = [join(import.meta.dirname, "web.fixture.ts"), directory, String(port), secret, killAt];
  child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(child.stdout!, "data")) as [Buffer];
  port = (JSON.parse(line.toString()) as { port: number }).port;
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ascent-linking-"));
  await start();
});
afterEach(async () => {
  child.kill("SIGKILL");
  await rm(directory, { recursive: true, force: true });
});

interface Shown {
  readonly id: string;
  readonly role: string;
  readonly text: string;
  readonly answers?: readonly string[];
}

/** A browser that insists. */
async function openPage() {
  const base = `http://127.0.0.1:${port}`;
  const opened = await fetch(`${base}/api/session`, { method: "POST", headers: { origin: base } });
  const cookie = opened.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  const headers = { origin: base, cookie, "content-type": "application/json" };
  const insist = (path: string, init: RequestInit = {}): Promise<unknown> =>
    eventually(path, async () => {
      const response = await fetch(`${base}${path}`, { ...init, headers }).catch(() => undefined);
      return response?.ok === true && ((await response.json().catch(() => undefined)) as object | undefined);
    });
  const shown = async () => ((await insist("/api/messages")) as { messages: Shown[] }).messages;
  return {
    shown,
    sends: (text: string) =>
      insist("/api/messages", { method: "POST", body: JSON.stringify({ id: randomUUID(), text }) }),
    sees: (what: string) =>
      eventually(`“${what}”`, async () =>
        (await shown()).find(({ role, text }) => role !== "user" && text.includes(what)),
      ),
  };
}

/** Each message of the page has one answer, and the answers are in the order of the messages. */
async function expectAnswered({ shown }: Awaited<ReturnType<typeof openPage>>): Promise<void> {
  const all = await shown();
  const asked = all.filter(({ role }) => role === "user").map(({ id }) => id);
  const answered = all.flatMap(({ answers = [] }) => answers);
  // What gives a code has two parts, and both say what they answer.
  expect([...new Set(answered)]).toEqual(asked);
  const words = all.filter(({ role, answers }) => role === "agent" && answers !== undefined).map(({ text }) => text);
  expect(new Set(words).size).toBe(words.length);
}

async function killedAt(step: string, act: () => Promise<unknown>): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "exit");
  await start(step);
  const died = once(child, "exit");
  await act();
  await died;
  await start();
}

const joins = ["before join", "before import", "after import", "before joined", "after joined", "after join"];
const parts = ["before unlink", "before left", "after left", "before released", "after released", "after unlink"];

test.each(joins)("killed %s", { timeout: 90_000 }, async (step) => {
  const [one, other] = [await openPage(), await openPage()];
  await one.sends("a1");
  await other.sends("b1");
  await one.sends("/link");
  const code = (await one.sees("/link ")).text;
  await other.sees("b1");
  let behind: Promise<unknown> = Promise.resolve();
  await killedAt(step, async () => {
    await other.sends(code);
    behind = Promise.all([other.sends("b2"), one.sends("a2")]);
    behind.catch(() => undefined);
  });
  await behind;
  await other.sees("Linked:");
  await other.sends("b3");
  await other.sees("b3");
  await one.sees("a2");
  await expectAnswered(one);
  await expectAnswered(other);
});

test.each(parts)("killed %s", { timeout: 90_000 }, async (step) => {
  const [one, other] = [await openPage(), await openPage()];
  await one.sends("a1");
  await one.sends("/link");
  await other.sends((await one.sees("/link ")).text);
  await other.sees("Linked:");
  await other.sends("b1");
  await other.sees("b1");
  let behind: Promise<unknown> = Promise.resolve();
  await killedAt(step, async () => {
    await other.sends("/unlink");
    behind = Promise.all([other.sends("b2"), one.sends("a2")]);
    behind.catch(() => undefined);
  });
  await behind;
  await other.sees("Unlinked:");
  await other.sends("b3");
  await other.sees("b3");
  await one.sees("a2");
  await sleep(200);
  await expectAnswered(one);
  await expectAnswered(other);
});
