/** The operators' API of the real gateway: what each endpoint does, and what it does not do for whoever should not. */
import { createHash, randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { describe, expect, onTestFinished, test } from "vitest";
import { listen, readBody } from "../fakes/http.ts";
import { token } from "../fakes/tokens.ts";
import { createGateway } from "./gateway-process.ts";
import { eventually, leaks, openStage, said, type Stage, type StageOptions } from "./stage.ts";

const ann = 7_200_001;
const base = "/api/console/v1";
const codePattern = /\b[A-HJ-NP-Z2-9]{4}-[A-HJ-NP-Z2-9]{4}\b/;
const newKey = () => `op-canary-${randomBytes(12).toString("hex")}`;
const [all, acme, other] = [newKey(), newKey(), newKey()];
const digest = createHash("sha256").update(all).digest("hex");

/** Telegram is acme's, the webhooks are other's. */
const config = {
  access: "pairing",
  operators: [
    { name: "root", key: `sha256:${digest}` },
    { name: "ann@acme", key: acme, tenant: "acme" },
    { name: "eve@other", key: other, tenant: "other" },
  ],
  channels: {
    web: { main: { enabled: false } },
    telegram: { main: { tenant: "acme" } },
    webhook: { main: { tenant: "other" } },
  },
};
const env = { LOG_LEVEL: "info" };

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Of JSON. */
  readonly body: unknown;
}

async function ask(
  url: string,
  key: string | undefined,
  line: string,
  body?: unknown,
  more: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const [method = "", path = ""] = line.split(" ");
  const sent = typeof body === "string" ? body : JSON.stringify(body);
  const response = await fetch(`${url}${base}${path}`, {
    method,
    headers: {
      ...more,
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: sent }),
  });
  const text = await response.text();
  const json = response.headers.get("content-type")?.startsWith("application/json") === true;
  return { status: response.status, headers: response.headers, text, body: json ? JSON.parse(text) : undefined };
}

async function open(options: StageOptions = {}) {
  const stage = await openStage({ webhooks: true, ...options, config: { ...config, ...options.config }, env });
  const by = (key: string) => (line: string, body?: unknown, headers?: Record<string, string>) =>
    ask(stage.gateway.url, key, line, body, headers);
  return { ...stage, root: by(all), acme: by(acme), other: by(other) };
}

function post({ gateway, secrets }: Stage, participant: string): Promise<Response> {
  const body = JSON.stringify({ conversation: "c", participant, text: "let me in" });
  const id = `msg_${participant}`;
  const at = new Date();
  const signature = new Webhook(secrets.webhook).sign(id, at, body);
  return fetch(`${gateway.url}/webhooks/in`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
      "webhook-signature": signature,
    },
    body,
  });
}

/** Ann's code of pairing, as Telegram shows it. */
async function codeOf({ platform }: Stage): Promise<string> {
  const shows = { timeoutMs: 15_000, after: 0 };
  const { text } = await platform.waitForReply(ann, (call) => codePattern.test(call.text ?? ""), shows);
  return codePattern.exec(text ?? "")?.[0] ?? "";
}

/** Nothing that an operator was told or that was logged holds a key or what somebody said. */
function expectSilent(stage: Stage, answers: readonly Answer[] = []): void {
  const output = stage.gateway.output() + answers.map(({ text }) => text).join("\n");
  for (const key of [all, acme, other, digest]) expect(output).not.toContain(key);
  expect(leaks(stage, output)).toEqual([]);
}

