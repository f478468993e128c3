/** Dispatches on their way to the core: one after the other as they came, held until they are durable. */
import { setImmediate as nextTick } from "node:timers/promises";
import type { ChannelDeps } from "../../src/channel.ts";
import { reasonOf } from "../../src/errors.ts";
import type { Arrived, Intake } from "./intake.ts";
import type { Interaction } from "./interaction.ts";
import type { Places } from "./places.ts";
import { latestOf } from "./snowflake.ts";
import type { Tokens } from "./tokens.ts";
import type { Waits } from "../../src/waits.ts";

const mostPerBatch = 100;

export interface Queue {
  add(arrived: readonly Arrived[]): void;
  readonly size: number;
  /** Resolves when so many at most are left, or it has ended. */
  room(atMost: number): Promise<void>;
  /** Resolves when nothing is handed over any more, after `signal` of {@link createQueue} has aborted. */
  readonly closed: Promise<void>;
}

export interface QueueOptions {
  readonly deps: ChannelDeps;
  readonly intake: Intake;
  readonly places: Places;
  readonly tokens: Tokens;
  readonly waits: Waits;
  /** The interaction is durable, or refused. */
  readonly onInteraction: (interaction: Interaction) => void;
}

export function createQueue(options: QueueOptions, signal: AbortSignal): Queue {
  const { deps, intake, places, tokens, waits, onInteraction } = options;
  const about = { channel: deps.channel, account: deps.account };
  const waiting: Arrived[] = [];
  const rooms = new Set<{ readonly atMost: number; resolve(): void }>();
  let running: Promise<void> | undefined;
  const closed = Promise.withResolvers<void>();

  const interactionsIn = (batch: readonly Arrived[]) =>
    batch.flatMap(({ t, d }) => (t === "INTERACTION_CREATE" ? [d as Interaction] : []));

  async function handOver(batch: readonly Arrived[]): Promise<boolean> {
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        for (const interaction of interactionsIn(batch)) await tokens.keep(interaction);
        await intake.accept(batch, failures);
        await advance(batch);
        return true;
      } catch (error) {
        const reason = reasonOf(error);
        log(reason, batch.length);
        await waits.pause(error, failures, signal);
      }
    }
    return false;
  }

  function log(reason: string, dispatches: number): void {
    deps.log.warn({ ...about, dispatches, reason }, "discord: dispatches not accepted, they are held");
  }

  /** The core has all of them: history is fetched from behind the last message of each channel. */
  async function advance(batch: readonly Arrived[]): Promise<void> {
    const messages = batch.flatMap(({ t, d }) =>
      t === "MESSAGE_CREATE" ? [d as { channel_id: string; id: string }] : [],
    );
    for (const [channel, of] of Map.groupBy(messages, (message) => message.channel_id)) {
      const id = latestOf(of.flatMap((message) => (/^\d+$/.test(message.id) ? [message.id] : [])));
      if (id !== undefined && typeof channel === "string") await places.advance(channel, id);
    }
  }

  async function run(): Promise<void> {
    // What arrives in one go is handed over in one go.
    await nextTick();
    while (waiting.length > 0 && !signal.aborted) {
      const batch = waiting.slice(0, mostPerBatch);
      if (!(await handOver(batch))) break;
      waiting.splice(0, batch.length);
      for (const interaction of interactionsIn(batch)) onInteraction(interaction);
      for (const room of rooms) if (waiting.length <= room.atMost) room.resolve();
    }
  }

  function start(): void {
    running ??= run().finally(() => {
      running = undefined;
      if (signal.aborted) end();
      else if (waiting.length > 0) start();
    });
  }

  function end(): void {
    for (const room of rooms) room.resolve();
    if (running === undefined) closed.resolve();
  }

  if (signal.aborted) end();
  signal.addEventListener("abort", end, { once: true });

  return {
    add(arrived) {
      if (signal.aborted || arrived.length === 0) return;
      waiting.push(...arrived);
      start();
    },
    get size() {
      return waiting.length;
    },
    async room(atMost) {
      if (waiting.length <= atMost || signal.aborted) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const room = { atMost, resolve };
      rooms.add(room);
      await promise;
      rooms.delete(room);
    },
    closed: closed.promise,
  };
}
