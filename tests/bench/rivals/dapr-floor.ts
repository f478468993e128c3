/**
 * The floor of a turn on Dapr, as short as it can be written by hand: polling and sending by the client that ours uses,
 * publish, deliver, one actor call, in it a bare run of the Agents SDK and one state write, publish, deliver, send, one
 * delivery record. Nothing is
 * recognised when it comes twice, nothing is kept in order, nothing watches over what fails.
 *
 * STATE_BYTES pads the actor's state to the size of ours. With REMINDER=1 every active conversation has a reminder, armed and
 * disarmed once each time it becomes active.
 */
import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import { asSignal, createApi } from "../../../channels/telegram/api.ts";
import { answer, historyItems, ready, required, type Said } from "./agent.ts";

interface State {
  readonly seq: number;
  readonly history: readonly Said[];
}
interface Message {
  readonly chat: number;
  readonly text: string;
}

const sidecar = new URL(required("SIDECAR_URL"));
const headers = { "dapr-api-token": required("DAPR_API_TOKEN") };
const appToken = required("APP_API_TOKEN");
const stateBytes = Number(process.env["STATE_BYTES"] ?? 0);
const reminder = process.env["REMINDER"] === "1" ? { dueTime: "30s", period: "30s" } : undefined;
const agent = new Agent({ keepAlive: true, maxSockets: 512, scheduling: "lifo" });
const pollSeconds = 50;
const telegram = createApi({
  token: required("TELEGRAM_BOT_TOKEN"),
  apiRoot: required("TELEGRAM_API_ROOT"),
  pollSeconds,
  webhookConnections: 1,
  preview: false,
});
const actors = new Map<string, State>();
const armed = new Set<string>();

function call(method: string, path: string, value?: unknown): Promise<string> {
  const body = value === undefined ? undefined : JSON.stringify(value);
  const typed =
    body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  const { hostname, port } = sidecar;
  return new Promise((resolve, reject) => {
    const sent = request({ agent, hostname, port, method, path, headers: { ...headers, ...typed } }, (response) => {
      text(response).then((answered) => {
        if ((response.statusCode ?? 500) < 300) resolve(answered);
        else reject(new Error(`${method} ${path}: ${response.statusCode} ${answered}`));
      }, reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

function text(stream: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    let all = "";
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => (all += chunk));
    stream.on("end", () => resolve(all));
    stream.on("error", reject);
  });
}

const publish = (topic: string, message: object) => call("POST", `/v1.0/publish/${topic}/${topic}`, message);
const actor = (id: string, rest: string) => `/v1.0/actors/Chat/${id}/${rest}`;

async function turn(id: string, asked: string): Promise<void> {
  const { seq, history } = actors.get(id) ?? (await load(id));
  const said = [...history, { role: "user" as const, text: asked }];
  const answered = await answer(said);
  const state: State = {
    seq: seq + 1,
    history: [...said, { role: "assistant" as const, text: answered }].slice(-historyItems),
  };
  if (reminder !== undefined && !armed.has(id)) {
    armed.add(id);
    await call("POST", actor(id, "reminders/watch"), reminder);
  }
  const pad = "x".repeat(Math.max(0, stateBytes - JSON.stringify(state).length));
  await call("POST", actor(id, "state"), [
    { operation: "upsert", request: { key: "state", value: { ...state, pad } } },
  ]);
  actors.set(id, state);
  await publish("outbound", { chat: Number(id), seq: state.seq, text: answered });
}

async function load(id: string): Promise<State> {
  const stored = await call("GET", actor(id, "state/state"));
  if (stored === "") return { seq: 0, history: [] };
  const { seq, history } = JSON.parse(stored) as State;
  return { seq, history };
}

async function inbound({ chat, text: asked }: Message): Promise<void> {
  await call("POST", actor(String(chat), "method/turn"), { text: asked });
}

async function outbound({ chat, seq, text: answered }: Message & { seq: number }): Promise<void> {
  await telegram.calls.sendMessage(chat, answered);
  await call("POST", "/v1.0/state/state", [{ key: `delivery:${chat}`, value: { seq } }]);
}

async function serve(incoming: IncomingMessage): Promise<unknown> {
  const { method = "", url = "" } = incoming;
  const body = method === "POST" || method === "PUT" ? await text(incoming) : "";
  if (url === "/dapr/config") return { entities: ["Chat"], actorIdleTimeout: "60s", drainOngoingCallTimeout: "20s" };
  if (url === "/dapr/subscribe")
    return ["inbound", "outbound"].map((topic) => ({ pubsubname: topic, topic, route: `/events/${topic}` }));
  if (url === "/events/inbound") {
    await inbound((JSON.parse(body) as { data: Message }).data);
    return { status: "SUCCESS" };
  }
  if (url === "/events/outbound") {
    await outbound((JSON.parse(body) as { data: Message & { seq: number } }).data);
    return { status: "SUCCESS" };
  }
  const [, , , id = ""] = url.split("/");
  if (url.startsWith("/actors/") && method === "DELETE") actors.delete(id);
  else if (url.endsWith("/method/turn")) await turn(id, (JSON.parse(body) as Message).text);
  else if (url.includes("/method/remind/")) {
    armed.delete(id);
    await call("DELETE", actor(id, "reminders/watch"));
  }
  return {};
}

const server = createServer((incoming, response: ServerResponse) => {
  if (incoming.url === "/healthz") return void response.end();
  if (incoming.headers["dapr-api-token"] !== appToken) return void response.writeHead(401).end();
  serve(incoming).then(
    (value) => response.setHeader("content-type", "application/json").end(JSON.stringify(value)),
    (error: unknown) => {
      console.error(error);
      response.writeHead(500).end();
    },
  );
});
server.keepAliveTimeout = 0;
server.listen(Number(required("APP_PORT")), "127.0.0.1");

async function poll(signal: AbortSignal): Promise<void> {
  let offset = 0;
  while (!signal.aborted) {
    const asked = { offset, timeout: pollSeconds, limit: 100, allowed_updates: ["message" as const] };
    const updates = await telegram.polls.getUpdates(asked, asSignal(signal));
    await Promise.all(
      updates.map(({ message }) =>
        message?.text === undefined ? undefined : publish("inbound", { chat: message.chat.id, text: message.text }),
      ),
    );
    offset = (updates.at(-1)?.update_id ?? offset - 1) + 1;
  }
}

const healthy = () =>
  call("GET", "/v1.0/healthz").then(
    () => true,
    () => false,
  );
for (let tries = 0; !(await healthy()); tries += 1) {
  if (tries > 300) throw new Error("the sidecar is not ready");
  await new Promise((resolve) => setTimeout(resolve, 100));
}
const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
ready();
await poll(stop.signal).catch((error: unknown) => {
  if (!stop.signal.aborted) throw error;
});
process.exit(0);