describe("an operator", () => {
  test("lets somebody in as the command does, and the log says who did it", async () => {
    const stage = await open();
    const { platform, root, gateway } = stage;
    await platform.user(ann).sends(ann, `hello ${token(ann, 1)}`);
    const code = await codeOf(stage);
    const asked = await root("GET /pairing");
    expect(asked.body).toMatchObject({ asked: [{ code, channel: "telegram", account: "main", user: String(ann) }] });
    const journal = await root("GET /journal");
    expect(journal.body).toMatchObject({ entries: [{ rule: "not paired" }] });
    const conversation = (journal.body as { entries: { conversation: string }[] }).entries[0]?.conversation ?? "";
    const ofOne = await root(`GET /journal?conversation=${encodeURIComponent(conversation)}`);
    expect(ofOne.body).toEqual(journal.body);
    expect((await root("GET /journal?conversation=none")).body).toEqual({ entries: [] });

    const approved = await root("POST /pairing/approve", { who: code });
    expect(approved).toMatchObject({ status: 200, body: { user: String(ann), state: "approved" } });
    await platform.waitForReply(ann, (call) => call.text?.startsWith("You are let in") === true, { timeoutMs: 15_000 });
    const late = token(ann, 2);
    await platform.user(ann).sends(ann, `and now ${late}`);
    await platform.waitForReply(ann, (call) => call.text?.includes(late) === true, { timeoutMs: 15_000 });
    expect(await root("POST /pairing/approve", { who: code })).toMatchObject({ status: 404 });
    expect((await root("GET /pairing")).body).toEqual({ asked: [] });
    const denied = await root("POST /pairing/deny", { who: `telegram/main/${ann}` });
    expect(denied.body).toMatchObject({ user: String(ann), state: "denied" });
    expect(gateway.output()).toMatch(/"operator":"root","action":"approved","channel":"telegram"/);
    expectSilent(stage, [asked, journal, approved]);
  }, 60_000);

  test("writes first, once for a key however often it is asked, and only to its own tenant's people", async () => {
    const stage = await open({ config: { access: "open" } });
    const { platform, acme: own, other: stranger, gateway } = stage;
    await platform.user(ann).sends(ann, `hello ${token(ann, 0)}`);
    await platform.waitForReply(ann, (call) => call.text?.includes(token(ann, 0)) === true, { timeoutMs: 15_000 });
    const words = `news ${token(ann, 1)}`;
    const order = { to: `telegram/main/${ann}`, text: words };
    const key = { "idempotency-key": "order 17" };
    expect(await own("POST /messages", order)).toMatchObject({ status: 400 });
    const answers = await Promise.all([1, 2, 3].map(() => own("POST /messages", order, key)));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
    await platform.waitForReply(ann, (call) => call.text?.includes(words) === true, { timeoutMs: 15_000 });
    await own("POST /messages", { ...order, text: `then ${token(ann, 2)}` }, { "idempotency-key": "order 18" });
    await platform.waitForReply(ann, (call) => call.text?.includes(token(ann, 2)) === true, { timeoutMs: 15_000 });
    expect(said(stage, ann).filter((text) => text.includes(words))).toHaveLength(1);
    const foreign = await stranger("POST /messages", order, key);
    const absent = await stranger("POST /messages", { ...order, to: "nowhere/main/1" }, key);
    expect([foreign.status, absent.status]).toEqual([404, 404]);
    expect(foreign.text.replace("telegram/main", "nowhere/main")).toBe(absent.text);
    expect(gateway.output()).toMatch(/"operator":"ann@acme","action":"send"/);
    expectSilent(stage, [foreign, absent, ...answers]);
  }, 60_000);

  test("finds, retries and drops dead letters, page by page", async () => {
    const stage = await open({ config: { access: "open" } });
    const { platform, root, other: stranger } = stage;
    const description = "Forbidden: bot was blocked";
    const gone = { method: "sendMessage", kind: "error", code: 403, description, times: 1 } as const;
    for (const n of [1, 2, 3]) {
      await platform.fault(gone);
      await platform.user(ann).sends(ann, `hello ${token(ann, n)}`);
      // Only then is the fault's next victim the next answer.
      const told = () => said(stage, ann).filter((text) => text.includes("could not be delivered"));
      await eventually(`letter ${n}, and its notice`, () => told().length === n);
    }
    interface Page {
      readonly deadLetters: readonly { readonly id: string }[];
      readonly next?: number;
    }
    const pages: Page[] = [];
    for (let next: number | undefined; pages.length < 5;) {
      pages.push((await root(`GET /dead-letters?limit=2${next === undefined ? "" : `&before=${next}`}`)).body as Page);
      next = pages.at(-1)?.next;
      if (next === undefined) break;
    }
    expect(pages.map(({ deadLetters }) => deadLetters.length)).toEqual([2, 1]);
    const [newest = "", second = "", oldest = ""] = pages.flatMap(({ deadLetters }) =>
      deadLetters.map(({ id }) => encodeURIComponent(id)),
    );
    const listed = await root("GET /dead-letters");
    expect(listed.body).toMatchObject({
      deadLetters: [{ topic: "outbound", reason: expect.stringContaining("403") as string }, {}, {}],
    });
    expectSilent(stage, [listed]);
    const whole = await root(`GET /dead-letters/${newest}`);
    expect(whole.body).toMatchObject({ id: decodeURIComponent(newest), event: { type: "ascent.outbound.v1" } });
    expect(whole.text).toContain(token(ann, 3));

    for (const line of [`GET /dead-letters/${oldest}`, `DELETE /dead-letters/${oldest}`, "GET /dead-letters/none"])
      expect(await stranger(line)).toMatchObject({ status: 404, text: (await root("GET /dead-letters/none")).text });
    expect(await stranger(`POST /dead-letters/${oldest}/retry`)).toMatchObject({ status: 404 });
    expect((await stranger("GET /dead-letters")).body).toEqual({ deadLetters: [] });

    expect(await root(`DELETE /dead-letters/${newest}`)).toMatchObject({ status: 200 });
    expect(await root(`DELETE /dead-letters/${newest}`)).toMatchObject({ status: 404 });
    expect(await root(`POST /dead-letters/${oldest}/retry`)).toMatchObject({ status: 202 });
    await platform.waitForReply(ann, (call) => call.text?.includes(token(ann, 1)) === true, { timeoutMs: 15_000 });
    expect(await root(`POST /dead-letters/${oldest}/retry`)).toMatchObject({ status: 404 });
    expect((await root("GET /dead-letters")).body).toMatchObject({
      deadLetters: [{ id: decodeURIComponent(second) }],
    });
    expect(stage.gateway.output()).toMatch(/"operator":"root","action":"drop"/);
  }, 60_000);

  test("sees deliveries to subscribers, and has one sent again", async () => {
    let hits = 0;
    const server = await listen((request, response) => {
      void readBody(request).then(() => {
        hits += 1;
        response.writeHead(204).end();
      });
    });
    onTestFinished(() => server.close());
    const secret = `whsec_${randomBytes(32).toString("base64")}`;
    const subscriber = { url: `${server.url}/hook-canary`, secret, events: ["conversation.started"] };
    const webhooks = { allowHosts: ["127.0.0.1"], subscribers: [subscriber] };
    const stage = await open({ config: { access: "open", webhooks } });
    await stage.platform.user(ann).sends(ann, `hello ${token(ann, 1)}`);
    const delivered = await eventually("it is delivered", async () => {
      const answer = await stage.acme("GET /webhooks");
      const [one] = (answer.body as { deliveries: { id: string; state: string }[] }).deliveries;
      return one?.state === "delivered" ? { answer, id: one.id } : undefined;
    });
    expect(delivered.answer.text).not.toContain("hook-canary");
    expectSilent(stage, [delivered.answer]);
    expect((await stage.other("GET /webhooks")).body).toEqual({ deliveries: [] });
    expect(await stage.other(`POST /webhooks/${delivered.id}/replay`)).toMatchObject({ status: 404 });
    expect(hits).toBe(1);
    expect(await stage.acme(`POST /webhooks/${delivered.id}/replay`)).toMatchObject({ status: 202 });
    await eventually("it comes again", () => hits === 2);
    expect(await stage.acme("POST /webhooks/evt_guess.abc/replay")).toMatchObject({ status: 404 });
  }, 60_000);

  test("sees how the accounts stand, what the doctor finds, and of another tenant nothing at all", async () => {
    const stage = await open();
    const { platform, root } = stage;
    const connected = await eventually("Telegram is connected", async () => {
      const answer = await root("GET /channels/telegram/main");
      return (answer.body as { state: string }).state === "connected" ? answer : undefined;
    });
    expect(connected.body).toEqual({
      tenant: "acme",
      channel: "telegram",
      account: "main",
      state: "connected",
      here: true,
    });
    const channels = await root("GET /channels");
    expect(channels.body).toMatchObject({ accounts: [{ channel: "telegram" }, { state: "on request" }] });
    const doctor = await root("GET /doctor");
    expect(doctor.body).toMatchObject({ ok: true });
    const topics = ({ body }: Answer) => (body as { reports: { topic: string }[] }).reports.map(({ topic }) => topic);
    expect(topics(doctor)).toEqual(expect.arrayContaining(["agent assistant", "telegram/main", "webhook/main"]));
    expectSilent(stage, [channels, doctor]);

    await platform.user(ann).sends(ann, "hello");
    const code = await codeOf(stage);
    expect((await post(stage, "eve")).status).toBe(403);
    expect((await stage.acme("GET /channels")).body).toMatchObject({ accounts: [{ channel: "telegram" }] });
    expect(topics(await stage.acme("GET /doctor"))).toEqual(["telegram/main"]);
    const own = await stage.other("GET /pairing");
    expect(own.body).toMatchObject({ asked: [{ channel: "webhook", user: "eve" }] });
    const journal = await stage.other("GET /journal?limit=1");
    expect((journal.body as { entries: unknown[] }).entries).toHaveLength(1);
    expect(journal.text).toContain("other:webhook");
    const absent = await root("POST /pairing/approve", { who: "AAAA-AAAA" });
    for (const who of [code, `telegram/main/${ann}`, "AAAA-AAAA"])
      expect(await stage.other("POST /pairing/approve", { who })).toMatchObject({ status: 404, text: absent.text });
    const nowhere = await stage.other("GET /channels/nowhere/main");
    for (const line of ["", "/link", "/link.svg"].map((end) => `GET /channels/telegram/main${end}`))
      expect(await stage.other(line)).toMatchObject({ status: 404, text: nowhere.text });
    expect(await root("GET /channels/telegram/main/link")).toMatchObject({ status: 404 });
    expect((await root("GET /pairing")).body).toMatchObject({ asked: [{ code }, { user: "eve" }] });
    const early = await stage.acme(`GET /journal?conversation=${encodeURIComponent("other:webhook:main:c")}`);
    expect(early.body).toEqual({ entries: [] });
  }, 60_000);

  test("sees what was used, of another tenant nothing, and is told what is not counted", async () => {
    const budgets = { person: { day: { calls: 9 } }, tenant: {}, currency: "EUR" };
    const stage = await open({ config: { access: "open", budgets } });
    const { platform, root, acme: own, other: foreign } = stage;
    await platform.user(ann).sends(ann, `question m-${ann}-1`);
    await platform.waitForReply(ann, undefined, { timeoutMs: 15_000 });
    const path = `GET /usage?scope=person&days=2&of=${encodeURIComponent(`telegram/main/${ann}`)}`;
    for (const by of [root, own]) {
      const { status, body } = await by(path);
      expect(status).toBe(200);
      expect(body).toMatchObject({
        scope: "person",
        currency: "EUR",
        windows: [{ window: "day", used: { calls: 1 }, limits: { calls: 9 } }],
      });
    }
    expect((await foreign(path)).status).toBe(404);
    expect((await own("GET /usage")).body).toMatchObject({ scope: "tenant", windows: [{ used: { calls: 1 } }] });
    expect((await foreign("GET /usage")).body).toMatchObject({ rows: [] });
    expect((await foreign("GET /usage?scope=tenant&of=acme")).status).toBe(404);
    expect((await root("GET /usage?scope=gateway")).text).toContain("there is no budgets.gateway");
    const bad = ["days=0", "days=x", "scope=everybody", "scope=person", "scope=person&of=telegram/main"];
    for (const wrong of bad) expect([wrong, (await root(`GET /usage?${wrong}`)).status]).toEqual([wrong, 400]);
    // Whatever it is called: nobody by that name used anything.
    expect((await root(`GET /usage?scope=tenant&of=${encodeURIComponent("%zz:x")}`)).body).toMatchObject({ rows: [] });
  });

  test("is told why a channel is off", async () => {
    const stage = await open({ config: { ...config, access: "open" } });
    const wrong = await createGateway({
      config: { operators: [{ name: "root", key: all }], channels: { web: { main: { enabled: false } } } },
      env: () => ({
        ASCENT_CONFIG: "ascent.yaml",
        TELEGRAM_BOT_TOKEN: "1000001:a-wrong-token-canary",
        TELEGRAM_API_ROOT: stage.platform.url,
      }),
    });
    onTestFinished(() => wrong.close());
    await wrong.start();
    const off = await eventually("it is off", async () => {
      const answer = await ask(wrong.url, all, "GET /channels/telegram/main");
      return (answer.body as { state: string }).state === "off" ? answer : undefined;
    });
    expect(off.body).toMatchObject({ reason: expect.stringContaining("does not know the bot's token") as string });
    expect(off.text).not.toContain("canary");
    const { body } = await ask(wrong.url, all, "GET /doctor");
    expect(body).toMatchObject({ ok: false });
  }, 60_000);
});

