/** /forget on the real gateway: a word that somebody said in many places is in no byte of the data afterwards. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { expect, onTestFailed, onTestFinished, test } from "vitest";
import { listen } from "../fakes/http.ts";
import type { Prompt, Reply } from "../fakes/openai/types.ts";
import { delegateKey, startDelegate } from "./delegate-process.ts";
import { eventually, openStage, said, type Stage } from "./stage.ts";

const conversations = 40;
const canary = `canary${randomBytes(8).toString("hex")}`;
const subscriberSecret = `whsec_${randomBytes(32).toString("base64")}`;

/** Somebody who writes by webhook: each conversation is one of the same person. */
function caller({ gateway, secrets }: Stage, participant: string) {
  let sent = 0;
  return async (conversation: string, text: string, more: object = { wait: 20 }): Promise<string> => {
    const body = JSON.stringify({ conversation, participant, text, ...more });
    const id = `${participant}-${(sent += 1)}`;
    const at = new Date();
    const headers = {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
      "webhook-signature": new Webhook(secrets.webhook).sign(id, at, body),
    };
    const response = await fetch(`${gateway.url}/webhooks/in`, { method: "POST", headers, body });
    expect(response.status).toBeLessThan(300);
    return response.text();
  };
}

/** A server that takes nothing. */
async function refusing(status: number): Promise<string> {
  const server = await listen((_request, response) => void response.writeHead(status).end());
  onTestFinished(() => server.close());
  return server.url;
}

/** Files under the data that hold these bytes. */
function filesWith(folder: string, bytes: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && readFileSync(join(entry.parentPath, entry.name)).includes(bytes))
    .map(({ name }) => name);
}

test(
  "what one person said is nowhere any more, what another said in the same bytes stays",
  { timeout: 240_000 },
  async () => {
    const [down, gone] = await Promise.all([refusing(503), refusing(410)]);
    const stage = await openStage({
      web: true,
      webhooks: true,
      config: {
        webhooks: {
          allowHosts: ["127.0.0.1"],
          subscribers: [{ url: down, secret: subscriberSecret, events: ["message.answered", "conversation.started"] }],
        },
      },
    });
    stage.model.script(({ turn }) => ({ text: `you said ${turn.join(" ")}` }));
    const ann = caller(stage, "ann");
    for (let n = 0; n < conversations; n++) expect(await ann(`c${n}`, `${canary} ${n}`)).toContain(canary);
    await ann("lost", `${canary} lost`, { callbackUrl: gone });
    await eventually("a dead letter", async () =>
      (await stage.gateway.ascent("deadletters", "list", "--json")).out.includes(`${canary} lost`),
    );

    // Linked: the web page's session, which has a file.
    const page = await openSession(stage);
    const file = await page.uploads(`${canary} in a file`);
    await (await openSession(stage)).uploads(`${canary} in a file`);
    await page.sends(`${canary} on the page`, [file]);
    await page.sees("on the page");
    const code = /\/link [A-Z2-9]{5}-[A-Z2-9]{5}/.exec(await ann("c0", "/link"))?.[0] ?? "";
    await page.sends(code);
    await page.sees("Linked:");
    expect(filesWith(stage.gateway.data, canary)).toContain("ascent.db");

    expect(await ann("c0", "/forget")).toContain("/forget yes");
    expect(await ann("c0", "/forget yes")).toContain("I have erased");
    expect((await page.request(file.url)).status).toBe(404);
    await stage.gateway.terminate();
    expect(filesWith(stage.gateway.data, `${canary} in a file`)).toHaveLength(1);
    expect(filesWith(stage.gateway.data, canary)).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
    await stage.gateway.start();
    expect(await ann("c1", "who am I?")).not.toContain(canary);
  },
);

const isBlob = (name: string) => /^[0-9a-f]{64}/.test(name);

/** What a person says to the model is what it asks an agent for: "scheduler: …", with the files that came along. */
function delegates({ turn, toolOutputs }: Prompt): Reply | undefined {
  const [, name, task] = /^(\w+): ([^\n]*)$/m.exec(turn.at(-1) ?? "") ?? [];
  if (name === undefined || toolOutputs.length > 0) return undefined;
  return { toolCalls: [{ name: `agent__${name}`, arguments: { task, files: true } }] };
}

