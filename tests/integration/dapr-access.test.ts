/** Pairing on real Dapr: what an operator decides through one sidecar holds at every replica within seconds. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { needsDapr } from "../services/dapr.ts";
import { startReplica } from "./dapr-replica.ts";
import { openDaprStage } from "./dapr-stage.ts";
import type { GatewayProcess } from "./gateway-process.ts";

const { missing } = await needsDapr();
const ann = 7_200_001;
const bob = 7_200_002;
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
  const stage = openDaprStage();

  async function replica(operatorKey?: string): Promise<GatewayProcess> {
    const { cluster, platform } = stage();
    const telegram = { TELEGRAM_BOT_TOKEN: platform.token, TELEGRAM_API_ROOT: platform.url };
    const operator = operatorKey === undefined ? {} : { ASCENT_OPERATOR_KEYS: operatorKey };
    const env = { ASCENT_ACCESS: "pairing", ASCENT_MODEL: "demo", ...telegram, ...operator };
    return (await startReplica(cluster, { env })).gateway;
  }

  async function operate(gateway: GatewayProcess, ...args: readonly string[]): Promise<string> {
    const { code, out, err } = await gateway.ascent("pairing", ...args);
    expect(err).toBe("");
    expect(code).toBe(0);
    return out;
  }

  test("a code is the same at two replicas, and its approval is known to both within seconds", async () => {
    const { platform } = stage();
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

  test("any replica does for an operator what the holder of the socket would, and tells how it stands", async () => {
    const { platform } = stage();
    const key = "op-a-key-of-these-tests";
    const replicas = await Promise.all([replica(key), replica(key)]);
    const [one, other] = replicas;
    const ask = async ({ url }: GatewayProcess, path: string, who?: string) => {
      const response = await fetch(`${url}/api/console/v1${path}`, {
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        ...(who === undefined ? {} : { method: "POST", body: JSON.stringify({ who }) }),
      });
      return { status: response.status, body: (await response.json()) as unknown };
    };
    const states = () => Promise.all(replicas.map(async (at) => (await ask(at, "/channels/telegram/main")).body));
    const known = { tenant: "default", channel: "telegram", account: "main", state: "connected" };
    await expect.poll(states, { timeout: 20_000 }).toEqual(
      expect.arrayContaining([
        { ...known, here: true },
        { ...known, here: false },
      ]),
    );

    await platform.user(bob).sends(bob, "hello");
    const told = await platform.waitForReply(bob, undefined, { timeoutMs: 20_000 });
    const code = codePattern.exec(told.text ?? "")?.[0] ?? "";
    for (const at of replicas)
      expect((await ask(at, "/pairing")).body).toMatchObject({ asked: [{ code, user: String(bob) }] });
    expect(await ask(other, "/pairing/approve", code)).toMatchObject({ status: 200 });
    const welcome = (call: { text?: string | undefined }) => call.text?.startsWith("You are let in") === true;
    await platform.waitForReply(bob, welcome, { timeoutMs: 20_000 });
    expect(await ask(one, "/pairing/approve", code)).toMatchObject({ status: 404 });
    expect((await ask(one, "/journal?limit=1")).body).toMatchObject({ entries: [{ rule: "not paired" }] });
    expect((await ask(one, "/dead-letters")).body).toEqual({ deadLetters: [] });
    expect((await ask(one, "/doctor")).body).toMatchObject({ ok: true });
    for (const at of replicas) expect(at.output()).not.toContain(key);
  }, 120_000);
});