describe("whoever has no key", () => {
  test("learns nothing and does nothing, and after twenty wrong keys is not heard for a while", async () => {
    const stage = await open();
    const { url } = stage.gateway;
    const lines = [
      "GET /pairing",
      "POST /pairing/approve",
      "DELETE /dead-letters/x",
      "GET /nothing",
      "OPTIONS /pairing",
    ];
    for (const line of lines) {
      const answer = await ask(url, undefined, line);
      expect(answer).toMatchObject({ status: 401, body: { error: { code: "unauthorized" } } });
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
      expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    }
    for (const key of [`${all}x`, all.slice(0, -1), `sha256:${digest}`, all.toUpperCase(), "x".repeat(8_000)])
      expect(await ask(url, key, "GET /channels")).toMatchObject({ status: 401 });
    expect(await stage.root("GET /channels")).toMatchObject({ status: 200 });
    const statuses: number[] = [];
    for (let n = 0; n < 30; n++) statuses.push((await ask(url, `guess-number-${n}-of-many`, "GET /channels")).status);
    expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(17);
    const late = await stage.root("GET /channels");
    expect(late.status).toBe(429);
    const seconds = Number(late.headers.get("retry-after"));
    expect(seconds).toBeLessThanOrEqual(3);
    await eventually("the right key is heard again", async () => (await stage.root("GET /channels")).status === 200);
    expect(stage.gateway.output().match(/too many wrong keys/g)).toHaveLength(1);
    expectSilent(stage);
  }, 60_000);

  test("finds no API where no operator is configured, and an empty or weak key does not start", async () => {
    const make = (given: Readonly<Record<string, string>>, operators?: unknown) =>
      createGateway({
        config: { channels: { web: { main: { enabled: false } } }, ...(operators === undefined ? {} : { operators }) },
        env: () => ({ ASCENT_CONFIG: "ascent.yaml", ...given }),
      });
    const off = await make({});
    onTestFinished(() => off.close());
    await off.start();
    expect(await ask(off.url, all, "GET /pairing")).toMatchObject({ status: 404 });
    const cases: readonly [Readonly<Record<string, string>>, unknown, RegExp][] = [
      [{ ASCENT_OPERATOR_KEYS: "" }, undefined, /ASCENT_OPERATOR_KEYS is set but empty/],
      [{ ASCENT_OPERATOR_KEYS: "," }, undefined, /ASCENT_OPERATOR_KEYS.*holds no key/],
      [{ ASCENT_OPERATOR_KEYS: "short-secret" }, undefined, /operators\.0\.key.*is no valid key: take 16/],
      [{}, [{ name: "ann", key: "" }], /operators\.0\.key.*is no valid key/],
      [{}, [{ name: "ann", key: all, tenant: "nobody" }], /operators\.0\.tenant: no account is of the tenant "nobody"/],
      [{}, [all, { name: "ann", key: `sha256:${digest}` }], /operators\.1\.key.*has the key of another/],
    ];
    for (const [given, operators, words] of cases) {
      const gateway = await make(given, operators);
      onTestFinished(() => gateway.close());
      const { code, err } = await gateway.ascent("start");
      expect(err).toMatch(words);
      expect(err).not.toMatch(/short-secret|canary/);
      expect(code).toBeGreaterThan(0);
    }
  }, 90_000);
});

