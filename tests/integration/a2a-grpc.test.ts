/** What must not work by gRPC, and which of a card's interfaces a peer is asked by. */
import { Role, type SendMessageRequest, type StreamResponse, type Task } from "@a2a-js/sdk";
import { A2AService } from "@a2a-js/sdk/server/grpc";
import { Client, credentials, Metadata, status, type MethodDefinition, type ServiceError } from "@grpc/grpc-js";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { internalHeaders } from "../../adapters/a2a/callers.ts";
import { InputError, RetryableError, TerminalError } from "../../src/errors.ts";
import type { Config } from "../../src/main/config.ts";
import { freePorts } from "../../src/main/dapr/ports.ts";
import { createDelegates } from "../../src/main/delegates.ts";
import { delegateSettings } from "../../src/main/delegate-settings.ts";
import { settings } from "../../src/main/settings.ts";
import type { TaskOutcome } from "../../src/skilled.ts";
import { agentOf, apiKey, otherKey, secret, serveA2a, textOf, type Served } from "../services/a2a.ts";
import { requestOf } from "../services/a2a-client.ts";
import { memoryRecords, quiet, rejection } from "../unit/client-agent.fixture.ts";
import { clock } from "./embedded-fixture.ts";

let served: Served;
const runs: string[] = [];
const clients: Client[] = [];
const tester = agentOf(async (run, hooks): Promise<TaskOutcome> => {
  runs.push(textOf(run));
  if (textOf(run) === "hold") await new Promise((resolve) => hooks.signal.addEventListener("abort", resolve));
  return { kind: "completed", parts: [{ kind: "text", text: `did ${textOf(run)}` }] };
});
beforeAll(async () => {
  const bounds = { bodyBytes: 100_000, waitMs: 500, streamsPerCaller: 2 };
  served = await serveA2a({
    agents: [tester, agentOf(async () => ({ kind: "completed", parts: [] }), "other")],
    grpc: true,
    settings: bounds,
  });
});
afterAll(() => served.close());
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

function connect(options: object = {}, to = served): Client {
  const client = new Client(`127.0.0.1:${to.grpc?.port}`, credentials.createInsecure(), options);
  clients.push(client);
  return client;
}

const metadataOf = (headers: Readonly<Record<string, string>>) => {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return metadata;
};
const bearer = { authorization: `Bearer ${apiKey}` };

interface Answered<Response> {
  readonly code: status;
  readonly details?: string;
  readonly answer?: Response | undefined;
}

function call<Request, Response>(
  { path, requestSerialize, responseDeserialize }: MethodDefinition<Request, Response>,
  asked: Request | Buffer,
  headers: Readonly<Record<string, string>> = bearer,
  client = connect(),
): Promise<Answered<Response>> {
  const bytes = (one: Request | Buffer) => (Buffer.isBuffer(one) ? one : requestSerialize(one));
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, bytes, responseDeserialize, asked, metadataOf(headers), (error, answer) => {
      if (error === null) resolve({ code: status.OK, answer });
      else resolve({ code: error.code, details: error.details });
    });
  });
}

const asked = (text: string, of: object = {}): SendMessageRequest => ({ ...requestOf(text, of), tenant: "tester" });
const taskOf = async (text: string, headers = bearer): Promise<Task> => {
  const request = asked(text);
  const configuration = { ...request.configuration!, returnImmediately: true };
  const { answer } = await call(A2AService.sendMessage, { ...request, configuration }, headers);
  if (answer?.payload?.$case !== "task") throw new Error("no task");
  return answer.payload.value;
};

/** The code that it ended with. */
function subscribe(id: string, client: Client, headers = bearer) {
  const { path, requestSerialize, responseDeserialize } = A2AService.subscribeToTask;
  const stream = client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    { tenant: "tester", id },
    metadataOf(headers),
  );
  const events: StreamResponse[] = [];
  stream.on("data", (event: StreamResponse) => events.push(event));
  const ended = new Promise<status>((resolve) => {
    stream.on("error", (error: ServiceError) => resolve(error.code));
    stream.on("end", () => resolve(status.OK));
  });
  return { stream, events, ended };
}

