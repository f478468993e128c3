import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { HttpServer } from "../../adapters/http/index.ts";
import { web, webSettings } from "../../channels/web/index.ts";
import type { SendContext } from "../../src/channel.ts";
import { InputError, OverloadedError, RefusedError, TerminalError } from "../../src/errors.ts";
import type { InboundMessage } from "../../src/message.ts";
import type { Blobs, Clock } from "../../src/ports.ts";
import { serveChannels, testDeps, type TestDeps } from "./web-deps.ts";

let pageDirectory: string;
beforeAll(async () => {
  pageDirectory = await mkdtemp(join(tmpdir(), "ascent-page-"));
  await mkdir(join(pageDirectory, "dist", "assets"), { recursive: true });
  await writeFile(join(pageDirectory, "secret.txt"), "outside");
  await writeFile(join(pageDirectory, "dist", "index.html"), "<!doctype html><title>chat</title>");
  await writeFile(join(pageDirectory, "dist", "embed.js"), "embed()");
  await writeFile(join(pageDirectory, "dist", "package.json"), "{}");
  await writeFile(join(pageDirectory, "dist", "assets", ".hidden"), "outside");
  await writeFile(join(pageDirectory, "dist", "assets", "index-a1.js"), "run()");
});
afterAll(() => rm(pageDirectory, { recursive: true }));

const running: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.drain(0)));
});

interface Page {
  readonly id: string;
  readonly role: string;
  readonly text: string;
  readonly attachments: readonly { id: string; name: string; url: string }[];
  readonly buttons: readonly unknown[];
  readonly answers?: readonly string[];
  readonly clientId?: string;
}
interface History {
  readonly messages: readonly Page[];
  readonly lastEventId: string;
  readonly more: boolean;
  readonly before?: string;
  readonly running: boolean;
}

async function start(given: { settings?: object; deps?: Partial<TestDeps>; test?: TestDeps } = {}) {
  const deps = given.test ?? testDeps("web", given.deps);
  const agent = { name: "Ada", demo: true, notice: "A demo.", examples: ["Hello"] };
  const settings = webSettings.parse({ pageDirectory: join(pageDirectory, "dist"), agent, ...given.settings });
  const channel = web(settings, deps);
  const { server, url, port } = await serveChannels([channel], deps.log);
  running.push(server);
  return { deps, channel, server, url, port };
}

/** A browser's tab: it keeps its cookie and says where it comes from. */
function browser(url: string) {
  let cookie = "";
  const call = async (path: string, init: RequestInit & { bare?: boolean } = {}) => {
    const { bare, ...rest } = init;
    const headers = new Headers(rest.headers);
    if (cookie !== "") headers.set("cookie", cookie);
    if (bare !== true && !headers.has("origin")) headers.set("origin", url);
    const response = await fetch(`${url}${path}`, { ...rest, headers });
    const set = response.headers.get("set-cookie");
    if (set !== null) cookie = set.split(";")[0]!;
    return response;
  };
  const post = (path: string, body?: unknown, headers: Record<string, string> = {}) =>
    call(path, {
      method: "POST",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    });
  return {
    call,
    post,
    cookie: () => cookie,
    setCookie: (value: string) => (cookie = value),
    async session() {
      return (await (await post("/api/session")).json()) as { participant: { id: string } };
    },
    async history(before = "") {
      return (await (await call(`/api/messages${before}`)).json()) as History;
    },
    async events(query = "", headers: Record<string, string> = {}) {
      const abort = new AbortController();
      const response = await call(`/api/events${query}`, { signal: abort.signal, headers });
      const seen: EventSourceMessage[] = [];
      let ended = false;
      let notify = () => {};
      const parser = createParser({ onEvent: (event) => (seen.push(event), notify()) });
      const decoder = new TextDecoder();
      const reading = (async () => {
        if (response.status !== 200) return;
        for await (const chunk of response.body!) parser.feed(decoder.decode(chunk, { stream: true }));
      })()
        .catch(() => undefined)
        .finally(() => {
          ended = true;
          notify();
        });
      return {
        response,
        seen,
        ended: () => reading,
        close: () => abort.abort(),
        async until(event: string, count = 1) {
          for (;;) {
            const found = seen.filter((one) => one.event === event);
            if (found.length >= count)
              return found.map(({ data, id }) => ({ id, data: JSON.parse(data) as Page & { on?: boolean } }));
            if (ended) throw new Error(`the stream ended before ${count} of ${event}`);
            await new Promise<void>((resolve) => (notify = resolve));
          }
        },
      };
    },
  };
}

async function opened(given: Parameters<typeof start>[0] = {}) {
  const started = await start(given);
  const tab = browser(started.url);
  await tab.session();
  return { ...started, tab };
}

