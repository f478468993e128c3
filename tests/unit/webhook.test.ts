import { createHmac, randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, test } from "vitest";
import { createSafeFetch } from "../../adapters/fetch/index.ts";
import type { HttpServer } from "../../adapters/http/index.ts";
import { webhook } from "../../channels/webhook/index.ts";
import { webhookSettings } from "../../channels/webhook/settings.ts";
import type { SendContext } from "../../src/channel.ts";
import {
  fateOf,
  OverloadedError,
  RateLimitedError,
  reasonOf,
  RefusedError,
  RetryableError,
  TerminalError,
} from "../../src/errors.ts";
import { compose } from "../../src/format.ts";
import { conversationId } from "../../src/ids.ts";
import type { InboundMessage } from "../../src/message.ts";
import { listen, readBody, type Listening } from "../fakes/http.ts";
import { serveChannels, testDeps, type TestDeps } from "./web-deps.ts";

const secret = `whsec_${randomBytes(32).toString("base64")}`;
const servers: HttpServer[] = [];
const receivers: Listening[] = [];
afterEach(async () => {
  await Promise.all([
    ...servers.splice(0).map((server) => server.drain(0)),
    ...receivers.splice(0).map((one) => one.close()),
  ]);
});

async function start(given: { deps?: TestDeps; settings?: object; allowHosts?: string[]; account?: string } = {}) {
  const deps = given.deps ?? testDeps("webhook", given.account === undefined ? {} : { account: given.account });
  const settings = webhookSettings.parse({ secret, ...given.settings });
  const channel = webhook(settings, deps, createSafeFetch({ allowHosts: given.allowHosts ?? [] }));
  const { server, url } = await serveChannels([channel], deps.log);
  servers.push(server);
  return { deps, channel, url: `${url}${channel.paths[0]}`, server };
}

interface Receipt {
  readonly id: string;
  readonly headers: Record<string, string>;
  readonly body: Record<string, unknown>;
}
/** The other system: it checks signatures by the reference implementation. */
async function receiver(statuses: (number | [number, Record<string, string>])[] = []) {
  const got: Receipt[] = [];
  const server = await listen((request, response) => {
    void readBody(request).then((raw) => {
      const headers = request.headers as Record<string, string>;
      new Webhook(secret).verify(raw!.toString(), headers);
      got.push({ id: headers["webhook-id"]!, headers, body: JSON.parse(raw!.toString()) as Record<string, unknown> });
      const [status, more] = [statuses.shift() ?? 204].flat() as [number, Record<string, string>?];
      response.writeHead(status, more).end();
    });
  });
  receivers.push(server);
  return { got, url: `${server.url}/answers?token=CANARY`, host: "127.0.0.1" };
}

function signed(id: string, body: string, { at = Date.now(), key = secret } = {}): Record<string, string> {
  const time = new Date(at);
  const signature = new Webhook(key).sign(id, time, body);
  return { "webhook-id": id, "webhook-timestamp": String(Math.floor(at / 1000)), "webhook-signature": signature };
}

const basic = { conversation: "order 17", participant: "alice", text: "Where is it?" };
function post(url: string, id: string, body: object | string, options: Parameters<typeof signed>[2] = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return fetch(url, {
    method: "POST",
    body: text,
    headers: { "content-type": "application/json", ...signed(id, text, options) },
  });
}
function contextOf(deps: TestDeps, over: Partial<SendContext> = {}): SendContext {
  const { address, id } = deps.accepted.at(-1)!;
  const signal = AbortSignal.timeout(10_000);
  return {
    to: address,
    key: `${id}#1`,
    answers: [id],
    notice: false,
    first: true,
    last: true,
    again: false,
    signal,
    ...over,
  };
}
const errorOf = async (response: Response) => ((await response.json()) as { error: { message: string } }).error.message;

