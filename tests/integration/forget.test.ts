/** /forget on the real gateway: a word that somebody said in many places is in no byte of the data afterwards. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { expect, onTestFinished, test } from "vitest";
import { listen } from "../fakes/http.ts";
import { eventually, openStage, type Stage } from "./stage.ts";

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
