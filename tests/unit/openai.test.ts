import { createHash } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import { createSafeFetch } from "../../adapters/fetch/index.ts";
import type { HttpServer } from "../../adapters/http/index.ts";
import { answerOf, createCalls } from "../../channels/openai/calls.ts";
import { openai } from "../../channels/openai/index.ts";
import { openaiSettings } from "../../channels/openai/settings.ts";
import { chatOf, isNamed, jsonOf } from "../../channels/openai/parse.ts";
import { createDeltas } from "../../channels/openai/stream.ts";
import { createCallers } from "../../channels/openai/verify.ts";
import { OverloadedError, RefusedError } from "../../src/errors.ts";
import type { InboundMessage } from "../../src/message.ts";
import type { Signals } from "../../src/ports.ts";
import { serveChannels, testDeps, type TestDeps } from "./web-deps.ts";

const key = "sk-0123456789abcdef";
const servers: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.drain(0)));
});

async function start(given: { deps?: TestDeps; settings?: object; account?: string } = {}) {
  const deps = given.deps ?? testDeps("openai", given.account === undefined ? {} : { account: given.account });
  const settings = openaiSettings.parse({ keys: [key], ...given.settings });
  const channel = openai(settings, deps, { agents: ["assistant"], safeFetch: createSafeFetch({ allowHosts: [] }) });
  const { server, url } = await serveChannels([channel], deps.log);
  servers.push(server);
  const base = `${url}${channel.paths[0]?.replace("/*", "")}`;
  const ask = (body: object | string, headers: Record<string, string> = {}) =>
    fetch(`${base}/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  const answer = async (text: string, of = deps.accepted.at(-1), notice = false) => {
    const { id, address: to } = of as InboundMessage;
    const context = { to, key: `${id} answered`, answers: [id], notice, first: true, last: true, again: false };
    await channel.send({ kind: "text", text }, { ...context, signal: AbortSignal.timeout(5_000) });
  };
  const accepted = async (count: number) => {
    while (deps.accepted.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  return { deps, channel, base, ask, answer, accepted, server };
}

const question = (content: string, more: object = {}) => ({
  model: "ascent",
  messages: [{ role: "user", content }],
  ...more,
});
interface Problem {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
}
const problem = async (response: Response) => ((await response.json()) as Problem).error;

describe("keys", () => {
  test("that could be guessed are refused at the start, by their place", () => {
    for (const bad of ["", "too_short", "with a space in it", "sha256:abc"]) {
      const [issue, ...more] = openaiSettings.safeParse({ keys: [key, bad] }).error?.issues ?? [];
      expect(more).toEqual([]);
      expect(issue?.path).toEqual(["keys", 1]);
      expect(issue?.message).toContain("is no valid key: take");
      expect(issue?.message).not.toMatch(/too_short|with a space/);
    }
    expect(openaiSettings.safeParse({ keys: [] }).success).toBe(false);
  });

  test("may be kept as their digest, and name the same caller", () => {
    const headers = new Headers({ authorization: `Bearer ${key}` });
    const digest = createHash("sha256").update(key).digest("hex");
    const caller = createCallers([key]).of(headers);
    expect(caller).toMatch(/^[\w-]{22}$/);
    expect(createCallers(["sk-another-one-of-many", `sha256:${digest}`]).of(headers)).toBe(caller);
    expect(Buffer.from(caller ?? "", "base64url").toString("hex")).not.toBe(digest.slice(0, 32));
  });

  test("of other accounts open other paths", async () => {
    const { base, ask } = await start({ account: "shop" });
    expect(base).toMatch(/\/openai\/shop\/v1$/);
    expect((await ask({})).status).toBe(400);
  });
});

describe("limits", () => {
  test("a body that is too large is a 413, one that is no JSON a 400, in the API's shape", async () => {
    const { ask } = await start({ settings: { bodyBytes: 1000, textLength: 100 } });
    const large = await ask(question("x".repeat(1000)));
    expect(large.status).toBe(413);
    expect(await problem(large)).toMatchObject({ type: "invalid_request_error", param: null, code: "too_large" });
    expect((await ask("{")).status).toBe(400);
    const long = await ask(question("x".repeat(101)));
    expect(await problem(long)).toMatchObject({ code: "string_above_max_length", param: "messages" });
  });

  test("a body that is nested deep, or full of white space, is refused in no time", async () => {
    const { ask } = await start();
    const deep = `{"model":"ascent","messages":[{"role":"user","content":"x"}],"x":${"[".repeat(200_000)}${"]".repeat(200_000)}}`;
    expect((await ask(deep)).status).toBe(400);
    const url = `data:image/png;base64,aaaa${" ".repeat(500_000)}!`;
    const began = performance.now();
    const content = [{ type: "image_url", image_url: { url } }];
    expect((await ask({ model: "ascent", messages: [{ role: "user", content }] })).status).toBe(400);
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  test("a key has so many requests open and no more, and gets its place back", async () => {
    const { deps, ask, answer, accepted } = await start({ settings: { requestsPerKey: 2 } });
    const [one, two] = [ask(question("one")), ask(question("two", { stream: true }))];
    await accepted(2);
    await two;
    const refused = await ask(question("three"));
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("2");
    expect(await problem(refused)).toMatchObject({ type: "rate_limit_error", code: "rate_limit_exceeded" });
    for (const event of deps.accepted) await answer("yes", event);
    await (await one).text();
    await (await two).text();
    expect((await ask("{")).status).toBe(400);
    const again = [ask(question("three")), ask(question("four"))];
    await accepted(4);
    for (const event of deps.accepted.slice(2)) await answer("yes", event);
    expect((await Promise.all(again)).map(({ status }) => status)).toEqual([200, 200]);
  });

  test("an answer that takes too long is a 504, asked again by a client only where it has a key", async () => {
    const { ask, answer } = await start({ settings: { waitSeconds: 0.1 } });
    const late = await ask(question("one"));
    expect([late.status, late.headers.get("x-should-retry")]).toEqual([504, "false"]);
    const once = { "idempotency-key": "once" };
    const keyed = await ask(question("one"), once);
    expect([keyed.status, keyed.headers.get("retry-after")]).toEqual([504, "1"]);
    await answer("there");
    expect(await (await ask(question("one"), once)).json()).toMatchObject({
      choices: [{ message: { content: "there" } }],
    });
  });

  test("an overloaded gateway is a 503 with a time to come back; nothing is accepted, and the same key may come again", async () => {
    const { deps, ask, answer, accepted } = await start();
    const once = { "idempotency-key": "once" };
    deps.fail = new OverloadedError("full", { retryAfterMs: 3000 });
    const refused = await ask(question("one"), once);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "3"]);
    expect(await problem(refused)).toMatchObject({ type: "server_error" });
    deps.fail = undefined;
    const again = ask(question("one"), once);
    await accepted(1);
    await answer("yes");
    expect((await again).status).toBe(200);
  });

  test("what a rule keeps out is told at once, streamed or not, and its key is free for another question", async () => {
    const { deps, ask, accepted } = await start({ settings: { waitSeconds: 0.1 } });
    const once = { "idempotency-key": "once" };
    for (const stream of [true, false]) {
      deps.denial = new RefusedError("Not here.", { rule: "not allowed" });
      const refused = await ask({ ...question("one"), stream }, once);
      expect(refused.status).toBe(403);
      expect(await problem(refused)).toMatchObject({ type: "permission_error", code: "not_allowed" });
    }
    deps.denial = new RefusedError("Wait.", { rule: "too many messages", retryAfterMs: 1_500 });
    const late = await ask(question("one"), once);
    expect([late.status, late.headers.get("retry-after")]).toEqual([429, "2"]);
    deps.denial = undefined;
    expect((await ask(question("another"), once)).status).toBe(504);
    await accepted(1);
  });

  test("of what was said before, the newest that fits is taken", async () => {
    const { deps, ask, accepted } = await start({ settings: { textLength: 100, waitSeconds: 0.1 } });
    const said = Array.from({ length: 30 }, (_, n) => ({ role: "user", content: `message ${n}` }));
    await ask({ model: "ascent", messages: said });
    await accepted(1);
    const before = (deps.accepted[0] as InboundMessage).message.before ?? [];
    expect(before.map(({ text }) => text)).toEqual(said.slice(-11, -1).map(({ content }) => content));
  });
});

describe("an answer", () => {
  test("of the gateway instead of the agent is an error that no client repeats by itself", async () => {
    const { ask, answer, accepted } = await start();
    const asked = ask(question("one"));
    await accepted(1);
    await answer("Sorry.", undefined, true);
    const failed = await asked;
    expect([failed.status, failed.headers.get("x-should-retry")]).toEqual([500, "false"]);
    expect(await problem(failed)).toMatchObject({ message: "Sorry.", type: "server_error", code: "agent_failed" });
  });

  test("that another replica gave or grows is heard of, with signals at once and without them all the same", async () => {
    const listeners = new Map<string, ((data: unknown) => void)[]>();
    const signals: Signals = {
      send: (topic, data) => listeners.get(topic)?.forEach((listener) => listener(data)),
      listen(topic, listener) {
        listeners.set(topic, [...(listeners.get(topic) ?? []), listener]);
        return () => listeners.delete(topic);
      },
    };
    for (const heard of [{ signals }, {}]) {
      const here = await start({ deps: testDeps("openai", heard) });
      const { records } = here.deps;
      const there = createCalls({ ...here.deps, ...heard, records });
      const asked = here.ask(question("one", { stream: true }));
      await here.accepted(1);
      const id = here.deps.accepted[0]?.id.split(":").at(-1) ?? "";
      there.grow(id, { turn: "t", text: "half" });
      const began = performance.now();
      await there.addPart(id, { key: "k", text: "half and all" }, { done: true, failed: false });
      expect(await (await asked).text()).toContain("[DONE]");
      expect(performance.now() - began).toBeLessThan("signals" in heard ? 900 : 5_000);
      expect(listeners.size).toBe(0);
    }
  });

  test("in several parts is whole, whatever is sent twice, and what comes later is no part of it", async () => {
    const deps = testDeps("openai");
    const calls = createCalls(deps);
    const fresh = { v: 1, id: "c", caller: "a", api: "chat", model: "ascent", digest: "d", at: 0, chat: "x" } as const;
    await calls.open({ ...fresh, metadata: {}, parts: [], done: false, failed: false });
    for (const [part, done] of [
      ["one", false],
      ["one", false],
      ["two", true],
      ["two", true],
      ["three", true],
    ] as const) {
      expect(await calls.addPart("c", { key: part, text: part }, { done, failed: false })).toBe(true);
    }
    const stored = await calls.find("c");
    expect(stored && answerOf(stored)).toBe("one\n\ntwo");
    expect(await calls.addPart("other", { key: "k", text: "" }, { done: true, failed: false })).toBe(false);
  });
});

describe("what is streamed", () => {
  const streamed = (drafts: readonly string[], answer: string) => {
    const deltas = createDeltas();
    return [...drafts.map((text) => deltas.grow(text)), deltas.end(answer)];
  };
  test("is the answer and nothing else, whatever white space the drafts have", () => {
    expect(streamed(["\n one", "\n one ", "\n one two\n"], "one two three")).toEqual(["one", "", " two", " three"]);
    expect(streamed(["one\n\n"], "one")).toEqual(["one", ""]);
    expect(streamed(["a\ud83d", "a\ud83d\ude00"], "a😀")).toEqual(["a", "😀", ""]);
  });
  test("of an answer that began anew, is followed by all of the answer", () => {
    expect(streamed(["I will look.", "It", "It is 4."], "It is 4.")).toEqual(["I will look.", "", "", "\n\nIt is 4."]);
  });
});

test("a byte order mark before the body is passed over", () => {
  expect(jsonOf('\ufeff{"model":"ascent"}')).toEqual({ model: "ascent" });
});

test("conversations with a name are told from those of one call, whatever the name", () => {
  const asked = { model: "ascent", user: "" };
  for (const name of ["call-x", "x/call-x", "/call-abc", "~", "x".repeat(300), "call-".repeat(40)]) {
    expect(isNamed(chatOf("caller", { ...asked, conversation: name }, "id"))).toBe(true);
  }
  expect(isNamed(chatOf("caller", asked, "aZ_-09"))).toBe(false);
  expect(chatOf("caller", asked, "1")).not.toBe(chatOf("caller", { ...asked, user: "u" }, "1"));
  expect(chatOf("caller", { ...asked, conversation: "c" }, "1")).toBe(
    chatOf("caller", { ...asked, conversation: "c" }, "2"),
  );
  expect(chatOf("caller", { ...asked, model: "clerk" }, "1")).not.toBe(chatOf("caller", asked, "1"));
});
