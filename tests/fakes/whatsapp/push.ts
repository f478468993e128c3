/**
 * Posts webhooks as Meta does: signed, several changes at once where they are there, and again with growing pauses until a
 * 200. What is posted in one lane keeps its order; nothing else is promised.
 */
import { createHmac } from "node:crypto";
import { request } from "node:http";

export interface Target {
  readonly url: string;
  readonly appSecret: string;
}

export interface Push {
  readonly body: string;
  /** Those with the same one are posted one after another. */
  readonly lane: string;
  delivered(): void;
  confirmed(): void;
}

export interface Pusher {
  leadTo(target: Target): void;
  post(push: Push): void;
  /** Out of band, whatever its state. Resolves to the status, 0 for no answer. */
  again(body: string): Promise<number>;
  close(): void;
}

export function sign(body: string, appSecret: string): string {
  return `sha256=${createHmac("sha256", appSecret).update(body).digest("hex")}`;
}

/** @param unitMs the first pause before a webhook is posted again; it doubles up to sixteen of them. */
export function createPusher(unitMs: number): Pusher {
  const lanes = new Map<string, Push[]>();
  const timers = new Set<NodeJS.Timeout>();
  let target: Target | undefined;
  let closed = false;

  async function run(lane: string, waiting: Push[]): Promise<void> {
    for (let next = waiting[0], failures = 0; next !== undefined && !closed; next = waiting[0]) {
      next.delivered();
      const { status, retryAfter } = await send(target, next.body);
      if (status === 200) {
        waiting.shift();
        failures = 0;
        next.confirmed();
        continue;
      }
      failures += 1;
      const pause = retryAfter > 0 ? retryAfter : unitMs * Math.min(16, 2 ** (failures - 1));
      await new Promise<void>((resolve) => {
        const timer = setTimeout(
          () => {
            timers.delete(timer);
            resolve();
          },
          Math.min(pause, unitMs * 16),
        );
        timers.add(timer);
      });
    }
    lanes.delete(lane);
  }

  return {
    leadTo: (next) => (target = next),
    post(push) {
      const waiting = lanes.get(push.lane);
      if (waiting !== undefined) return void waiting.push(push);
      const fresh = [push];
      lanes.set(push.lane, fresh);
      void run(push.lane, fresh);
    },
    again: async (body) => (await send(target, body)).status,
    close() {
      closed = true;
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

function send(target: Target | undefined, body: string): Promise<{ status: number; retryAfter: number }> {
  const none = { status: 0, retryAfter: 0 };
  if (target === undefined) return Promise.resolve(none);
  return new Promise((resolve) => {
    const headers = {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      "user-agent": "facebookexternalua",
      "x-hub-signature-256": sign(body, target.appSecret),
    };
    const outgoing = request(target.url, { method: "POST", headers, timeout: 20_000 }, (incoming) => {
      const retryAfter = Number(incoming.headers["retry-after"] ?? 0) * 1_000;
      incoming.resume().on("end", () => resolve({ status: incoming.statusCode ?? 0, retryAfter }));
      incoming.on("error", () => resolve(none));
    });
    outgoing.on("timeout", () => outgoing.destroy());
    outgoing.on("error", () => resolve(none));
    outgoing.end(body);
  });
}
