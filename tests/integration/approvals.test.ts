/** Calls of tools that wait for a word, by the real gateway on Telegram: asked, decided once by whoever may, and done so often. */
import { describe, expect, test } from "vitest";
import { token } from "../fakes/tokens.ts";
import { createReplica } from "./dapr-replica.ts";
import { startOpenAiFake, type OpenAiFake } from "../fakes/openai.ts";
import { startTelegramFake, type TelegramFake } from "../fakes/telegram.ts";
import { needsDapr, startCluster } from "../services/dapr.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { eventually, openStage, said, type StageOptions } from "./stage.ts";

const ann = 7_200_001;
const bob = 7_200_002;
const team = -1_002_000_000_001;
const { missing } = await needsDapr();

/** `send_file` needs the person's word; the operator is asked by `ask_operator`. */
const settings = (rest: object = {}) => ({
  assistant: {
    name: "Ada",
    asksOperator: true,
    rules: [{ tool: "send_file", where: { name: { is: "list.csv" } }, needs: "person" }],
    ...rest,
  },
});
const file = { name: "list.csv", type: "text/csv", content: "a,b", encoding: "text", caption: null };

async function teach(model: OpenAiFake): Promise<void> {
  await model.rule({ contains: "the list", reply: { toolCalls: [{ name: "send_file", arguments: file }] } });
  const question = { question: "May Ann have a refund?" };
  await model.rule({ contains: "refund", reply: { toolCalls: [{ name: "ask_operator", arguments: question }] } });
}

async function open(rest: object = {}, more: StageOptions = {}) {
  const stage = await openStage({ ...more, config: { agents: settings(rest) } });
  await teach(stage.model);
  return stage;
}

interface Question {
  readonly messageId: number;
  readonly chat: number;
  readonly data: (word: "approve" | "deny") => string;
}

/** The question with its two buttons. */
async function question(platform: TelegramFake, chat = ann): Promise<Question> {
  const call = await platform.waitForReply(chat, ({ params }) => params["reply_markup"] !== undefined, {
    timeoutMs: 30_000,
  });
  const markup = call.params["reply_markup"];
  const { inline_keyboard: rows } = (typeof markup === "string" ? JSON.parse(markup) : markup) as {
    inline_keyboard: { text: string; callback_data: string }[][];
  };
  const buttons = rows.flat();
  expect(buttons.map(({ text }) => text)).toEqual(["Approve", "Deny"]);
  const data = (word: "approve" | "deny") => buttons[word === "approve" ? 0 : 1]?.callback_data ?? "";
  return { messageId: call.messageId ?? 0, chat, data };
}

const press = (platform: TelegramFake, who: number, { chat, messageId, data }: Question, word: "approve" | "deny") =>
  platform.user(who).presses(chat, messageId, data(word));

/** Documents that the chat has been sent. */
const files = (platform: TelegramFake) => platform.log.calls.filter(({ method }) => method === "senddocument").length;

async function waiting(gateway: GatewayProcess): Promise<readonly { id: string; by: string; calls: unknown[] }[]> {
  return JSON.parse((await gateway.ascent("approvals", "list", "--json")).out) as [];
}

const journal = async (gateway: GatewayProcess) => (await gateway.ascent("journal")).out;