describe("credentials", () => {
  test.each([
    ["none", {}],
    ["empty", { authorization: "Bearer " }],
    ["cut off", { authorization: `Bearer ${apiKey.slice(0, -1)}` }],
    ["both at once", { authorization: `Bearer ${apiKey},${otherKey}` }],
    ["an API key that is none", { ...bearer, "x-api-key": "a-key-of-nobody-at-all" }],
    ["a caller that is named without the gateway's token", { ...bearer, "x-ascent-caller": "e30" }],
  ])("%s: refused before the message is taken, and nothing runs", async (_name, headers) => {
    const before = runs.length;
    expect((await call(A2AService.sendMessage, asked("x"), headers)).code).toBe(status.UNAUTHENTICATED);
    // With a key this one is too large, which nobody has found out.
    const large = await call(A2AService.sendMessage, asked("x".repeat(200_000)), headers);
    expect(large).toMatchObject({ code: status.UNAUTHENTICATED, details: expect.not.stringContaining(apiKey) });
    expect(runs).toHaveLength(before);
  });

  test("a key in its own field is as good, and so is a part of the gateway", async () => {
    const id = { tenant: "t", id: "person:ann/ä" };
    for (const headers of [{ "x-api-key": otherKey }, internalHeaders(secret, id)])
      expect((await call(A2AService.sendMessage, asked("x"), headers)).code).toBe(status.OK);
  });
});

test("an agent that is not there, a version that is not spoken, and another caller's task are told as what they are", async () => {
  expect(await call(A2AService.sendMessage, { ...asked("x"), tenant: "nobody" })).toMatchObject({
    code: status.NOT_FOUND,
    details: expect.stringContaining("tenant"),
  });
  expect((await call(A2AService.sendMessage, { ...asked("x"), tenant: "" })).code).toBe(status.NOT_FOUND);
  expect((await call(A2AService.sendMessage, asked("x"), { ...bearer, "a2a-version": "0.3" })).details).toContain(
    "0.3",
  );
  const { id } = await taskOf("mine");
  const get = (one: string, headers: Readonly<Record<string, string>>, tenant = "tester") =>
    call(A2AService.getTask, { tenant, id: one, historyLength: undefined }, headers);
  const theirs = await get(id, { authorization: `Bearer ${otherKey}` });
  expect(theirs).toEqual(await get("no-such-task", bearer));
  expect(theirs.code).toBe(status.NOT_FOUND);
  expect((await get(id, bearer, "other")).code).toBe(status.NOT_FOUND);
  expect((await get(id, bearer)).code).toBe(status.OK);
});

/** A message with data of so many levels, which no encoder would make. */
function nested(levels: number): Buffer {
  const varint = (value: number): Buffer => {
    const bytes: number[] = [];
    for (let left = value; ; left = Math.floor(left / 128)) {
      bytes.push(left < 128 ? left : (left % 128) + 128);
      if (left < 128) return Buffer.from(bytes);
    }
  };
  const heads: Buffer[] = [];
  let size = 2;
  const within = (tag: number, ...before: Buffer[]) => {
    const head = Buffer.concat([...before, Buffer.from([tag]), varint(size)]);
    size += head.length;
    heads.push(head);
  };
  for (let n = 0; n < levels; n++) {
    within(0x0a);
    within(0x32);
  }
  within(0x22);
  within(0x2a, Buffer.from([0x0a, 1, 0x6d, 0x20, Role.ROLE_USER]));
  within(0x12, Buffer.from([0x0a, 6]), Buffer.from("tester"));
  return Buffer.concat([...heads.toReversed(), Buffer.from([0x08, 0])]);
}

