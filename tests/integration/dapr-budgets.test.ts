/** A person's budget with the whole gateway on real Dapr: many conversations at once, on two replicas, one of which is killed. */
import { randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import type { UsageReport } from "../../src/usage.ts";
import { needsDapr } from "../services/dapr.ts";
import { startReplica } from "./dapr-replica.ts";
import { openDaprStage } from "./dapr-stage.ts";
import { eventually } from "./stage.ts";

const { missing } = await needsDapr();
const secret = `whsec_${randomBytes(32).toString("base64")}`;
const most = 20;
const conversations = 50;

describe.skipIf(missing)("budgets on Dapr", () => {
  const stage = openDaprStage();

  test("of one person who asks in 50 conversations at once hold on two replicas and through the kill of one", async () => {
    const { cluster, model } = stage();
    model.script(() => ({ text: "answered", latencyMs: 400 }));
    const options = {
      config: {
        limits: { messagesPerMinute: { person: "off" } },
        budgets: { person: { day: { calls: most } } },
        models: { retries: 0 },
        channels: { web: { main: { enabled: false } }, webhook: { main: { secret } } },
      },
      env: {
        ASCENT_CONFIG: "ascent.yaml",
        ASCENT_MODEL: "compatible:test",
        OPENAI_API_KEY: "sk-test",
        OPENAI_BASE_URL: `${model.url}/v1`,
      },
    };
    const one = await startReplica(cluster, options);
    const two = await startReplica(cluster, options);

    /** A sender that is not answered asks again: the same message has the same answer. */
    const says = (n: number) =>
      eventually(
        `conversation ${n} is answered`,
        async () => {
          const body = JSON.stringify({ conversation: `c${n}`, participant: "ann", text: "hello", wait: 20 });
          const at = new Date();
          const headers = {
            "content-type": "application/json",
            "webhook-id": `m${n}`,
            "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
            "webhook-signature": new Webhook(secret).sign(`m${n}`, at, body),
          };
          const { gateway } = n % 2 === 0 && one.gateway.kills.length === 0 ? one : two;
          const sent = await fetch(`${gateway.url}/webhooks/in`, { method: "POST", headers, body }).catch(
            () => undefined,
          );
          return sent?.status === 200 ? sent.text() : undefined;
        },
        120_000,
      );
    const answers = Array.from({ length: conversations }, (_, n) => says(n));
    await eventually("some calls are made", () => model.log.length >= 4 || undefined, 60_000);
    await Promise.all([one.gateway.kill(), one.sidecar.kill("SIGKILL")]);
    const all = await Promise.all(answers);

    expect(model.log.length).toBeLessThanOrEqual(most);
    const told = (words: string) => all.filter((text) => text.includes(words)).length;
    // Calls that died count, and their turns run again as new calls.
    expect(told("answered")).toBeGreaterThan(most / 2);
    expect(told("answered")).toBeLessThanOrEqual(model.log.length);
    // All of it is used up, or reserved by calls under way or dead.
    expect(told("answered") + told("That is all for today") + told("too many are asking")).toBe(conversations);
    const { code, out } = await two.gateway.ascent("usage", "--scope", "person", "--of", "webhook/main/ann", "--json");
    expect(code).toBe(0);
    const [day] = (JSON.parse(out) as UsageReport).windows;
    expect(day?.used.calls).toBe(most);
  }, 300_000);
});