function answerTo(deps: TestDeps, over: Partial<SendContext> = {}): SendContext {
  const { address, id } = deps.accepted.at(-1)!;
  return {
    to: address,
    key: "k1",
    answers: [id],
    notice: false,
    first: true,
    last: true,
    again: false,
    signal: AbortSignal.timeout(5000),
    ...over,
  };
}
const textsOf = (history: History) => history.messages.map(({ role, text }) => `${role}: ${text}`);

describe("sending", () => {
  test("a message is accepted once, however often its id is sent, and shown once", async () => {
    const { deps, tab } = await opened();
    for (let i = 0; i < 3; i++) {
      const response = await tab.post("/api/messages", { id: "c1", text: "Hi <b>there</b>" });
      expect(response.status).toBe(202);
      expect(await response.json()).toEqual({ id: "c1" });
    }
    expect(new Set(deps.accepted.map(({ id }) => id)).size).toBe(1);
    expect(deps.accepted[0]).toMatchObject({
      kind: "message",
      address: { channel: "web", kind: "direct" },
      sequence: 1,
      message: { addressed: true, parts: [{ kind: "text", text: "Hi <b>there</b>", format: "plain" }] },
    });
    const history = await tab.history();
    expect(history.messages).toMatchObject([{ role: "user", text: "Hi <b>there</b>", clientId: "c1" }]);
  });

  test("nothing is acknowledged that the core refused, and the repeated message is answered once", async () => {
    const { deps, tab } = await opened();
    deps.fail = new OverloadedError("full", { retryAfterMs: 2500 });
    const refused = await tab.post("/api/messages", { id: "c1", text: "Hi" });
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("3");
    deps.fail = undefined;
    expect((await tab.post("/api/messages", { id: "c1", text: "Hi" })).status).toBe(202);
    expect(deps.accepted).toHaveLength(1);
    expect((await tab.history()).messages).toHaveLength(1);
  });

  test("what a rule keeps out is not shown, not kept, and never handed over later; files neither", async () => {
    const { deps, tab } = await opened();
    deps.denial = new RefusedError("Give the code ABCD-EFGH.", { rule: "not paired" });
    const refused = await tab.post("/api/messages", { id: "c1", text: "Hi" });
    expect(refused.status).toBe(403);
    expect(await refused.json()).toEqual({ error: { code: "not_paired", message: "Give the code ABCD-EFGH." } });
    for (const path of ["/api/stop", "/api/reset"]) expect((await tab.post(path, { id: "c2" })).status).toBe(403);
    const upload = await tab.call("/api/attachments?name=a.txt", { method: "POST", body: "bytes" });
    expect(upload.status).toBe(403);
    deps.denial = undefined;
    expect((await tab.history()).messages).toEqual([]);
    expect(deps.accepted).toEqual([]);
    expect((await tab.post("/api/messages", { id: "c1", text: "Hi" })).status).toBe(202);
    deps.denial = new RefusedError("Wait.", { rule: "too many messages", retryAfterMs: 1_500 });
    expect((await tab.post("/api/messages", { id: "c1", text: "Hi" })).status).toBe(202);
    const late = await tab.post("/api/messages", { id: "c3", text: "more" });
    expect([late.status, late.headers.get("retry-after")]).toEqual([429, "2"]);
    expect((await tab.history()).messages).toHaveLength(1);
  });

  test("a message whose process died before the core had it is handed over when the page comes back", async () => {
    const { deps, tab } = await opened();
    await tab.post("/api/messages", { id: "c0", text: "answered" });
    const first = deps.accepted[0]!;
    const { channel } = await start({ test: deps });
    await channel.send({ kind: "text", text: "yes" }, answerTo(deps));
    deps.fail = new Error("the process died here");
    expect((await tab.post("/api/messages", { id: "c1", text: "lost?" })).status).toBe(500);
    deps.fail = undefined;
    deps.accepted.length = 0;
    await tab.history();
    expect(deps.accepted.map((event) => (event as InboundMessage).message.parts)).toEqual([
      [{ kind: "text", text: "lost?", format: "plain" }],
    ]);
    expect(deps.accepted[0]!.sequence).toBeGreaterThan(first.sequence!);
    await tab.history();
    expect(deps.accepted).toHaveLength(1);
  });

  test("commands: stop and reset have no bubble, a typed one is recognised, a path is none", async () => {
    const { deps, tab } = await opened();
    const command = () => (deps.accepted.at(-1) as InboundMessage).message.command;
    await tab.post("/api/messages", { id: "c1", text: "/Help me please" });
    expect(command()).toEqual({ name: "help", args: "me please" });
    await tab.post("/api/messages", { id: "c2", text: "/etc/hosts is a file" });
    expect(command()).toBeUndefined();
    expect((await tab.post("/api/stop")).status).toBe(202);
    expect(command()).toEqual({ name: "stop", args: "" });
    expect(textsOf(await tab.history())).toEqual(["user: /Help me please", "user: /etc/hosts is a file"]);
    const events = await tab.events();
    expect((await tab.post("/api/reset", { id: "r1" })).status).toBe(202);
    expect(command()).toEqual({ name: "reset", args: "" });
    await events.until("reset");
    expect(await tab.history()).toMatchObject({ messages: [], more: false });
    await tab.post("/api/messages", { id: "c3", text: "again" });
    await tab.post("/api/messages", { id: "c4", text: "/reset" });
    expect((await tab.history()).messages).toEqual([]);
  });

  test("a press must name a button that was sent to this session", async () => {
    const { deps, channel, tab } = await opened();
    await tab.post("/api/messages", { id: "c1", text: "choose" });
    const buttons = [
      { id: "yes", label: "Yes" },
      { id: "more", label: "More", url: "javascript:alert(1)" },
    ];
    const sent = await channel.send({ kind: "text", text: "Sure?", buttons }, answerTo(deps));
    const press = { message: sent.id, button: "yes" };
    expect((await tab.post("/api/messages", { id: "c2", press: { ...press, button: "no" } })).status).toBe(404);
    expect((await tab.post("/api/messages", { id: "c2", press })).status).toBe(202);
    expect((deps.accepted.at(-1) as InboundMessage).message.parts).toEqual([
      { kind: "press", button: "yes", label: "Yes", of: sent.id },
    ]);
    expect(textsOf(await tab.history())).toEqual(["user: choose", "agent: Sure?\n\nMore", "user: Yes"]);
    const other = browser(new URL((await tab.call("/")).url).origin);
    await other.session();
    expect((await other.post("/api/messages", { id: "c2", press })).status).toBe(404);
  });

  test("what is not valid is refused with a reason, and nothing of it is kept", async () => {
    const { deps, tab } = await opened({ settings: { textLength: 100 } });
    const bodies: [unknown, number][] = [
      [{ text: "no id" }, 400],
      [{ id: "../../x", text: "bad id" }, 400],
      [{ id: "c1" }, 400],
      [{ id: "c1", text: "  " }, 400],
      [{ id: "c1", text: "x".repeat(101) }, 413],
      [{ id: "c1", text: 5 }, 400],
      [{ id: "c1", attachments: [{ id: "unknown" }] }, 404],
      [{ id: "c1", text: "x", replyTo: "u-none" }, 404],
    ];
    for (const [body, status] of bodies) {
      const response = await tab.post("/api/messages", body);
      expect([body, response.status]).toEqual([body, status]);
      expect(await response.json()).toMatchObject({ error: { code: expect.any(String), message: expect.any(String) } });
    }
    const init = { method: "POST", headers: { "content-type": "application/json" } };
    expect((await tab.call("/api/messages", { ...init, body: "{" })).status).toBe(400);
    expect((await tab.call("/api/messages", { ...init, body: "[".repeat(200_000) })).status).toBe(400);
    const deep = `{"id":"c1","text":"x","extra":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
    expect((await tab.call("/api/messages", { ...init, body: deep })).status).toBe(202);
    expect(
      (await tab.call("/api/messages", { ...init, body: `{"id":"c1","text":"${"x".repeat(600_000)}"}` })).status,
    ).toBe(413);
    expect(deps.accepted).toHaveLength(1);
    expect(JSON.stringify(deps.accepted)).not.toContain("extra");
  });
});

describe("answers", () => {
  test("a part is shown once, however often it is sent, with what it answers", async () => {
    const { deps, channel, tab } = await opened();
    const events = await tab.events();
    await tab.post("/api/messages", { id: "c1", text: "Hi" });
    const first = await channel.send({ kind: "text", text: "**Hello**" }, answerTo(deps));
    const second = await channel.send({ kind: "text", text: "**Hello**" }, answerTo(deps, { again: true }));
    expect(second).toEqual(first);
    const [question, answer] = await events.until("message", 2);
    expect(answer!.data).toMatchObject({
      role: "agent",
      text: "**Hello**",
      answers: [question!.data.id],
      buttons: [],
      attachments: [],
    });
    await channel.send({ kind: "text", text: "more" }, answerTo(deps, { key: "k2" }));
    expect(await events.until("message", 3)).toHaveLength(3);
    expect(textsOf(await tab.history())).toEqual(["user: Hi", "agent: **Hello**", "agent: more"]);
  });

  test("a stream resumes behind the last event it had, by header or by query, without loss or repetition", async () => {
    const { deps, channel, tab } = await opened();
    await tab.post("/api/messages", { id: "c1", text: "Hi" });
    const { lastEventId } = await tab.history();
    for (let i = 0; i < 120; i++)
      await channel.send({ kind: "text", text: `part ${i}` }, answerTo(deps, { key: `k${i}` }));
    const texts = (found: readonly { data: Page }[]) => found.map(({ data }) => data.text);
    const all = await tab.events(`?after=${lastEventId}`);
    const found = await all.until("message", 120);
    expect(texts(found)).toEqual(Array.from({ length: 120 }, (_, i) => `part ${i}`));
    const resumed = await tab.events("?after=0", { "last-event-id": found[99]!.id! });
    expect(texts(await resumed.until("message", 20))[0]).toBe("part 100");
    expect((await tab.events("?after=99999999")).response.status).toBe(410);
    expect((await tab.events("", { "last-event-id": "x" })).response.status).toBe(400);
    const page = await tab.history();
    expect(page.messages.at(-1)!.text).toBe("part 119");
    expect(page).toMatchObject({ more: true });
    const earlier = await tab.history(`?before=${page.before}`);
    expect(earlier.messages.at(-1)!.text).toBe("part 69");
    expect(earlier.messages).toHaveLength(50);
  });

  test("typing, status and the growing answer are told to every tab, and the final one replaces it", async () => {
    const { deps, channel, tab } = await opened();
    await tab.post("/api/messages", { id: "c1", text: "Hi" });
    const tabs = [await tab.events(), await tab.events()];
    const { to } = answerTo(deps);
    for (const events of tabs) await events.until("status");
    await channel.typing(to, true);
    for (const events of tabs) expect((await events.until("typing"))[0]!.data.on).toBe(true);
    expect((await tab.history()).running).toBe(true);
    await channel.preview(to, { turn: "t1", text: "Hel" });
    for (const events of tabs)
      expect((await events.until("delta"))[0]).toEqual({ id: undefined, data: { turn: "t1", text: "Hel" } });
    await channel.send({ kind: "text", text: "Hello" }, answerTo(deps));
    await tabs[0]!.until("message", 2);
    expect((await tab.history()).running).toBe(false);
    expect(
      (await tabs[0]!.until("status", 3)).map(({ data }) => (data as unknown as { running: boolean }).running),
    ).toEqual([false, true, false]);
  });

  test("a client that does not read costs one draft, and gets every message when it does", async () => {
    const { deps, channel, tab, port } = await opened();
    await tab.post("/api/messages", { id: "c1", text: "Hi" });
    const { to } = answerTo(deps);
    const socket = connect(port, "127.0.0.1");
    socket.write(`GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nCookie: ${tab.cookie()}\r\n\r\n`);
    socket.pause();
    const big = "x".repeat(30_000);
    for (let i = 0; i < 400; i++) {
      await channel.preview(to, { turn: "t", text: `${big}${i}` });
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await channel.send({ kind: "text", text: "THE END" }, answerTo(deps));
    let received = "";
    const done = Promise.withResolvers<void>();
    socket.on("data", (chunk: Buffer) => {
      received += chunk.toString();
      if (received.includes("THE END")) done.resolve();
    });
    socket.resume();
    await done.promise;
    socket.destroy();
    // What the sockets' own buffers hold, and no more.
    expect(received.split("event: delta").length - 1).toBeLessThan(300);
    expect(received.indexOf("THE END")).toBeGreaterThan(received.lastIndexOf("event: delta"));
  });

  test("streams are bounded per session and in total, and a closed one makes room", async () => {
    const { tab, url } = await opened({ settings: { streamsPerSession: 2, streams: 3 } });
    const first = await tab.events();
    await tab.events();
    const refused = await tab.events();
    expect(refused.response.status).toBe(429);
    expect(refused.response.headers.get("retry-after")).not.toBeNull();
    const other = browser(url);
    await other.session();
    expect((await other.events()).response.status).toBe(200);
    expect((await other.events()).response.status).toBe(503);
    first.close();
    await expect.poll(async () => (await other.events()).response.status).toBe(200);
  });

  test("stopping the server ends the streams, and what came meanwhile is there afterwards", async () => {
    const { deps, channel, tab, server } = await opened();
    await tab.post("/api/messages", { id: "c1", text: "Hi" });
    const events = await tab.events();
    const [last] = await events.until("message");
    await server.drain(1000);
    await events.ended();
    await channel.send({ kind: "text", text: "meanwhile" }, answerTo(deps));
    const again = await start({ test: deps });
    const reopened = browser(again.url);
    reopened.setCookie(tab.cookie());
    const resumed = await reopened.events("", { "last-event-id": last!.id! });
    expect((await resumed.until("message"))[0]!.data.text).toBe("meanwhile");
  });

  test("media of the agent become the session's, a link stays a link", async () => {
    const { deps, channel, tab } = await opened();
    await tab.post("/api/messages", { id: "c1", text: "Hi" });
    const blob = await deps.blobs.put(new Response("PNG").body!, { type: "image/png", maxBytes: 10 });
    const media = { kind: "image", type: "image/png", name: "a.png", source: { from: "blob", id: blob.id } } as const;
    await channel.send({ kind: "media", media, caption: "Look" }, answerTo(deps));
    const link = { ...media, source: { from: "url", url: "https://example.com/a.png" } } as const;
    await channel.send({ kind: "media", media: link }, answerTo(deps, { key: "k2" }));
    const { messages } = await tab.history();
    expect(messages[1]).toMatchObject({ text: "Look", attachments: [{ name: "a.png", type: "image/png", size: 3 }] });
    expect(await (await tab.call(messages[1]!.attachments[0]!.url)).text()).toBe("PNG");
    expect(messages[2]).toMatchObject({ text: "[a.png](<https://example.com/a.png>)", attachments: [] });
    const gone = { ...media, source: { from: "blob", id: "none" } } as const;
    await expect(channel.send({ kind: "media", media: gone }, answerTo(deps, { key: "k3" }))).rejects.toBeInstanceOf(
      TerminalError,
    );
  });
});

describe("attachments", () => {
  const upload = (tab: ReturnType<typeof browser>, name: string, type: string, body: string) =>
    tab.call(`/api/attachments?name=${encodeURIComponent(name)}`, {
      method: "POST",
      headers: { "content-type": type },
      body,
    });

  test("an upload goes out with a message and comes back to its own session only", async () => {
    const { deps, tab, url } = await opened();
    const response = await upload(tab, "pic.png", "image/png", "bytes");
    expect(response.status).toBe(201);
    const file = (await response.json()) as { id: string; url: string };
    expect(file).toMatchObject({ name: "pic.png", type: "image/png", size: 5, url: `/api/attachments/${file.id}` });
    await tab.post("/api/messages", { id: "c1", attachments: [{ id: file.id }] });
    expect((deps.accepted[0] as InboundMessage).message.parts).toMatchObject([
      { kind: "image", type: "image/png", name: "pic.png", size: 5, source: { from: "blob" } },
    ]);
    expect(await (await tab.call(file.url)).text()).toBe("bytes");
    const other = browser(url);
    await other.session();
    const [stolen, absent] = [await other.call(file.url), await other.call("/api/attachments/none")];
    expect(stolen.status).toBe(404);
    expect(await stolen.text()).toBe(await absent.text());
    expect((await other.post("/api/messages", { id: "x", attachments: [{ id: file.id }] })).status).toBe(404);
    expect((await browser(url).call(file.url)).status).toBe(401);
  });

  test("what could run in a browser is downloaded, whatever its name", async () => {
    const { tab } = await opened();
    for (const type of [
      "text/html",
      "image/svg+xml",
      "application/xhtml+xml",
      "text/html; x",
      "weird",
      "image/png\nx: y",
    ]) {
      const init = await upload(
        tab,
        '../..\\evil"\r\nSet-Cookie: x=.html',
        type.replace("\n", " "),
        "<script>alert(1)</script>",
      );
      const file = (await init.json()) as { name: string; url: string };
      expect(file.name).not.toMatch(/[\\/"\r\n]/);
      const { headers } = await tab.call(file.url);
      expect(headers.get("content-disposition")).toMatch(/^attachment; /);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("content-security-policy")).toContain("sandbox");
      expect(headers.get("set-cookie")).toBeNull();
    }
    const image = (await (await upload(tab, "a.png", "image/png", "x")).json()) as { url: string };
    expect((await tab.call(image.url)).headers.get("content-disposition")).toMatch(/^inline; /);
  });

  test("a file over the limit is refused, also one that does not say its size", async () => {
    const { tab } = await opened({ settings: { maxAttachmentBytes: 1000 } });
    expect((await upload(tab, "a", "text/plain", "x".repeat(1001))).status).toBe(413);
    const body = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 3; i++) controller.enqueue(new TextEncoder().encode("x".repeat(500)));
        controller.close();
      },
    });
    const response = await tab.call("/api/attachments?name=a", { method: "POST", body, duplex: "half" } as RequestInit);
    expect(response.status).toBe(413);
    expect((await upload(tab, "a", "text/plain", "x".repeat(1000))).status).toBe(201);
  });

  test("a session uploads so much within an hour and no more, whatever it says of sizes", async () => {
    let monotonic = 0;
    const clock: Clock = { ...testDeps("web").clock, monotonic: () => monotonic };
    const { tab, url } = await opened({ test: testDeps("web", { clock }), settings: { uploadBytesPerHour: 1000 } });
    expect((await upload(tab, "a", "text/plain", "x".repeat(600))).status).toBe(201);
    const refused = await upload(tab, "a", "text/plain", "x".repeat(401));
    expect(refused.status).toBe(429);
    expect(await refused.json()).toMatchObject({ error: { code: "too_many_uploads" } });
    const body = new Blob(["x".repeat(401)]).stream();
    const unsized = { method: "POST", body, duplex: "half" } as RequestInit;
    expect((await tab.call("/api/attachments?name=a", unsized)).status).toBe(429);
    const other = browser(url);
    await other.session();
    expect((await upload(other, "a", "text/plain", "x".repeat(1000))).status).toBe(201);
    monotonic = 60 * 60 * 1000;
    expect((await upload(tab, "a", "text/plain", "x".repeat(1000))).status).toBe(201);
  });

  test("an upload is a draft until a message has it; one whose bytes are gone is unknown, and a full store says so", async () => {
    const deps = testDeps("web");
    const seen: unknown[] = [];
    let gone = false;
    const blobs: Blobs = {
      async put(bytes, options) {
        seen.push({ draft: options.draft });
        if (gone) throw new InputError("no room", { status: 507 });
        return deps.blobs.put(bytes, options);
      },
      async get(id, options) {
        seen.push(options);
        return gone ? undefined : deps.blobs.get(id);
      },
      remove: deps.blobs.remove,
    };
    const { tab } = await opened({ test: { ...deps, blobs } });
    const file = (await (await upload(tab, "a.txt", "text/plain", "x")).json()) as { id: string; url: string };
    expect((await tab.post("/api/messages", { id: "c1", attachments: [{ id: file.id }] })).status).toBe(202);
    expect(seen).toEqual([{ draft: true }, { use: true }]);
    gone = true;
    expect((await tab.call(file.url)).status).toBe(404);
    expect((await tab.post("/api/messages", { id: "c2", attachments: [{ id: file.id }] })).status).toBe(404);
    const full = await upload(tab, "a.txt", "text/plain", "y");
    expect([full.status, await full.json()]).toMatchObject([
      507,
      { error: { code: "storage_full", message: "no room" } },
    ]);
  });
});

describe("who may", () => {
  test("only a session that was signed here is adopted; anything else gets a fresh one", async () => {
    const { url, tab } = await opened();
    const { participant } = await tab.session();
    expect((await tab.session()).participant).toEqual(participant);
    const [name, value] = tab.cookie().split("=") as [string, string];
    const [version, id, signature] = value.split(".") as [string, string, string];
    const forgeries = [
      `${version}.victim.${signature}`,
      `${version}.${id}.${signature.slice(0, -2)}xx`,
      `${version}.${id}.`,
      `${version}.${id}`,
      `v0.${id}.${signature}`,
      `${version}.${id}.${signature}.x`,
      "planted",
      "",
    ];
    for (const forged of forgeries) {
      const attacker = browser(url);
      attacker.setCookie(`${name}=${forged}`);
      expect([forged, (await attacker.call("/api/messages")).status]).toEqual([forged, 401]);
      attacker.setCookie(`${name}=${forged}`);
      expect((await attacker.session()).participant).not.toEqual(participant);
      expect(attacker.cookie()).not.toContain("victim");
    }
    const { url: elsewhere } = await start({ deps: { secret: "another secret, as long as the first" } });
    const moved = browser(elsewhere);
    moved.setCookie(tab.cookie());
    expect((await moved.call("/api/messages")).status).toBe(401);
  });

  test("cookie attributes follow from the public address and from embedding", async () => {
    const cookieOf = async (publicUrl: string | undefined, embedOrigins: string[]) => {
      const { url } = await start({ deps: { publicUrl }, settings: { embedOrigins } });
      return (await browser(url).post("/api/session")).headers.get("set-cookie");
    };
    const plain = await cookieOf(undefined, []);
    expect(plain).toMatch(/^ascent_session=.*HttpOnly; SameSite=Lax$/);
    expect(await cookieOf("https://chat.example", [])).toMatch(
      /^__Host-ascent_session=.*HttpOnly; Secure; SameSite=Lax$/,
    );
    const framed = await cookieOf("https://chat.example", ["https://shop.example"]);
    expect(framed).toMatch(/HttpOnly; Secure; SameSite=None; Partitioned$/);
    expect(await cookieOf(undefined, ["https://shop.example"])).toMatch(/HttpOnly; SameSite=Lax$/);
    const { url } = await start({ settings: { embedOrigins: ["https://shop.example"] } });
    const local = await browser(url).post("/api/session", undefined, { referer: `${url}/?embed=1` });
    expect(local.headers.get("set-cookie")).toMatch(/HttpOnly; Secure; SameSite=None; Partitioned$/);
  });

  test("a request from another site changes nothing", async () => {
    const { deps, tab, url } = await opened({ settings: { embedOrigins: ["https://shop.example"] } });
    const body = { id: "c1", text: "forged" };
    const json = { "content-type": "application/json" };
    const init = { method: "POST", body: JSON.stringify(body) };
    const refused: Record<string, string>[] = [
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: `${url}.evil.example` },
      { origin: "https://evil.example", "sec-fetch-site": "same-origin" },
    ];
    for (const headers of refused) {
      expect([
        headers,
        (await tab.call("/api/messages", { ...init, headers: { ...json, ...headers } })).status,
      ]).toEqual([headers, 403]);
    }
    expect((await tab.call("/api/messages", { ...init, bare: true, headers: json })).status).toBe(403);
    expect((await tab.call("/api/stop", { method: "POST", headers: { origin: "https://evil.example" } })).status).toBe(
      403,
    );
    expect((await tab.call("/api/events", { headers: { origin: "https://evil.example" } })).status).toBe(403);
    expect((await tab.call("/api/messages", { ...init, headers: { "content-type": "text/plain" } })).status).toBe(415);
    expect((await tab.call("/api/messages", init)).status).toBe(415);
    expect(deps.accepted).toEqual([]);
    const shop = { ...json, origin: "https://shop.example" };
    expect((await tab.call("/api/messages", { ...init, headers: shop })).status).toBe(202);
  });

  test("a name that an outsider could lead here is refused, the public address is not", async () => {
    const statusAs = async (host: string, publicUrl?: string) => {
      const { channel } = await start({ deps: { publicUrl } });
      const init = { method: "POST", headers: { origin: `http://${host}` } };
      return (await channel.handle!(new Request(`http://${host}/api/session`, init))).status;
    };
    for (const host of ["evil.example:3000", "127.0.0.1.nip.io", "localhost.evil.example"]) {
      expect([host, await statusAs(host)]).toEqual([host, 403]);
      expect([host, await statusAs(host, "https://chat.example")]).toEqual([host, 403]);
    }
    for (const host of ["localhost:3000", "192.168.1.5:3000", "[::1]:3000", "nas.local", "gateway:80"]) {
      expect([host, await statusAs(host)]).toEqual([host, 200]);
    }
    expect(await statusAs("chat.example", "https://chat.example")).toBe(200);
  });

  test("sessions see nothing of each other", async () => {
    const { deps, channel, tab, url } = await opened();
    const other = browser(url);
    await other.session();
    const events = await other.events();
    await events.until("status");
    await tab.post("/api/messages", { id: "c1", text: "private" });
    await channel.send({ kind: "text", text: "private too" }, answerTo(deps));
    await other.post("/api/messages", { id: "c1", text: "mine" });
    expect((await events.until("message")).map(({ data }) => data.text)).toEqual(["mine"]);
    expect(textsOf(await other.history())).toEqual(["user: mine"]);
    expect((await other.post("/api/messages", { id: "c2", text: "x", replyTo: "u-c9" })).status).toBe(404);
  });

  test("an empty secret is refused, naming it", async () => {
    const settings = webSettings.parse({ pageDirectory, agent: { name: "Ada" } });
    expect(() => web(settings, testDeps("web", { secret: "" }))).toThrow("ASCENT_SECRET");
  });
});

