/** Asking other agents by A2A: ours over HTTP, Python's SDK in both versions, and those whose card or answer must not be trusted. */
import { generateKeyPairSync } from "node:crypto";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { createDelegates } from "../../src/main/delegates.ts";
import { delegateSettings } from "../../src/main/delegate-settings.ts";
import { freePorts } from "../../src/main/dapr/ports.ts";
import { settings } from "../../src/main/settings.ts";
import type { Config } from "../../src/main/config.ts";
import { InputError, RetryableError, TerminalError } from "../../src/errors.ts";
import type { Peer, PeerMessage, PeerTask } from "../../src/peers.ts";
import { needs } from "../needs.ts";
import { agentOf, apiKey, secret, serveA2a } from "../services/a2a.ts";
import { memoryRecords, quiet, rejection } from "../unit/client-agent.fixture.ts";
import { clock } from "./embedded-fixture.ts";
import { pythonWith } from "./python.ts";

const python = needs("python3");
const caller = { tenant: "t", id: "c" };
const signal = () => AbortSignal.timeout(20_000);
let count = 0;
const message = (text: string, more: Partial<PeerMessage> = {}): PeerMessage => ({
  id: `m-${++count}`,
  context: `context-${count}`,
  parts: [{ kind: "text", text }],
  chain: ["here/assistant"],
  ...more,
});

async function peerAt(given: object): Promise<Peer> {
  const config = { ...settings.parse({}), delegates: { tester: delegateSettings.parse(given) } } as unknown as Config;
  const records = memoryRecords();
  const server = { handle: () => Promise.reject(new Error("not here")) };
  const peers = createDelegates({ config, local: [], known: [], server, secret, records, clock, log: quiet });
  const peer = await peers.of("tester");
  if (peer === undefined) throw new Error("no peer");
  return peer;
}

async function done(peer: Peer, first: PeerTask, by = caller): Promise<PeerTask> {
  let task: PeerTask | undefined = first;
  await expect
    .poll(
      async () => {
        if (first.id !== undefined) task = await peer.get(by, first.id, signal());
        return task?.state;
      },
      { timeout: 15_000 },
    )
    .toMatch(/completed|input-required|failed/);
  return task;
}

const words = ({ artifacts }: PeerTask) =>
  artifacts.map(({ parts }) => parts.map((part) => (part.kind === "text" ? part.text : part.kind)).join("")).join("|");

async function serveJson(
  answer: (url: string, origin: string) => { status?: number; body?: string; location?: string },
) {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization ?? "");
    const { status = 200, body = "", location } = answer(request.url ?? "", origin);
    response.writeHead(status, { "content-type": "application/json", ...(location === undefined ? {} : { location }) });
    response.end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  onTestFinished(() => void server.close());
  return { origin, seen };
}

const cardOf = (url: string, more: object = {}) =>
  JSON.stringify({
    name: "Other",
    description: "d",
    version: "1",
    supportedInterfaces: [{ url, protocolBinding: "JSONRPC", protocolVersion: "1.0" }],
    capabilities: {},
    defaultInputModes: ["text/plain"],
    defaultOutputModes: ["text/plain"],
    skills: [],
    ...more,
  });

