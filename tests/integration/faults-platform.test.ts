/** A platform that is slow, refuses or does not answer, and the dead letters that remain. */
import { describe, expect, test } from "vitest";
import type { FaultKind } from "../fakes/telegram/faults.ts";
import { isAnswer } from "../fakes/telegram/log.ts";
import { eventually, expectKept, leaks, openStage, said, untilQuiet, type Stage } from "./stage.ts";

const sends = ({ platform }: Stage, chat: number) =>
  platform.log.calls.filter((call) => call.chat === chat && call.method === "sendmessage");

async function chat(stage: Stage, id: number, ...numbers: readonly number[]): Promise<void> {
  for (const n of numbers) {
    await stage.platform.user(id).sends(id, `hello m-${id}-${n}`);
    await eventually("it is answered by the model", () =>
      stage.model.log.some(({ tokens }) => tokens.includes(`m-${id}-${n}`)),
    );
  }
}

interface Trouble {
  readonly name: string;
  readonly fault: FaultKind;
  readonly times: number;
  /** Calls of sendMessage for two answers. */
  readonly sends: number;
  /** The platform took a send without saying so, and has no idempotency key: one copy more cannot be avoided. */
  readonly copies?: 1;
  /** The least time between the trouble and the first answer. */
  readonly waitMs: number;
}
const troubles: readonly Trouble[] = [
  { name: "says 429", fault: { kind: "rate_limit", retryAfter: 3 }, times: 1, sends: 3, waitMs: 2_990 },
  { name: "says 500", fault: { kind: "error", code: 500 }, times: 3, sends: 5, waitMs: 500 },
  { name: "says 502", fault: { kind: "error", code: 502 }, times: 2, sends: 4, waitMs: 500 },
  { name: "says 504", fault: { kind: "error", code: 504 }, times: 1, sends: 3, waitMs: 300 },
  { name: "hangs up", fault: { kind: "close" }, times: 2, sends: 4, waitMs: 500 },
  { name: "accepts and hangs up", fault: { kind: "close", accepted: true }, times: 1, sends: 3, copies: 1, waitMs: 0 },
  {
    name: "accepts and never answers",
    fault: { kind: "hang", accepted: true },
    times: 1,
    sends: 3,
    copies: 1,
    waitMs: 0,
  },
];

test(
  "each trouble in its own chat: waited for as told, each answer once and in order, others go on",
  { timeout: 120_000 },
  async () => {
    const stage = await openStage();
    const { platform } = stage;
    const chats = troubles.map((trouble, at) => ({ ...trouble, id: 100 + at }));
    for (const { id, fault, times } of chats)
      await platform.fault({ ...fault, method: "sendMessage", chat: id, times });
    for (const n of [1, 2]) {
      for (const { id } of chats) await platform.user(id).sends(id, `hello m-${id}-${n}`);
      await eventually("all are answered by the model", () =>
        chats.every(({ id }) => stage.model.log.some(({ tokens }) => tokens.includes(`m-${id}-${n}`))),
      );
    }
    const others = await platform.drive({ users: 4, turns: 10, firstUser: 20_000, lingerMs: 0 });
    expect(others.unanswered).toEqual([]);
    expect(others.p99).toBeLessThan(1_500);
    await untilQuiet(stage, { mostMs: 90_000 });

    for (const { id, name, sends: most, copies = 0, waitMs } of chats) {
      const answers = [1, ...(copies === 1 ? [1] : []), 2].map((n) => `answer to: hello m-${id}-${n}`);
      expect.soft(said(stage, id), `a platform that ${name}`).toEqual(answers);
      const calls = sends(stage, id);
      expect.soft(calls.length, `sends to a platform that ${name}`).toBe(most);
      const answered = calls.find(({ status }) => status === 200);
      expect.soft((answered?.at ?? 0) - (calls[0]?.at ?? 0), `the wait for one that ${name}`).toBeGreaterThan(waitMs);
    }
    const excepted = chats.filter(({ copies }) => copies === 1).map(({ id }) => `m-${id}-`);
    const except = (line: string) =>
      line === "I3 2 duplicate sends, 0 allowed" ||
      excepted.some((own) => line.startsWith("I3 ") && line.includes(own));
    expectKept(stage, { except });
  },
);