describe("the page", () => {
  test("it is framed by the allowed sites only, and only as the embedded page", async () => {
    const { url } = await start({ settings: { embedOrigins: ["https://shop.example/"] } });
    const policyOf = async (path: string) => (await fetch(`${url}${path}`)).headers.get("content-security-policy");
    expect(await policyOf("/")).toContain("frame-ancestors 'none'");
    expect(await policyOf("/?embed=1")).toContain("frame-ancestors https://shop.example");
    expect(await policyOf("/")).toMatch(/script-src 'self';/);
    expect(await policyOf("/")).not.toContain("unsafe");
    const { url: closed } = await start();
    expect((await fetch(`${closed}/?embed=1`)).headers.get("content-security-policy")).toContain(
      "frame-ancestors 'none'",
    );
    expect(() =>
      webSettings.parse({ pageDirectory, agent: { name: "a" }, embedOrigins: ["https://a.example/path"] }),
    ).toThrow("no origin");
    expect(() => webSettings.parse({ pageDirectory, agent: { name: "a" }, embedOrigins: ["*"] })).toThrow("no origin");
  });

  test("assets are kept for ever, the page is asked for again, the script may be loaded from elsewhere", async () => {
    const { url } = await start();
    const asset = await fetch(`${url}/assets/index-a1.js`);
    expect(await asset.text()).toBe("run()");
    expect(asset.headers.get("cache-control")).toContain("immutable");
    expect(asset.headers.get("content-type")).toContain("text/javascript");
    const page = await fetch(`${url}/`);
    expect(page.headers.get("cache-control")).toBe("no-cache");
    const known = await fetch(`${url}/`, { headers: { "if-none-match": page.headers.get("etag")! } });
    expect(known.status).toBe(304);
    const script = await fetch(`${url}/embed.js`);
    expect(script.headers.get("cross-origin-resource-policy")).toBe("cross-origin");
  });

  test("no path leads out of the page's directory or to its other files", async () => {
    const { port } = await start();
    const get = (path: string) =>
      new Promise<string>((resolve) => {
        const socket = connect(port, "127.0.0.1");
        let text = "";
        socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
        socket.on("close", () => resolve(text));
        socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      });
    const paths = [
      "/assets/../../secret.txt",
      "/assets/..%2f..%2fsecret.txt",
      "/assets/%2e%2e/%2e%2e/secret.txt",
      "/../secret.txt",
      "/secret.txt",
    ];
    paths.push(
      "/assets//etc/passwd",
      "/assets/..\\..\\secret.txt",
      "/package.json",
      "/assets/",
      "/assets/.hidden",
      "/docs/package.json",
      "/docs/..%2fpackage.json",
    );
    for (const path of paths) {
      const answer = await get(path);
      expect([path, answer.slice(9, 12)]).toEqual([path, expect.stringMatching(/40[04]/)]);
      expect(answer).not.toContain("outside");
    }
  });

  test("the API is documented, and its pages need nothing from elsewhere", async () => {
    const { url } = await start();
    const document = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: object };
    expect(Object.keys(document.paths).toSorted()).toEqual([
      "/api/attachments",
      "/api/attachments/{id}",
      "/api/events",
      "/api/messages",
      "/api/messages/{id}/feedback",
      "/api/reset",
      "/api/session",
      "/api/stop",
    ]);
    const docs = await (await fetch(`${url}/docs`)).text();
    for (const [, path] of docs.matchAll(/(?:src|href)="([^"]+)"/g)) {
      expect(path).toMatch(/^\//);
      expect([path, (await fetch(`${url}${path}`)).status]).toEqual([path, 200]);
    }
    expect(docs).not.toMatch(/<script>|style=/);
    expect((await fetch(`${url}/api/nothing`)).status).toBe(404);
    expect((await fetch(`${url}/api/stop`)).status).toBe(401);
  });

  test("another API is chosen from beside it, where there is one", async () => {
    const { url } = await start({
      settings: { documents: [{ name: "Operators", url: "/api/console/v1/openapi.json" }] },
    });
    const docs = await (await fetch(`${url}/docs`)).text();
    expect(docs).toContain('href="/docs?api=1">Operators</a>');
    for (const [, path] of docs.matchAll(/(?:src|href)="([^"]+)"/g))
      expect([path, (await fetch(`${url}${path}`)).status]).toEqual([path, 200]);
    const script = await (await fetch(`${url}/docs/start.js`)).text();
    expect(script).toContain('["/openapi.json","/api/console/v1/openapi.json"]');
  });

  test("no log line has a message's text or a cookie", async () => {
    const { deps, tab } = await opened();
    await tab.post("/api/messages", { id: "c1", text: "CANARY" });
    deps.fail = new OverloadedError("full");
    await tab.post("/api/messages", { id: "c2", text: "CANARY" });
    expect(deps.logged.length).toBeGreaterThan(0);
    expect(deps.logged.join("\n")).not.toMatch(/CANARY|ascent_session/);
  });
});

