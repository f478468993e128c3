/** A person of the operator's instead of the agent, by the real gateway: asked for, taken, talked with and handed back, and killed meanwhile. */
import { randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { describe, expect, onTestFinished, test } from "vitest";
import { listen, readBody } from "../fakes/http.ts";
import { token } from "../fakes/tokens.ts";
import { openPage } from "./page.ts";
import { eventually, expectKept, openStage, runsOf, said, saidOnce, type Stage, type StageOptions } from "./stage.ts";
import { consoleOf, operatorsTake } from "./takeover-stage.ts";

const ann = 7_200_001;
const team = -1_002_000_000_001;
const annId = "default:telegram:main:7200001";
const rule = "held by an operator";
const [bob, eve] = [`bob-${randomBytes(12).toString("hex")}`, `eve-${randomBytes(12).toString("hex")}`];
const operators = [
  { name: "bob", key: bob },
  { name: "eve", key: eve },
];
const secret = `whsec_${randomBytes(32).toString("base64")}`;

/** What the model was told so far, as it came. */
function prompts({ model }: Stage): string[] {
  const seen: string[] = [];
  model.script((prompt) => void seen.push(JSON.stringify(prompt.body)));
  return seen;
}

const count = (text: string, of: string) => text.split(of).length - 1;

async function open(options: StageOptions = {}) {
  const stage = await openStage({ ...options, config: { operators, ...options.config } });
  const by = (key: string) => consoleOf(stage.gateway.url, key);
  const sees = (what: string, chat = ann) =>
    eventually(`chat ${chat} shows “${what}”`, () => said(stage, chat).findLast((text) => text.includes(what)), 30_000);
  return { ...stage, bob: by(bob), eve: by(eve), sees };
}

const aside = async ({ gateway }: Stage, times: number) =>
  eventually(`${times} set aside`, async () => count((await gateway.ascent("journal")).out, rule) === times);

describe("an operator", () => {
  test("takes a conversation by command, answers through a kill, and the agent knows of it after the release", async () => {
    const stage = await open();
    const { platform, gateway, sees } = stage;
    const seen = prompts(stage);
    await platform.user(ann).sends(ann, `hello ${token(ann, 1)}`);
    await sees(token(ann, 1));
    expect(await gateway.ascent("takeover", "take", `telegram/main/${ann}`, "--as", "bob")).toMatchObject({ code: 0 });
    await sees("A person answers you");
    const other = await gateway.ascent("takeover", "take", annId, "--as", "eve");
    expect(other).toMatchObject({ code: 1, err: expect.stringMatching(/^bob has this conversation since/) });

    await platform.user(ann).sends(ann, `is it open ${token(ann, 2)}`);
    await aside(stage, 1);
    const say = ["takeover", "say", annId, "until six,\nnot later", "--as", "bob", "--id", "one"] as const;
    expect(await gateway.ascent(...say)).toMatchObject({ code: 0 });
    await gateway.kill();
    await gateway.start();
    expect(await gateway.ascent(...say)).toMatchObject({ code: 0 });
    await sees("until six");
    await platform.user(ann).sends(ann, `and tomorrow ${token(ann, 3)}`);
    await aside(stage, 2);
    const heard = (await gateway.ascent("takeover", "show", `telegram/main/${ann}`)).out;
    for (const words of [token(ann, 2), "operator bob: until six,\n  not later\n", token(ann, 3)])
      expect(heard).toContain(words);
    expect((await gateway.ascent("takeover", "say", annId, "no", "--as", "eve")).err).toContain("bob has");
    expect(runsOf(stage, token(ann, 2))).toEqual([]);

    await gateway.kill();
    expect(
      await gateway.ascent("takeover", "say", `telegram/main/${ann}`, "while none runs", "--as", "bob"),
    ).toMatchObject({ code: 0 });
    await gateway.start();
    await sees("while none runs");
    expect((await gateway.ascent("takeover", "list")).out).toContain("bob has it");
    const released = [
      "takeover",
      "release",
      `telegram/main/${ann}`,
      "--as",
      "bob",
      "--note",
      "she is a regular",
    ] as const;
    expect(await gateway.ascent(...released)).toMatchObject({ code: 0 });
    await sees("it is me again");
    expect((await gateway.ascent("takeover", "list")).out).toContain("nobody has a conversation");
    await platform.user(ann).sends(ann, `thanks ${token(ann, 4)}`);
    await sees(token(ann, 4));
    const last = seen.at(-1) ?? "";
    for (const words of [token(ann, 2), token(ann, 3), "until six", "she is a regular"])
      expect([words, count(last, words)]).toEqual([words, 1]);
    expect(saidOnce(stage, ann).filter((text) => text === "until six,\nnot later")).toHaveLength(1);
    const excused = new Map([2, 3].map((n) => [token(ann, n), rule]));
    // The model repeats what it was not asked; the past is its to know.
    expectKept(stage, { excused, except: (line) => line.includes(token(ann, 2)) || line.includes(token(ann, 3)) });
  }, 120_000);

  test("takes it while the agent thinks: that answer never comes", async () => {
    const stage = await open();
    const { platform, model, sees, bob: asBob } = stage;
    await model.rule({ contains: "slowly", reply: { text: "far too late", latencyMs: 4_000 } });
    await platform.user(ann).sends(ann, `hello ${token(ann, 1)}`);
    await sees(token(ann, 1));
    await platform.user(ann).sends(ann, `slowly ${token(ann, 2)}`);
    await eventually("the model is asked", () => runsOf(stage, token(ann, 2)).length > 0);
    expect((await asBob("POST /takeovers", { conversation: annId })).status).toBe(200);
    await aside(stage, 1);
    await asBob(`POST /takeovers/${annId}/messages`, { text: "I do it" }, "words");
    await sees("I do it");
    await new Promise((resolve) => setTimeout(resolve, 4_500));
    expect(said(stage, ann).filter((text) => text.includes("too late"))).toEqual([]);
  }, 60_000);

  test("is one of two at once: the other is told who; by force it is the other's, and the first one's words are refused", async () => {
    const stage = await open();
    await stage.platform.user(ann).sends(ann, `hello ${token(ann, 1)}`);
    await stage.sees(token(ann, 1));
    await operatorsTake({ conversation: annId, bob: stage.bob, eve: stage.eve });
    await stage.sees("it is me again");
    expect((await stage.bob("GET /takeovers/default:telegram:main:1")).status).toBe(404);
    expect((await stage.bob("POST /takeovers", { conversation: "default:telegram:main:99" })).status).toBe(404);
    expect((await stage.bob("POST /takeovers", { conversation: "elsewhere:telegram:main:99" })).status).toBe(404);
  }, 60_000);

  test("of another tenant finds nothing", async () => {
    const acme = { name: "zoe", key: `zoe-${randomBytes(12).toString("hex")}`, tenant: "acme" };
    const channels = { web: { main: { enabled: false } }, webhook: { main: { tenant: "acme" } } };
    const stage = await open({ webhooks: true, config: { channels, operators: [...operators, acme] } });
    const asZoe = consoleOf(stage.gateway.url, acme.key);
    await stage.platform.user(ann).sends(ann, "/person");
    await eventually("the request", async () => (await stage.bob("GET /takeovers")).text.includes(annId));
    expect((await asZoe("GET /takeovers")).body).toEqual({ takeovers: [] });
    expect((await asZoe("POST /takeovers", { conversation: annId })).status).toBe(404);
    expect((await asZoe(`GET /takeovers/${annId}`)).status).toBe(404);
    expect((await asZoe(`POST /takeovers/${annId}/messages`, { text: "x" }, "x")).status).toBe(404);
    expect((await asZoe(`POST /takeovers/${annId}/release`, {})).status).toBe(404);
  }, 60_000);

  test("who says nothing for long is relieved, also after a kill", async () => {
    const stage = await open({ config: { takeover: { silentSeconds: 3 } } });
    const { platform, gateway, sees } = stage;
    await platform.user(ann).sends(ann, `hello ${token(ann, 1)}`);
    await sees(token(ann, 1));
    await stage.bob("POST /takeovers", { conversation: annId });
    await gateway.kill();
    await gateway.start();
    await sees("it is me again");
    await eventually("nobody has it", async () => !(await stage.bob("GET /takeovers")).text.includes(annId));
    await platform.user(ann).sends(ann, `back ${token(ann, 2)}`);
    await sees(token(ann, 2));
  }, 60_000);

  test("takes a group: its members' words are heard, and a reminder for it waits", async () => {
    const stage = await open();
    const { platform, gateway, sees } = stage;
    await platform.user(ann).sends(team, `@ascent_test_bot hello ${token(ann, 1)}`);
    await sees(token(ann, 1), team);
    const place = ["takeover", "take", `telegram/main/${team}`, "--group", "--as", "bob"] as const;
    expect(await gateway.ascent(...place)).toMatchObject({ code: 0, err: "" });
    await platform.user(ann).sends(team, `@ascent_test_bot you there? ${token(ann, 2)}`);
    await aside(stage, 1);
    const note = ["send", "--to", `telegram/main/${team}`, "--group", "--prompt", "water the plants"] as const;
    expect(await gateway.ascent(...note)).toMatchObject({ code: 0 });
    const id = encodeURIComponent(`default:telegram:main:${team}`);
    await stage.bob(`POST /takeovers/${id}/messages`, { text: "yes, I am" }, "one");
    await sees("yes, I am", team);
    expect(said(stage, team).some((text) => text.includes("water the plants"))).toBe(false);
    expect((await stage.bob(`POST /takeovers/${id}/release`, {})).status).toBe(200);
    await sees("water the plants", team);
  }, 60_000);
});

describe("a person", () => {
  test("asks by /person on the web page: operators and subscribers know, and what is said meanwhile is for whoever comes", async () => {
    const told: { type: string; data: Record<string, unknown> }[] = [];
    const server = await listen((request, response) => {
      void readBody(request).then((raw) => {
        told.push(
          new Webhook(secret).verify(String(raw), request.headers as Record<string, string>) as (typeof told)[0],
        );
        response.writeHead(204).end();
      });
    });
    onTestFinished(() => server.close());
    const events = ["human-handoff-requested", "human-handoff-started", "human-handoff-ended"];
    const subscribers = [{ url: server.url, secret, events }];
    const stage = await open({ web: true, config: { webhooks: { allowHosts: ["127.0.0.1"], subscribers } } });
    const page = await openPage(stage);
    await page.sends(`hello ${token(1, 1)}`);
    await page.sees(token(1, 1));
    await page.sends("/person my order is late");
    await page.sees("I have asked for a person");
    await page.sends(`are you there ${token(1, 2)}`);
    await stage.gateway.kill();
    await stage.gateway.start();
    const [asked] = await eventually("the request", async () => {
      const { takeovers } = (await stage.bob("GET /takeovers")).body as { takeovers: Record<string, string>[] };
      return takeovers.length > 0 && takeovers;
    });
    expect(asked).toMatchObject({ channel: "web", reason: "my order is late", until: expect.any(String) });
    const conversation = asked?.["conversation"] ?? "";
    const id = encodeURIComponent(conversation);
    expect((await stage.bob(`POST /takeovers/${id}/messages`, { text: "hi" }, "early")).status).toBe(409);
    const taken = await stage.bob("POST /takeovers", { conversation });
    expect(taken.body).toMatchObject({ id: asked?.["id"], by: "bob", n: 1 });
    await page.sees("A person answers you");
    await aside(stage, 1);
    const { items } = (await stage.bob(`GET /takeovers/${id}`)).body as { items: { text: string }[] };
    expect(items.filter(({ text }) => text.includes(token(1, 2)))).toHaveLength(1);
    const words = { text: "It leaves today.", n: 1 };
    for (const key of ["w1", "w1"])
      expect((await stage.bob(`POST /takeovers/${id}/messages`, words, key)).status).toBe(202);
    await page.sees("It leaves today.");
    await stage.bob(`POST /takeovers/${id}/release`, {});
    await page.sees("it is me again");
    expect((await page.shown()).filter(({ text }) => text === "It leaves today.")).toHaveLength(1);
    await eventually("subscribers", () => new Set(told.map(({ type }) => type)).size === 3);
    for (const { data } of told) expect(data).toMatchObject({ handoff: asked?.["id"], conversation });
    expect(told.find(({ type }) => type === events[2])?.data).toMatchObject({ by: "bob" });
  }, 120_000);

  test("whom nobody comes for is told so, and what they wrote is answered by the agent after all", async () => {
    const stage = await open({ config: { takeover: { waitSeconds: 3 } } });
    const { platform, gateway, sees } = stage;
    await platform.user(ann).sends(ann, "/person");
    await sees("I have asked for a person");
    await platform.user(ann).sends(ann, `hello? ${token(ann, 1)}`);
    await gateway.kill();
    await gateway.start();
    await sees("no person could come");
    await sees(token(ann, 1));
    await eventually("nobody is asked for", async () => !(await stage.bob("GET /takeovers")).text.includes(annId));
    expectKept(stage);
  }, 60_000);

  test("asks the agent, which hands over with its answer where it may", async () => {
    const agents = { assistant: { handsOver: true } };
    const stage = await open({ config: { agents } });
    const { platform, model, sees } = stage;
    const call = { name: "hand_over", arguments: { reason: "wants a person" } };
    await model.rule({ contains: "a human", times: 1, reply: { toolCalls: [call] } });
    await platform.user(ann).sends(ann, `a human please ${token(ann, 1)}`);
    await sees("I have asked for a person");
    expect(said(stage, ann)[0]).toContain(token(ann, 1));
    const { body } = await stage.bob("GET /takeovers");
    expect(body).toMatchObject({ takeovers: [{ conversation: annId, reason: "wants a person" }] });
    await platform.user(ann).sends(ann, "/stop");
    await sees("Stopped.");
    await eventually("taken back", async () => !(await stage.bob("GET /takeovers")).text.includes(annId));
    await platform.user(ann).sends(ann, `go on ${token(ann, 2)}`);
    await sees(token(ann, 2));
  }, 60_000);

  test("where nobody is asked for is told so at once", async () => {
    const { platform, sees } = await open({ config: { takeover: { waitSeconds: "off" } } });
    await platform.user(ann).sends(ann, "/person");
    await sees("no person here");
  }, 60_000);
});

describe("one person on two channels", () => {
  test("links and unlinks while an operator has one of the conversations, who keeps it", async () => {
    const stage = await open({ web: true });
    const { platform, sees } = stage;
    const page = await openPage(stage);
    await page.sends(`hello ${token(1, 1)}`);
    await page.sees(token(1, 1));
    await page.sends("/person");
    await page.sees("I have asked for a person");
    const { takeovers } = (await stage.bob("GET /takeovers")).body as { takeovers: { conversation: string }[] };
    const conversation = takeovers[0]?.conversation ?? "";
    const id = encodeURIComponent(conversation);
    const say = (text: string) => stage.bob(`POST /takeovers/${id}/messages`, { text }, text);
    await stage.bob("POST /takeovers", { conversation });
    await page.sees("A person answers you");

    await platform.user(ann).sends(ann, "/link");
    const code = /\/link (\S+)/.exec(await sees("/link "))?.[1] ?? "";
    await page.sends(`/link ${code}`);
    await page.sees("Linked");
    await page.sends(`on the page ${token(1, 2)}`);
    await aside(stage, 1);
    expect((await say("joined or not")).status).toBe(202);
    await page.sees("joined or not");
    await platform.user(ann).sends(ann, `elsewhere ${token(ann, 1)}`);
    await sees(token(ann, 1));

    await platform.user(ann).sends(ann, "/unlink");
    await sees("Unlinked");
    await page.sends(`apart again ${token(1, 3)}`);
    await aside(stage, 2);
    expect((await say("still here")).status).toBe(202);
    await page.sees("still here");
    expect((await stage.bob(`POST /takeovers/${id}/release`, {})).status).toBe(200);
    await page.sends(`and you? ${token(1, 4)}`);
    await page.sees(token(1, 4));
  }, 90_000);

  test("has all of it forgotten: the takeover is over, and operators are shown nothing", async () => {
    const stage = await open();
    const { platform, sees } = stage;
    await platform.user(ann).sends(ann, `hello ${token(ann, 1)}`);
    await sees(token(ann, 1));
    await stage.bob("POST /takeovers", { conversation: annId });
    await platform.user(ann).sends(ann, "/forget");
    await sees("/forget yes");
    await platform.user(ann).sends(ann, "/forget yes");
    await sees("Done: I have erased");
    expect((await stage.bob("GET /takeovers")).body).toEqual({ takeovers: [] });
    expect((await stage.bob(`POST /takeovers/${annId}/messages`, { text: "x" }, "x")).status).toBe(409);
    await platform.user(ann).sends(ann, `anew ${token(ann, 2)}`);
    await sees(token(ann, 2));
  }, 60_000);
});
