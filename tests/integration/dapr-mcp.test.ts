/** MCP both ways on real Dapr: replicas behind one address, so that a message, its turn and its answer are seldom in one process. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFailed, onTestFinished, test } from "vitest";
import { startBalancer } from "../faults/balancer.ts";
import { startOpenAiFake, type OpenAiFake } from "../fakes/openai.ts";
import { startTelegramFake, type TelegramFake } from "../fakes/telegram.ts";
import { isAnswer } from "../fakes/telegram/log.ts";
import { token } from "../fakes/tokens.ts";
import { needs } from "../needs.ts";
import { needsDapr, startCluster, type Cluster } from "../services/dapr.ts";
import { createReplica, type ReplicaOptions } from "./dapr-replica.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { httpServer, notebook, pythonForMcp } from "./mcp-fixture.ts";
import { eventually, said } from "./stage.ts";

const python3 = needs("python3");
const dapr = await needsDapr();
/** One for each test: to the gateway, which keeps its state, a new platform's first message is an old one's. */
let people = 7_510_000;
const key = "a-key-of-the-program-that-asks";

describe.skipIf(dapr.missing || python3.missing)("MCP on Dapr", { timeout: 240_000 }, () => {
  let python = "";
  let cluster: Cluster;
  let model: OpenAiFake;

  beforeAll(async () => {
    python = await pythonForMcp(python3.path);
    cluster = await startCluster({ pubsub: "redis", state: "redis" });
    model = await startOpenAiFake({ models: ["test"] });
  }, 300_000);
  afterAll(async () => {
    await model?.close();
    await cluster?.close();
  }, 60_000);

  /** Replicas of one gateway, started; a platform whose updates go to the one, then to the other. */
  async function open(config: Readonly<Record<string, unknown>>, roles: readonly ReplicaOptions["role"][]) {
    const ann = ++people;
    const platform: TelegramFake = await startTelegramFake({ webhookTimeoutMs: 10_000, webhookRetryUnitMs: 100 });
    const balancer = await startBalancer();
    const env = {
      ASCENT_CONFIG: "ascent.yaml",
      ASCENT_MODEL: "compatible:test",
      OPENAI_BASE_URL: model.baseURL,
      TELEGRAM_BOT_TOKEN: platform.token,
      TELEGRAM_API_ROOT: platform.url,
      TELEGRAM_WEBHOOK_URL: `${balancer.url}/webhooks/telegram`,
      TELEGRAM_WEBHOOK_SECRET: "a-secret-of-the-webhook",
    };
    const made = await Promise.all(roles.map((role = "all") => createReplica(cluster, { role, config, env })));
    const gateways = made.map(({ gateway }) => gateway);
    onTestFinished(async () => {
      await Promise.all(gateways.map((gateway) => gateway.close()));
      await Promise.all(made.map(({ sidecar }) => sidecar.kill()));
      await Promise.all([platform.close(), balancer.close()]);
    });
    onTestFailed(() => console.error(gateways.map((gateway) => gateway.tail()).join("\n---\n")));
    await Promise.all(gateways.map((gateway) => gateway.start()));
    for (const [at, role] of roles.entries()) if (role !== "agents") balancer.add(gateways[at]?.url ?? "");
    const stage = { platform };
    const heard = (words: string) =>
      eventually(`"${words}"`, () => said(stage, ann).find((text) => text.includes(words)), 90_000);
    const pressed = new Set<number>();
    return {
      gateways,
      ann,
      heard,
      told: (words: string) => said(stage, ann).filter((text) => text.includes(words)),
      says: (text: string) => platform.user(ann).sends(ann, text),
      async presses(label: string): Promise<void> {
        const { id, button } = await eventually(
          `a new button "${label}"`,
          () => {
            const found = buttonsOf(platform, ann);
            const own = found?.buttons.get(label);
            return found === undefined || own === undefined || pressed.has(found.id)
              ? undefined
              : { id: found.id, button: own };
          },
          60_000,
        );
        pressed.add(id);
        await platform.user(ann).presses(ann, id, button);
      },
    };
  }

  const killAll = async (gateways: readonly GatewayProcess[]) => {
    await Promise.all(gateways.map((gateway) => gateway.kill()));
    await Promise.all(gateways.map((gateway) => gateway.start()));
  };

  test("a tool's call waits for the word that a rule wants, taken at another replica, and is made once by its key", async () => {
    const book = await notebook();
    const { url } = await httpServer(python, book.folder);
    const rules = [{ tool: "test__pay", where: { amount: { over: 3 } }, needs: "person" }];
    const mcp = { test: { url, trust: true, needs: "nothing" } };
    const { gateways, says, heard, presses, told } = await open({ mcp, agents: { assistant: { rules } } }, [
      "all",
      "all",
    ]);
    await model.rule({
      contains: "sum",
      reply: { toolCalls: [{ name: "test__add", arguments: { a: 20, b: 22 } }] },
    });
    for (const [word, amount, slow] of [
      ["two", 2, 0],
      ["five", 5, 0],
      ["nine", 9, 4],
    ] as const)
      await model.rule({
        contains: `pay ${word}`,
        reply: { toolCalls: [{ name: "test__pay", arguments: { amount, slow } }] },
      });
    const words = async () => (await book.calls()).map(({ word }) => word);
    await says("sum, please");
    await heard("42");
    await says("pay two");
    await heard("paid 2");
    await says("pay five");
    await presses("Approve");
    await heard("paid 5");
    expect(await words()).toEqual(["pay 2", "pay 5"]);

    await says("pay nine");
    await presses("Approve");
    await eventually("the call", async () => (await words()).includes("pay 9"), 60_000);
    await killAll(gateways);
    await heard("paid 9");
    const nines = (await book.calls()).filter(({ word }) => word === "pay 9");
    expect(nines).toHaveLength(2);
    expect(new Set(nines.map((call) => call.key)).size).toBe(1);
    expect(told("paid 9")).toHaveLength(1);
  });

  test("a tool's questions reach the person from any replica, their answers the call, and a kill puts none twice", async () => {
    const book = await notebook();
    const { url } = await httpServer(python, book.folder);
    const mcp = { test: { url, trust: true, needs: "nothing", asks: true } };
    const { gateways, says, heard, presses, told } = await open({ mcp }, ["all", "all"]);
    for (const form of ["table", "name"])
      await model.rule({ contains: `my ${form}`, reply: { toolCalls: [{ name: "test__book", arguments: { form } }] } });
    await says("my table please");
    await heard("how many you are");
    await says("4");
    await presses("outside");
    await presses("Yes");
    await heard('accept {"people":4,"where":"outside","quiet":true}');
    expect((await book.calls()).map(({ word }) => word)).toEqual(["book table", "answered accept"]);

    await says("my name please");
    await eventually("asked again", () => told("A table for tonight?").length === 2, 60_000);
    // Not in flight any more: it would come again then, as any answer does where the platform has no key for it.
    await sleep(2_000);
    await killAll(gateways);
    await eventually(
      "it is called again",
      async () => (await book.calls()).filter(({ word }) => word === "book name").length === 2,
      90_000,
    );
    await says("Ann");
    await heard('accept {"name":"Ann"}');
    expect(told("A table for tonight?")).toHaveLength(2);
    expect(told('accept {"name":"Ann"}')).toHaveLength(1);
  });

  test("a question to an agent is answered by whoever has it, and found at any replica, also after a kill", async () => {
    const config = { mcpServer: { keys: [{ key, name: "crm", scopes: ["ask", "read", "send"] }] } };
    const { gateways, ann, says, heard } = await open(config, ["gateway", "gateway", "agents"]);
    const [one, other] = gateways as [GatewayProcess, GatewayProcess, GatewayProcess];
    await model.rule({ contains: "slow question", reply: { text: "slow it is", latencyMs: 4_000 } });
    const asked = (id: string, question: string) => ({ question, id, conversation: "c" });

    expect(await call(one, "ask_agent", asked("q1", "plain question"))).toMatchObject({
      text: expect.stringContaining("plain question"),
      failed: false,
    });
    // The same question is the same answer at another replica, and the conversation goes on there.
    expect(await call(other, "ask_agent", asked("q1", "plain question"))).toMatchObject({ failed: false });
    const before = model.log.length;
    const [first, second] = await Promise.all([
      call(one, "ask_agent", asked("q2", "slow question")),
      call(other, "ask_agent", asked("q2", "slow question")),
    ]);
    expect([first.text, second.text]).toEqual(["slow it is", "slow it is"]);
    expect(model.log.length - before).toBe(1);

    // Whoever took it dies.
    const lost = call(one, "ask_agent", asked("q3", "slow question again")).catch(() => undefined);
    await eventually("the model is asked", () => model.log.length > before + 1, 60_000);
    await one.kill();
    await lost;
    expect((await call(other, "ask_agent", asked("q3", "slow question again"))).text).toBe("slow it is");
    await one.start();

    await says(`the blue bicycle ${token(ann, 1)}`);
    await heard("blue bicycle");
    for (const at of [one, other]) {
      const list = await call(at, "list_conversations", {});
      expect(list.text).toContain(`telegram/main/${ann}`);
      expect((await call(at, "search_conversations", { words: "BLUE bicycle" })).text).toContain("the blue bicycle");
    }
    const note = { to: `telegram/main/${ann}`, text: "Your bicycle is ready", id: "m1" };
    expect(await Promise.all([one, other].map((at) => call(at, "send_message", note)))).toMatchObject([
      { failed: false },
      { failed: false },
    ]);
    await heard("Your bicycle is ready");
  });
});

function buttonsOf(platform: TelegramFake, chat: number) {
  const last = platform.log.calls.findLast((one) => isAnswer(one) && one.chat === chat && "reply_markup" in one.params);
  if (last === undefined) return undefined;
  const given = last.params["reply_markup"];
  const markup = (typeof given === "string" ? JSON.parse(given) : given) as {
    inline_keyboard?: { text: string; callback_data?: string }[][];
  };
  const all = markup.inline_keyboard?.flat() ?? [];
  return {
    id: last.messageId ?? 0,
    buttons: new Map(all.map(({ text, callback_data = "" }) => [text, callback_data])),
  };
}

async function call(
  { url }: GatewayProcess,
  name: string,
  given: Readonly<Record<string, unknown>>,
): Promise<{ readonly text: string; readonly failed: boolean }> {
  const response = await fetch(`${url}/mcp`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${key}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: given } }),
  });
  const body = await response.text();
  const message = body.startsWith("{") ? body : (/^data: (.*)$/m.exec(body)?.[1] ?? "");
  const { result } = JSON.parse(message) as { result: { content: { text: string }[]; isError?: boolean } };
  return { text: result.content.map(({ text }) => text).join("\n"), failed: result.isError === true };
}
