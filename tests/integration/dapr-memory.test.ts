/** What agents remember on real Dapr: kept through a kill, in nobody else's prompt, and in no key after /forget. */
import { randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { needsDapr } from "../services/dapr.ts";
import { startReplica } from "./dapr-replica.ts";
import { keysWith } from "./dapr-redis.ts";
import { openDaprStage } from "./dapr-stage.ts";
import { factOf, lastTurn, leaks, obey, ownersIn, type Seen } from "./memory-prompts.ts";

const { missing } = await needsDapr();
const tenants = ["acme", "globex"] as const;
const secrets = Object.fromEntries(tenants.map((name) => [name, `whsec_${randomBytes(32).toString("base64")}`]));

describe.skipIf(missing)("memory on Dapr", () => {
  const stage = openDaprStage({ provider: { apiKey: "sk-test", models: [...tenants] } });

  test("is each person's, each group's and each tenant's own, also where persons are linked", async () => {
    const { cluster, model } = stage();
    const seen: Seen[] = [];
    model.script(obey(seen));
    const named = (of: (name: string) => object) => Object.fromEntries(tenants.map((name) => [name, of(name)]));
    const { gateway } = await startReplica(cluster, {
      config: {
        tenants: named(() => ({})),
        limits: { messagesPerMinute: { person: "off" } },
        agents: named((name) => ({ model: `compatible:${name}`, context: { historyItems: 4 } })),
        channels: {
          web: { main: { enabled: false } },
          webhook: named((name) => ({ secret: secrets[name], tenant: name, agent: name })),
        },
      },
      env: {
        ASCENT_CONFIG: "ascent.yaml",
        ASCENT_MODEL: "compatible:acme",
        OPENAI_API_KEY: "sk-test",
        OPENAI_BASE_URL: `${model.url}/v1`,
      },
    });

    let sent = 0;
    /** "room" is a group, in which everybody is somebody else. */
    async function says(tenant: string, who: string, text: string): Promise<string> {
      sent += 1;
      const group = who === "room" ? { kind: "group", participant: `${who}${sent}` } : { participant: who };
      const words = text.startsWith("/") ? text : `${text} by-${tenant}${who}`;
      const body = JSON.stringify({ conversation: who, text: words, wait: 25, ...group });
      const at = new Date();
      const headers = {
        "content-type": "application/json",
        "webhook-id": `m${sent}`,
        "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
        "webhook-signature": new Webhook(secrets[tenant] ?? "").sign(`m${sent}`, at, body),
      };
      const response = await fetch(`${gateway.url}/webhooks/in/${tenant}`, { method: "POST", headers, body });
      expect(response.status).toBe(200);
      return response.text();
    }
    const all = tenants.flatMap((tenant) =>
      ["ann", "bob", "eve", "room"].map((who) => ({ tenant, who, fact: factOf(`${tenant}${who}`) })),
    );
    const factOfOne = (tenant: string, who: string) =>
      all.find((one) => one.tenant === tenant && one.who === who)?.fact ?? "?";
    await Promise.all(
      all.map(async ({ tenant, who, fact }) => {
        expect(await says(tenant, who, fact)).toContain("It is noted");
        for (let n = 0; n < 6; n++) await says(tenant, who, `small talk ${n}`);
      }),
    );
    await gateway.kill();
    await gateway.start();
    for (const { tenant, who, fact } of all) {
      expect(await says(tenant, who, "search")).toContain(fact);
      expect(lastTurn(seen, `${tenant}${who}`)).toMatch(new RegExp(String.raw`\[notes\] [^\n]*${fact}`));
      expect(await says(tenant, who, "/memory")).toContain(fact);
    }
    expect(leaks(seen)).toEqual([]);

    const code = /\/link [A-Z2-9]{5}-[A-Z2-9]{5}/.exec(await says("acme", "ann", "/link"))?.[0] ?? "";
    expect(await says("globex", "bob", code)).toContain("not a code I know");
    expect(await says("acme", "bob", code)).toContain("Linked:");
    expect(await says("acme", "bob", "search")).toContain(factOfOne("acme", "ann"));
    const both = await says("acme", "ann", "/memory");
    for (const who of ["ann", "bob"]) expect(both).toContain(factOfOne("acme", who));
    for (const { tenant, who } of all) await says(tenant, who, "search again");
    expect(leaks(seen, [["acmeann", "acmebob"]])).toEqual([]);

    expect(await says("acme", "ann", "/memory delete 1")).toContain("note 1 is deleted");
    expect(await says("acme", "bob", "/memory")).not.toContain(factOfOne("acme", "ann"));
    const keysWithFacts = (owner: string) => keysWith(cluster, (stored) => ownersIn(stored).includes(owner));
    expect((await keysWithFacts("acmeann")).length).toBeGreaterThan(0);
    await says("acme", "bob", "/forget");
    expect(await says("acme", "bob", "/forget yes")).toContain("I have erased");
    for (const owner of ["acmeann", "acmebob"])
      await expect.poll(() => keysWithFacts(owner), { timeout: 30_000 }).toEqual([]);
    expect((await keysWithFacts("globexann")).length).toBeGreaterThan(0);
  }, 300_000);
});
