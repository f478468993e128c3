/** A turn whose model is asked by many at once: what it stands in line is not its own time, and the person is told. */
import { describe, expect, it } from "vitest";
import type { Agent, AgentTraits, TurnHooks, TurnOutput } from "../../src/agent.ts";
import type { CallAgent } from "../../src/agent-calls.ts";
import type { Channel } from "../../src/channel.ts";
import { BudgetError } from "../../src/budgets.ts";
import { BusyError } from "../../src/errors.ts";
import type { AgentId, TurnId } from "../../src/ids.ts";
import { runTurn, TurnAbandoned } from "../../src/turn-run.ts";
import { direct, memoryBlobs, message, quiet } from "./client-agent.fixture.ts";
import { handClock } from "./hand-clock.ts";

const minute = 60_000;
const traits: AgentTraits = { whileRunning: "queue", turnTimeoutMs: 5 * minute, historyItems: 10 };
const answer: TurnOutput = { answer: { parts: [{ kind: "text", text: "done", format: "markdown" }] } };

/** A turn on an agent that does what it is told; what the actor was told of it, and what the person saw. */
function begin(run: (hooks: TurnHooks) => Promise<TurnOutput>, locale?: string) {
  const clock = handClock();
  const told: { method: string; notice?: string; once?: object }[] = [];
  const shown: string[] = [];
  const abort = new AbortController();
  const channel: Partial<Channel> = {
    traits: { preview: { everyMs: 1_000, in: ["direct"] } } as unknown as Channel["traits"],
    preview: async (_to, { text }) => void shown.push(text),
  };
  const call = (async (_agent: unknown, method: string, { notice, once }: { notice?: string; once?: object }) => {
    told.push({ method, ...(notice !== undefined && { notice }), ...(once !== undefined && { once }) });
    const from = {
      ...message("hi"),
      ...(locale !== undefined && { participant: { ...message("hi").participant, locale } }),
    };
    return method === "take" ? { to: direct, history: [], messages: [from] } : "accepted";
  }) as unknown as CallAgent;
  const never = () => {
    throw new Error("not needed here");
  };
  const agent: Agent = { run: (_input, hooks) => run(hooks), summarize: never };
  const turn = { conversation: direct.conversation, turn: "turn-1" as TurnId, attempt: 1 };
  const ended = runTurn(
    {
      call,
      clock,
      log: quiet,
      blobs: memoryBlobs(),
      agentOf: () => ({ name: "agent", agent, traits }),
      channelOf: () => channel as Channel,
      approvals: { want: never, close: never },
      takeovers: { mayAsk: () => false, want: never, over: never },
      serve: never,
      switchAgent: never,
      tellAlive: true,
    },
    { agent: "person:1" as AgentId, turn, to: direct, abort, asking: new Set() },
  );
  return { clock, told, shown, abort, ended };
}

describe("a turn in line", () => {
  it("may stand there for longer than it may take, lives, and has all of its own time after it", async () => {
    const { clock, told } = begin(async ({ onWait }) => {
      onWait?.({ expectedMs: 8 * minute });
      await new Promise<void>((resolve) => void clock.after(8 * minute, resolve));
      onWait?.(undefined);
      return new Promise(() => {});
    });
    await clock.pass(8 * minute);
    expect(told.filter(({ method }) => method === "alive").length).toBeGreaterThan(90);
    await clock.pass(5 * minute - 1);
    expect(told.map(({ method }) => method)).not.toContain("fail");
    await clock.pass(1);
    expect(told.at(-1)).toEqual({ method: "fail", notice: "timeout" });
  });

  it("tells the person so in their language, where that is shown at all, and how long it will be", async () => {
    const { clock, shown, ended } = begin(async ({ onWait }) => {
      onWait?.({ expectedMs: 3 * minute });
      await new Promise<void>((resolve) => void clock.after(minute, resolve));
      onWait?.(undefined);
      return answer;
    }, "de-AT");
    await clock.pass(2 * minute);
    await ended;
    expect(shown).toEqual(["… Gerade fragen viele auf einmal: Du bist in der Reihe, etwa 3 min."]);
  });

  it("is not worth a word where it is short", async () => {
    const { clock, shown } = begin(async ({ onWait }) => {
      onWait?.({ expectedMs: 2_000 });
      await new Promise<void>((resolve) => void clock.after(2_000, resolve));
      onWait?.(undefined);
      return answer;
    });
    await clock.pass(minute);
    expect(shown).toEqual([]);
  });

  it("that would take too long is told as that", async () => {
    const { clock, told } = begin(() => Promise.reject(new BusyError("no model has room")));
    await clock.pass(0);
    expect(told.at(-1)).toEqual({ method: "fail", notice: "overloaded" });
  });

  it("before a budget that others have reserved is told to come back; where it has ended they hear that once", async () => {
    const of = { scope: "person", window: "day", period: "2026-11-26" } as const;
    for (const reserved of [true, false]) {
      const { clock, told } = begin(() => Promise.reject(new BudgetError({ ...of, reserved })));
      await clock.pass(0);
      const once = reserved ? undefined : { period: of.period, rule: "budget used up" };
      expect(told.at(-1)).toEqual({
        method: "fail",
        notice: reserved ? "overloaded" : "budgetDay",
        ...(once && { once }),
      });
    }
  });

  it("that is stopped there leaves no time running", async () => {
    const { clock, told, abort, ended } = begin(async ({ onWait, signal }) => {
      onWait?.({ expectedMs: minute });
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      onWait?.(undefined);
      throw signal.reason;
    });
    await clock.pass(minute);
    abort.abort(new TurnAbandoned("stopped"));
    await ended;
    await clock.pass(60 * minute);
    expect(told.map(({ method }) => method).filter((method) => method !== "alive")).toEqual(["take"]);
  });
});
