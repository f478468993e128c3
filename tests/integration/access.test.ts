/** Who may talk, by the real gateway: people at Telegram, programs at its HTTP channels, and the operator's commands. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { isAnswer } from "../fakes/telegram/log.ts";
import { token } from "../fakes/tokens.ts";
import { eventually, expectKept, leaks, openStage, runsOf, said, saidOnce, untilQuiet, type Stage } from "./stage.ts";

const ann = 7_200_001;
const bob = 7_200_002;
const robot = 7_200_099;
const team = -1_002_000_000_001;
const codePattern = /\b[A-HJ-NP-Z2-9]{4}-[A-HJ-NP-Z2-9]{4}\b/;

interface Entry {
  readonly rule: string;
  readonly conversation: string;
}

async function journal({ gateway }: Stage): Promise<readonly Entry[]> {
  const { code, out, err } = await gateway.ascent("journal", "--json");
  expect(err).toBe("");
  expect(code).toBe(0);
  return JSON.parse(out) as Entry[];
}

const rulesOf = async (stage: Stage) => (await journal(stage)).map(({ rule }) => rule);

async function operate({ gateway }: Stage, ...args: readonly string[]): Promise<string> {
  const { code, out, err } = await gateway.ascent("pairing", ...args);
  expect(err).toBe("");
  expect(code).toBe(0);
  return out;
}

/** All that was confirmed to the platform is decided, and the journal has so many entries. */
async function untilAside(stage: Stage, count: number): Promise<readonly string[]> {
  return eventually(`${count} entries of the journal`, async () => {
    const rules = await rulesOf(stage);
    return rules.length >= count ? rules : undefined;
  });
}

async function codeOf({ platform }: Stage, chat: number): Promise<string> {
  const { text } = await platform.waitForReply(chat, (call) => codePattern.test(call.text ?? ""), {
    timeoutMs: 15_000,
    after: 0,
  });
  return codePattern.exec(text ?? "")?.[0] ?? "";
}

const answers = (stage: Stage, chat: number) =>
  stage.platform.log.calls.filter((call) => call.chat === chat && isAnswer(call));

