/**
 * WhatsApp behind WhatsApp Web: a server at its address, as far as a browser is told so, that serves a page with the modules which
 * whatsapp-web.js asks for, and keeps what the phone would: the chats, whatever becomes of the browsers that show them.
 */
import { execFile } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { acceptSocket, type ServerSocket } from "./websocket.ts";

export interface WebFakeOptions {
  /** It was linked before: no scan is needed. Default true. */
  readonly linked?: boolean;
  /** The content of the code to scan. */
  readonly code?: string;
  /** In so many lives of the page it never gets ready. */
  readonly stuckLaunches?: number;
}

/** A message as the page keeps it. */
export interface WebData {
  readonly id: { readonly id: string; readonly fromMe: boolean; readonly remote: string; readonly _serialized: string };
  readonly t: number;
  readonly [more: string]: unknown;
}

export interface SentByWeb {
  readonly chat: string;
  readonly id: string;
  readonly body?: string;
  readonly type: string;
  readonly lat?: number;
  readonly lng?: number;
  readonly caption?: string;
  readonly size?: number;
  readonly mimetype?: string;
  /** Of a file: its bytes in base64. */
  readonly content?: string;
  /** The id within its chat of the message that it replies to. */
  readonly quotedStanzaID?: string;
  /** When it arrived here: monotonic milliseconds. */
  readonly at: number;
}

export type WebRefusal = "the page fails" | "the page is cut off" | "no such chat";

export interface WhatsAppWebFake {
  /** A program that starts the browser given, which takes this server for WhatsApp's. */
  readonly chromium: string;
  readonly me: string;
  readonly sent: readonly SentByWeb[];
  readonly signs: readonly (readonly [sign: string, chat: string])[];
  /** How often a browser has loaded the page. */
  launches(): number;
  /** Pages that are shown now. */
  pages(): number;
  scan(): Promise<void>;
  /** A person's message, heard by the page that is shown; `heard` false: it stands in the chat's history only. */
  says(message: WebData, heard?: boolean): Promise<void>;
  /** The page hears of it once more. */
  repeats(id: string): Promise<void>;
  edits(id: string, body: string): Promise<void>;
  /** How far a message of the number's got: -1 it failed, 2 delivered, 3 read. */
  acks(id: string, level: number): Promise<void>;
  /** Another device takes over. */
  conflict(): Promise<void>;
  /** The next send meets this. */
  refuses(how: WebRefusal): Promise<void>;
  /** Bytes that a person's file has. @returns where the page finds them. */
  keep(bytes: Uint8Array): string;
  close(): Promise<void>;
}

const me = "15550783881@c.us";
const version = "2.3000.1000000001";
let stanzas = 0;

/** What the page keeps of a person's text. */
export function webText(chat: string, body: string, more: Readonly<Record<string, unknown>> = {}): WebData {
  stanzas += 1;
  const id = `3A${String(stanzas).padStart(18, "0")}`;
  return {
    id: { fromMe: false, remote: chat, id, _serialized: `false_${chat}_${id}` },
    type: "chat",
    body,
    t: Math.floor(Date.now() / 1_000),
    from: chat,
    to: me,
    notifyName: "Ann",
    ...more,
  };
}

