/** What came while nobody listened, or while the core accepted nothing. */
import { expect, test } from "vitest";
import { createHistory } from "../../../channels/discord/history.ts";
import type { Arrived } from "../../../channels/discord/intake.ts";
import { idAt } from "../../../channels/discord/snowflake.ts";
import { createWaits } from "../../../src/waits.ts";
import { clock, probe } from "../../contract/channel-deps.ts";

const base = BigInt(idAt(Date.now() - 60_000));
const id = (n: number) => String(base + BigInt(n));
const chat = id(1);

/** A channel whose messages are `there`, and a queue that takes nothing until it is told to. */
function setUp(there: readonly string[], mostWaiting: number) {
  const { log } = probe({ tenant: "t", channel: "discord", account: "main" }).deps;
  const queued: Arrived[] = [];
  const room = Promise.withResolvers<void>();
  let asked = 0;
  const history = createHistory(
    {
      api: {
        attempt: async (_operation: string, call: { query: { after?: string; limit: string } }) => {
          asked += 1;
          if (asked === 1) throw new Error("a server error");
          const { after } = call.query;
          if (after === undefined) return [];
          return there
            .filter((one) => BigInt(one) > BigInt(after))
            .slice(0, Number(call.query.limit))
            .map((one) => ({ id: one, channel_id: chat }));
        },
      } as never,
      guilds: { learn() {}, ownRoles: new Set<string>(), places: () => new Map() },
      places: {
        lastOf: async () => (queued.at(-1)?.d as { id: string } | undefined)?.id ?? id(10),
        since: async () => id(0),
      } as never,
      queue: {
        add: (arrived) => void queued.push(...arrived),
        get size() {
          return queued.length;
        },
        room: () => room.promise,
        closed: Promise.resolve(),
      },
      waits: createWaits({ ...clock, after: (_ms, task) => clock.after(1, task) }),
      log,
      about: {},
      clock,
      missedMs: 3_600_000,
      mostWaiting,
    },
    new AbortController().signal,
  );
  const live = (n: number) =>
    history.live(chat, { t: "MESSAGE_CREATE", s: n, d: { id: id(n), channel_id: chat }, session: "s" });
  return { history, live, queued, room, idsOf: () => queued.map(({ d }) => (d as { id: string }).id) };
}

test("what was missed comes before what came live meanwhile, each once, though the first try fails", async () => {
  const there = Array.from({ length: 250 }, (_, n) => id(11 + n));
  const { live, room, idsOf } = setUp(there, 1_000);
  for (const n of [259, 260, 261]) live(n);
  room.resolve();
  await expect.poll(() => idsOf().length).toBe(251);
  expect(idsOf()).toEqual([...there, id(261)]);
});

test("what comes live while too much waits is let go, and fetched when there is room", async () => {
  const there = Array.from({ length: 30 }, (_, n) => id(11 + n));
  const { live, queued, room, idsOf } = setUp(there, 5);
  for (let n = 11; n <= 40; n++) live(n);
  expect(queued).toEqual([]);
  room.resolve();
  await expect.poll(() => idsOf().length).toBe(30);
  expect(idsOf()).toEqual(there);
});
