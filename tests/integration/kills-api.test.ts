/** Webhooks and the web page's API, through kills: other systems and browsers that repeat until they are heard. */
import { setTimeout as sleep } from "node:timers/promises";
import { createParser } from "eventsource-parser";
import { Webhook } from "standardwebhooks";
import { expect, onTestFinished, test } from "vitest";
import { listen, readBody, sendJson } from "../fakes/http.ts";
import { tokensIn } from "../fakes/tokens.ts";
import { streamsOf, type Random } from "../simulation/random.ts";
import { eventually, leaks, openStage, runsOf, type Stage } from "./stage.ts";

const seed = Number(process.env["KILL_SEED"] ?? Math.floor(Math.random() * 1e9));

interface Answered {
  readonly status: number;
  readonly body: { readonly id?: string; readonly answer?: { readonly text: string } };
}

/** The same bytes every time: a caller that was not heard sends what it sent. */
function caller({ gateway, secrets }: Stage) {
  return async (id: string, message: object, timeoutMs = 20_000): Promise<Answered> => {
    const body = JSON.stringify(message);
    const now = new Date();
    const response = await fetch(`${gateway.url}/webhooks/in`, {
      method: "POST",
      body,
      headers: {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": String(Math.floor(now.getTime() / 1_000)),
        "webhook-signature": new Webhook(secrets.webhook).sign(id, now, body),
      },
      signal: AbortSignal.timeout(timeoutMs),
    });
    return { status: response.status, body: (await response.json()) as Answered["body"] };
  };
}

/** Again and again until it is heard, as the protocols ask; a lost connection and a 503 are no answer. */
async function insist<Result>(
  what: string,
  attempt: () => Promise<Result | undefined>,
  random: Random,
): Promise<Result> {
  return eventually(
    what,
    async () => {
      const result = await attempt().catch((error: unknown) => {
        if (error instanceof TypeError || (error instanceof Error && /abort|timeout/i.test(error.name)))
          return undefined;
        throw error;
      });
      if (result === undefined) await sleep(random.int(20, 200));
      return result;
    },
    60_000,
  );
}

interface Callback {
  readonly id: string;
  readonly body: { readonly answers: readonly string[]; readonly answer: { readonly text: string } };
  readonly at: number;
}

/** The other system's endpoint: it takes what is signed, and is slow to say so. */
async function receiver({ secrets }: Stage) {
  const got: Callback[] = [];
  const server = await listen((request, response) => {
    void readBody(request).then(async (raw) => {
      const text = raw.toString();
      new Webhook(secrets.webhook).verify(text, request.headers as Record<string, string>);
      got.push({
        id: String(request.headers["webhook-id"]),
        body: JSON.parse(text) as Callback["body"],
        at: performance.now(),
      });
      await sleep(20);
      sendJson(response, 200, {});
    });
  });
  onTestFinished(() => server.close());
  return { got, url: `${server.url}/answers` };
}

async function withWebhooks(): Promise<Stage> {
  const stage = await openStage({ env: { WEBHOOK_ALLOW_HOSTS: "127.0.0.1" }, webhooks: true, seed });
  stage.note(`KILL_SEED=${seed}`);
  return stage;
}

/** Kills and starts it again, this often, at seeded moments. */
async function killing({ gateway }: Stage, kills: number, random: Random): Promise<void> {
  for (let kill = 0; kill < kills; kill++) {
    await sleep(random.int(100, 900));
    await gateway.kill();
    await gateway.start();
  }
}