describe("pairing by Telegram", () => {
  const env = { ASCENT_ACCESS: "pairing" };

  test("a stranger gets a code, an operator lets them in, and what they wrote before is set aside", async () => {
    const stage = await openStage({ env });
    const { platform, gateway } = stage;
    const [early, late] = [token(ann, 1), token(ann, 2)];
    await platform.user(ann).sends(ann, `hello ${early}`);
    const code = await codeOf(stage, ann);
    await platform.user(ann).sends(ann, "are you there?");
    expect(await untilAside(stage, 2)).toEqual(["not paired", "not paired"]);
    expect(answers(stage, ann)).toHaveLength(1);
    expect(await operate(stage, "list")).toContain(`${code}  telegram/main/${ann}`);

    await gateway.terminate();
    // No gateway runs: the command opens the data itself, and the next start tells.
    expect(await operate(stage, "approve", code)).toBe(`telegram/main/${ann} may write from now on.\n`);
    await gateway.start();
    await platform.waitForReply(ann, (call) => call.text?.startsWith("You are let in") === true, { timeoutMs: 15_000 });
    await platform.user(ann).sends(ann, `and now ${late}`);
    await platform.waitForReply(ann, (call) => call.text?.includes(late) === true, { timeoutMs: 15_000 });
    expect(runsOf(stage, early)).toEqual([]);
    expect(await operate(stage, "list")).toBe("Nobody asks to be let in.\n");
    expectKept(stage, { excused: new Map([[early, "not paired"]]) });
  });

  test("kill -9 before and after the approval loses neither the code nor the approval, and tells again only what was in flight", async () => {
    const stage = await openStage({ env });
    const { platform, gateway } = stage;
    await platform.user(ann).sends(ann, "hello");
    const code = await codeOf(stage, ann);
    await untilAside(stage, 1);
    await gateway.kill();
    await gateway.start();
    await platform.user(ann).sends(ann, "hello?");
    await untilAside(stage, 2);
    expect(await operate(stage, "approve", code.toLowerCase().replace("-", ""))).toContain("may write from now on");
    await gateway.kill();
    await gateway.start();
    const late = token(ann, 1);
    await platform.user(ann).sends(ann, `and now ${late}`);
    await platform.waitForReply(ann, (call) => call.text?.includes(late) === true, { timeoutMs: 15_000 });
    const told = saidOnce(stage, ann);
    expect(told.filter((text) => codePattern.test(text))).toHaveLength(1);
    expect(told.filter((text) => text.startsWith("You are let in"))).toHaveLength(1);
  });

  test("a process that is killed at any time while strangers write tells each of them one code", async () => {
    const stage = await openStage({ env });
    const { platform, gateway } = stage;
    const strangers = Array.from({ length: 20 }, (_, at) => 7_300_000 + at);
    for (const pause of [0, 15, 40]) {
      const some = strangers.splice(0, 6);
      for (const one of some) await platform.user(one).sends(one, "hello");
      await sleep(pause);
      await gateway.kill();
      await gateway.start();
      for (const one of some) await codeOf(stage, one);
      for (const one of some) {
        const codes = new Set(said(stage, one).map((text) => codePattern.exec(text)?.[0]));
        expect(codes.size).toBe(1);
      }
    }
    await untilQuiet(stage);
  });

  test("the same message that comes ten times, also after kill -9, is answered with the code once", async () => {
    const stage = await openStage({ by: "webhook", env });
    const { platform, gateway } = stage;
    const { updateId } = await platform.user(ann).sends(ann, "hello");
    await codeOf(stage, ann);
    expect(await platform.redeliver(updateId, 5)).toEqual(Array.from({ length: 5 }, () => 200));
    await gateway.kill();
    await gateway.start();
    expect(await platform.redeliver(updateId, 5)).toEqual(Array.from({ length: 5 }, () => 200));
    await platform.user(bob).sends(bob, "hello");
    await codeOf(stage, bob);
    await untilQuiet(stage);
    expect(saidOnce(stage, ann)).toHaveLength(1);
  });

  test("guessed codes let nobody in, and whoever is denied is given no other", async () => {
    const stage = await openStage({ env });
    const { platform, gateway } = stage;
    await platform.user(bob).sends(bob, "hello");
    const code = await codeOf(stage, bob);
    const wrong = await gateway.ascent("pairing", "approve", "AAAA-AAAA");
    expect(wrong).toMatchObject({ code: 1, out: "" });
    expect(wrong.err).toContain("nobody has this code");
    await operate(stage, "deny", code);
    await platform.user(bob).sends(bob, "let me in");
    expect(await untilAside(stage, 2)).toEqual(["pairing denied", "not paired"]);
    expect(said(stage, bob)).toHaveLength(1);
    expect((await gateway.ascent("pairing", "approve", code)).code).toBe(1);
  });

  test("what a person was allowed in a direct chat is worth nothing in a group", async () => {
    const stage = await openStage({ env: { ...env, TELEGRAM_ALLOW: String(ann) } });
    const { platform } = stage;
    const [direct, group] = [token(ann, 1), token(ann, 2)];
    await platform.user(ann).sends(ann, direct);
    await platform.user(ann).sends(team, `@ascent_test_bot ${group}`);
    expect(await untilAside(stage, 1)).toEqual(["group not allowed"]);
    await platform.waitForReply(ann, (call) => call.text?.includes(direct) === true, { timeoutMs: 15_000 });
    expect(answers(stage, team)).toEqual([]);
  });
});

