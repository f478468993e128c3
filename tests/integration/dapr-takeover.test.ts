/** A person of the operator's instead of the agent, on real Dapr: taken at two replicas at once, one of which dies with it. */
import { randomBytes } from "node:crypto";
import { describe, expect, onTestFailed, test } from "vitest";
import { startOpenAiFake } from "../fakes/openai.ts";
import { startTelegramFake } from "../fakes/telegram.ts";
import { token } from "../fakes/tokens.ts";
import { needsDapr, startCluster } from "../services/dapr.ts";
import { createReplica } from "./dapr-replica.ts";
import { eventually, said, saidOnce } from "./stage.ts";
import { consoleOf, operatorsTake } from "./takeover-stage.ts";

const { missing } = await needsDapr();
const ann = 7_200_001;
const annId = "default:telegram:main:7200001";
const [bob, eve] = [`bob-${randomBytes(12).toString("hex")}`, `eve-${randomBytes(12).toString("hex")}`];
const config = {
  operators: [
    { name: "bob", key: bob },
    { name: "eve", key: eve },
  ],
  takeover: { waitSeconds: 8 },
  channels: { web: { main: { enabled: false } } },
};

describe.skipIf(missing)("takeovers on Dapr", () => {
  test("one of two operators at two replicas has it; what is said goes on when one replica dies, and is known after the release", async () => {
    const cluster = await startCluster({ pubsub: "redis", state: "redis" });
    const platform = await startTelegramFake();
    const model = await startOpenAiFake({ apiKey: "sk-test-takeover", models: ["test"] });
    const seen: string[] = [];
    model.script((prompt) => void seen.push(JSON.stringify(prompt.body)));
    const env = {
      ASCENT_MODEL: "compatible:test",
      OPENAI_BASE_URL: model.baseURL,
      OPENAI_API_KEY: "sk-test-takeover",
      TELEGRAM_BOT_TOKEN: platform.token,
      TELEGRAM_API_ROOT: platform.url,
    };
    const [one, other] = [await createReplica(cluster, { env, config }), await createReplica(cluster, { env, config })];
    onTestFailed(() => console.error(one.gateway.tail(), other.gateway.tail()));
    const sees = (what: string) =>
      eventually(`“${what}”`, () => said({ platform }, ann).findLast((text) => text.includes(what)), 60_000);
    const asideOf = (times: number) =>
      eventually(
        `${times} set aside`,
        async () => (await other.gateway.ascent("journal")).out.split("held by an operator").length === times + 1,
        60_000,
      );
    try {
      await Promise.all([one.gateway.start(), other.gateway.start()]);
      await platform.user(ann).sends(ann, `hello ${token(ann, 1)}`);
      await sees(token(ann, 1));
      const [asBob, asEve] = [consoleOf(one.gateway.url, bob), consoleOf(other.gateway.url, eve)];
      await operatorsTake({ conversation: annId, bob: asBob, eve: asEve });
      await sees("it is me again");

      await platform.user(ann).sends(ann, "/person");
      await sees("I have asked for a person");
      await platform.user(ann).sends(ann, `anybody? ${token(ann, 2)}`);
      expect((await asEve("POST /takeovers", { conversation: annId })).status).toBe(200);
      await asideOf(1);
      const speak = () => asEve(`POST /takeovers/${annId}/messages`, { text: "yes, me" }, "one");
      await Promise.all([speak(), speak()]);
      await sees("yes, me");
      await one.gateway.kill();
      await one.sidecar.kill();
      await platform.user(ann).sends(ann, `good ${token(ann, 3)}`);
      await asideOf(2);
      const again = await eventually(
        "the same words again",
        async () => {
          const answer = await speak().catch(() => undefined);
          return answer?.status === 202;
        },
        60_000,
      );
      expect(again).toBe(true);
      await asEve(`POST /takeovers/${annId}/messages`, { text: "glad to help" }, "two");
      await sees("glad to help");
      expect((await other.gateway.ascent("takeover", "list")).out).toContain("eve has it");
      const released = await other.gateway.ascent("takeover", "release", annId, "--as", "eve");
      expect(released).toMatchObject({ code: 0, err: "" });
      await eventually("the agent is back", () => said({ platform }, ann).at(-1)?.includes("it is me again"), 60_000);
      await platform.user(ann).sends(ann, `thanks ${token(ann, 4)}`);
      await sees(token(ann, 4));
      const last = seen.at(-1) ?? "";
      for (const words of [token(ann, 2), token(ann, 3), "yes, me", "glad to help"])
        expect([words, last.split(words).length - 1]).toEqual([words, 1]);
      const told = saidOnce({ platform, gateway: one.gateway, recordMs: 1_000 }, ann);
      expect(told.filter((text) => text === "yes, me")).toHaveLength(1);

      await platform.user(ann).sends(ann, "/person");
      await platform.user(ann).sends(ann, `nobody? ${token(ann, 5)}`);
      await sees("no person could come");
      await sees(token(ann, 5));
      expect((await asEve("GET /takeovers")).body).toEqual({ takeovers: [] });
    } finally {
      await Promise.all([one.gateway.close(), other.gateway.close()]);
      await Promise.all([platform.close(), model.close()]);
      await cluster.close();
    }
  }, 300_000);
});
