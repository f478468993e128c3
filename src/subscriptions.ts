/**
 * Webhooks to those who subscribed: every announcement becomes one delivery per subscriber, a record with the body as it is
 * sent every time, and a job that tries until it is taken or the day is over. Without a scheduler (it is down, or Dapr has
 * none) this process's clock stands in for the job, and the next start takes up what waits.
 *
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { z } from "zod";
import { announcedKinds, type Announce, type AnnouncedKind, type Announcement } from "./announce.ts";
import type { Belongings } from "./belongings.ts";
import { ConflictError, InputError, reasonOf } from "./errors.ts";
import { digestOf } from "./ids.ts";
import type { Clock, Log, Runtime } from "./ports.ts";
import { createDeliveryIds } from "./subscription-log.ts";

export interface Subscriber {
  /** Stays the same over restarts: what is under way finds its subscriber by it. */
  readonly key: string;
  /** For people, without anything secret. */
  readonly name: string;
  readonly events: readonly AnnouncedKind[];
  /** "channel/account"; absent: all. */
  readonly accounts?: readonly string[] | undefined;
  /**
   * One try. Resolves when it was taken.
   * @throws AttemptError with the status where there was an answer, and whether to try again.
   */
  send(webhookId: string, body: string): Promise<{ readonly status?: number }>;
}

/** A try that was not taken. */
export class AttemptError extends Error {
  override readonly name = "AttemptError";
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  /** There is nobody any more: no other try is made. */
  readonly final: boolean;

  constructor(message: string, options: { status?: number; retryAfterMs?: number | undefined; final?: true } = {}) {
    super(message);
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
    this.final = options.final === true;
  }
}

const attempt = z.object({ at: z.number(), status: z.number().optional(), reason: z.string().optional() });
const delivery = z.object({
  v: z.literal(1),
  id: z.string(),
  webhookId: z.string(),
  subscriber: z.string(),
  name: z.string(),
  /** Whose conversation it is about; absent in what older versions kept. */
  tenant: z.string().optional(),
  type: z.enum(announcedKinds),
  at: z.number(),
  body: z.string(),
  /** "unwanted": kept so that a later telling of the same fact as another kind is known to be one. */
  state: z.enum(["waiting", "delivered", "given up", "unwanted"]),
  /** Tries since it was told, or replayed. */
  tried: z.number(),
  tries: z.array(attempt),
});
type Delivery = z.infer<typeof delivery>;
/** What the log shows: never a body. */
export type LoggedDelivery = Omit<Delivery, "body" | "v" | "tried">;

export interface Subscriptions {
  readonly announce: Announce;
  /** Once the runtime has started: what waits without a job gets one. */
  resume(): Promise<void>;
  /** A job of this name is due. False where it is another's. */
  run(job: string, data: unknown): Promise<boolean>;
  /** The newest first. */
  log(limit: number): Promise<readonly LoggedDelivery[]>;
  get(id: string): Promise<LoggedDelivery | undefined>;
  /** Sends it again under the same webhook-id. @returns false where there is no such delivery. @throws InputError */
  replay(id: string): Promise<boolean>;
}

/** Seconds after each try: the scheme's example schedule, cut off when a day has passed since the first. */
const waits = [5, 300, 1_800, 7_200, 18_000, 36_000, 23_095].map((seconds) => seconds * 1_000);
const keptMs = 8 * 24 * 3_600_000;
const keptTries = 20;
/** Of one subscriber at once: one that is slow holds up no other. */
const mostAtOnce = 4;
const crowdedMs = 1_000;
const unscheduledMs = 1_000;
const prefix = "webhook:";

export interface SubscriptionsOptions {
  readonly runtime: Pick<Runtime, "records" | "jobs">;
  readonly belongings: Belongings;
  readonly clock: Clock;
  readonly log: Log;
  readonly subscribers: readonly Subscriber[];
}

