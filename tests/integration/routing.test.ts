/** Several agents in the real gateway on Telegram, each on a model of its own: who answers where, and what keeps that. */
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, onTestFailed, onTestFinished, test } from "vitest";
import { startOpenAiFake, type OpenAiFake } from "../fakes/openai.ts";
import { startTelegramFake, type TelegramFake } from "../fakes/telegram.ts";
import { token } from "../fakes/tokens.ts";
import { needsDapr, startCluster } from "../services/dapr.ts";
import { createReplica } from "./dapr-replica.ts";
import { openPage } from "./page.ts";
import { eventually, expectKept, openStage, said, untilQuiet, type Stage } from "./stage.ts";

const ann = 7_900_001;
const bob = 7_900_002;
const team = -1_002_000_000_011;
const shop = -1_002_000_000_012;
const { missing } = await needsDapr();

const names = ["triage", "support", "sales"] as const;
const on = (name: string, more: object = {}) => ({
  [name]: { name: `The ${name}`, model: `compatible:${name}`, ...more },
});
const sends = { tool: "send_file", needs: "person" };
const agents = {
  ...on("triage", { handoffs: ["support"] }),
  ...on("support", { command: "support", rules: [sends] }),
  ...on("sales", { offered: true }),
};
const base = {
  channels: { web: { main: { enabled: false } } },
  models: { timeoutSeconds: 20, retries: 1 },
  server: { graceSeconds: 5 },
  skills: { scheduler: { model: "demo" } },
};
const file = { name: "list.csv", type: "text/csv", content: "a,b", encoding: "text", caption: null };
const calls = (name: string, args: object = {}) => ({ toolCalls: [{ name, arguments: { ...args } }] });

/** Every model says its name, and the words that it is told to act on. */
async function teach(model: OpenAiFake): Promise<void> {
  await model.rule({ model: "triage", contains: "broken", reply: calls("transfer_to_support") });
  await model.rule({ model: "support", contains: "something else", reply: calls("transfer_to_triage") });
  await model.rule({ model: "support", contains: "the list", reply: calls("send_file", file) });
  const task = "remind me in 4 seconds to drink tea";
  await model.rule({ model: "support", contains: "remind", reply: calls("agent__scheduler", { task }) });
}

/** The models of the requests whose turn has this token, in their order. */
const askedFor = (model: OpenAiFake, own: string) =>
  model.log.filter(({ tokens }) => tokens.includes(own)).map(({ model: name }) => name);

async function open(more: object = {}, web = false): Promise<Stage> {
  const { channels, ...rest } = base;
  const stage = await openStage({ web, config: { ...rest, ...(web ? {} : { channels }), agents, ...more } });
  await teach(stage.model);
  return stage;
}

let n = 0;
/** Says it, and resolves with the models that were asked, once it is answered. */
async function ask(
  { platform, model }: { readonly platform: TelegramFake; readonly model: OpenAiFake },
  words: string,
  { from = ann, chat = from }: { from?: number; chat?: number } = {},
): Promise<readonly string[]> {
  const own = token(from, ++n);
  const before = said({ platform }, chat).length;
  await platform.user(from).sends(chat, `${words} ${own}`);
  const answered = () => askedFor(model, own).length > 0 && said({ platform }, chat).length > before;
  await eventually(`an answer to "${words}"`, answered, 60_000);
  return askedFor(model, own);
}

/** Says it, and resolves once an answer has these words. */
async function tell({ platform }: Stage, words: string, answer: string): Promise<void> {
  const before = said({ platform }, ann).length;
  await platform.user(ann).sends(ann, words);
  await eventually(`${answer}, to ${words}`, () =>
    said({ platform }, ann)
      .slice(before)
      .some((text) => text.includes(answer)),
  );
}

const rewrite = ({ gateway }: Stage, config: object) =>
  writeFile(join(dirname(gateway.data), "ascent.yaml"), JSON.stringify({ ...base, agents, ...config }));