describe.skipIf(python.missing)("an agent of the Python SDK", () => {
  async function serve(version: string, grpc: boolean) {
    const interpreter = await pythonWith(python.path, join(import.meta.dirname, "a2a-server-requirements.txt"));
    const [port = 0, other = 0] = await freePorts(2);
    const more = grpc ? [String(other)] : [];
    const child = spawn(interpreter, [join(import.meta.dirname, "a2a-server.py"), String(port), version, ...more], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    await once(child.stdout, "data");
    return { url: `http://127.0.0.1:${port}`, origins: [`http://127.0.0.1:${other}`] };
  }

  test.each([
    ["1.0", "JSONRPC"],
    ["0.3", "JSONRPC"],
    ["1.0", "GRPC"],
  ])(
    "does tasks, asks, cancels and takes files, in %s by %s",
    async (version, binding) => {
      const peer = await peerAt(await serve(version, binding === "GRPC"));
      expect(await peer.card()).toMatchObject({
        title: "Python",
        inputModes: ["text/plain", "text/csv"],
        whole: false,
      });
      const slow = await peer.send(caller, message("slow 1"), signal());
      const progress: string[] = [];
      for await (const news of peer.listen(caller, slow.id ?? "", signal())) progress.push(news.progress ?? "");
      expect(words(await done(peer, slow))).toBe("python did slow 1");
      expect(progress.length).toBeGreaterThan(0);
      const asked = await done(peer, await peer.send(caller, message("ask"), signal()));
      expect(asked).toMatchObject({ state: "input-required", said: "Which colour?" });
      const task = asked.id ?? "";
      const { context } = { context: `context-${count}` };
      await peer.send(caller, message("blue", { task, context }), signal());
      await expect
        .poll(async () => (await peer.get(caller, task, signal()))?.state, { timeout: 10_000 })
        .toBe("completed");
      expect(words(await done(peer, await peer.send(caller, message("grow"), signal())))).toBe("one two three");
      const file = { kind: "file", type: "text/csv", name: "in.csv", bytes: new Uint8Array([1, 2, 3]) } as const;
      const withFile = message("file", { parts: [{ kind: "text", text: "file" }, file] });
      const seen = await done(peer, await peer.send(caller, withFile, signal()));
      expect(words(seen)).toContain("seen [3]");
      expect(seen.artifacts[0]?.parts[1]).toMatchObject({ kind: "file", name: "t.csv", type: "text/csv" });
      expect(words(await peer.send(caller, message("message"), signal()))).toBe("only a message");
      const held = await peer.send(caller, message("slow 60"), signal());
      await peer.cancel(caller, held.id ?? "", signal());
      expect((await peer.get(caller, held.id ?? "", signal()))?.state).toBe("canceled");
      await peer.cancel(caller, held.id ?? "", signal());
      expect(await peer.get(caller, "no-such-task", signal())).toBeUndefined();
    },
    120_000,
  );
});

describe("an agent of ours over HTTP", () => {
  test("knows a message again, finds the task that it made, and keeps people apart", async () => {
    const callers: string[] = [];
    const served = await serveA2a({
      agents: [
        agentOf(async (run) => {
          callers.push(run.caller.id);
          return { kind: "completed", parts: [{ kind: "text", text: "done" }] };
        }),
      ],
      listen: true,
    });
    onTestFinished(() => served.close());
    const peer = await peerAt({ url: `${served.url}/a2a/tester`, apiKey });
    const said = message("x");
    const first = await peer.send(caller, said, signal());
    expect((await peer.send(caller, said, signal())).id).toBe(first.id);
    expect(await peer.find(caller, said, signal())).toBe(first.id);
    expect(await peer.find(caller, { ...said, id: "never-sent" }, signal())).toBeUndefined();
    const stranger = { tenant: "t", id: "somebody else" };
    expect(await peer.get(stranger, first.id ?? "", signal())).toBeUndefined();
    await done(peer, await peer.send(stranger, message("y"), signal()), stranger);
    expect(new Set(callers).size).toBe(2);
    expect((await peer.card())?.whole).toBe(true);
    const refused = await rejection(
      peer.send(caller, message("z", { chain: [served.a2a.chainName("tester")] }), signal()),
    );
    expect(refused).toBeInstanceOf(InputError);
    expect(refused.message).toContain("in a circle");
  });

  test("is offered only with a signature of a key that is configured", async () => {
    const served = await serveA2a({ agents: [agentOf(async () => ({ kind: "completed", parts: [] }))], listen: true });
    onTestFinished(() => served.close());
    const url = `${served.url}/a2a/tester`;
    const { keys } = (await (await fetch(`${served.url}/.well-known/jwks.json`)).json()) as { keys: object[] };
    const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ type: "spki", format: "pem" });
    expect(await (await peerAt({ url, apiKey, signedBy: [String(other)] })).card()).toBeUndefined();
    const own = JSON.stringify(keys[0]);
    expect(await (await peerAt({ url, apiKey, signedBy: [String(other), own] })).card()).toBeDefined();
  });

  test("that does not take the key cannot be asked; one that is away can be, later", async () => {
    const served = await serveA2a({ agents: [agentOf(async () => ({ kind: "completed", parts: [] }))], listen: true });
    const wrong = await peerAt({ url: `${served.url}/a2a/tester`, apiKey: "a-wrong-key-of-sixteen-letters" });
    expect(await rejection(wrong.send(caller, message("x"), signal()))).toBeInstanceOf(TerminalError);
    const right = await peerAt({ url: `${served.url}/a2a/tester`, apiKey });
    await right.card();
    await served.close();
    expect(await rejection(right.send(caller, message("x"), signal()))).toBeInstanceOf(RetryableError);
  });
});

