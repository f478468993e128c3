import { perform, type Action, type Done } from "./actions.ts";
import { drive, type DriveOptions, type DriveReport } from "./drive.ts";
import type { Fault, Faults } from "./faults.ts";
import { isAnswer, type CallEntry, type FakeLog, type UpdateEntry } from "./log.ts";
import type { Chat } from "./types.ts";
import type { World } from "./world.ts";

/**
 * The control commands of the fake: requests and answers by name. In process they are called directly; from another
 * process `POST /control/<name>` carries the request as JSON. `bot` is a token; the first bot when absent.
 */
export interface Commands {
  perform: (request: { bot?: string; action: Action }) => Done;
  chat: (request: { bot?: string; chat: Partial<Chat> & { id: number } }) => true;
  album: (request: { bot?: string }) => string;
  fault: (request: Fault) => true;
  clearFaults: () => true;
  calls: (request: { after?: number }) => CallEntry[];
  updates: () => UpdateEntry[];
  /**
   * The answers of a chat among the calls after `after` (by default: after its newest update), once there are more than
   * `known` of them or `waitMs` have passed.
   */
  replies: (request: {
    bot?: string;
    chat: number;
    after?: number;
    known?: number;
    waitMs?: number;
  }) => Promise<CallEntry[]>;
  /** Where a wait for a reply begins: the last call before the chat's newest update. */
  lastInbound: (request: { bot?: string; chat: number }) => number;
  /** Posts an update to the webhook again, at once, this many times; resolves to the statuses. */
  redeliver: (request: { updateId: number; times?: number }) => Promise<number[]>;
  drive: (request: DriveOptions & { bot?: string }) => Promise<DriveReport>;
  clearLog: () => true;
}

export function createCommands(worlds: ReadonlyMap<string, World>, log: FakeLog, faults: Faults): Commands {
  const worldOf = (bot?: string): World => {
    const world = bot === undefined ? worlds.values().next().value : worlds.get(bot);
    if (world === undefined) throw new Error("the fake has no bot with this token");
    return world;
  };
  return {
    perform: ({ bot, action }) => perform(worldOf(bot), log, action),
    chat({ bot, chat }) {
      worldOf(bot).chat(chat.id, chat);
      return true;
    },
    album: ({ bot }) => worldOf(bot).nextLongId(),
    fault(fault) {
      faults.add(fault);
      return true;
    },
    clearFaults() {
      faults.clear();
      return true;
    },
    calls: ({ after = 0 }) => log.calls.filter((call) => call.seq > after),
    updates: () => log.updates,
    async replies({ bot, chat, after, known = 0, waitMs = 0 }) {
      const { chat: world, me } = worldOf(bot);
      const from = after ?? world(chat).lastInbound;
      const find = () => answersAfter(log.calls, from).filter((call) => call.chat === chat && call.bot === me.id);
      if (find().length <= known && waitMs > 0) await nextAnswer(log, chat, waitMs);
      return find();
    },
    lastInbound: ({ bot, chat }) => worldOf(bot).chat(chat).lastInbound,
    redeliver({ updateId, times = 1 }) {
      const update = log.updates.find((entry) => entry.updateId === updateId);
      const world = [...worlds.values()].find(({ me }) => me.id === update?.bot);
      if (update === undefined || world === undefined) throw new Error(`no update ${updateId}`);
      return world.updates.webhook.repeat(update.body, times);
    },
    drive: ({ bot, ...options }) => drive(worldOf(bot), log, options),
    clearLog() {
      log.clear();
      return true;
    },
  };
}

function answersAfter(calls: readonly CallEntry[], after: number): CallEntry[] {
  const found: CallEntry[] = [];
  for (let index = calls.length - 1; index >= 0; index -= 1) {
    const call = calls[index];
    if (call === undefined || call.seq <= after) break;
    if (isAnswer(call)) found.push(call);
  }
  return found.reverse();
}

function nextAnswer(log: FakeLog, chat: number, waitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      stop();
      resolve();
    };
    const timer = setTimeout(done, waitMs);
    const stop = log.onAccepted((call) => {
      if (call.chat === chat && isAnswer(call)) done();
    });
  });
}