export function createSubscriptions(options: SubscriptionsOptions): Subscriptions {
  const { runtime, belongings, clock, log, subscribers } = options;
  const { records, jobs } = runtime;
  const ids = createDeliveryIds(records);
  const running = new Map<string, number>();
  const keyOf = (id: string) => `webhooks:delivery:${id}`;

  async function schedule(id: string, dueAt: number): Promise<void> {
    try {
      await jobs.schedule(`${prefix}${id}`, { dueAt }, { id });
    } catch (error) {
      log.warn({ delivery: id, reason: reasonOf(error) }, "a webhook has no job: this process will send it");
      clock.after(Math.max(dueAt - clock.now(), 0) + unscheduledMs, () => {
        perform(id).catch((failed: unknown) => {
          log.warn({ delivery: id, reason: reasonOf(failed) }, "a webhook waits for the next start");
        });
      });
    }
  }

  async function find(id: string): Promise<{ value: Delivery; etag: string } | undefined> {
    const row = await records.get(keyOf(id));
    return row && { value: delivery.parse(row.value), etag: row.etag };
  }

  async function tell(of: Announcement, to: Subscriber): Promise<void> {
    const wanted = to.events.includes(of.type);
    if (!wanted && !(of.type === "delivery.failed" && to.events.includes("message.answered"))) return;
    const fresh = deliveryOf(of, to, wanted);
    try {
      await Promise.all([
        wanted ? belongings.note(of.conversation, keyOf(fresh.id)) : undefined,
        records.put(keyOf(fresh.id), fresh, { etag: null, ttlMs: keptMs }),
      ]);
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      // Told before: by a process that may have died before its job was there.
      const known = await find(fresh.id);
      if (known?.value.state !== "waiting" || known.value.tried > 0) return;
    }
    if (!wanted) return;
    await ids.add(fresh.id);
    await schedule(fresh.id, clock.now());
  }

  async function perform(id: string): Promise<void> {
    const found = await find(id);
    if (found === undefined || found.value.state !== "waiting") return;
    const { value, etag } = found;
    const to = subscribers.find(({ key }) => key === value.subscriber);
    const busy = running.get(value.subscriber) ?? 0;
    if (busy >= mostAtOnce) return schedule(id, clock.now() + crowdedMs * (1 + 4 * Math.random()));
    running.set(value.subscriber, busy + 1);
    try {
      const { outcome, afterMs } = await tryOnce(to, value);
      await records.put(keyOf(id), outcome, { etag, ttlMs: keptMs });
      if (afterMs !== undefined) await schedule(id, clock.now() + afterMs);
    } catch (error) {
      // The same job, run twice at once: the other has written what became of it.
      if (!(error instanceof ConflictError)) throw error;
    } finally {
      running.set(value.subscriber, (running.get(value.subscriber) ?? 1) - 1);
    }
  }

  async function tryOnce(to: Subscriber | undefined, before: Delivery) {
    const at = clock.now();
    try {
      if (to === undefined) throw new AttemptError("nobody of this address is subscribed any more", { final: true });
      const { status } = await to.send(before.webhookId, before.body);
      return { outcome: after(before, "delivered", { at, ...(status === undefined ? {} : { status }) }) };
    } catch (error) {
      const { status, retryAfterMs = 0 } = error instanceof AttemptError ? error : {};
      const one = { at, ...(status === undefined ? { reason: reasonOf(error) } : { status }) };
      const wait = error instanceof AttemptError && error.final ? undefined : waits[before.tried];
      const about = { delivery: before.id, subscriber: before.name, status, tries: before.tried + 1 };
      if (wait === undefined) {
        log.error(
          { ...about, reason: reasonOf(error) },
          "a webhook is given up: `ascent webhooks replay` sends it again",
        );
        return { outcome: after(before, "given up", one) };
      }
      log.warn({ ...about, reason: reasonOf(error) }, "a webhook is tried again");
      // A tenth of it at random, so that what failed together does not come back together.
      return {
        outcome: after(before, "waiting", one),
        afterMs: Math.max(wait * (0.9 + Math.random() / 10), retryAfterMs),
      };
    }
  }

  return {
    async announce(announcements) {
      for (const of of announcements) {
        const account = `${of.of.channel}/${of.of.account}`;
        const concerned = subscribers.filter(({ accounts }) => accounts?.includes(account) !== false);
        await Promise.all(concerned.map((to) => tell(of, to)));
      }
    },
    async resume() {
      if (subscribers.length === 0) return;
      for (const id of await ids.list(Infinity)) {
        const one = (await find(id))?.value;
        // Its job is replaced, or was never there.
        if (one?.state === "waiting")
          await schedule(id, (one.tries.at(-1)?.at ?? one.at) + (waits[one.tried - 1] ?? 0));
      }
    },
    async run(job, data) {
      if (!job.startsWith(prefix)) return false;
      await perform((data as { id: string }).id);
      return true;
    },
    async log(limit) {
      const found = await Promise.all((await ids.list(limit)).map((id) => find(id)));
      return found.flatMap((one) => (one === undefined ? [] : [loggedOf(one.value)]));
    },
    async get(id) {
      const found = await find(id);
      return found && loggedOf(found.value);
    },
    async replay(id) {
      const found = await find(id);
      if (found === undefined) return false;
      const { value, etag } = found;
      if (!subscribers.some(({ key }) => key === value.subscriber))
        throw new InputError(`${value.name} is not among webhooks.subscribers any more`, { status: 409 });
      await records.put(keyOf(id), { ...value, state: "waiting", tried: 0 }, { etag, ttlMs: keptMs });
      await schedule(id, clock.now());
      return true;
    },
  };
}

function deliveryOf({ id, type, at, of, data }: Announcement, { key, name }: Subscriber, wanted: boolean): Delivery {
  return {
    v: 1,
    id: `${id}.${key}`,
    webhookId: id,
    subscriber: key,
    name,
    tenant: of.tenant,
    type,
    at,
    body: wanted ? JSON.stringify({ type, timestamp: new Date(at).toISOString(), data }) : "",
    state: wanted ? "waiting" : "unwanted",
    tried: 0,
    tries: [],
  };
}

function after(before: Delivery, state: Delivery["state"], one: z.infer<typeof attempt>): Delivery {
  return { ...before, state, tried: before.tried + 1, tries: [...before.tries, one].slice(-keptTries) };
}

function loggedOf({ body: _body, v: _v, tried: _tried, ...logged }: Delivery): LoggedDelivery {
  return logged;
}

/** A subscriber's key, from its address. */
export const subscriberKey = (address: string): string => digestOf(address);