/** @param browser the program of the real browser. */
export async function startWhatsAppWebFake(browser: string, options: WebFakeOptions = {}): Promise<WhatsAppWebFake> {
  const home = await mkdtemp(join(tmpdir(), "ascent-web-fake-"));
  const script = await readFile(new URL("whatsapp-web-page.js", import.meta.url), "utf8");
  const history: WebData[] = [];
  const sent: SentByWeb[] = [];
  const signs: (readonly [string, string])[] = [];
  const files = new Map<string, Uint8Array>();
  const pages = new Set<Page>();
  let linked = options.linked ?? true;
  let launches = 0;
  /** How much of the history each launch was given with its page. */
  const given = new Map<number, number>();

  function served(): string {
    launches += 1;
    const stuck = launches <= (options.stuckLaunches ?? 0);
    given.set(launches, history.length);
    const world = { me, version, code: options.code, linked, stuck, history, launch: launches };
    const data = JSON.stringify(world).replaceAll("&", "&amp;").replaceAll('"', "&quot;");
    return `<!doctype html><html data-options="${data}"><meta charset="utf-8"><title>page</title><script>${script}</script></html>`;
  }

  const server = createServer(await certificate(home), (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "https://web.whatsapp.com");
    const file = files.get(pathname);
    if (file !== undefined) return void response.end(file);
    if (pathname !== "/") return void response.writeHead(404).end();
    response.writeHead(200, { "content-type": "text/html" }).end(served());
  });
  server.on("upgrade", (request, stream) => {
    const page = createPage((told) => {
      if (told["sign"] !== undefined) signs.push(told["sign"] as [string, string]);
      if (told["sent"] === undefined) return;
      history.push(told["data"] as WebData);
      sent.push({ ...(told["sent"] as SentByWeb), at: performance.now() });
    });
    const socket = acceptSocket(request, stream, { onText: page.take, onClose: () => void pages.delete(page) });
    page.open(socket);
    pages.add(page);
    const launch = Number(new URL(request.url ?? "/", "https://web.whatsapp.com").searchParams.get("launch"));
    for (const missed of history.slice(given.get(launch))) void page.ask("say", [missed]);
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const chromium = join(home, "chromium.sh");
  const more = `--ignore-certificate-errors --host-resolver-rules="MAP web.whatsapp.com 127.0.0.1:${port}"`;
  await writeFile(chromium, `#!/bin/sh\nexec ${browser} "$@" ${more}\n`);
  await chmod(chromium, 0o755);

  async function toAll(name: string, ...args: readonly unknown[]): Promise<void> {
    await Promise.all([...pages].map((page) => page.ask(name, args)));
  }
  const found = (id: string): WebData => {
    const one = history.find((data) => data.id._serialized === id);
    if (one === undefined) throw new Error(`there is no message ${id}`);
    return one;
  };

  return {
    chromium,
    me,
    sent,
    signs,
    launches: () => launches,
    pages: () => pages.size,
    async scan() {
      linked = true;
      await toAll("scan");
    },
    async says(message, heard = true) {
      history.push(message);
      if (heard) await toAll("say", message);
    },
    repeats: (id) => toAll("say", found(id)),
    async edits(id, body) {
      const at = Date.now();
      history.splice(history.indexOf(found(id)), 1, { ...found(id), body, latestEditSenderTimestampMs: at });
      await toAll("edit", id, body, at);
    },
    acks: (id, level) => toAll("ack", id, level),
    conflict: () => toAll("conflict"),
    refuses: (how) => toAll("refuse", how),
    keep(bytes) {
      const path = `/files/${files.size + 1}`;
      files.set(path, bytes);
      return path;
    },
    async close() {
      for (const page of pages) page.cut();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(home, { recursive: true, force: true });
    },
  };
}

interface Page {
  open(socket: ServerSocket): void;
  take(text: string): void;
  /** Resolves when the page has done it, or is gone. */
  ask(name: string, args: readonly unknown[]): Promise<void>;
  cut(): void;
}

function createPage(told: (what: Readonly<Record<string, unknown>>) => void): Page {
  const waiting = new Map<number, () => void>();
  let socket: ServerSocket | undefined;
  let asked = 0;
  return {
    open: (opened) => void (socket = opened),
    take(text) {
      const { reply, n, ...what } = JSON.parse(text) as { reply?: number; n?: number };
      if (reply !== undefined) return waiting.get(reply)?.();
      told(what);
      socket?.send(JSON.stringify({ reply: n }));
    },
    ask(name, args) {
      asked += 1;
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.set(asked, resolve);
      socket?.send(JSON.stringify({ n: asked, name, args }));
      return Promise.race([promise, new Promise<void>((late) => void setTimeout(late, 2_000).unref())]);
    },
    cut: () => socket?.destroy(),
  };
}

/** Good for a browser that takes any. */
async function certificate(home: string): Promise<{ key: Buffer; cert: Buffer }> {
  const [key, cert] = [join(home, "key.pem"), join(home, "cert.pem")];
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"];
  const place = ["-subj", "/CN=web.whatsapp.com", "-keyout", key, "-out", cert];
  await promisify(execFile)("openssl", ["req", ...kind, ...place]);
  return { key: await readFile(key), cert: await readFile(cert) };
}