describe("a request", () => {
  test("that is wrong in any way is refused with what to do, whatever it brings", async () => {
    const { root, gateway, ...stage } = await open();
    const deep = `{"who":${"[".repeat(7_000)}${"]".repeat(7_000)}}`;
    const cases: readonly [string, unknown, number][] = [
      ["POST /pairing/approve", undefined, 400],
      ["POST /pairing/approve", "{", 400],
      ["POST /pairing/approve", {}, 400],
      ["POST /pairing/approve", { who: "x", more: 1 }, 400],
      ["POST /pairing/approve", { who: "x".repeat(1_001) }, 400],
      ["POST /pairing/approve", deep, 400],
      ["POST /pairing/approve", { who: "x".repeat(140_000) }, 413],
      ["POST /dead-letters/none/retry", "y".repeat(140_000), 413],
      ["POST /pairing", { who: "x" }, 405],
      ["GET /journal?limit=0", undefined, 400],
      ["GET /journal?limit=100000", undefined, 400],
      ["GET /dead-letters?before=x", undefined, 400],
      ["GET /dead-letters/..%2f..%2fetc", undefined, 404],
      ["GET /dead-letters/%00%E0%A4%A", undefined, 404],
      [`GET /dead-letters/${"x".repeat(3_000)}`, undefined, 400],
      ["GET /channels/__proto__/constructor", undefined, 404],
      ["GET /nothing", undefined, 404],
    ];
    for (const [line, body, status] of cases) {
      const answer = await root(line, body);
      expect([line, answer.status, answer.text]).toEqual([
        line,
        status,
        expect.stringContaining('"message":"') as string,
      ]);
      expect(answer.headers.get("cache-control")).toBe("no-store");
    }
    await gateway.terminate();
    expectSilent({ ...stage, gateway });
  }, 60_000);
});
