import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listen, readBody, type Listening } from "../fakes/http.ts";

const secret = randomBytes(32).toString("base64");
const kills = 8;
const messages = 40;
let directory: string;
let child: ChildProcess;
let port = 0;
let receiver: Listening;
const callbacks: { readonly id: string; readonly body: string }[] = [];

async function startGateway(): Promise<void> {
  const script = join(import.meta.dirname, "web.fixture.ts");
  child = spawn(process.execPath, [script, directory, String(port), secret], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(child.stdout!, "data")) as [Buffer];
  port = (JSON.parse(line.toString()) as { port: number }).port;
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ascent-web-"));
  await startGateway();
  receiver = await listen((request, response) => {
    void readBody(request).then((raw) => {
      const body = raw!.toString();
      new Webhook(secret).verify(body, request.headers as Record<string, string>);
      callbacks.push({ id: String(request.headers["webhook-id"]), body });
      response.writeHead(204).end();
    });
  });
});
afterAll(async () => {
  child.kill("SIGKILL");
  await receiver.close();
  await rm(directory, { recursive: true, force: true });
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** As the page does: the same request until it is acknowledged. */
async function until(status: number, send: () => Promise<Response>): Promise<Response> {
  for (;;) {
    try {
      const response = await send();
      if (response.status === status) {
        const body = await response.arrayBuffer();
        return new Response(body, response);
      }
      if (response.status !== 503 && response.status !== 202)
        throw new Error(`status ${response.status}: ${await response.text()}`);
    } catch (error) {
      // A connection that broke: the gateway was killed.
      if (error instanceof Error && error.message.startsWith("status")) throw error;
    }
    await pause(30);
  }
}

interface Page {
  readonly id: string;
  readonly role: string;
  readonly text: string;
  readonly answers?: readonly string[];
  readonly clientId?: string;
}

async function chat(): Promise<readonly Page[]> {
  const base = `http://127.0.0.1:${port}`;
  const opened = await until(200, () => fetch(`${base}/api/session`, { method: "POST", headers: { origin: base } }));
  const headers = {
    origin: base,
    cookie: opened.headers.get("set-cookie")!.split(";")[0]!,
    "content-type": "application/json",
  };
  const sent: string[] = [];
  for (let i = 0; i < messages; i++) {
    const id = randomUUID();
    const body = JSON.stringify({ id, text: `m${i}` });
    await until(202, () => fetch(`${base}/api/messages`, { method: "POST", headers, body }));
    sent.push(`u-${id}`);
    await pause(Math.random() * 120);
  }
  for (const end = Date.now() + 45_000; ; await pause(200)) {
    const seen: Page[] = [];
    for (let before = ""; ;) {
      const response = await until(200, () => fetch(`${base}/api/messages${before}`, { headers }));
      const page = (await response.json()) as { messages: Page[]; more: boolean; before?: string };
      seen.unshift(...page.messages);
      if (!page.more) break;
      before = `?before=${page.before}`;
    }
    const answered = new Set(seen.flatMap(({ answers = [] }) => answers));
    if (sent.every((id) => answered.has(id)) || Date.now() > end) return seen;
  }
}

async function integrate(name: string): Promise<void> {
  const url = `http://127.0.0.1:${port}/webhooks/in`;
  for (let i = 0; i < messages / 4; i++) {
    const id = `${name}-${i}`;
    const callbackUrl = i % 2 === 0 ? receiver.url : undefined;
    const body = JSON.stringify({ conversation: name, participant: "system", text: id, wait: 5, callbackUrl });
    const post = () => {
      const time = new Date();
      const signature = new Webhook(secret).sign(id, time, body);
      const headers = {
        "webhook-id": id,
        "webhook-timestamp": String(Math.floor(+time / 1000)),
        "webhook-signature": signature,
      };
      return fetch(url, { method: "POST", body, headers });
    };
    const first = (await (await until(200, post)).json()) as { answer: { text: string } };
    expect(first.answer.text).toBe(id);
    expect(await (await until(200, post)).json()).toEqual(first);
  }
}

describe("kill -9 under load", () => {
  test("every message of the page and of webhooks is answered once, in order", { timeout: 120_000 }, async () => {
    let ended = false;
    let killed = 0;
    const killer = (async () => {
      for (let i = 0; i < kills && !ended; i++) {
        await pause(300 + Math.random() * 500);
        child.kill("SIGKILL");
        await once(child, "exit");
        killed++;
        await startGateway();
      }
    })();
    const names = ["orders", "tickets"];
    const [chats] = await Promise.all([Promise.all([chat(), chat(), chat()]), Promise.all(names.map(integrate))]);
    ended = true;
    await killer;
    expect(killed).toBeGreaterThanOrEqual(5);
    for (const seen of chats) {
      const asked = seen.filter(({ role }) => role === "user");
      expect(asked.map(({ text }) => text)).toEqual(Array.from({ length: messages }, (_, i) => `m${i}`));
      const answers = seen.filter(({ role }) => role === "agent");
      // Each message in exactly one answer, and the answers in the order of the messages.
      expect(answers.flatMap(({ answers: of = [] }) => of)).toEqual(asked.map(({ id }) => id));
      expect(answers.flatMap(({ text }) => text.split("|"))).toEqual(asked.map(({ text }) => text));
    }
    const bodies = new Map(callbacks.map(({ id, body }) => [id, body]));
    for (const { id, body } of callbacks) expect(body).toBe(bodies.get(id));
    const answered = [...bodies.values()].flatMap((body) => (JSON.parse(body) as { answers: string[] }).answers);
    const expected = names.flatMap((name) => Array.from({ length: messages / 8 }, (_, i) => `${name}-${i * 2}`));
    expect(answered.toSorted()).toEqual(expected.toSorted());
    expect(callbacks.length - bodies.size).toBeLessThanOrEqual(kills);
  });
});
