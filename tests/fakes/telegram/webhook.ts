import { Agent, request } from "node:http";
import type { UpdateEntry } from "./log.ts";

export interface WebhookTarget {
  readonly url: string;
  readonly secret: string;
  readonly maxConnections: number;
  /** Runs a method named in the webhook's own answer ("Making requests when getting updates"). */
  readonly answered: (body: string) => void;
  /** What the Bot API counts in seconds when it retries, in milliseconds: 1000 is the real pace. */
  readonly retryUnitMs: number;
  readonly timeoutMs: number;
}

export interface WebhookInfo {
  readonly url: string;
  readonly maxConnections: number;
  readonly lastErrorDate?: number;
  readonly lastErrorMessage?: string;
}

/**
 * Posts updates as the Bot API server does (its WebhookActor): one at a time and in order per chat, up to
 * `max_connections` chats at once, again until a 2xx. The first retry follows at once, the next after 2, 4, 8 … 60 units,
 * or as Retry-After says; a connection that fails counts one unit more. A request cut by `stop` is not confirmed.
 */
export interface Webhook {
  start(target: WebhookTarget): void;
  stop(): void;
  info(): WebhookInfo | undefined;
  deliver(update: UpdateEntry): void;
  forgetQueued(): void;
  /** Posts the same body again, out of band, whatever its state. Resolves to the statuses, 0 for no answer. */
  repeat(body: string, times: number): Promise<number[]>;
}

interface Lane {
  readonly chat: number;
  readonly updates: UpdateEntry[];
  fails: number;
  delay: number;
}

interface Answer {
  readonly status: number;
  readonly retryAfter: number;
  readonly body: string;
  readonly error?: string;
}

const MAX_DELAY = 60;

export function createWebhook(events: {
  readonly now: () => number;
  readonly delivered: (update: UpdateEntry) => void;
  readonly confirmed: (update: UpdateEntry) => void;
}): Webhook {
  let target: (WebhookTarget & { readonly agent: Agent }) | undefined;
  let lastError: { readonly date: number; readonly message: string } | undefined;
  let lanes = new Map<number, Lane>();
  let ready: Lane[] = [];
  let timers = new Set<NodeJS.Timeout>();
  let active = 0;

  const reset = () => {
    for (const timer of timers) clearTimeout(timer);
    timers = new Set();
    lanes = new Map();
    ready = [];
    active = 0;
  };

  const pump = () => {
    while (target !== undefined && active < target.maxConnections) {
      const lane = ready.shift();
      if (lane === undefined) return;
      const update = lane.updates[0];
      if (update === undefined) continue;
      active += 1;
      const sentTo = target;
      events.delivered(update);
      void post(sentTo, update.body).then((answer) => {
        if (target !== sentTo || lanes.get(lane.chat) !== lane) return;
        active -= 1;
        settle(sentTo, lane, update, answer);
        pump();
      });
    }
  };

  const settle = (sentTo: WebhookTarget, lane: Lane, update: UpdateEntry, answer: Answer) => {
    if (answer.status >= 200 && answer.status < 300) {
      lane.updates.shift();
      lane.fails = 0;
      lane.delay = 1;
      events.confirmed(update);
      if (answer.body !== "") sentTo.answered(answer.body);
      if (lane.updates.length > 0) ready.push(lane);
      else lanes.delete(lane.chat);
      return;
    }
    const message = answer.error ?? `Wrong response from the webhook: ${answer.status}`;
    lastError = { date: Math.floor(Date.now() / 1_000), message };
    retryLater(lane, sentTo.retryUnitMs * wait(lane, answer));
  };

  const retryLater = (lane: Lane, ms: number) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      ready.push(lane);
      pump();
    }, ms);
    timers.add(timer);
  };

  const stop = () => {
    const old = target;
    target = undefined;
    reset();
    old?.agent.destroy();
  };

  return {
    start(next) {
      stop();
      lastError = undefined;
      target = { ...next, agent: new Agent({ keepAlive: true, maxSockets: next.maxConnections }) };
    },
    stop,
    info() {
      if (target === undefined) return undefined;
      const base = { url: target.url, maxConnections: target.maxConnections };
      return lastError === undefined
        ? base
        : { ...base, lastErrorDate: lastError.date, lastErrorMessage: lastError.message };
    },
    deliver(update) {
      let lane = lanes.get(update.chat);
      if (lane === undefined) {
        lane = { chat: update.chat, updates: [], fails: 0, delay: 1 };
        lanes.set(update.chat, lane);
        ready.push(lane);
      }
      lane.updates.push(update);
      pump();
    },
    forgetQueued: reset,
    async repeat(body, times) {
      const to = target;
      if (to === undefined) throw new Error("no webhook is set");
      const agent = new Agent();
      const answers = await Promise.all(Array.from({ length: times }, () => post({ ...to, agent }, body)));
      return answers.map((answer) => answer.status);
    },
  };
}

/** Units to wait before the next try, counting this failure. */
function wait(lane: Lane, answer: Answer): number {
  lane.fails += 1;
  if (answer.retryAfter > 0) return Math.min(3_600, answer.retryAfter);
  if (lane.fails > 1) lane.delay = Math.min(MAX_DELAY, lane.delay * 2);
  const pause = lane.fails > 1 ? lane.delay : 0;
  return answer.status === 0 ? pause + 1 : pause;
}

function post(target: WebhookTarget & { readonly agent: Agent }, body: string): Promise<Answer> {
  return new Promise((resolve) => {
    const failed = (error: string) => resolve({ status: 0, retryAfter: 0, body: "", error });
    const outgoing = request(target.url, {
      method: "POST",
      agent: target.agent,
      timeout: target.timeoutMs,
      headers: {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        ...(target.secret === "" ? {} : { "x-telegram-bot-api-secret-token": target.secret }),
      },
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error("Read timeout expired")));
    outgoing.on("error", (error) => failed(error.message || "Connection refused"));
    outgoing.on("response", (incoming) => {
      let answer = "";
      incoming.setEncoding("utf8");
      incoming.on("data", (chunk: string) => (answer += chunk));
      incoming.on("error", (error) => failed(error.message));
      incoming.on("end", () => {
        const retryAfter = Number(incoming.headers["retry-after"] ?? 0);
        resolve({ status: incoming.statusCode ?? 0, retryAfter, body: answer });
      });
    });
    outgoing.end(body);
  });
}
