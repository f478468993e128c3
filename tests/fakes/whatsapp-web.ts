/** WhatsApp Web's page on this machine, for the real client in a real browser: what its modules do, and the person before it. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "whatsapp-web.js";

export interface PageOptions {
  /** The number that is linked here. */
  readonly me?: string;
  /** It was linked before: no scan is needed. */
  readonly linked?: boolean;
  /** The content of the code to scan. */
  readonly code?: string;
  /** In so many lives of the page it never gets ready. */
  readonly stuckLaunches?: number;
}

export const version = "2.3000.1000000001";

/** Writes the page to where the client's local cache looks for it. */
export async function writePage(path: string, { me = "15550783881@c.us", ...more }: PageOptions = {}): Promise<void> {
  const script = await readFile(new URL("whatsapp-web-page.js", import.meta.url), "utf8");
  const options = JSON.stringify({ me, version, ...more }).replaceAll('"', "&quot;");
  await mkdir(path, { recursive: true });
  const html = `<!doctype html><html data-options="${options}"><meta charset="utf-8"><title>page</title><script>${script}</script></html>`;
  await writeFile(join(path, `${version}.html`), html);
}

let stanzas = 0;

/** What the page keeps of a person's text. */
export function webText(chat: string, body: string, more: Readonly<Record<string, unknown>> = {}) {
  stanzas += 1;
  const id = `3A${String(stanzas).padStart(18, "0")}`;
  return {
    id: { fromMe: false, remote: chat, id, _serialized: `false_${chat}_${id}` },
    type: "chat",
    body,
    t: Math.floor(Date.now() / 1_000),
    from: chat,
    to: "15550783881@c.us",
    notifyName: "Ann",
    ...more,
  };
}

export interface SentByWeb {
  readonly chat: string;
  readonly id: string;
  readonly body?: string;
  readonly type: string;
  readonly lat?: number;
  readonly caption?: string;
  readonly size?: number;
  readonly mimetype?: string;
}

/** Reaches into the page of a running client. */
export function pageOf(client: Client) {
  const run = async <Result>(code: string): Promise<Result> => {
    // The types do not say that there is none at first.
    if ((client.pupPage ?? undefined) === undefined) throw new Error("no page yet");
    return client.pupPage?.evaluate(code) as Promise<Result>;
  };
  return {
    scan: () => run<undefined>("void window.stub.scan()"),
    says: (message: ReturnType<typeof webText>, heard = true) =>
      run<undefined>(`void window.stub.say(${JSON.stringify(message)}, ${heard})`),
    conflict: () => run<undefined>("void setTimeout(() => window.stub.conflict(), 20)"),
    sent: () => run<SentByWeb[]>("window.stub.sent"),
    signs: () => run<[string, string][]>("window.stub.signs"),
    launches: () => run<number>("window.stub.launches"),
  };
}
