import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { createParser } from "eventsource-parser";
import { z } from "zod";
import { systemClock } from "../clock.ts";
import { loadRunningConfig, type Config } from "../config.ts";
import { runningGateway } from "../control.ts";
import { openGateway } from "../gateway.ts";
import { createLog } from "../log.ts";

const session = z.object({ agent: z.object({ name: z.string(), notice: z.string().optional() }) });
const shown = z.object({
  role: z.enum(["user", "agent", "notice"]),
  text: z.string(),
  attachments: z.array(z.object({ name: z.string().optional(), url: z.string() })).default([]),
  buttons: z.array(z.object({ id: z.string(), label: z.string() })).default([]),
  id: z.string(),
  /** Of a user's message: the id under which it was sent. */
  clientId: z.string().optional(),
  /** Of an agent's message: the ids of the user's messages that it answers. */
  answers: z.array(z.string()).default([]),
});
type Shown = z.infer<typeof shown>;

/** A conversation in the terminal, over the web chat's own API; the next call goes on with it. Ends with Ctrl-D or Ctrl-C. */
export async function chat(): Promise<void> {
  const config = await loadRunningConfig();
  if (config.runtime === "dapr") return converse(config, `http://${config.server.host}:${config.server.port}`);
  const running = await runningGateway(config.data);
  if (running !== undefined) return converse(config, running.url);
  // A free port of its own: the configured one may be meant for another gateway.
  const own = { ...config, server: { ...config.server, host: "127.0.0.1", port: 0, publicUrl: undefined } };
  const gateway = await openGateway({ config: own, clock: systemClock, log: createLog("error") });
  try {
    await gateway.start();
    await converse(config, gateway.url);
  } finally {
    await gateway.stop();
  }
}

async function converse(config: Config, url: string): Promise<void> {
  const api = createClient(url, join(config.data, "terminal-session"));
  const { agent } = session.parse(await api.post("/api/session", {}));
  const history = z.object({ lastEventId: z.string() }).parse(await api.get("/api/messages"));
  process.stdout.write(
    `${agent.name} is listening. Ctrl-D ends.\n${agent.notice === undefined ? "" : `${agent.notice}\n`}`,
  );

  const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: "\n> " });
  const end = new AbortController();
  /** Messages without an answer: a script's input may end before they are answered. */
  const open = new Set<string>();
  let choices: { readonly message: string; readonly buttons: Shown["buttons"] } | undefined;
  let answered = Promise.withResolvers<void>();
  const listening = api.listen(history.lastEventId, end.signal, (message) => {
    if (message.role === "user") {
      // Answers name a message by the gateway's id for it.
      if (message.clientId !== undefined && open.delete(message.clientId)) open.add(message.id);
      return;
    }
    process.stdout.write(`\n${render(message)}\n`);
    if (message.buttons.length > 0) choices = { message: message.id, buttons: message.buttons };
    for (const id of message.answers) open.delete(id);
    if (open.size === 0) answered.resolve();
    if (process.stdin.isTTY) lines.prompt();
  });
  let lost: Error | undefined;
  const over = listening.catch((error: unknown) => {
    lost = error instanceof Error ? error : new Error(String(error));
    lines.close();
    answered.resolve();
  });

  if (process.stdin.isTTY) lines.prompt();
  for await (const line of lines) {
    if (line.trim() === "") continue;
    const id = crypto.randomUUID();
    if (open.size === 0) answered = Promise.withResolvers();
    open.add(id);
    const button = choices?.buttons[Number(line.trim()) - 1];
    const press =
      choices === undefined || button === undefined ? undefined : { message: choices.message, button: button.id };
    await api.post("/api/messages", press === undefined ? { id, text: line } : { id, press });
  }
  if (open.size > 0 && lost === undefined) await answered.promise;
  end.abort();
  await over;
  if (lost !== undefined) throw lost;
}

function render({ text, attachments, buttons }: Shown): string {
  const files = attachments.map(({ name, url }) => `[${name ?? "file"}: ${url}]`);
  const choices = buttons.map(({ label }, at) => `  ${at + 1}. ${label}`);
  return [unescaped(text), ...files, ...choices].filter((line) => line !== "").join("\n");
}

/** Markdown is shown as it is written, but for what only keeps plain words plain. */
const unescaped = (markdown: string): string => markdown.replace(/\\([!-/:-@[-`{-~])/g, "$1");

function createClient(url: string, sessionFile: string) {
  const gone = `The gateway at ${url} is gone: start it again, then \`ascent chat\`; the conversation goes on where it was.`;
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  let cookie = existsSync(sessionFile) ? readFileSync(sessionFile, "utf8") : "";

  async function request(
    path: string,
    init: { method?: string; body?: string; signal?: AbortSignal },
  ): Promise<Response> {
    const headers = init.body === undefined ? {} : { "content-type": "application/json", "x-time-zone": timeZone };
    const sent = fetch(new URL(path, url), { ...init, headers: { ...headers, cookie, origin: url } });
    const response = await sent.catch((error: unknown) => {
      throw new Error(gone, { cause: error });
    });
    const set = response.headers.getSetCookie()[0]?.split(";")[0];
    if (set !== undefined && set !== cookie) {
      cookie = set;
      writeFileSync(sessionFile, cookie, { mode: 0o600 });
    }
    if (response.ok) return response;
    throw new Error(`the gateway at ${url} answered ${response.status} to ${path}: ${await response.text()}`);
  }

  return {
    get: async (path: string): Promise<unknown> => (await request(path, {})).json(),
    post: async (path: string, body: unknown): Promise<unknown> =>
      (await request(path, { method: "POST", body: JSON.stringify(body) })).json(),
    /** Hands over every message from there on; resolves when `signal` aborts. */
    async listen(after: string, signal: AbortSignal, onMessage: (message: Shown) => void): Promise<void> {
      const parser = createParser({
        onEvent({ event, data }) {
          if (event === "message") onMessage(shown.parse(JSON.parse(data)));
        },
      });
      try {
        const { body } = await request(`/api/events?after=${after}`, { signal });
        const decoder = new TextDecoder();
        for await (const chunk of body ?? []) parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
        if (!signal.aborted) throw new Error("the stream of events ended");
      } catch (error) {
        if (!signal.aborted) throw new Error(gone, { cause: error });
      }
    },
  };
}
