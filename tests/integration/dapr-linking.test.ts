/** Two channels linked on two replicas of the real gateway, on real Dapr: agents of one person in two processes, one of which dies. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { needsDapr } from "../services/dapr.ts";
import { startReplica } from "./dapr-replica.ts";
import { openDaprStage } from "./dapr-stage.ts";
import { eventually } from "./stage.ts";

const { missing } = await needsDapr();
const patienceMs = 60_000;

interface Shown {
  readonly id: string;
  readonly role: string;
  readonly text: string;
  readonly answers?: readonly string[];
}

/** A browser that insists, at the first replica that answers it. */
async function openPage(urls: readonly string[]) {
  let cookie = "";
  async function ask(path: string, init: RequestInit = {}): Promise<unknown> {
    return eventually(
      path,
      async () => {
        for (const url of urls) {
          const headers = { origin: url, cookie, "content-type": "application/json" };
          const response = await fetch(url + path, { ...init, headers }).catch(() => undefined);
          cookie = response?.headers.getSetCookie()[0]?.split(";")[0] ?? cookie;
          if (response?.ok === true) return (await response.json()) as object;
        }
        return undefined;
      },
      patienceMs,
    );
  }
  await ask("/api/session", { method: "POST", body: "{}" });
  const shown = async () => ((await ask("/api/messages")) as { messages: Shown[] }).messages;
  return {
    shown,
    says: (text: string) => ask("/api/messages", { method: "POST", body: JSON.stringify({ id: randomUUID(), text }) }),
    sees: (what: string) =>
      eventually(
        `“${what}”`,
        async () => (await shown()).find(({ role, text }) => role !== "user" && text.includes(what)),
        patienceMs,
      ),
  };
}

describe.skipIf(missing)("links on Dapr", () => {
  const stage = openDaprStage({ provider: { apiKey: "sk-test", models: ["test"] } });

  function replica() {
    const { cluster, model } = stage();
    const env = { ASCENT_MODEL: "compatible:test", OPENAI_API_KEY: "sk-test", OPENAI_BASE_URL: `${model.url}/v1` };
    return startReplica(cluster, { env: { ...env, ASCENT_SECRET: "s".repeat(43) } });
  }

  test("one past for both, each answer once and in its place, through a kill, and apart again", async () => {
    const prompts: string[] = [];
    stage().model.script((prompt) => void prompts.push(JSON.stringify(prompt.body)));
    const replicas = await Promise.all([replica(), replica()]);
    const urls = replicas.map(({ gateway }) => gateway.url);
    const pairs = await Promise.all(
      Array.from({ length: 4 }, async (_, n) => ({
        n,
        one: await openPage(urls),
        other: await openPage(urls.toReversed()),
      })),
    );
    await Promise.all(
      pairs.map(async ({ n, one, other }) => {
        await one.says(`cat${n} here`);
        await other.says(`dog${n} here`);
        await Promise.all([one.sees(`cat${n}`), other.sees(`dog${n}`)]);
        await one.says("/link");
        await other.says((await one.sees("/link ")).text);
        if (n > 1) await other.sees("Linked:");
        await Promise.all([other.says(`bird${n} there`), one.says(`fish${n} there`)]);
      }),
    );
    await sleep(20);
    // As a pod dies: the process and its sidecar.
    await Promise.all([replicas[1]?.gateway.kill(), replicas[1]?.sidecar.kill()]);
    for (const { n, one, other } of pairs) {
      await other.sees("Linked:");
      await Promise.all([other.sees(`bird${n}`), one.sees(`fish${n}`)]);
      await one.says(`what next ${n}`);
      await one.sees(`what next ${n}`);
      const last = prompts.findLast((prompt) => prompt.includes(`what next ${n}`)) ?? "";
      for (const word of ["cat", "dog", "bird", "fish"]) expect(last).toContain(`${word}${n}`);
      await other.says("/unlink");
      await other.sees("Unlinked:");
      await other.says(`alone ${n}`);
      await other.sees(`alone ${n}`);
      expect(prompts.findLast((prompt) => prompt.includes(`alone ${n}`))).not.toContain(`dog${n}`);
      for (const page of [one, other]) {
        const all = await page.shown();
        const asked = all.filter(({ role }) => role === "user").map(({ id }) => id);
        expect([...new Set(all.flatMap(({ answers = [] }) => answers))]).toEqual(asked);
        const words = all.flatMap(({ role, text }) => (role === "agent" ? [text] : []));
        expect(new Set(words).size).toBe(words.length);
      }
    }
  }, 240_000);
});