describe("messages", () => {
  test("too large, too large when unpacked, too deep, of no form: refused, and the server goes on", async () => {
    const before = runs.length;
    expect((await call(A2AService.sendMessage, asked("x".repeat(200_000)))).code).toBe(status.RESOURCE_EXHAUSTED);
    const packing = connect({ "grpc.default_compression_algorithm": 2 });
    const bomb = await call(A2AService.sendMessage, asked("x".repeat(20_000_000)), bearer, packing);
    expect(bomb.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(await call(A2AService.sendMessage, nested(100))).toMatchObject({ code: status.INVALID_ARGUMENT });
    expect((await call(A2AService.sendMessage, nested(12_000))).code).not.toBe(status.OK);
    expect((await call(A2AService.sendMessage, Buffer.from("\xff\xff\xff"))).code).not.toBe(status.OK);
    for (const wrong of [
      { ...asked("x"), message: undefined },
      asked("x", { messageId: "" }),
      asked("x", { role: Role.ROLE_AGENT }),
      asked("x", { parts: [{ content: undefined, metadata: undefined, filename: "", mediaType: "" }] }),
    ])
      expect((await call(A2AService.sendMessage, wrong)).code).toBe(status.INVALID_ARGUMENT);
    expect(runs).toHaveLength(before);
    expect((await call(A2AService.sendMessage, nested(3))).code).toBe(status.OK);
  });
});

describe("streams", () => {
  test("of one caller are bounded, over all transports, and one that went away makes room", async () => {
    const { id } = await taskOf("hold");
    const [one, two] = [subscribe(id, connect()), subscribe(id, connect())];
    await expect.poll(() => [one.events.length, two.events.length]).toEqual([1, 1]);
    expect(await subscribe(id, connect()).ended).toBe(status.INVALID_ARGUMENT);
    one.stream.cancel();
    two.stream.cancel();
    await expect
      .poll(async () => {
        const next = subscribe(id, connect());
        await sleep(50);
        next.stream.cancel();
        return next.events.length;
      })
      .toBe(1);
    await expect
      .poll(async () => (await call(A2AService.cancelTask, { tenant: "tester", id, metadata: undefined })).code)
      .toBe(status.OK);
  });

  test("end with the server, at once, as finished ones", async () => {
    const own = await serveA2a({ agents: [tester], grpc: true });
    onTestFinished(() => own.close());
    const client = connect({}, own);
    const request = asked("hold");
    const configuration = { ...request.configuration!, returnImmediately: true };
    const { answer } = await call(A2AService.sendMessage, { ...request, configuration }, bearer, client);
    const id = answer?.payload?.$case === "task" ? answer.payload.value.id : "";
    const stream = subscribe(id, client);
    await expect.poll(() => stream.events.length).toBe(1);
    const began = performance.now();
    await own.grpc?.drain(10_000);
    expect(await stream.ended).toBe(status.OK);
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});

describe("a peer", () => {
  const caller = { tenant: "t", id: "c" };
  const signal = () => AbortSignal.timeout(20_000);
  let count = 0;
  const message = (text: string, chain: readonly string[] = []) => ({
    id: `m-${++count}`,
    context: `context-${count}`,
    parts: [{ kind: "text", text } as const],
    chain,
  });

  async function peerAt(given: object) {
    const config = { ...settings.parse({}), delegates: { tester: delegateSettings.parse(given) } } as unknown as Config;
    const server = { handle: () => Promise.reject(new Error("not here")) };
    const options = { config, local: [], known: [], server, secret, records: memoryRecords(), clock, log: quiet };
    const peer = await createDelegates(options).of("tester");
    if (peer === undefined) throw new Error("no peer");
    return peer;
  }

  /** A card that names these interfaces in this order; what is asked of it by HTTP is counted and goes to the agent. */
  async function cardWith(of: Served, interfaces: (own: string) => readonly object[]) {
    let calls = 0;
    const server = createServer((request, response) => {
      const own = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      void (async () => {
        const card = (await (
          await fetch(`${of.url}/.well-known/agent-card.json`, { headers: { "a2a-version": "1.0" } })
        ).json()) as object;
        if (request.url?.endsWith(".json") === true)
          return response.end(JSON.stringify({ ...card, signatures: [], supportedInterfaces: interfaces(own) }));
        calls += 1;
        const body = await text(request);
        const headers = request.headers as Record<string, string>;
        const answer = await of.a2a.handle(new Request(`${of.url}/a2a/tester`, { method: "POST", headers, body }));
        response.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
      })();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls: () => calls };
  }

  const open = async (more: Partial<Parameters<typeof serveA2a>[0]> = {}) => {
    const own = await serveA2a({ agents: [tester], grpc: true, listen: true, ...more });
    onTestFinished(() => own.close());
    return own;
  };
  const grpcAt = (url: string) => ({ url, protocolBinding: "GRPC", protocolVersion: "1.0", tenant: "tester" });
  const rpcAt = (url: string) => ({ url, protocolBinding: "JSONRPC", protocolVersion: "1.0" });

  test("is asked by gRPC where its card prefers that: knows messages and tasks again, listens, refuses and cancels", async () => {
    const own = await open();
    const at = `127.0.0.1:${own.grpc?.port}`;
    const card = await cardWith(own, (url) => [grpcAt(at), rpcAt(url)]);
    const peer = await peerAt({ url: card.url, apiKey, origins: [`http://${at}`] });
    const said = message("this");
    const first = await peer.send(caller, said, signal());
    expect((await peer.send(caller, said, signal())).id).toBe(first.id);
    expect(await peer.find(caller, said, signal())).toBe(first.id);
    await expect.poll(async () => (await peer.get(caller, first.id ?? "", signal()))?.state).toBe("completed");
    expect(await peer.get({ ...caller, id: "somebody else" }, first.id ?? "", signal())).toBeUndefined();
    const held = await peer.send(caller, message("hold"), signal());
    const news = (async () => {
      let seen = 0;
      for await (const _one of peer.listen(caller, held.id ?? "", signal())) seen += 1;
      return seen;
    })();
    await sleep(100);
    await peer.cancel(caller, held.id ?? "", signal());
    await peer.cancel(caller, held.id ?? "", signal());
    expect(await news).toBeGreaterThan(0);
    const circle = await rejection(peer.send(caller, message("z", [own.a2a.chainName("tester")]), signal()));
    expect(circle).toBeInstanceOf(InputError);
    expect(circle.message).toContain("in a circle");
    expect(card.calls()).toBe(0);
  });

  test("is asked by the next interface where gRPC is not there, or is no gRPC, and by the first where both are", async () => {
    const own = await open();
    const [closed = 0] = await freePorts(1);
    const web = createServer((_request, response) => void response.writeHead(404).end());
    web.listen(0, "127.0.0.1");
    await once(web, "listening");
    onTestFinished(() => void web.close());
    for (const port of [closed, (web.address() as AddressInfo).port]) {
      const at = `127.0.0.1:${port}`;
      const card = await cardWith(own, (url) => [grpcAt(`grpc://${at}`), rpcAt(url)]);
      const peer = await peerAt({ url: card.url, apiKey, origins: [`http://${at}`] });
      expect((await peer.send(caller, message("this"), signal())).id).toBeDefined();
      // It is set aside for a while: nobody waits for it again.
      const began = performance.now();
      await peer.send(caller, message("this"), signal());
      expect(performance.now() - began).toBeLessThan(1_500);
      expect(card.calls()).toBe(2);
    }
    const at = `127.0.0.1:${own.grpc?.port}`;
    const preferred = await cardWith(own, (url) => [rpcAt(url), grpcAt(at)]);
    await (
      await peerAt({ url: preferred.url, apiKey, origins: [`http://${at}`] })
    ).send(caller, message("x"), signal());
    expect(preferred.calls()).toBe(1);
  }, 60_000);

  test("is not followed by gRPC to where it is not allowed to lead, nor in 0.3", async () => {
    const own = await open();
    const at = `127.0.0.1:${own.grpc?.port}`;
    const elsewhere = await cardWith(own, (url) => [grpcAt(at), rpcAt(url)]);
    await (await peerAt({ url: elsewhere.url, apiKey })).send(caller, message("x"), signal());
    expect(elsewhere.calls()).toBe(1);
    const only = await cardWith(own, () => [grpcAt(at)]);
    expect(await (await peerAt({ url: only.url, apiKey })).card()).toBeUndefined();
    const old = await cardWith(own, () => [{ ...grpcAt(at), protocolVersion: "0.3" }]);
    expect(await (await peerAt({ url: old.url, apiKey, origins: [`http://${at}`] })).card()).toBeUndefined();
  });

  test("that does not take the key cannot be asked, and one that is gone in between can be, later", async () => {
    const own = await open();
    const at = `127.0.0.1:${own.grpc?.port}`;
    const { url } = await cardWith(own, () => [grpcAt(at)]);
    const origins = [`http://${at}`];
    const wrong = await peerAt({ url, apiKey: "a-wrong-key-of-sixteen-letters", origins });
    expect(await rejection(wrong.send(caller, message("x"), signal()))).toBeInstanceOf(TerminalError);
    const right = await peerAt({ url, apiKey, origins });
    await right.send(caller, message("x"), signal());
    await own.close();
    expect(await rejection(right.send(caller, message("x"), signal()))).toBeInstanceOf(RetryableError);
  });
});