describe("signatures", () => {
  test("a message signed by the reference implementation is accepted", async () => {
    const { deps, url } = await start();
    const response = await post(url, "w1", basic);
    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({ id: "w1" });
    expect(deps.accepted[0]).toMatchObject({
      kind: "message",
      address: { channel: "webhook", kind: "direct", chat: "alice", thread: "order 17" },
      participant: { user: "alice" },
      message: { addressed: true, parts: [{ kind: "text", text: "Where is it?" }] },
    });
  });

  test("a missing, wrong, stale, future or foreign signature is refused, and nothing is enqueued or kept", async () => {
    const { deps, url } = await start();
    const body = JSON.stringify(basic);
    const good = signed("w1", body);
    const without = (name: string) => Object.fromEntries(Object.entries(good).filter(([key]) => key !== name));
    const minutes = (n: number) => signed("w1", body, { at: Date.now() + n * 60_000 });
    const attempts: [string, Record<string, string>, string | Uint8Array<ArrayBuffer>][] = [
      ["no header", {}, body],
      ["no id", without("webhook-id"), body],
      ["no time", without("webhook-timestamp"), body],
      ["no signature", without("webhook-signature"), body],
      ["empty signature", { ...good, "webhook-signature": "" }, body],
      ["another version", { ...good, "webhook-signature": good["webhook-signature"]!.replace("v1,", "v2,") }, body],
      ["no version", { ...good, "webhook-signature": good["webhook-signature"]!.slice(3) }, body],
      ["another id", { ...good, "webhook-id": "w2" }, body],
      ["another secret", signed("w1", body, { key: randomBytes(32).toString("base64") }), body],
      ["six minutes old", minutes(-6), body],
      ["six minutes early", minutes(6), body],
      ["time not a number", { ...good, "webhook-timestamp": `${good["webhook-timestamp"]}x` }, body],
      ["body altered", good, body.replace("17", "18")],
      ["body with a space more", good, `${body} `],
      ["the same JSON in other bytes", good, body.replace("Where", "\\u0057here")],
    ];
    for (const [name, headers, sent] of attempts) {
      const response = await fetch(url, { method: "POST", headers, body: sent });
      expect([name, response.status]).toEqual([name, 401]);
    }
    expect(deps.accepted).toEqual([]);
    expect((await post(url, "w1", body)).status).toBe(202);
    expect((await post(url, "w4", basic, { at: Date.now() - 4 * 60_000 })).status).toBe(202);
  });

  test("bytes that are not UTF-8 are refused: two bodies must not read the same", async () => {
    const { deps, url } = await start();
    const sign = (bytes: Buffer) => {
      const time = Math.floor(Date.now() / 1000);
      const key = Buffer.from(secret.slice(6), "base64");
      const signature = createHmac("sha256", key).update(`w1.${time}.`).update(bytes).digest("base64");
      return { "webhook-id": "w1", "webhook-timestamp": String(time), "webhook-signature": `v1,${signature}` };
    };
    const bytes = Buffer.concat([
      Buffer.from('{"conversation":"c","participant":"p","text":"'),
      Buffer.from([0xff]),
      Buffer.from('"}'),
    ]);
    expect((await fetch(url, { method: "POST", headers: sign(bytes), body: new Uint8Array(bytes) })).status).toBe(400);
    const umlaut = Buffer.from(JSON.stringify({ ...basic, text: "Grüße 🚀" }));
    expect((await fetch(url, { method: "POST", headers: sign(umlaut), body: new Uint8Array(umlaut) })).status).toBe(
      202,
    );
    expect(deps.accepted).toHaveLength(1);
  });

  test("while a secret is replaced both are taken, and answers are signed with both", async () => {
    const next = randomBytes(24).toString("base64");
    const { got, url: callbackUrl, host } = await receiver();
    const { deps, channel, url } = await start({ settings: { secret: `${next} ${secret}` }, allowHosts: [host] });
    expect((await post(url, "w1", { ...basic, callbackUrl })).status).toBe(202);
    expect((await post(url, "w2", basic, { key: next })).status).toBe(202);
    await channel.send({ kind: "text", text: "Here" }, contextOf(deps, { answers: [deps.accepted[0]!.id] }));
    const { headers } = got[0]!;
    expect(() => new Webhook(next).verify(JSON.stringify(got[0]!.body), headers)).not.toThrow();
  });

  test.each(["", "   ", "whsec_", "not base64!", "abcde", "YWJj=ZGVm", "====", "whsec_%%%"])(
    "the secret %j is refused with what to take instead",
    (bad) => {
      const issues = webhookSettings.safeParse({ secret: bad }).error?.issues;
      expect(issues).toMatchObject([{ path: ["secret"], message: expect.stringContaining(": take what") as string }]);
    },
  );
});

