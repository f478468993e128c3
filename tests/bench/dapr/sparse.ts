/**
 * Many conversations, each with one turn in two minutes: whoever writes finds an agent that has left the memory, reminders are
 * armed and disarmed. Ours, the floor, and the floor with a reminder of its own run side by side at the same pace; measured
 * is from the second visit of a conversation on.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { shown, type Figure } from "../figures.ts";
import { outcomeOf, pour, type Arrivals } from "../open-loop.ts";
import type { Scenario } from "../scenario.ts";
import { startWorld } from "../world.ts";
import { startFloor, startOurs, type OnDapr } from "./contenders.ts";
import { countsOf, perTurn } from "./counts.ts";
import { stateSizeOf } from "./state.ts";

const periodMs = 120_000;
const perSecond = 30;
const chats = (perSecond * periodMs) / 1_000;
const restMs = 10_000;

interface Spent {
  readonly cpuMs: number;
  readonly parts: Readonly<Record<string, number>>;
  readonly answered: number;
  readonly unanswered: number;
  readonly calls: string;
  readonly restMsPerSecond: number;
}

export const daprSparse: Scenario = {
  name: "dapr sparse",
  limit: { quick: 420, full: 900 },
  async run({ session, handicap, full, say }) {
    const measuredMs = full ? 2 * periodMs : periodMs / 2;
    const world = await startWorld(session, { bots: 3 });
    const ours = await startOurs({ session, world, handicap });
    await ours.people.drive({ users: 20, turns: 2, firstUser: 10_000 });
    const { bytes: stateBytes } = await stateSizeOf(ours.stack.redisUrl);
    const all = [
      ours,
      await startFloor({ session, world, bot: 1, stateBytes }),
      await startFloor({ session, world, bot: 2, stateBytes, reminder: true }),
    ];
    say(`${chats} conversations, ${perSecond} turns/s, ${(periodMs + measuredMs) / 1_000} s …`);
    const resting = all.map((each) => each.cpuMs());
    await sleep(restMs);
    const rest = all.map((each, at) => ((each.cpuMs() - (resting[at] ?? 0)) / restMs) * 1_000);
    const spent = await Promise.all(all.map((each, at) => visit(each, at, measuredMs, rest[at] ?? 0)));
    return figuresOf(all, spent, stateBytes);
  },
};

async function visit(contender: OnDapr, at: number, measuredMs: number, restMsPerSecond: number): Promise<Spent> {
  const { people, stack } = contender;
  const firstChat = 100_000 * (at + 1);
  const all = { perSecond, firstChat, chats };
  await pour(people, { ...all, durationMs: periodMs, firstTurn: 1 });
  const before = { cpuMs: contender.cpuMs(), parts: contender.cpuParts?.() ?? {}, counts: await countsOf(stack) };
  const measured: Arrivals = { ...all, durationMs: measuredMs, firstTurn: 2 };
  const sent = await pour(people, measured);
  const cpuMs = contender.cpuMs() - before.cpuMs;
  const parts = Object.entries(contender.cpuParts?.() ?? {});
  const counts = perTurn(before.counts, await countsOf(stack), sent);
  const outcome = await outcomeOf(people, measured);
  const answered = outcome.answered - (outcome.sent - sent);
  return {
    cpuMs: cpuMs / answered,
    parts: Object.fromEntries(parts.map(([part, ms]) => [part, (ms - (before.parts[part] ?? 0)) / answered])),
    answered,
    unanswered: outcome.sent - outcome.answered,
    calls: counts
      .filter(([name]) => !name.startsWith("redis"))
      .map(([name, count]) => `${name} ${shown(count)}`)
      .join(", "),
    restMsPerSecond,
  };
}

function figuresOf(all: readonly OnDapr[], spent: readonly Spent[], stateBytes: number): Figure[] {
  const [ours, ...floors] = spent;
  const each = all.flatMap(({ name }, at): Figure[] => {
    const of = spent[at];
    if (of === undefined) return [];
    const parts = Object.entries(of.parts).map(([part, ms]) => `${part} ${shown(ms)}`);
    return [
      {
        name: `sparse, ${name}: CPU per turn`,
        measured: of.cpuMs,
        unit: "ms",
        detail: `${parts.join(", ")}; at rest ${shown(of.restMsPerSecond)} CPU-ms a second; ${of.answered} turns; ${of.calls}`,
      },
    ];
  });
  const ratios = floors.map((floor, at): Figure => ({
    name: `sparse: CPU per turn, ours / ${all[at + 1]?.name}`,
    measured: (ours?.cpuMs ?? Number.NaN) / floor.cpuMs,
    unit: "x",
    bound: { most: 1.3 },
    detail: `one turn per conversation in ${periodMs / 1_000} s, ${chats} conversations, state of an agent ${shown(stateBytes)} bytes`,
  }));
  const unanswered = ours?.unanswered ?? Number.NaN;
  return [
    ...each,
    ...ratios,
    { name: "sparse: messages of ours that no answer names", measured: unanswered, unit: "", bound: { most: 0 } },
  ];
}