describe("routes", () => {
  test("give two groups and a person agents of their own, and are what counts when a message is taken", async () => {
    const routes = [
      { channel: "telegram", chat: team, agent: "support" },
      { kind: "group", agent: "sales" },
      { person: bob, agent: "sales" },
    ];
    const stage = await open({ routes });
    expect(await ask(stage, "@ascent_test_bot hello", { chat: team })).toEqual(["support"]);
    expect(await ask(stage, "@ascent_test_bot hello", { chat: shop })).toEqual(["sales"]);
    expect(await ask(stage, "hello")).toEqual(["triage"]);
    expect(await ask(stage, "hello", { from: bob })).toEqual(["sales"]);

    // What waits when everything dies is answered by whoever the routes name then.
    const own = token(bob, ++n);
    await stage.model.rule({ model: "sales", contains: own, reply: { text: "late", latencyMs: 20_000 } });
    await stage.platform.user(bob).sends(bob, `wait ${own}`);
    await eventually("the run", () => askedFor(stage.model, own).length === 1);
    await stage.gateway.kill();
    await rewrite(stage, { routes: [{ person: bob, agent: "support" }] });
    await stage.gateway.start();
    await eventually("the other agent", () => askedFor(stage.model, own).includes("support"), 60_000);
    await untilQuiet(stage);
    expectKept(stage);
    const shown = await stage.gateway.ascent("agents");
    expect(shown).toMatchObject({
      code: 0,
      out: expect.stringContaining("triage (The triage): hands over to support"),
    });
    expect(shown.out).toContain(`telegram/main: support (person ${bob}), else triage`);
    const why = await stage.gateway.ascent("route", `telegram/main/${bob}`);
    expect(why.out).toContain("support answers there: routes.0 is the first that fits");
    expect((await stage.gateway.ascent("route", "telegram/other/1")).err).toContain("there are telegram/main");
  }, 180_000);

  test("that name nobody do not start, and say what to do", async () => {
    const stage = await open();
    await stage.gateway.terminate();
    await rewrite(stage, { routes: [{ agent: "nobody" }, { kind: "group", agent: "sales" }] });
    const { code, err } = await stage.gateway.ascent("agents");
    expect(code).toBe(2);
    expect(err).toContain('routes.0.agent: there is no agent "nobody"; there are triage, support, sales');
    expect(err).toContain("routes.1: is never reached");
  }, 60_000);
});

describe("a person", () => {
  test("chooses by /agent and by an agent's command, and the choice outlives a kill", async () => {
    const stage = await open();
    const menu = stage.platform.log.calls.find(({ method }) => method === "setmycommands");
    expect(JSON.stringify(menu?.params)).toContain("support");
    await tell(stage, "/agent", "▸ The triage");
    await tell(stage, "/agent sales", "The sales answers here");
    expect(await ask(stage, "hello")).toEqual(["sales"]);
    await stage.gateway.kill();
    await stage.gateway.start();
    expect(await ask(stage, "hello again")).toEqual(["sales"]);
    expect(await ask(stage, "/support my order")).toEqual(["support"]);
    expect(await ask(stage, "what did I say?")).toEqual(["support"]);
    await tell(stage, "/agent boss", "▸ The support");
    await tell(stage, "/agent default", "The triage answers here");
    expect(await ask(stage, "hello")).toEqual(["triage"]);
    await untilQuiet(stage);
    expectKept(stage);
  }, 120_000);
});

