/**
 * A person on Telegram and one on the web page give tasks to skilled agents, through real processes that are killed on the way: the
 * gateway, an agent that is a process of its own, and on Dapr the sidecars.
 */
import { join } from "node:path";
import { describe, expect, onTestFailed, onTestFinished, test } from "vitest";
import { freePorts } from "../../src/main/dapr/ports.ts";
import { startTelegramFake, type TelegramFake } from "../fakes/telegram.ts";
import { needsDapr, startCluster } from "../services/dapr.ts";
import { createReplica } from "./dapr-replica.ts";
import { agentsHere, ask, judgeTold, type Person } from "./delegation-journey.ts";
import { delegateKey, startDelegate } from "./delegate-process.ts";
import { createGateway, type GatewayOptions } from "./gateway-process.ts";
import { webStop } from "./journey/web.ts";
import { eventually, openStage, said } from "./stage.ts";

const { missing } = await needsDapr();
const ann = 7_500_001;

function onTelegram(platform: TelegramFake): Person {
  const got = async () => said({ platform }, ann).map((text, at) => ({ id: String(at), text, buttons: [] }));
  return { name: "ann", visitor: { says: async (text) => String(await platform.user(ann).sends(ann, text)), got } };
}

async function onTheWeb(gateway: string): Promise<Person> {
  const stop = await webStop();
  await stop.open(gateway);
  onTestFinished(() => stop.close());
  return { name: "bob", visitor: await stop.visitor("bob") };
}

/** The scheduler by `ascent agent serve`. */
async function serveScheduler(env: Readonly<Record<string, string>>) {
  const options: GatewayOptions = { command: ["agent", "serve", "scheduler"], env: () => env };
  const service = await createGateway(options);
  onTestFailed(() => console.error(service.tail()));
  onTestFinished(() => service.close());
  await service.start();
  return service;
}

const drafts = (platform: TelegramFake) =>
  platform.log.calls.filter(({ method }) => method === "sendmessagedraft").map(({ params }) => String(params["text"]));

describe("tasks of people on two channels", () => {
  test("come back to the right one, once, by agents in the gateway and out of it, all of them killed meanwhile", async () => {
    const tester = await startDelegate();
    const scheduler = await serveScheduler({ ASCENT_A2A_KEYS: delegateKey });
    const stage = await openStage({
      web: true,
      env: { ASCENT_MODEL: "demo" },
      config: {
        delegation: { inlineSeconds: 5 },
        skills: { scheduler: { enabled: false } },
        delegates: {
          tester: { url: `${tester.url}/a2a/tester`, apiKey: delegateKey },
          scheduler: { url: `${scheduler.url}/a2a/scheduler`, apiKey: delegateKey },
        },
      },
    });
    const people = [onTelegram(stage.platform), await onTheWeb(stage.gateway.url)];
    await ask(people);
    await Promise.all([stage.gateway.kill(), scheduler.kill(), tester.kill()]);
    await Promise.all([scheduler.start(), tester.start()]);
    await stage.gateway.start();
    await judgeTold(people);
    for (const { output } of [stage.gateway, scheduler]) {
      expect(output()).not.toMatch(/anns|bobs/);
      expect(output()).not.toContain(delegateKey);
    }
    const before = drafts(stage.platform).length;
    await stage.platform.user(ann).sends(ann, "ask tester to be slow 2500");
    await eventually("what the agent is doing", () =>
      drafts(stage.platform)
        .slice(before)
        .some((text) => text.includes("tester: thinking hard")),
    );
  }, 180_000);

  test("come back by the gateway's own agents, though it is killed twice", async () => {
    const stage = await openStage({ web: true, env: { ASCENT_MODEL: "demo" } });
    const people = [onTelegram(stage.platform), await onTheWeb(stage.gateway.url)];
    const agents = agentsHere.filter((name) => name !== "tester");
    await ask(people, agents);
    await stage.gateway.kill();
    await stage.gateway.start();
    await stage.gateway.kill();
    await stage.gateway.start();
    await judgeTold(people, agents);
  }, 120_000);
});

describe.skipIf(missing)("on Dapr", () => {
  test("a registered agent's tasks come back, though gateway, agent and both sidecars are killed", async () => {
    const cluster = await startCluster({ pubsub: "redis", state: "redis" });
    onTestFinished(() => cluster.close());
    const platform = await startTelegramFake();
    onTestFinished(() => platform.close());
    const [appPort = 0] = await freePorts(1);
    const config = join(import.meta.dirname, "../../dapr/config/agent.yaml");
    const own = await cluster.sidecar({ appPort, appId: "ascent-scheduler", config });
    const ascentSecret = "a secret that the gateway and its agents share 0123";
    const scheduler = await serveScheduler({
      ASCENT_RUNTIME: "dapr",
      ASCENT_SECRET: ascentSecret,
      DAPR_HTTP_PORT: String(own.httpPort),
      DAPR_API_TOKEN: cluster.apiToken,
      APP_API_TOKEN: cluster.appToken,
      APP_PORT: String(appPort),
    });
    const { gateway, sidecar } = await createReplica(cluster, {
      config: { skills: { scheduler: { enabled: false } }, channels: { web: { main: { enabled: true } } } },
      env: {
        ASCENT_CONFIG: "ascent.yaml",
        ASCENT_MODEL: "demo",
        ASCENT_SECRET: ascentSecret,
        TELEGRAM_BOT_TOKEN: platform.token,
        TELEGRAM_API_ROOT: platform.url,
      },
    });
    onTestFinished(async () => {
      await gateway.close();
      await sidecar.kill();
    });
    onTestFailed(() => console.error(gateway.tail()));
    await gateway.start();
    const people = [onTelegram(platform), await onTheWeb(gateway.url)];
    const agents = ["scheduler"];
    await ask(people, agents);
    await Promise.all([gateway.kill(), scheduler.kill()]);
    await Promise.all([sidecar.kill("SIGKILL"), own.kill("SIGKILL")]);
    await Promise.all([sidecar.restart(), own.restart()]);
    await Promise.all([gateway.start(), scheduler.start()]);
    await judgeTold(people, agents, 120_000);
  }, 400_000);
});