describe("HEAD", () => {
  test("opens no stream that stays open, and no file", async () => {
    const { url, tab } = await opened({ settings: { streamsPerSession: 2, streams: 2 } });
    for (let n = 0; n < 4; n += 1) {
      const head = await tab.call("/api/events", { method: "HEAD" });
      expect([head.status, head.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
    }
    const stream = await tab.events();
    expect(stream.response.status).toBe(200);
    stream.close();
    const other = browser(url);
    expect((await other.call("/api/events", { method: "HEAD" })).status).toBe(401);
  });

  test("of a file gives back what was opened to read it", async () => {
    let open = 0;
    const deps = testDeps("web");
    const get = deps.blobs.get.bind(deps.blobs);
    const blobs = {
      ...deps.blobs,
      async get(id: string) {
        const blob = await get(id);
        if (blob === undefined) return undefined;
        open += 1;
        const body = new ReadableStream<Uint8Array>({ cancel: () => void (open -= 1) });
        return { ...blob, body };
      },
    };
    const { tab } = await opened({ test: { ...deps, blobs } });
    const uploaded = await tab.call("/api/attachments?name=a.txt", {
      method: "POST",
      body: "hello",
      headers: { "content-type": "text/plain" },
    });
    const { url } = (await uploaded.json()) as { url: string };
    const head = await tab.call(url, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length")]).toEqual([200, "5"]);
    expect(open).toBe(0);
  });
});