describe("a card", () => {
  test("that leads elsewhere is not followed there, and no key goes along", async () => {
    const other = await serveJson(() => ({}));
    const { origin } = await serveJson(() => ({ body: cardOf(`${other.origin}/rpc`) }));
    expect(await (await peerAt({ url: origin, apiKey })).card()).toBeUndefined();
    expect(await (await peerAt({ url: origin, apiKey, origins: [other.origin] })).card()).toBeDefined();
    const moved = await serveJson(() => ({ status: 302, location: `${other.origin}/card` }));
    expect(await (await peerAt({ url: moved.origin, apiKey })).card()).toBeUndefined();
    expect(other.seen.filter((authorization) => authorization !== "")).toEqual([]);
  });

  test.each([
    ["is no JSON", "hello"],
    ["is none", "[]"],
    ["is null", "null"],
    ["has no interface", cardOf("x", { supportedInterfaces: [] })],
    ["has things that are no lists", cardOf("x", { skills: { length: 1e9 }, supportedInterfaces: "x" })],
    ["is as large as it likes", `{"a":"${"x".repeat(1_000_000)}"}`],
    ["is as deep as it likes", `${"[".repeat(100_000)}${"]".repeat(100_000)}`],
  ])("that %s is not offered", async (_what, body) => {
    const { origin } = await serveJson(() => ({ body }));
    expect(await (await peerAt({ url: origin })).card()).toBeUndefined();
  });

  test("whose agent is not there, or does not answer, holds nobody up", async () => {
    const [port = 0] = await freePorts(1);
    expect(await (await peerAt({ url: `http://127.0.0.1:${port}` })).card()).toBeUndefined();
    const silent = createServer(() => undefined);
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    onTestFinished(() => {
      silent.closeAllConnections();
      silent.close();
    });
    const peer = await peerAt({ url: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` });
    const began = performance.now();
    expect(await peer.card()).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(3_000);
  });
});

describe("an answer", () => {
  const rpc = (result: unknown) => JSON.stringify({ jsonrpc: "2.0", id: 1, result });

  type Outcome = PeerTask | Error;
  const is = (kind: new (...of: never[]) => Error) => (outcome: Outcome) => outcome instanceof kind;

  test.each([
    ["is no JSON", () => "hello", is(RetryableError)],
    ["is another thing", () => rpc({ a: 1 }), (one: Outcome) => one instanceof Error || one.state === "working"],
    ["is larger than is read", () => `"${"x".repeat(50 * 1024 * 1024)}"`, is(TerminalError)],
  ])("that %s ends in an error or an open task, and nothing else", async (_what, body, fits) => {
    const { origin } = await serveJson((url, own) => ({ body: url.endsWith(".json") ? cardOf(own) : body() }));
    const peer = await peerAt({ url: origin });
    const outcome = await peer.send(caller, message("x"), signal()).catch((error: unknown) => error);
    expect(outcome).toSatisfy(fits);
  });

  test.each([
    [401, TerminalError],
    [500, RetryableError],
    [429, RetryableError],
    [503, RetryableError],
  ])("%i is what it is", async (status, kind) => {
    const { origin } = await serveJson((url, own) => (url.endsWith(".json") ? { body: cardOf(own) } : { status }));
    expect(await rejection((await peerAt({ url: origin })).send(caller, message("x"), signal()))).toBeInstanceOf(kind);
  });
});