describe("people and bots at Telegram", () => {
  const configured = (main: object) => ({
    config: { channels: { web: { main: { enabled: false } }, telegram: { main } } },
  });

  test("who is blocked is not answered; in groups the policy decides", async () => {
    const stage = await openStage(configured({ block: [bob], groups: "reply", allowGroups: [team] }));
    const { platform } = stage;
    await platform.user(bob).sends(bob, token(bob, 1));
    await platform.user(ann).sends(team, `@ascent_test_bot ${token(ann, 1)}`);
    await platform.user(ann).sends(team - 1, `/help`);
    const [direct, replied] = [token(ann, 2), token(ann, 3)];
    await platform.user(ann).sends(ann, direct);
    await platform.waitForReply(ann, (call) => call.text?.includes(direct) === true, { timeoutMs: 15_000 });
    await platform.user(ann).sends(team, "/help");
    const own = await platform.waitForReply(team, undefined, { timeoutMs: 15_000 });
    await platform.user(ann).sends(team, `thanks ${replied}`, { replyTo: own.messageId ?? 0 });
    await platform.waitForReply(team, (call) => call.text?.includes(replied) === true, { timeoutMs: 15_000 });
    expect((await untilAside(stage, 3)).toSorted()).toEqual(["blocked", "group not allowed", "not addressed"]);
    expect([...answers(stage, bob), ...answers(stage, team - 1)]).toEqual([]);
  });

  test("a flood is set aside from the limit on, and its sender is told once; others go on", async () => {
    const stage = await openStage(configured({ messagesPerMinute: { person: 5 } }));
    const { platform } = stage;
    for (let n = 1; n <= 25; n++) await platform.user(ann).sends(ann, `flood ${n}`);
    await platform.user(bob).sends(bob, token(bob, 1));
    await platform.waitForReply(bob, undefined, { timeoutMs: 15_000 });
    const rules = await untilAside(stage, 20);
    expect(new Set(rules)).toEqual(new Set(["too many messages"]));
    await eventually("it is told", () => said(stage, ann).some((text) => text.includes("left out")));
    await untilQuiet(stage, { excused: new Map([[token(bob, 1), "answered above"]]) });
    expect(said(stage, ann).filter((text) => text.includes("left out"))).toHaveLength(1);
    expect(leaks(stage)).toEqual([]);
  });

  test("two bots that answer each other stop, and the journal says so; a person starts them again", async () => {
    const stage = await openStage(configured({ bots: true }));
    const { platform, gateway } = stage;
    let sent = 0;
    // The other bot answers whatever ours says, as fast as it can.
    const other = async () => {
      for (let heard = 0; ; heard++) {
        const own = await eventually("ours has answered", () => answers(stage, team)[heard], 3_000).catch(
          () => undefined,
        );
        if (own === undefined) return;
        sent += 1;
        await platform.user(robot).sends(team, `beep ${sent}`, { replyTo: own.messageId ?? 0, fromBot: true });
      }
    };
    await platform.user(ann).sends(team, "@ascent_test_bot hello");
    await other();
    expect(sent).toBe(9);
    expect(await rulesOf(stage)).toEqual(["bots in a loop"]);
    expect(gateway.output()).toContain("bots answer each other");
    await platform.user(ann).sends(team, "@ascent_test_bot go on");
    await platform.user(robot).sends(team, "@ascent_test_bot beep", { fromBot: true });
    await eventually("both are answered", () => answers(stage, team).length >= 11 || undefined);
  }, 60_000);
});