test("a webhook-id has one answer, also when it is asked for again after a kill", { timeout: 60_000 }, async () => {
  const stage = await withWebhooks();
  const { model, gateway } = stage;
  const call = caller(stage);
  const message = { conversation: "c", participant: "p", text: "hello m-c-1", wait: true };
  await model.rule({ contains: "m-c-1", times: 1, reply: { text: "the first answer to m-c-1" } });
  const first = await call("id-1", message);
  expect(first).toMatchObject({ status: 200, body: { answer: { text: "the first answer to m-c-1" } } });

  await gateway.kill();
  await gateway.start();
  expect(await call("id-1", message)).toEqual(first);
  expect(runsOf(stage, "m-c-1")).toHaveLength(1);
  expect(await call("id-1", { ...message, text: "something else" })).toMatchObject({ status: 409 });

  // Killed while the caller waits: the next asking gets the one answer.
  await model.rule({ contains: "m-c-2", reply: { latencyMs: 1_000 } });
  const lost = call("id-2", { ...message, text: "hello m-c-2" }).catch(() => undefined);
  await eventually("the turn runs", () => runsOf(stage, "m-c-2").length === 1);
  await gateway.kill();
  expect(await lost).toBeUndefined();
  await gateway.start();
  const asked = await Promise.all([
    call("id-2", { ...message, text: "hello m-c-2" }),
    call("id-2", { ...message, text: "hello m-c-2" }),
  ]);
  expect(asked.map(({ body }) => body.answer?.text)).toEqual(["answer to: hello m-c-2", "answer to: hello m-c-2"]);
  expect(leaks(stage)).toEqual([]);
});

test(
  "16 systems that insist through kills: each message one answer, posted to its callback, in order",
  { timeout: 120_000 },
  async () => {
    const stage = await withWebhooks();
    const { model } = stage;
    const call = caller(stage);
    const { got, url } = await receiver(stage);
    const streams = streamsOf(seed);
    let runs = 0;
    model.script((prompt) => ({
      latencyMs: streams("model").int(10, 400),
      text: `answer to ${prompt.tokens.join(" and ")} (run ${(runs += 1)})`,
    }));
    const systems = Array.from({ length: 16 }, (_, at) => `s${at}`);
    const turns = 6;
    const messageOf = (system: string, n: number) => ({
      conversation: "orders",
      participant: system,
      text: `hello m-${system}-${n}`,
      callbackUrl: url,
      wait: n % 2 === 0,
    });
    const told = new Map<string, string>();
    const working = Promise.all(
      systems.map(async (system) => {
        const random = streams(system);
        for (let n = 1; n <= turns; n++) {
          const id = `${system}-${n}`;
          const heard = await insist(
            `${id} is accepted`,
            async () => {
              const answered = await call(id, messageOf(system, n));
              return answered.status < 300 ? answered : undefined;
            },
            random,
          );
          if (heard.body.answer !== undefined) told.set(id, heard.body.answer.text);
          await sleep(random.int(0, 400));
        }
      }),
    );
    await killing(stage, 6, streams("kills"));
    await working;

    const ids = systems.flatMap((system) => Array.from({ length: turns }, (_, at) => `${system}-${at + 1}`));
    await eventually(
      "every callback was posted",
      () => ids.every((id) => got.some(({ body }) => body.answers.includes(id))),
      30_000,
    );
    // Whoever asks again afterwards hears what the callback said, and what it was told before.
    for (const id of ids) {
      const [system = "", n = ""] = id.split("-");
      const { body } = await call(id, messageOf(system, Number(n)));
      const posted = new Set(got.filter((one) => one.body.answers.includes(id)).map((one) => one.body.answer.text));
      expect([...posted], `of ${id}`).toEqual([body.answer?.text]);
      expect(told.get(id) ?? body.answer?.text).toBe(body.answer?.text);
      expect(tokensIn(body.answer?.text ?? "")).toContain(`m-${system}-${n}`);
    }
    // A callback that is posted again has the same id, so that its receiver can tell.
    for (const [id, same] of Map.groupBy(got, (one) => one.id)) {
      expect(new Set(same.map(({ body }) => JSON.stringify(body))).size, `of ${id}`).toBe(1);
    }
    const posts = [...Map.groupBy(got, (one) => one.id).values()].map(([first]) => first);
    expect(got.length - posts.length).toBeLessThanOrEqual(stage.gateway.kills.length * systems.length);
    for (const system of systems) {
      const order = posts.flatMap((post) => post?.body.answers.filter((id) => id.startsWith(`${system}-`)) ?? []);
      expect(order, `of ${system}`).toEqual(Array.from({ length: turns }, (_, at) => `${system}-${at + 1}`));
    }
    expect(leaks(stage)).toEqual([]);
  },
);

interface PageMessage {
  readonly id: string;
  readonly role: string;
  readonly text: string;
  readonly answers?: readonly string[];
}