test(
  "nothing is left with the agents that a person gave tasks to, what runs there is cancelled, and another's tasks stay",
  { timeout: 240_000 },
  async () => {
    const secret = randomBytes(32).toString("hex");
    const agent = await startDelegate({ ASCENT_SECRET: secret });
    const url = `${agent.url}/a2a/tester`;
    const stage = await openStage({
      env: { ASCENT_SECRET: secret },
      config: {
        delegation: { inlineSeconds: 3 },
        delegates: { tester: { url, sameSecret: true }, keyed: { url, apiKey: delegateKey } },
        // The demo model of theirs needs none.
        skills: { scheduler: { model: "demo", timeZone: "UTC" }, analyst: { model: "demo" } },
      },
    });
    stage.model.script(delegates);
    const [ann, bob] = [7_500_001, 7_500_002];
    onTestFailed(() => console.error([ann, bob].map((who) => said(stage, who))));
    const says = (who: number, text: string) => stage.platform.user(who).sends(who, text);
    const heard = (who: number, words: string, times = 1) =>
      eventually(`"${words}"`, () => said(stage, who).filter((text) => text.includes(words)).length >= times, 60_000);
    const others = canary.replace("canary", "bobs");

    await says(bob, `scheduler: remind me in 2 hours to ${others}`);
    await heard(bob, "goes on in the background");
    await says(ann, `scheduler: remind me in 2 hours to ${canary}`);
    await heard(ann, "goes on in the background");
    const data = Buffer.from(`city,sales\n${canary},30\nBonn,5.5\n`).toString("base64");
    const caption = "analyst: bar chart of sales by city";
    await stage.platform.user(ann).sends(ann, { kind: "document", name: "sales.csv", mime: "text/csv", data, caption });
    await heard(ann, '(task "analyst-');
    await says(ann, `tester: quick ${canary}`);
    await heard(ann, "quick is done");
    for (const name of ["tester", "keyed"]) await says(ann, `${name}: hold ${canary} for ${name}`);
    await heard(ann, "goes on in the background", 3);
    await says(ann, `tester: ask ${canary}`);
    await heard(ann, "Which colour?");
    expect(filesWith(stage.gateway.data, canary).filter(isBlob).length).toBeGreaterThan(0);
    await eventually("the agent's data", () => filesWith(agent.data, canary).length > 0);

    await says(ann, "/forget");
    await heard(ann, "/forget yes");
    await says(ann, "/forget yes");
    await heard(ann, "I have erased");
    await stage.gateway.terminate();
    await agent.kill("SIGTERM");
    expect(filesWith(agent.data, canary)).toEqual([]);
    expect(filesWith(stage.gateway.data, canary)).toEqual([]);
    expect(filesWith(stage.gateway.data, others)).toEqual(["ascent.db"]);
    // Charts among them, in which no word stands.
    expect(filesWith(stage.gateway.data, "").filter(isBlob)).toEqual([]);
    await Promise.all([stage.gateway.start(), agent.start()]);
    await says(bob, "tasks of mine");
    await heard(bob, others);
  },
);

async function openSession({ gateway: { url } }: Stage) {
  const headers = { origin: url, "content-type": "application/json" };
  const session = await fetch(`${url}/api/session`, { method: "POST", body: "{}", headers });
  const cookie = session.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  const request = (path: string, init: RequestInit = {}) =>
    fetch(`${url}${path}`, { ...init, headers: { ...headers, cookie, ...(init.headers as object) } });
  return {
    request,
    async uploads(body: string) {
      const of = { method: "POST", body, headers: { "content-type": "text/plain" } };
      return (await (await request("/api/attachments?name=note.txt", of)).json()) as { id: string; url: string };
    },
    async sends(text: string, attachments: readonly { id: string }[] = []) {
      const body = JSON.stringify({ id: crypto.randomUUID(), text, attachments });
      expect((await request("/api/messages", { method: "POST", body })).status).toBe(202);
    },
    sees: (what: string) =>
      eventually(`the page shows “${what}”`, async () => {
        const { messages } = (await (await request("/api/messages")).json()) as {
          messages: { role: string; text: string }[];
        };
        return messages.find(({ role, text }) => role !== "user" && text.includes(what));
      }),
  };
}