describe("what comes in", () => {
  test("a body that is not valid is refused with the place and the reason", async () => {
    const { deps, url } = await start({ settings: { textLength: 50 } });
    const bodies: [object | string, string][] = [
      ["{", "JSON"],
      ["[]", "expected object"],
      [{ ...basic, conversation: "" }, "conversation"],
      [{ conversation: "c", text: "x" }, "participant"],
      [{ ...basic, text: " " }, "text"],
      [{ ...basic, text: "x".repeat(51) }, "text"],
      [{ ...basic, callbackURL: "https://example.com" }, "callbackURL"],
      [{ ...basic, callbackUrl: "file:///etc/passwd" }, "callbackUrl"],
      [{ ...basic, attachments: [{ url: "javascript:x" }] }, "attachments.0.url"],
      [{ ...basic, wait: "yes" }, "wait"],
      [`${"[".repeat(100_000)}${"]".repeat(100_000)}`, "expected object"],
    ];
    for (const [index, [body, reason]] of bodies.entries()) {
      const response = await post(url, `w${index}`, body);
      expect([reason, response.status]).toEqual([reason, 400]);
      expect(await errorOf(response)).toContain(reason);
    }
    expect((await post(url, `bad id`, basic)).status).toBe(400);
    expect((await post(url, "w", { ...basic, text: "x".repeat(2_000_000) })).status).toBe(413);
    expect((await fetch(url)).status).toBe(405);
    expect(deps.accepted).toEqual([]);
  });

  test("private callback and attachment targets are refused at the door, unless allowed by name", async () => {
    const { deps, url } = await start({ allowHosts: ["localhost"] });
    const refused = [
      "http://127.0.0.1/x",
      "http://169.254.169.254/",
      "http://2130706433/",
      "http://[::ffff:10.0.0.1]/",
      "http://0177.1/",
    ];
    for (const [index, target] of refused.entries()) {
      const response = await post(url, `w${index}`, { ...basic, callbackUrl: target });
      expect([target, response.status]).toEqual([target, 400]);
      expect(await errorOf(response)).toMatch(/callbackUrl is refused: .*not public/);
      expect((await post(url, `a${index}`, { ...basic, attachments: [{ url: target }] })).status).toBe(400);
    }
    expect((await post(url, "ok", { ...basic, callbackUrl: "http://localhost:9/x" })).status).toBe(202);
    expect(deps.accepted).toHaveLength(1);
  });

  test("ids of any script and form stay apart", async () => {
    const { deps, url } = await start();
    const strange = ["a:b", "a%3Ab", "a/b", "..", "日本\n語", "x".repeat(500), "__proto__"];
    for (const [i, conversation] of strange.entries()) {
      expect((await post(url, `w${i}`, { ...basic, conversation })).status).toBe(202);
      expect((await post(url, `g${i}`, { ...basic, conversation, kind: "group" })).status).toBe(202);
    }
    expect((await post(url, "other", { ...basic, conversation: "..", participant: "bob" })).status).toBe(202);
    expect(new Set(deps.accepted.map(({ address }) => address.conversation)).size).toBe(strange.length * 2 + 1);
  });

  test("a second account has its own path and its own ids", async () => {
    const { deps, url } = await start({ account: "shop-2" });
    expect(url).toMatch(/\/webhooks\/in\/shop-2$/);
    expect((await post(url, "w1", basic)).status).toBe(202);
    const { deps: other, url: first } = await start();
    await post(first, "w1", basic);
    expect(deps.accepted[0]!.id).not.toBe(other.accepted[0]!.id);
  });

  test("what the core refused is not acknowledged, and works when it is sent again", async () => {
    const { deps, url } = await start();
    deps.fail = new OverloadedError("full", { retryAfterMs: 2500 });
    const refused = await post(url, "w1", basic);
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("3");
    deps.fail = undefined;
    expect((await post(url, "w1", basic)).status).toBe(202);
    expect(deps.accepted).toHaveLength(1);
  });

  test("what a rule keeps out is told at once, and leaves no call behind", async () => {
    const { deps, url } = await start();
    deps.denial = new RefusedError("Not here.", { rule: "group not allowed" });
    const refused = await post(url, "w1", { ...basic, wait: true });
    expect(refused.status).toBe(403);
    expect(await refused.json()).toEqual({ error: { code: "group_not_allowed", message: "Not here." } });
    deps.denial = new RefusedError("Wait.", { rule: "too many messages", retryAfterMs: 1_500 });
    const late = await post(url, "w1", basic);
    expect([late.status, late.headers.get("retry-after")]).toEqual([429, "2"]);
    deps.denial = undefined;
    // Another body: nothing is known of that id.
    expect((await post(url, "w1", { ...basic, text: "another" })).status).toBe(202);
    // What was let in stays so.
    deps.denial = new RefusedError("Not here.", { rule: "blocked" });
    expect((await post(url, "w1", { ...basic, text: "another" })).status).toBe(202);
  });
});