test(
  "429 for longer than a lane waits in memory: parked, kept through a kill, sent once",
  { timeout: 60_000 },
  async () => {
    const stage = await openStage();
    const { platform, gateway } = stage;
    await platform.fault({ method: "sendMessage", chat: 7, kind: "rate_limit", retryAfter: 8, times: 1 });
    await chat(stage, 7, 1, 2);
    await eventually("it was refused", () => sends(stage, 7)[0]?.status === 429);
    await gateway.kill();
    await gateway.start();
    await untilQuiet(stage);
    expect(said(stage, 7)).toEqual([1, 2].map((n) => `answer to: hello m-7-${n}`));
    expectKept(stage);
  },
);

test(
  "a message that cannot be answered becomes a dead letter, and the next one goes on",
  { timeout: 30_000 },
  async () => {
    const stage = await openStage();
    const { platform, gateway } = stage;
    const description = "Bad Request: PEER_ID_INVALID";
    await platform.fault({ method: "sendMessage", chat: 7, kind: "error", code: 400, description, times: 1 });
    await chat(stage, 7, 1, 2);
    const excused = new Map([["m-7-1", "dead letter"]]);
    await untilQuiet(stage, { excused });
    expect(said(stage, 7)).toEqual(
      expect.arrayContaining(["answer to: hello m-7-2", expect.stringMatching(/could not be delivered/)]),
    );
    expect((await letters(stage)).map(({ reason }) => reason)).toEqual([expect.stringContaining("400")]);
    expect((await gateway.ascent("deadletters", "list")).out).not.toContain("m-7-1");
    expectKept(stage, { excused });
  },
);

test("an update that nobody can read is a dead letter that holds all of it and stays while it cannot be read", async () => {
  const stage = await openStage({ by: "webhook" });
  const { gateway, secrets } = stage;
  await eventually("the webhook is set", () => stage.platform.log.calls.some(({ method }) => method === "setwebhook"));
  const update = { update_id: 99_999_999, message: { message_id: 1, text: "garbage m-7-9" } };
  const response = await fetch(`${gateway.url}/webhooks/telegram`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-telegram-bot-api-secret-token": secrets.telegramWebhook },
    body: JSON.stringify(update),
  });
  expect(response.status).toBe(200);
  const kept = expect.objectContaining({
    topic: "inbound",
    event: expect.objectContaining({ data: expect.objectContaining({ raw: update }) as object }) as object,
  }) as Letter;
  const [letter, ...others] = await letters(stage);
  expect([letter, others]).toEqual([kept, []]);
  expect((await gateway.ascent("deadletters", "list")).out).not.toContain("garbage");

  const retried = await gateway.ascent("deadletters", "retry", letter?.id ?? "");
  expect(retried).toMatchObject({ code: 1, err: expect.stringContaining("still cannot be read") as string });
  expect(await letters(stage)).toEqual([kept]);
  expect((await gateway.ascent("deadletters", "drop", letter?.id ?? "")).code).toBe(0);
  expect(await letters(stage)).toEqual([]);
  expectKept(stage);
});

interface Letter {
  readonly id: string;
  readonly topic: string;
  readonly reason: string;
  readonly event: { readonly data?: unknown };
}
async function letters({ gateway }: Stage): Promise<readonly Letter[]> {
  const { code, out, err } = await gateway.ascent("deadletters", "list", "--json");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return JSON.parse(out) as readonly Letter[];
}

describe("a person who blocked the bot", () => {
  test.each(["running", "stopped"])(
    "leaves dead letters; retried with the gateway %s they arrive, once",
    { timeout: 60_000 },
    async (state) => {
      const stage = await openStage();
      const { platform, model, gateway } = stage;
      await model.rule({ contains: "slow", reply: { latencyMs: 800 } });
      await platform.user(7).sends(7, "slow m-7-1");
      await platform.user(8).sends(8, "hello m-8-1");
      await eventually("the turn runs", () => model.log.some(({ tokens }) => tokens.includes("m-7-1")));
      await platform.user(7).setsBot(7, "kicked");
      await eventually("the send was refused", () => sends(stage, 7)[0]?.status === 403);
      const excused = new Map([["m-7-1", "blocked"]]);
      await untilQuiet(stage, { excused });

      const kept = (await letters(stage)).find(({ event }) => JSON.stringify(event).includes("m-7-1"));
      expect(kept).toMatchObject({ topic: "outbound", reason: expect.stringContaining("403") as string });
      const id = kept?.id ?? "";
      const listed = await gateway.ascent("deadletters", "list");
      expect(listed.out).toContain(id);
      expect(leaks(stage, listed.out + listed.err)).toEqual([]);

      if (state === "stopped") await gateway.terminate();
      expect(await gateway.ascent("deadletters", "list")).toMatchObject({ code: 0, out: listed.out });
      await platform.user(7).setsBot(7, "member");
      expect(await gateway.ascent("deadletters", "retry", id)).toMatchObject({ code: 0, err: "" });
      if (state === "stopped") await gateway.start();
      await untilQuiet(stage);
      expect(said(stage, 7).filter((text) => text.includes("m-7-1"))).toEqual(["answer to: slow m-7-1"]);
      const [notice, ...more] = await letters(stage);
      expect([notice?.id, ...more]).not.toContain(id);
      expect(await gateway.ascent("deadletters", "drop", notice?.id ?? "")).toMatchObject({ code: 0 });
      expect(await letters(stage)).toEqual([]);
      expectKept(stage);
    },
  );
});