describe("what somebody says with their choice", () => {
  test("is lost by no failure of the model, nor is the choice: the agent has it with what is said next", async () => {
    const stage = await open();
    const { model } = stage;
    const own = token(ann, ++n);
    const failing = { failure: { kind: "status", status: 400 } } as const;
    await model.rule({ model: "sales", contains: own, reply: failing });
    await tell(stage, `/agent sales the green one ${own}`, "went wrong");
    await stage.gateway.kill();
    await stage.gateway.start();
    const seen: string[] = [];
    model.script((prompt) => void seen.push(JSON.stringify(prompt.body)));
    expect(await ask(stage, "how much is it?")).toEqual(["sales"]);
    expect(seen.at(-1)).toContain(`the green one ${own}`);
    expect(seen.at(-1)).not.toContain("/agent");
  }, 120_000);

  test("is the operator's to hear who has the conversation, and waits where one is asked for", async () => {
    const stage = await open({ takeover: { waitSeconds: 600 } });
    const { gateway, model } = stage;
    await ask(stage, "hello");
    const seen: string[] = [];
    model.script((prompt) => void seen.push(JSON.stringify(prompt.body)));
    const where = `telegram/main/${ann}`;
    expect(await gateway.ascent("takeover", "take", where, "--as", "bob")).toMatchObject({ code: 0 });
    const [heard, waits] = [token(ann, ++n), token(ann, ++n)];
    await stage.platform.user(ann).sends(ann, `/agent sales the green one ${heard}`);
    const isAside = async () => (await gateway.ascent("journal")).out.includes("held by an operator");
    await eventually("it is set aside", isAside, 30_000);
    expect(await gateway.ascent("takeover", "release", where, "--as", "bob")).toMatchObject({ code: 0 });
    await tell(stage, "/person", "person");
    await stage.platform.user(ann).sends(ann, `/support the red one ${waits}`);
    await gateway.kill();
    await gateway.start();
    expect(seen).toEqual([]);
    expect(await gateway.ascent("takeover", "release", where, "--as", "bob")).toMatchObject({ code: 0 });
    await eventually("its answer", () => askedFor(model, waits).includes("support"), 30_000);
    expect(seen).toEqual([expect.stringContaining(`the green one ${heard}`)]);
    await untilQuiet(stage);
  }, 120_000);

  test("holds over a link and its end, and ends with /forget", async () => {
    const stage = await open({}, true);
    expect(await ask(stage, "/agent sales hello")).toEqual(["sales"]);
    const page = await openPage(stage);
    await page.sends("/link");
    const code = /\/link ([A-Z2-9]{5}-[A-Z2-9]{5})/.exec((await page.sees("/link ")).text)?.[1];
    await tell(stage, `/link ${code}`, "Linked:");
    expect(await ask(stage, "am I known?")).toEqual(["sales"]);
    expect(await ask(stage, "/support my order")).toEqual(["support"]);
    await stage.gateway.kill();
    await stage.gateway.start();
    await tell(stage, "/unlink", "apart");
    expect(await ask(stage, "and now?")).toEqual(["support"]);
    await tell(stage, "/forget", "/forget yes");
    await tell(stage, "/forget yes", "erased");
    expect(await ask(stage, "hello")).toEqual(["triage"]);
    await untilQuiet(stage);
  }, 120_000);
});

describe("a handoff", () => {
  test("keeps the conversation with that agent, over a kill, until it is handed back", async () => {
    const stage = await open();
    expect(await ask(stage, "it is broken")).toEqual(["triage", "support"]);
    expect(await ask(stage, "the red one")).toEqual(["support"]);
    expect(await ask(stage, "hello", { from: bob })).toEqual(["triage"]);
    await stage.gateway.kill();
    await stage.gateway.start();
    expect(await ask(stage, "are you there?")).toEqual(["support"]);
    expect(await ask(stage, "something else")).toEqual(["support", "triage"]);
    expect(await ask(stage, "hello")).toEqual(["triage"]);
    expect(await ask(stage, "broken again")).toEqual(["triage", "support"]);
    await tell(stage, "/reset", "forgotten");
    expect(await ask(stage, "hello")).toEqual(["triage"]);
    await untilQuiet(stage);
    expectKept(stage);
  }, 120_000);

  test("and what the agent asks a word for goes on with that agent, after a kill and whoever answers meanwhile", async () => {
    const stage = await open();
    await ask(stage, "it is broken");
    await ask(stage, "the list");
    const press = await button(stage.platform);
    await stage.gateway.kill();
    await stage.gateway.start();
    await tell(stage, "/agent sales", "The sales answers here");
    const seen = stage.model.log.length;
    await press("approve");
    await eventually("the file", () => documents(stage.platform) === 1, 60_000);
    await eventually("its words", () => stage.model.log.length > seen);
    expect(stage.model.log.slice(seen).map(({ model }) => model)).toEqual(["support"]);
    expect(await ask(stage, "hello")).toEqual(["sales"]);
  }, 120_000);

  test("to an agent that is gone when the word comes: nothing is done, and the person is told", async () => {
    const stage = await open();
    await ask(stage, "it is broken");
    await ask(stage, "the list");
    const press = await button(stage.platform);
    await stage.gateway.kill();
    const { triage: _triage, support: _support, ...rest } = agents;
    await rewrite(stage, { agents: { ...on("triage"), ...rest } });
    await stage.gateway.start();
    await press("approve");
    await eventually("the truth", () => said(stage, ann).some((text) => text.includes("is not here any more")), 60_000);
    expect(documents(stage.platform)).toBe(0);
    expect(await ask(stage, "hello")).toEqual(["triage"]);
  }, 120_000);
});