/** A browser: one session, a stream that resumes where it was cut, and messages repeated under their own ids. */
function browser({ gateway }: Stage) {
  let cookie = "";
  let lastEventId = "0";
  const seen: (PageMessage & { event: string })[] = [];
  const closing = new AbortController();

  const request = (path: string, init: RequestInit = {}) =>
    fetch(`${gateway.url}${path}`, {
      ...init,
      headers: {
        cookie,
        origin: gateway.url,
        ...(init.body === undefined ? {} : { "content-type": "application/json" }),
        ...(init.headers as object),
      },
    });

  async function follow(): Promise<void> {
    const parser = createParser({
      onEvent({ event, data, id }) {
        if (id !== undefined) lastEventId = id;
        if (event === "message") seen.push({ ...(JSON.parse(data) as PageMessage), event: id ?? "" });
      },
    });
    const { body, ok } = await request("/api/events", {
      headers: { "last-event-id": lastEventId },
      signal: closing.signal,
    });
    if (!ok) return void (await body?.cancel());
    const decoder = new TextDecoder();
    for await (const chunk of body ?? []) parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
  }

  return {
    seen,
    async open() {
      const response = await request("/api/session", { method: "POST", body: "{}" });
      cookie = response.headers.getSetCookie()[0]?.split(";")[0] ?? "";
      void (async () => {
        while (!closing.signal.aborted) {
          await follow().catch(() => undefined);
          await sleep(50);
        }
      })();
    },
    send: (id: string, text: string) =>
      request("/api/messages", { method: "POST", body: JSON.stringify({ id, text }) }),
    async history() {
      return ((await (await request("/api/messages")).json()) as { messages: PageMessage[] }).messages;
    },
    close: () => closing.abort(),
  };
}

test(
  "8 browsers that insist through kills: each message one answer, the stream resumes without a gap or a repetition",
  { timeout: 120_000 },
  async () => {
    const stage = await openStage({ web: true, seed });
    stage.note(`KILL_SEED=${seed}`);
    const { model } = stage;
    const streams = streamsOf(seed);
    let runs = 0;
    model.script((prompt) => ({
      latencyMs: streams("model").int(10, 400),
      tokensPerSecond: 100,
      text: `answer to ${prompt.tokens.join(" and ")} (run ${(runs += 1)})`,
    }));
    const turns = 6;
    const people = Array.from({ length: 8 }, (_, at) => ({ name: `b${at}`, page: browser(stage) }));
    onTestFinished(() => people.forEach(({ page }) => page.close()));
    await Promise.all(people.map(({ page }) => page.open()));
    const working = Promise.all(
      people.map(async ({ name, page }) => {
        const random = streams(name);
        for (let n = 1; n <= turns; n++) {
          const heard = async () => {
            const { status, body } = await page.send(`${name}-${n}`, `hello m-${name}-${n}`);
            await body?.cancel();
            return status === 202 ? true : undefined;
          };
          await insist(`${name}-${n} is accepted`, heard, random);
          // Its 202 may have been lost: a page that is not sure sends it again.
          if (random.chance(0.3)) await insist(`${name}-${n} is accepted again`, heard, random);
          await sleep(random.int(0, 600));
        }
      }),
    );
    await killing(stage, 6, streams("kills"));
    await working;

    for (const { name, page } of people) {
      const covered = () => page.seen.filter(({ role }) => role === "agent").flatMap(({ text }) => tokensIn(text));
      const all = Array.from({ length: turns }, (_, at) => `m-${name}-${at + 1}`);
      await eventually(`${name} has all answers`, () => all.every((token) => covered().includes(token)), 30_000);
      expect(covered(), `of ${name}`).toEqual(all);
      expect(
        page.seen.filter(({ role }) => role === "user").flatMap(({ text }) => tokensIn(text)),
        `of ${name}`,
      ).toEqual(all);
      expect(
        (await page.history()).map(({ id, text }) => ({ id, text })),
        `of ${name}`,
      ).toEqual(page.seen.map(({ id, text }) => ({ id, text })));
      const events = page.seen.map(({ event }) => Number(event));
      expect(events).toEqual([...new Set(events)].toSorted((a, b) => a - b));
    }
    expect(leaks(stage)).toEqual([]);
  },
);