describe("whoever waits for an answer is told that there will be none", () => {
  const key = "a-key-of-the-tests-1234567890";

  test("on the page, at the webhook, and by the OpenAI API, at once", async () => {
    const stage = await openStage({
      web: true,
      webhooks: true,
      env: { ASCENT_API_KEYS: key },
      config: {
        channels: {
          web: { main: { access: "pairing" } },
          webhook: { main: { access: "allowlist", allow: ["ann"] } },
          openai: { main: { block: ["eve"] } },
        },
      },
    });
    const { gateway, secrets } = stage;
    const post = (path: string, body: string, headers: Record<string, string>) =>
      fetch(`${gateway.url}${path}`, {
        method: "POST",
        body,
        headers: { "content-type": "application/json", ...headers },
      });

    const hook = async (participant: string, id: string) => {
      const body = JSON.stringify({ conversation: "c", participant, text: "hello", wait: true });
      const now = new Date();
      return post("/webhooks/in", body, {
        "webhook-id": id,
        "webhook-timestamp": String(Math.floor(+now / 1_000)),
        "webhook-signature": new Webhook(secrets.webhook).sign(id, now, body),
      });
    };
    for (let time = 0; time < 2; time++) {
      const refused = await hook("bob", "msg_1");
      expect(refused.status).toBe(403);
      expect(await refused.json()).toMatchObject({ error: { code: "not_allowed" } });
    }
    expect((await hook("ann", "msg_2")).status).toBe(200);

    const ask = (user: string, stream: boolean) =>
      post(
        "/v1/chat/completions",
        JSON.stringify({ model: "ascent", user, stream, messages: [{ role: "user", content: "hi" }] }),
        {
          authorization: `Bearer ${key}`,
        },
      );
    for (const stream of [false, true]) {
      const refused = await ask("eve", stream);
      expect(refused.status).toBe(403);
      expect(await refused.json()).toMatchObject({ error: { code: "blocked", type: "permission_error" } });
    }
    expect((await ask("ann", false)).status).toBe(200);

    const origin = gateway.url;
    const opened = await post("/api/session", "{}", { origin });
    const cookie = opened.headers.get("set-cookie")?.split(";")[0] ?? "";
    const write = (id: string) => post("/api/messages", JSON.stringify({ id, text: "hello" }), { origin, cookie });
    const history = async () =>
      ((await (await fetch(`${origin}/api/messages`, { headers: { cookie } })).json()) as { messages: unknown[] })
        .messages;
    const first = await write("m-1");
    expect(first.status).toBe(403);
    const { error } = (await first.json()) as { error: { code: string; message: string } };
    expect(error.code).toBe("not_paired");
    const code = codePattern.exec(error.message)?.[0] ?? "";
    expect(await history()).toEqual([]);
    await operate(stage, "approve", code);
    expect((await write(randomUUID())).status).toBe(202);
    await eventually("the page's answer", async () => (await history()).length === 2);
    expect((await rulesOf(stage)).toSorted()).toEqual([
      "blocked",
      "blocked",
      "not allowed",
      "not allowed",
      "not paired",
    ]);
  });

  test("and when to come back", async () => {
    const stage = await openStage({
      web: true,
      env: { ASCENT_API_KEYS: key },
      config: {
        channels: {
          web: { main: { messagesPerMinute: { person: 1 } } },
          openai: { main: { messagesPerMinute: { account: 1 } } },
        },
      },
    });
    const origin = stage.gateway.url;
    const opened = await fetch(`${origin}/api/session`, { method: "POST", headers: { origin } });
    const cookie = opened.headers.get("set-cookie")?.split(";")[0] ?? "";
    const write = (id: string) =>
      fetch(`${origin}/api/messages`, {
        method: "POST",
        body: JSON.stringify({ id, text: "hello" }),
        headers: { origin, cookie, "content-type": "application/json" },
      });
    expect((await write("one")).status).toBe(202);
    // The same message again is no other one.
    expect((await write("one")).status).toBe(202);
    const second = await write("two");
    expect(second.status).toBe(429);
    expect(Number(second.headers.get("retry-after"))).toBeGreaterThan(30);
    expect(await second.json()).toMatchObject({ error: { code: "too_many_messages" } });

    const ask = () =>
      fetch(`${origin}/v1/responses`, {
        method: "POST",
        body: JSON.stringify({ input: "hi" }),
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      });
    expect((await ask()).status).toBe(200);
    const late = await ask();
    expect(late.status).toBe(429);
    expect(late.headers.get("retry-after")).not.toBeNull();
    expect(await late.json()).toMatchObject({ error: { type: "rate_limit_error", code: "too_many_messages" } });
  });
});
