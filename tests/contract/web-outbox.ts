/** How pages and other systems send: in order, each under one id, again and again until it is accepted or refused for good. */
import { setTimeout as sleep } from "node:timers/promises";

export interface Outbox {
  add(id: string, body: object): void;
  /** Sends an accepted one once more, as after a lost response. */
  again(id: string): Promise<void>;
  accepted(id: string): boolean;
  /** Status by id of what was refused for good. */
  readonly refused: ReadonlyMap<string, number>;
  /** Nothing is sent from then on; resolves once nothing is under way. */
  pause(): Promise<void>;
  resume(): void;
}

const againMs = 30;

export function outbox(post: (body: object, id: string) => Promise<Response>): Outbox {
  const bodies = new Map<string, object>();
  const waiting: string[] = [];
  const accepted = new Set<string>();
  const refused = new Map<string, number>();
  let on = false;
  let running: Promise<void> = Promise.resolve();

  /** False where it has to be tried again. */
  async function attempt(id: string): Promise<boolean> {
    // A connection that breaks is tried again, as a 5xx is.
    const response = await post(bodies.get(id) ?? {}, id).catch(() => undefined);
    await response?.body?.cancel();
    if (response === undefined || response.status >= 500) return false;
    if (response.ok) accepted.add(id);
    else refused.set(id, response.status);
    return true;
  }

  async function flush(): Promise<void> {
    while (on && waiting[0] !== undefined) {
      if (await attempt(waiting[0])) waiting.shift();
      else await sleep(againMs);
    }
  }

  const go = () => {
    running = running.then(flush);
  };
  return {
    refused,
    accepted: (id) => accepted.has(id),
    add(id, body) {
      bodies.set(id, body);
      waiting.push(id);
      go();
    },
    async again(id) {
      while (!(await attempt(id))) await sleep(againMs);
    },
    async pause() {
      on = false;
      await running;
    },
    resume() {
      on = true;
      go();
    },
  };
}
