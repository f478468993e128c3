/** Pairing on real Dapr: what an operator decides through one sidecar holds at every replica within seconds. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFailed, onTestFinished, test } from "vitest";
import { startTelegramFake, type TelegramFake } from "../fakes/telegram.ts";
import { needsDapr, startCluster, type Cluster } from "../services/dapr.ts";
import { createReplica } from "./dapr-replica.ts";
import type { GatewayProcess } from "./gateway-process.ts";

const { missing } = await needsDapr();
const ann = 7_200_001;
const codePattern = /\b[A-HJ-NP-Z2-9]{4}-[A-HJ-NP-Z2-9]{4}\b/;

/** A page's session, which any replica knows. */
async function openPage(at: string) {
  const session = await fetch(`${at}/api/session`, { method: "POST", headers: { origin: at } });
  const cookie = session.headers.get("set-cookie")?.split(";")[0] ?? "";
  return (to: string) =>
    fetch(`${to}/api/messages`, {
      method: "POST",
      headers: { "content-type": "application/json", origin: to, cookie },
      body: JSON.stringify({ id: crypto.randomUUID(), text: "hello" }),
    });
}

describe.skipIf(missing)("pairing on Dapr", () => {
  let cluster: Cluster;
  let platform: TelegramFake;

  beforeAll(async () => {
    cluster = await startCluster({ pubsub: "redis", state: "redis" });
    platform = await startTelegramFake();
  }, 120_000);
  afterAll(async () => {
    await platform?.close();
    await cluster?.close();
  }, 60_000);

  async function replica(): Promise<GatewayProcess> {
    const telegram = { TELEGRAM_BOT_TOKEN: platform.token, TELEGRAM_API_ROOT: platform.url };
    const env = { ASCENT_ACCESS: "pairing", ASCENT_MODEL: "demo", ...telegram };
    const { gateway, sidecar } = await createReplica(cluster, { env });
    onTestFinished(async () => {
      await gateway.close();
      await sidecar.kill();
    });
    onTestFailed(() => console.error(gateway.tail()));
    await gateway.start();
    return gateway;
  }

  async function operate(gateway: GatewayProcess, ...args: readonly string[]): Promise<string> {
    const { code, out, err } = await gateway.ascent("pairing", ...args);
    expect(err).toBe("");
    expect(code).toBe(0);
    return out;
  }

  test("a code is the same at two replicas, and its approval is known to both within seconds", async () => {
    const [one, other] = await Promise.all([replica(), replica()]);
    const write = await openPage(one.url);
    const codes = [];
    for (const { url } of [one, other]) {
      const refused = await write(url);
      expect(refused.status).toBe(403);
      codes.push(codePattern.exec(await refused.text())?.[0]);
    }
    const [code = ""] = codes;
    expect(codes).toEqual([code, code]);
    await operate(other, "approve", code);
    await sleep(6_000);
    for (const { url } of [one, other]) expect((await write(url)).status).toBe(202);

    await platform.user(ann).sends(ann, "hello");
    const told = await platform.waitForReply(ann, undefined, { timeoutMs: 20_000 });
    const own = codePattern.exec(told.text ?? "")?.[0] ?? "";
    expect(await operate(one, "list")).toContain(`${own}  telegram/main/${ann}`);
    await operate(one, "approve", own);
    await platform.waitForReply(ann, (call) => call.text?.startsWith("You are let in") === true, {
      timeoutMs: 20_000,
    });
    expect((await one.ascent("journal")).out.match(/not paired/g)).toHaveLength(3);
  }, 120_000);
});
