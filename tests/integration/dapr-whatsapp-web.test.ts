/** Two replicas on real Dapr with one number on WhatsApp Web: one holds the browser, either answers through it. */
import { equal, ok } from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { freePorts } from "../../src/main/dapr/ports.ts";
import { startOpenAiFake, type OpenAiFake } from "../fakes/openai.ts";
import { startWhatsAppWebFake, webText, type WebData, type WhatsAppWebFake } from "../fakes/whatsapp-web.ts";
import { needs } from "../needs.ts";
import { needsDapr, startCluster, type Cluster } from "../services/dapr.ts";
import { startReplica, type DaprReplica } from "./dapr-replica.ts";
import { eventually } from "./stage.ts";
import { saidTo, untilShown, webEnvironment, wrongWithWeb } from "./whatsapp-web-stage.ts";

const { missing } = await needsDapr();
const chromium = needs("chromium");
const openssl = needs("openssl");

describe.skipIf(missing || chromium.missing || openssl.missing)("whatsapp web on Dapr", { timeout: 240_000 }, () => {
  let cluster: Cluster;
  let model: OpenAiFake;
  beforeAll(async () => {
    cluster = await startCluster({ pubsub: "redis", state: "redis" });
    model = await startOpenAiFake({ models: ["test"] });
    await model.pace({ latencyMs: 50 });
  }, 120_000);
  afterAll(async () => {
    await model?.close();
    await cluster?.close();
  }, 60_000);

  function replica(whatsapp: WhatsAppWebFake, more: Readonly<Record<string, string>> = {}): Promise<DaprReplica> {
    const env = { ...webEnvironment(whatsapp, model), ASCENT_REPLICA_HOST: "127.0.0.1", ...more };
    return startReplica(cluster, { env });
  }

  test("a message is answered once and in order through whichever replica holds the browser, also when that one dies", async () => {
    const whatsapp = await startWhatsAppWebFake(chromium.path);
    onTestFinished(() => whatsapp.close());
    const first = await replica(whatsapp);
    await untilShown(whatsapp);
    const second = await replica(whatsapp);
    equal(whatsapp.launches(), 1, "one browser of the two replicas");
    const written: WebData[] = [];
    const chats = Array.from({ length: 12 }, (_, n) => `165055520${10 + n}@c.us`);
    const say = async (round: number) => {
      for (const [at, chat] of chats.entries()) {
        const message = webText(chat, `hello m-q${at}-${round}`);
        written.push(message);
        await whatsapp.says(message);
      }
    };
    const answered = (round: number) =>
      eventually(
        `round ${round} is answered`,
        () => chats.every((chat, at) => saidTo(whatsapp, chat).join("\n").includes(`m-q${at}-${round}`)),
        60_000,
      );

    await say(1);
    await say(2);
    await answered(2);
    equal(whatsapp.launches(), 1);
    expect(wrongWithWeb(whatsapp, written, [first.gateway, second.gateway])).toEqual([]);

    // The holder dies with messages in the model and on their way; the other takes the browser and goes on.
    await say(3);
    await first.gateway.kill();
    await first.sidecar.kill();
    await untilShown(whatsapp);
    await say(4);
    await answered(4);
    await answered(3);
    ok(whatsapp.launches() >= 2);

    // A fresh replica answers by the one that holds it now.
    const third = await replica(whatsapp);
    await sleep(2_000);
    await say(5);
    await answered(5);
    await sleep(500);
    expect(
      wrongWithWeb(
        whatsapp,
        written,
        [first, second, third].map(({ gateway }) => gateway),
      ),
    ).toEqual([]);
  });

  test("who lacks the replicas' token is refused at their door", async () => {
    const whatsapp = await startWhatsAppWebFake(chromium.path);
    onTestFinished(() => whatsapp.close());
    const [port = 0] = await freePorts(1);
    await replica(whatsapp, { ASCENT_REPLICA_PORT: String(port) });
    for (const authorization of ["", "Bearer ", "Bearer guessed"]) {
      const response = await fetch(`http://127.0.0.1:${port}/replicas/${encodeURIComponent("default:whatsapp:main")}`, {
        method: "POST",
        headers: { authorization },
        body: "{}",
      });
      equal(response.status, 401);
    }
  });
});