test("no secret and no message text is in the log, whatever goes wrong", { timeout: 60_000 }, async () => {
  const stage = await openStage({
    by: "webhook",
    env: { LOG_LEVEL: "debug" },
    config: { agents: { assistant: { timeoutMs: 3_000, retries: 0 } }, models: { timeoutSeconds: 20, retries: 0 } },
  });
  const { platform, model, gateway, secrets } = stage;
  await model.rule({
    contains: "trouble 0",
    times: 1,
    reply: { failure: { kind: "status", status: 500, message: `m-1-1 ${secrets.apiKey}` } },
  });
  await model.rule({ contains: "trouble 1", times: 1, reply: { failure: { kind: "garbage" } } });
  await model.rule({ contains: "trouble 2", times: 1, reply: { failure: { kind: "half" } } });
  await model.rule({ contains: "trouble 3", times: 1, reply: { failure: { kind: "hang" } } });
  await model.rule({
    contains: "trouble 4",
    times: 1,
    reply: { failure: { kind: "status", status: 401, message: secrets.apiKey } },
  });
  await platform.fault({
    method: "sendMessage",
    chat: 105,
    kind: "error",
    code: 400,
    description: 'Bad Request: "m-105-1"',
    times: 1,
  });
  await platform.fault({ method: "sendMessage", chat: 106, kind: "error", code: 502, times: 1 });
  await platform.fault({ method: "sendMessage", chat: 107, kind: "close", times: 1 });
  await platform.fault({ method: "sendMessage", chat: 108, kind: "rate_limit", retryAfter: 1, times: 1 });
  await platform.fault({ method: "sendChatAction", chat: 103, kind: "error", code: 400, times: 9 });
  const chats = Array.from({ length: 9 }, (_, at) => 100 + at);
  for (const user of chats) await platform.user(user).sends(user, `trouble ${user - 100} m-${user}-1`);
  await platform.user(109).sends(109, { kind: "document", name: "m-109-1.pdf", caption: "trouble m-109-1" });
  const wrongSecret = await fetch(`${gateway.url}/webhooks/telegram`, {
    method: "POST",
    headers: { "x-telegram-bot-api-secret-token": "wrong" },
    body: JSON.stringify({ update_id: 1, message: "trouble m-1-1" }),
  });
  expect(wrongSecret.status).toBe(401);
  const broken = await fetch(`${gateway.url}/webhooks/telegram`, {
    method: "POST",
    headers: { "x-telegram-bot-api-secret-token": secrets.telegramWebhook },
    body: `{"update_id": 2, "message": {"text": "trouble m-1-1"}}`,
  });
  expect(broken.status).toBe(200);
  const excused = new Map([0, 1, 2, 3, 4, 5].map((at) => [`m-${100 + at}-1`, "trouble"]));
  await untilQuiet(stage, { excused });
  await eventually("the one that hung is told", () => said(stage, 103).length > 0);
  const listed = await gateway.ascent("deadletters", "list");
  expect(listed.out).toContain("telegram sendMessage: 400");
  await gateway.terminate();

  expect(chats.filter((user) => platform.log.calls.filter(isAnswer).every(({ chat: of }) => of !== user))).toEqual([]);
  expect(gateway.output()).toContain('"level":20');
  expect(leaks(stage, gateway.output() + listed.out + listed.err)).toEqual([]);
});