describe("the person", () => {
  test("approves by a button: the call is made once, though it is pressed twice", async () => {
    const { platform, gateway } = await open();
    await platform.user(ann).sends(ann, `the list ${token(ann, 1)}`);
    const asked = await question(platform);
    expect(said({ platform }, ann)[0]).toContain("May I do this?");
    expect(said({ platform }, ann)[0]).toContain("send_file");
    expect(files(platform)).toBe(0);
    await Promise.all([press(platform, ann, asked, "approve"), press(platform, ann, asked, "approve")]);
    await eventually("the file", () => files(platform) === 1);
    await press(platform, ann, asked, "deny");
    await eventually("the second word set aside", async () => (await journal(gateway)).includes("already decided"));
    expect(files(platform)).toBe(1);
    expect(await waiting(gateway)).toEqual([]);
  }, 60_000);

  test("denies: the call is not made, and the agent is told", async () => {
    const { platform } = await open();
    await platform.user(ann).sends(ann, `the list ${token(ann, 1)}`);
    await press(platform, ann, await question(platform), "deny");
    await eventually("an answer", () => said({ platform }, ann).some((text) => text.includes("said no")));
    expect(files(platform)).toBe(0);
  }, 60_000);

  test("approves after a kill, and the gateway is killed again while it goes on: done once", async () => {
    const { platform, gateway, model } = await open();
    await platform.user(ann).sends(ann, `the list ${token(ann, 1)}`);
    const asked = await question(platform);
    await gateway.kill();
    await gateway.start();
    // The model has the tool's result and is slow with its last words.
    await model.rule({ pattern: ".", reply: { text: "Here you are.", latencyMs: 3_000 }, times: 1 });
    const requests = model.log.length;
    await press(platform, ann, asked, "approve");
    await eventually("the run goes on", () => model.log.length > requests);
    await gateway.kill();
    await gateway.start();
    await eventually("the file", () => files(platform) === 1, 60_000);
    expect(files(platform)).toBe(1);
  }, 120_000);

  test("says nothing: the time is over, the person is told, and a later press does nothing", async () => {
    const { platform, gateway } = await open({ approvalSeconds: 2 });
    await platform.user(ann).sends(ann, `the list ${token(ann, 1)}`);
    const asked = await question(platform);
    await eventually("the end", () => said({ platform }, ann).some((text) => text.includes("decided in time")), 30_000);
    await press(platform, ann, asked, "approve");
    await eventually("the late word set aside", async () => (await journal(gateway)).includes("already decided"));
    expect(files(platform)).toBe(0);
  }, 60_000);

  test("in a group is who asked, and nobody else", async () => {
    const { platform, gateway } = await open();
    await platform.user(bob).sends(bob, "/start");
    await platform.user(ann).sends(team, `@ascent_test_bot the list ${token(ann, 1)}`);
    const asked = await question(platform, team);
    await press(platform, bob, asked, "approve");
    await eventually("Bob's word set aside", async () => (await journal(gateway)).includes("not theirs to decide"));
    expect(files(platform)).toBe(0);
    await press(platform, ann, asked, "approve");
    await eventually("the file", () => files(platform) === 1);
  }, 60_000);
});

describe("an operator", () => {
  test("is asked, approves with words by the command, and the agent goes on with them", async () => {
    const { platform, gateway } = await open();
    await platform.user(ann).sends(ann, `refund ${token(ann, 1)}`);
    const [asked] = await eventually("a question", async () => {
      const all = await waiting(gateway);
      return all.length > 0 && all;
    });
    expect(asked).toMatchObject({ by: "operator", calls: [{ tool: "ask_operator" }] });
    await eventually("the person is told", () => said({ platform }, ann).length === 1);
    const done = await gateway.ascent("approvals", "approve", asked?.id ?? "", "--note", "up to ten euros");
    expect(done).toMatchObject({ code: 0, out: expect.stringContaining("Approved") });
    await eventually("the answer", () => said({ platform }, ann).some((text) => text.includes("up to ten euros")));
    const again = await gateway.ascent("approvals", "deny", asked?.id ?? "");
    expect(again).toMatchObject({ code: 1, err: expect.stringMatching(/waits for a decision|has decided/) });
    expect((await gateway.ascent("approvals", "approve", "nothing")).code).toBe(1);
  }, 60_000);
});

describe.skipIf(missing)("on Dapr", () => {
  test("what one replica asked is approved at another, which goes on with it, once", async () => {
    const cluster = await startCluster({ pubsub: "redis", state: "redis" });
    const platform = await startTelegramFake();
    const model = await startOpenAiFake({ apiKey: "sk-test-approvals", models: ["test"] });
    await teach(model);
    const env = {
      ASCENT_MODEL: "compatible:test",
      OPENAI_BASE_URL: model.baseURL,
      OPENAI_API_KEY: "sk-test-approvals",
      TELEGRAM_BOT_TOKEN: platform.token,
      TELEGRAM_API_ROOT: platform.url,
    };
    const replica = () => createReplica(cluster, { env, config: { agents: settings() } });
    const [one, other] = [await replica(), await replica()];
    try {
      await one.gateway.start();
      await platform.user(ann).sends(ann, `the list ${token(ann, 1)}`);
      const asked = await question(platform);
      await one.gateway.kill();
      await one.sidecar.kill();
      await other.gateway.start();
      await press(platform, ann, asked, "approve");
      await eventually("the file", () => files(platform) === 1, 90_000);
      await platform.user(ann).sends(ann, `refund ${token(ann, 2)}`);
      const [open] = await eventually(
        "a question",
        async () => {
          const all = await waiting(other.gateway);
          return all.length > 0 && all;
        },
        30_000,
      );
      expect((await other.gateway.ascent("approvals", "approve", open?.id ?? "", "--note", "granted")).code).toBe(0);
      await eventually("the answer", () => said({ platform }, ann).some((text) => text.includes("granted")), 30_000);
      expect(files(platform)).toBe(1);
    } catch (error) {
      console.error(one.gateway.tail(), other.gateway.tail());
      throw error;
    } finally {
      await Promise.all([one.gateway.close(), other.gateway.close()]);
      await Promise.all([platform.close(), model.close()]);
      await cluster.close();
    }
  }, 240_000);
});
