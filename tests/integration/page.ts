/** A session of the real gateway's web chat. */
import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import { eventually, type Stage } from "./stage.ts";

export interface Shown {
  readonly role: string;
  readonly text: string;
  readonly attachments: readonly { readonly url: string }[];
}

export async function openPage({ gateway: { url } }: Pick<Stage, "gateway">) {
  const headers = { origin: url, "content-type": "application/json" };
  const session = await fetch(`${url}/api/session`, { method: "POST", body: "{}", headers });
  const cookie = session.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  const request = (path: string, init: RequestInit = {}) =>
    fetch(`${url}${path}`, { ...init, headers: { ...headers, cookie, ...(init.headers as object) } });
  const shown = async () => ((await (await request("/api/messages")).json()) as { messages: Shown[] }).messages;
  return {
    request,
    shown,
    async sends(text: string, attachments: readonly { id: string }[] = []): Promise<void> {
      const body = JSON.stringify({ id: randomUUID(), text, attachments });
      expect((await request("/api/messages", { method: "POST", body })).status).toBe(202);
    },
    /** The gateway's last word, once it says so. */
    sees: (what: string) =>
      eventually(`the page shows “${what}”`, async () =>
        (await shown()).findLast(({ role, text }) => role !== "user" && text.includes(what)),
      ),
  };
}