describe("answers", () => {
  test("the same webhook-id is one message with one answer, another body under it is refused", async () => {
    const { deps, channel, url } = await start();
    await Promise.all(Array.from({ length: 5 }, () => post(url, "w1", basic)));
    expect(new Set(deps.accepted.map((event) => JSON.stringify(event))).size).toBe(1);
    expect((await post(url, "w1", { ...basic, text: "another" })).status).toBe(409);
    await channel.send({ kind: "text", text: "Tomorrow" }, contextOf(deps));
    const count = deps.accepted.length;
    for (let i = 0; i < 2; i++) {
      const response = await post(url, "w1", basic);
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({
        id: "w1",
        answer: { text: "Tomorrow", parts: [{ kind: "text", text: "Tomorrow" }] },
      });
    }
    await channel
      .send({ kind: "text", text: "Something else" }, contextOf(deps, { key: "later" }))
      .catch(() => undefined);
    expect(await (await post(url, "w1", basic)).json()).toMatchObject({ answer: { text: "Tomorrow" } });
    expect(deps.accepted).toHaveLength(count);
  });

  test("of two bodies that come at once under one id the first counts", async () => {
    const deps = testDeps("webhook");
    const get: TestDeps["records"]["get"] = async (key) => {
      const found = await deps.records.get(key);
      await new Promise((resolve) => setTimeout(resolve, 30));
      return found;
    };
    const { url } = await start({ deps: { ...deps, records: { ...deps.records, get } } });
    const sent = await Promise.all(["one", "two", "three"].map((text) => post(url, "w1", { ...basic, text })));
    expect(sent.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([202, 409, 409]);
    expect(deps.accepted).toHaveLength(1);
  });

  test("waiting gives the answer in the response, to all who wait", async () => {
    const { deps, channel, url } = await start();
    const body = { ...basic, wait: true };
    const waits = [post(url, "w1", body), post(url, "w1", body)];
    await expect.poll(() => deps.accepted.length).toBe(2);
    const context = contextOf(deps);
    await channel.send({ kind: "text", text: "One" }, { ...context, last: false });
    await channel.send({ kind: "location", latitude: 1, longitude: 2 }, { ...context, key: "k2", first: false });
    for (const response of await Promise.all(waits)) {
      expect(response.status).toBe(200);
      const parts = [
        { kind: "text", text: "One" },
        { kind: "location", latitude: 1, longitude: 2 },
      ];
      expect(await response.json()).toEqual({ id: "w1", answer: { text: "One", parts } });
    }
  });

  test("a wait that is over says 202, and joining again after a restart gets the answer", async () => {
    const first = await start();
    const body = { ...basic, wait: 0.2 };
    expect((await post(first.url, "w1", body)).status).toBe(202);
    const next = await start({ deps: first.deps, settings: { waitSeconds: 0.5 } });
    const joined = post(next.url, "w1", { ...basic, wait: 0.2 });
    await expect.poll(() => first.deps.accepted.length).toBe(2);
    await next.channel.send({ kind: "text", text: "Here" }, contextOf(first.deps));
    expect(await (await joined).json()).toMatchObject({ answer: { text: "Here" } });
    const third = await start({ deps: first.deps });
    expect(await (await post(third.url, "w1", body)).json()).toMatchObject({ answer: { text: "Here" } });
  });

  test("an answer that another process stored ends the wait here", async () => {
    const here = await start();
    const there = await start({ deps: here.deps });
    const waiting = post(here.url, "w1", { ...basic, wait: true });
    await expect.poll(() => here.deps.accepted.length).toBe(1);
    await there.channel.send({ kind: "text", text: "From afar" }, contextOf(here.deps));
    expect(await (await waiting).json()).toMatchObject({ answer: { text: "From afar" } });
  });

  test("an answer to several messages is every one's answer", async () => {
    const { deps, channel, url } = await start();
    await post(url, "w1", basic);
    await post(url, "w2", { ...basic, text: "Hello?" });
    await channel.send({ kind: "text", text: "Both" }, contextOf(deps, { answers: deps.accepted.map(({ id }) => id) }));
    for (const [id, body] of [
      ["w1", basic],
      ["w2", { ...basic, text: "Hello?" }],
    ] as const) {
      expect(await (await post(url, id, body)).json()).toMatchObject({ answer: { text: "Both" } });
    }
  });
});

describe("the receiver's markdown", () => {
  const textOf = async (text: string, format: "markdown" | "plain") => {
    const { channel } = await start();
    const parts = compose({ parts: [{ kind: "text", text, format }] }, channel, { notice: (key) => key });
    return parts.map((part) => part.kind === "text" && part.text);
  };

  test.each(["Hello! What's up?", "It costs 3.50 + tax - really!"])("%j comes as it was written", async (text) => {
    expect(await textOf(text, "markdown")).toEqual([text]);
    expect(await textOf(text, "plain")).toEqual([text]);
  });

  test("what would be markup is escaped in plain text alone", async () => {
    expect(await textOf("2 * 3 * 4!", "plain")).toEqual(["2 \\* 3 \\* 4\\!"]);
    expect(await textOf("**yes**!", "markdown")).toEqual(["**yes**!"]);
  });
});

describe("callbacks", () => {
  test("the whole answer is posted once its last part is sent, signed, under an id that stays", async () => {
    const { got, url: callbackUrl, host } = await receiver();
    const { deps, channel, url } = await start({ allowHosts: [host] });
    await post(url, "w1", { ...basic, callbackUrl });
    const context = contextOf(deps);
    await channel.send({ kind: "text", text: "One" }, { ...context, last: false });
    expect(got).toEqual([]);
    const second = { ...context, key: "k2", first: false };
    await channel.send({ kind: "text", text: "Two" }, second);
    await channel.send({ kind: "text", text: "Two" }, { ...second, again: true });
    expect(got.map(({ id }) => id)).toEqual([got[0]!.id, got[0]!.id]);
    expect(got[1]!.body).toEqual(got[0]!.body);
    expect(got[0]!.body).toEqual({
      type: "answer",
      conversation: "order 17",
      participant: "alice",
      answers: ["w1"],
      answer: {
        text: "One\n\nTwo",
        parts: [
          { kind: "text", text: "One" },
          { kind: "text", text: "Two" },
        ],
      },
    });
  });

  test("the callback address survives the process, also for what the agent writes first", async () => {
    const { got, url: callbackUrl, host } = await receiver();
    const first = await start({ allowHosts: [host] });
    await post(first.url, "w1", { ...basic, callbackUrl });
    const { channel } = await start({ deps: first.deps, allowHosts: [host] });
    await channel.send({ kind: "text", text: "Answer" }, contextOf(first.deps));
    await channel.send({ kind: "text", text: "By the way" }, contextOf(first.deps, { key: "k9", answers: [] }));
    expect(got.map(({ body }) => body["answers"])).toEqual([["w1"], []]);
    const nowhere = contextOf(first.deps, { answers: [], key: "k10" });
    const conversation = conversationId(first.deps, "bob", "x");
    await expect(
      channel.send({ kind: "text", text: "?" }, { ...nowhere, to: { ...nowhere.to, conversation } }),
    ).rejects.toBeInstanceOf(TerminalError);
  });

  test("what the receiver answers decides", async () => {
    const answers: [number | [number, Record<string, string>], unknown][] = [
      [500, RetryableError],
      [404, RetryableError],
      [302, RetryableError],
      [410, TerminalError],
      [[429, { "retry-after": "7" }], RateLimitedError],
      [[503, { "retry-after": "2" }], RetryableError],
      [200, undefined],
    ];
    const { url: callbackUrl, host } = await receiver(answers.map(([status]) => status));
    const { deps, channel, url } = await start({ allowHosts: [host] });
    await post(url, "w1", { ...basic, callbackUrl });
    const thrown: unknown[] = [];
    for (const [, expected] of answers) {
      const sending = channel.send({ kind: "text", text: "x" }, contextOf(deps));
      if (expected === undefined) await sending;
      else thrown.push(await sending.catch((error: unknown) => error));
    }
    answers.slice(0, -1).forEach(([, expected], i) => expect(thrown[i]).toBeInstanceOf(expected));
    expect(thrown[4]).toMatchObject({ retryAfterMs: 7000 });
    expect(thrown[5]).toMatchObject({ retryAfterMs: 2000 });
    for (const error of thrown) expect(String(error)).not.toContain("CANARY");
  });

  test("a target that became private after it was accepted is refused when it is sent", async () => {
    const { got, url: callbackUrl, host } = await receiver();
    const first = await start({ allowHosts: [host] });
    await post(first.url, "w1", { ...basic, callbackUrl });
    const { channel } = await start({ deps: first.deps });
    const error: unknown = await channel
      .send({ kind: "text", text: "x" }, contextOf(first.deps))
      .catch((e: unknown) => e);
    expect(fateOf(error)).toEqual({ kind: "terminal" });
    expect(reasonOf(error)).toMatch(/^TerminalError: webhook send: .*TargetRefusedError/);
    expect(got).toEqual([]);
    // The answer itself is there for whoever asks again.
    expect(await (await post(first.url, "w1", { ...basic, callbackUrl })).json()).toMatchObject({
      answer: { text: "x" },
    });
  });

  test("a receiver that is not there is tried again, and a send that is no longer wanted ends", async () => {
    const { url: callbackUrl, host } = await receiver();
    const { deps, channel, url } = await start({ allowHosts: [host] });
    await post(url, "w1", { ...basic, callbackUrl });
    await receivers.splice(0)[0]!.close();
    const error: unknown = await channel.send({ kind: "text", text: "x" }, contextOf(deps)).catch((e: unknown) => e);
    expect(fateOf(error)).toMatchObject({ kind: "retry", counts: true });
    expect(reasonOf(error)).not.toContain("CANARY");
    const signal = AbortSignal.abort(new Error("no longer wanted"));
    await expect(channel.send({ kind: "text", text: "x" }, contextOf(deps, { signal }))).rejects.toThrow("no longer");
  });

  test("commands and attachments reach the core", async () => {
    const { deps, url } = await start();
    await post(url, "w1", {
      ...basic,
      text: "/reset now",
      name: "Alice",
      attachments: [{ url: "https://8.8.8.8/a.png", type: "image/png" }],
    });
    const event = deps.accepted[0] as InboundMessage;
    expect(event.participant.name).toBe("Alice");
    expect(event.message.command).toEqual({ name: "reset", args: "now" });
    expect(event.message.parts[1]).toMatchObject({
      kind: "image",
      source: { from: "url", url: "https://8.8.8.8/a.png" },
    });
  });

  test("no log line has a text, a secret or a token", async () => {
    const { deps, url } = await start();
    deps.fail = new OverloadedError("full");
    await post(url, "w1", { ...basic, text: "CANARY" });
    expect(deps.logged.length).toBeGreaterThan(0);
    expect(deps.logged.join("\n")).not.toMatch(/CANARY|whsec/);
  });
});