test("what an agent asked of another comes back to it, though somebody else answers by then", async () => {
  const stage = await open();
  await tell(stage, "/agent support", "The support answers here");
  await ask(stage, "remind me");
  await tell(stage, "/agent sales", "The sales answers here");
  const seen = stage.model.log.length;
  const told = await eventually("the note", () => stage.model.log.slice(seen).map(({ model }) => model)[0], 60_000);
  expect(told).toBe("support");
  await untilQuiet(stage);
  expect(await ask(stage, "hello")).toEqual(["sales"]);
}, 120_000);

test("an agent in TypeScript uses tools of its own, under the rules of ascent.yaml", async () => {
  const rules = [{ tool: "own__cancel_*", needs: "refuse" }];
  const module = join(import.meta.dirname, "../sample-agent/order-desk.ts");
  const stage = await open({ agents: { ...agents, ...on("triage", { module, rules }) } });
  const { model } = stage;
  await model.rule({ model: "triage", contains: "where is", reply: calls("own__order", { number: "1001" }) });
  await model.rule({ model: "triage", contains: "cancel", reply: calls("own__cancel_order", { number: "1001" }) });
  await ask(stage, "where is my order?");
  await ask(stage, "cancel it");
  await ask(stage, "something");
  await eventually("the words", () => said(stage, ann).some((text) => text.includes("left the house on Monday")));
  expect(said(stage, ann).join()).toContain("does not allow it");
  expect(said(stage, ann).join()).not.toContain("is cancelled");
  await stage.gateway.terminate();
  await rewrite(stage, { agents: { ...on("triage", { module: "./gone.ts" }) } });
  expect(await stage.gateway.ascent("start")).toMatchObject({
    code: 2,
    err: expect.stringContaining("there is no file"),
  });
}, 120_000);

describe.skipIf(missing)("on Dapr", () => {
  test("another replica goes on with the agent that the first one handed the conversation to", async () => {
    const cluster = await startCluster({ pubsub: "redis", state: "redis" });
    onTestFinished(() => cluster.close(), 60_000);
    const platform = await startTelegramFake();
    const model = await startOpenAiFake({ apiKey: "sk-test-routing", models: [...names] });
    onTestFinished(async () => void (await Promise.all([platform.close(), model.close()])));
    await teach(model);
    const env = {
      ASCENT_MODEL: "compatible:triage",
      OPENAI_BASE_URL: model.baseURL,
      OPENAI_API_KEY: "sk-test-routing",
      TELEGRAM_BOT_TOKEN: platform.token,
      TELEGRAM_API_ROOT: platform.url,
    };
    const replica = async () => {
      const made = await createReplica(cluster, { env, config: { agents } });
      onTestFinished(() => made.gateway.close(), 30_000);
      onTestFailed(() => console.error(made.gateway.tail()));
      return made;
    };
    const [one, other] = [await replica(), await replica()];
    await one.gateway.start();
    expect(await ask({ platform, model }, "it is broken")).toEqual(["triage", "support"]);
    await ask({ platform, model }, "the list");
    const press = await button(platform);
    await one.gateway.kill();
    await one.sidecar.kill();
    await other.gateway.start();
    await press("approve");
    await eventually("the file", () => documents(platform) === 1, 90_000);
    expect(await ask({ platform, model }, "are you there?")).toEqual(["support"]);
  }, 240_000);
});

const documents = (platform: TelegramFake) =>
  platform.log.calls.filter(({ method }) => method === "senddocument").length;

/** Presses a button of the latest question. */
async function button(platform: TelegramFake): Promise<(word: "approve" | "deny") => Promise<unknown>> {
  const { params, messageId = 0 } = await platform.waitForReply(ann, (of) => of.params["reply_markup"] !== undefined, {
    timeoutMs: 30_000,
  });
  const markup = params["reply_markup"];
  const { inline_keyboard: rows } = (typeof markup === "string" ? JSON.parse(markup) : markup) as {
    inline_keyboard: { callback_data: string }[][];
  };
  const data = rows.flat().map((one) => one.callback_data);
  return (word) => platform.user(ann).presses(ann, messageId, data.find((one) => one.startsWith(word)) ?? "");
}
