/** Missions through real processes that are killed on the way: the gateway, and skilled agents that are processes of their own. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFailed, onTestFinished, test } from "vitest";
import { join } from "node:path";
import { freePorts } from "../../src/main/dapr/ports.ts";
import { startTelegramFake } from "../fakes/telegram.ts";
import { needsDapr, startCluster } from "../services/dapr.ts";
import { createReplica } from "./dapr-replica.ts";
import { delegateKey, startDelegate } from "./delegate-process.ts";
import { mission, pressOn, reportsIn, startScheduler } from "./mission-stage.ts";
import { eventually, inFlight, openStage, said } from "./stage.ts";

const { missing } = await needsDapr();
const ann = 7_600_001;
const bob = 7_600_002;

async function openMissions() {
  const tester = await startDelegate();
  const scheduler = await startScheduler({ ASCENT_A2A_KEYS: delegateKey });
  const stage = await openStage({
    env: { ASCENT_MODEL: "demo" },
    config: {
      delegation: { inlineSeconds: 2 },
      missions: { perPerson: 2 },
      skills: { scheduler: { enabled: false } },
      delegates: {
        tester: { url: `${tester.url}/a2a/tester`, apiKey: delegateKey },
        scheduler: { url: `${scheduler.url}/a2a/scheduler`, apiKey: delegateKey },
      },
    },
  });
  return { stage, tester, scheduler };
}

describe("a mission", () => {
  test("fans out to three agents, asks, waits, and reports once, to the right chat, though every process is killed in turn", async () => {
    const { stage, tester, scheduler } = await openMissions();
    const { platform, gateway } = stage;
    await platform.user(ann).sends(ann, mission("alpha"));
    await platform.user(bob).sends(bob, mission("beta"));
    for (const chat of [ann, bob])
      await eventually("it has begun", () => said(stage, chat).some((text) => text.includes("has begun")));
    await gateway.kill();
    await gateway.start();
    await tester.kill();
    await sleep(500);
    await tester.start();
    await scheduler.kill();
    await gateway.kill();
    await scheduler.start();
    await gateway.start();
    for (const chat of [ann, bob]) await eventually("it asks", () => pressOn(platform, chat, "Yes"), 60_000);
    await gateway.kill();
    await gateway.start();
    await Promise.all([gateway.kill(), tester.kill(), scheduler.kill()]);
    await Promise.all([gateway.start(), tester.start(), scheduler.start()]);
    for (const [chat, own, other] of [
      [ann, "alpha", "beta"],
      [bob, "beta", "alpha"],
    ] as const) {
      const [report] = await eventually(
        "its report",
        () => reportsIn(stage, chat).length > 0 && reportsIn(stage, chat),
        60_000,
      );
      expect(report).toContain("it is completed");
      expect(report).toContain(`now is later, ${own}`);
      expect(report).toContain(`do ${own}`);
      expect(report).toContain("There are no documents yet");
      expect(report).toContain("asked the person): done: Yes");
      expect(report).toContain("quick is done");
      expect(report).not.toContain(other);
    }
    await sleep(3_000);
    for (const chat of [ann, bob]) {
      const doubled = inFlight(stage).filter(
        (call) => call.chat === chat && call.text?.includes("The plan “") === true,
      ).length;
      expect(reportsIn(stage, chat).length).toBeLessThanOrEqual(1 + doubled);
    }
    expect(gateway.output()).not.toMatch(/alpha|beta/);
  }, 240_000);

  test("is listed, paused, resumed and cancelled by operators and by the person; a typed answer counts, and bounds are told", async () => {
    const { stage } = await openMissions();
    const { platform, gateway } = stage;
    const user = platform.user(ann);
    const heard = (words: string, mostMs?: number) =>
      eventually(`"${words}"`, () => said(stage, ann).find((text) => text.includes(words)), mostMs);
    await user.sends(ann, "plan: ask me Which colour; then wait 2 seconds; then ask tester to be quick");
    await heard("Which colour");
    const listed = JSON.parse((await gateway.ascent("missions", "list", "--json")).out) as {
      id: string;
      open: boolean;
    }[];
    expect(listed).toMatchObject([{ open: true, agentName: "assistant" }]);
    const id = listed[0]?.id ?? "";
    expect((await gateway.ascent("missions", "pause", id)).out).toBe(`Paused: ${id}\n`);
    await user.sends(ann, "blue");
    await heard("goes on with that answer");
    await gateway.kill();
    await gateway.start();
    await sleep(3_000);
    expect((await gateway.ascent("missions", "show", id)).out).toMatch(/paused\n {2}step1 {2}ask {2}asking\n/);
    expect((await gateway.ascent("missions", "resume", id)).out).toBe(`Resumed: ${id}\n`);
    expect(await heard("The plan “", 30_000)).toMatch(/done: blue[^]*quick is done/);
    expect((await gateway.ascent("missions", "pause", id)).err).toMatch(/has ended already/);
    expect((await gateway.ascent("missions", "cancel", "nothing")).err).toMatch(/There is no mission/);

    await user.sends(ann, "plan: ask tester to hold; then ask tester to be quick");
    const open = async () =>
      (JSON.parse((await gateway.ascent("missions", "list", "--json")).out) as { id: string; open: boolean }[]).filter(
        (one) => one.open,
      );
    const second = await eventually("the second one", async () => (await open())[0]?.id);
    await user.sends(ann, "plan: wait 1 hour");
    await eventually("the third one", async () => (await open()).length === 2);
    await user.sends(ann, "plan: wait 2 hours");
    await heard("of 2 at most");
    await gateway.ascent("missions", "cancel", second);
    await heard("it was ended: cancelled by an operator", 30_000);
    const third = (await open())[0]?.id ?? "";
    await user.sends(ann, `use mission__cancel {"mission":"${third}"}`);
    await heard("is cancelled");
    await eventually("none is open", async () => (await open()).length === 0);
    await sleep(1_500);
    expect(reportsIn(stage, ann)).toHaveLength(2);
  }, 180_000);

  test("puts a task's question by its agent, takes an answer for the step that asks, and a press while an operator has the conversation", async () => {
    const { stage } = await openMissions();
    const { platform, gateway } = stage;
    const user = platform.user(ann);
    const heard = (words: string, mostMs?: number) =>
      eventually(`"${words}"`, () => said(stage, ann).find((text) => text.includes(words)), mostMs);
    await user.sends(ann, "plan: ask tester to ask; ask me Which size; then ask me Shall I go on (Yes/No)");
    await heard("asks: Which colour?", 30_000);
    await heard("Which size");
    const [listed] = JSON.parse((await gateway.ascent("missions", "list", "--json")).out) as { id: string }[];
    const answer = (of: object) => `use mission__answer ${JSON.stringify({ mission: listed?.id, ...of })}`;
    await user.sends(ann, answer({ answer: "red" }));
    await heard("say which step the answer is for");
    await user.sends(ann, answer({ step: "step2", answer: "large" }));
    await user.sends(ann, answer({ step: "step1", answer: "red" }));
    await heard("Shall I go on", 30_000);
    expect((await gateway.ascent("takeover", "take", `telegram/main/${ann}`)).code).toBe(0);
    await eventually("its button", () => pressOn(platform, ann, "Yes"));
    await heard("I go on with that");
    await eventually("it has ended", async () => /ended/.test((await gateway.ascent("missions", "list")).out));
    expect(reportsIn(stage, ann)).toEqual([]);
    expect((await gateway.ascent("takeover", "release", `telegram/main/${ann}`)).code).toBe(0);
    expect(await heard("The plan “", 30_000)).toMatch(/done: it is red\n[^]*done: large\n[^]*done: Yes/);
  }, 120_000);

  test("is ended and erased by /forget, and left alone by /stop", async () => {
    const { stage } = await openMissions();
    const { platform, gateway } = stage;
    const user = platform.user(ann);
    await user.sends(ann, "plan: ask tester to hold; ask me Which colour; wait 4 seconds");
    await eventually("it asks", () => said(stage, ann).some((text) => text.includes("Which colour")));
    await user.sends(ann, "/stop");
    await eventually("it has stopped", () => said(stage, ann).some((text) => text.includes("Stopped")));
    const list = async () =>
      JSON.parse((await gateway.ascent("missions", "list", "--json")).out) as { open: boolean }[];
    expect(await list()).toMatchObject([{ open: true }]);
    await user.sends(ann, "/forget");
    await eventually("it asks whether", () => said(stage, ann).some((text) => text.includes("/forget yes")));
    await user.sends(ann, "/forget yes");
    await eventually("it is forgotten", () => said(stage, ann).some((text) => text.includes("I have erased")), 30_000);
    expect(await list()).toEqual([]);
    await sleep(5_000);
    expect(reportsIn(stage, ann)).toEqual([]);
  }, 120_000);
});

describe.skipIf(missing)("a mission on Dapr", () => {
  test("survives gateway, agents, sidecars, placement and scheduler, killed in turn, and reports once", async () => {
    const cluster = await startCluster({ pubsub: "redis", state: "redis" });
    onTestFinished(() => cluster.close(), 60_000);
    const platform = await startTelegramFake();
    onTestFinished(() => platform.close());
    const tester = await startDelegate();
    const [appPort = 0] = await freePorts(1);
    const agentConfig = join(import.meta.dirname, "../../dapr/config/agent.yaml");
    const own = await cluster.sidecar({ appPort, appId: "ascent-scheduler", config: agentConfig });
    const ascentSecret = "a secret that the gateway and its agents share 0123";
    const scheduler = await startScheduler({
      ASCENT_RUNTIME: "dapr",
      ASCENT_SECRET: ascentSecret,
      DAPR_HTTP_PORT: String(own.httpPort),
      DAPR_API_TOKEN: cluster.apiToken,
      APP_API_TOKEN: cluster.appToken,
      APP_PORT: String(appPort),
    });
    const { gateway, sidecar } = await createReplica(cluster, {
      config: {
        delegation: { inlineSeconds: 2 },
        skills: { scheduler: { enabled: false } },
        channels: { web: { main: { enabled: false } } },
        delegates: { tester: { url: `${tester.url}/a2a/tester`, apiKey: delegateKey } },
      },
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
    onTestFailed(() => console.error(gateway.tail(), said({ platform }, ann), cluster.tail(80)));
    await gateway.start();
    await platform.user(ann).sends(ann, mission("alpha"));
    await eventually("it has begun", () => said({ platform }, ann).some((text) => text.includes("has begun")), 60_000);
    await gateway.kill();
    await gateway.start();
    await sidecar.kill("SIGKILL");
    await sidecar.restart();
    await Promise.all([tester.kill(), scheduler.kill(), own.kill("SIGKILL")]);
    await own.restart();
    await Promise.all([tester.start(), scheduler.start()]);
    await cluster.controlPlane.placement.kill("SIGKILL");
    await cluster.controlPlane.placement.restart();
    await eventually("it asks", () => pressOn(platform, ann, "Yes"), 120_000);
    /** While the cluster comes back an order may be refused, and is given again. */
    const command = (...of: readonly string[]) =>
      eventually(
        `missions ${of.join(" ")}`,
        async () => {
          const { code, out, err } = await gateway.ascent("missions", ...of);
          if (code !== 0) console.error(err);
          return code === 0 && out;
        },
        120_000,
      );
    const open = async () =>
      (JSON.parse((await gateway.ascent("missions", "list", "--json")).out) as { id: string; open: boolean }[])[0];
    const id = (await open())?.id ?? "";
    await command("pause", id);
    await Promise.all([gateway.kill(), sidecar.kill("SIGKILL")]);
    await cluster.controlPlane.scheduler.kill("SIGKILL");
    await cluster.controlPlane.scheduler.restart();
    await sidecar.restart();
    await gateway.start();
    await sleep(8_000);
    expect(await command("show", id)).toContain("paused");
    expect(reportsIn({ platform }, ann)).toEqual([]);
    await command("resume", id);
    const [report] = await eventually(
      "its report",
      () => reportsIn({ platform }, ann).length > 0 && reportsIn({ platform }, ann),
      180_000,
    );
    expect(report).toContain("it is completed");
    for (const words of ["now is later, alpha", "do alpha", "asked the person): done: Yes", "quick is done"])
      expect(report).toContain(words);
    await sleep(5_000);
    expect(reportsIn({ platform }, ann)).toHaveLength(1);

    await platform.user(ann).sends(ann, "plan: ask tester to hold; then ask tester to be quick");
    const second = await eventually(
      "the second one",
      async () => {
        const one = await open();
        return one !== undefined && one.open && one.id;
      },
      60_000,
    );
    await command("pause", second);
    await command("cancel", second);
    await eventually(
      "it says that it was ended",
      () => reportsIn({ platform }, ann).some((text) => text.includes("cancelled by an operator")),
      60_000,
    );
    expect(gateway.output()).not.toContain("alpha");
  }, 600_000);

  test("is answered, paused, resumed and cancelled where channels and agents are processes of their own", async () => {
    const cluster = await startCluster({ pubsub: "redis", state: "redis" });
    onTestFinished(() => cluster.close(), 60_000);
    const platform = await startTelegramFake();
    onTestFinished(() => platform.close());
    const operatorKey = "a-key-of-the-operators-0123456789";
    const telegram = { TELEGRAM_BOT_TOKEN: platform.token, TELEGRAM_API_ROOT: platform.url };
    const env = { ASCENT_MODEL: "demo", ASCENT_OPERATOR_KEYS: operatorKey, ...telegram };
    const [channels, agents] = await Promise.all([
      createReplica(cluster, { role: "gateway", env }),
      createReplica(cluster, { role: "agents", env }),
    ]);
    onTestFinished(async () => {
      await Promise.all([channels.gateway.close(), agents.gateway.close()]);
      await Promise.all([channels.sidecar.kill(), agents.sidecar.kill()]);
    });
    onTestFailed(() => console.error(channels.gateway.tail(), agents.gateway.tail(), said({ platform }, ann)));
    await Promise.all([channels.gateway.start(), agents.gateway.start()]);
    const ask = async (path: string, method = "GET") => {
      const headers = { authorization: `Bearer ${operatorKey}` };
      const response = await fetch(`${channels.gateway.url}/api/console/v1/missions${path}`, { method, headers });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    await platform
      .user(ann)
      .sends(ann, "plan: ask me Shall I go on (Yes/No); then wait 1 second; then ask knowledge what there is");
    const isAsked = () => said({ platform }, ann).some((text) => text.includes("Shall I go on"));
    await eventually("it asks", isAsked, 60_000);
    const [one] = ((await ask("")).body["missions"] as { id: string }[]) ?? [];
    const id = one?.id ?? "";
    expect(await ask(`/${id}/pause`, "POST")).toEqual({ status: 202, body: { id } });
    expect((await ask(`/${id}`)).body).toMatchObject({ status: "paused", steps: [{ is: "asking" }, {}, {}] });
    await eventually("its button", () => pressOn(platform, ann, "Yes"));
    await eventually("the press counts", () =>
      said({ platform }, ann).some((text) => text.includes("I go on with that")),
    );
    await sleep(2_000);
    expect((await ask(`/${id}`)).body).toMatchObject({ status: "paused" });
    expect((await channels.gateway.ascent("missions", "resume", id)).out).toContain("Resumed");
    const [report] = await eventually(
      "its report",
      () => reportsIn({ platform }, ann).length > 0 && reportsIn({ platform }, ann),
      60_000,
    );
    expect(report).toMatch(/done: Yes[^]*There are no documents yet/);
    expect(await ask(`/${id}/cancel`, "POST")).toMatchObject({ status: 409 });
    expect(await ask("/nothing")).toMatchObject({ status: 404 });
  }, 300_000);
});
