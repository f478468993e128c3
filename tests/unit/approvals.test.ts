import { describe, expect, it } from "vitest";
import type { AgentTraits } from "../../src/agent.ts";
import { createApprovals, type Wanted } from "../../src/approvals.ts";
import { askIdOf, questionOf } from "../../src/asks.ts";
import { reduce } from "../../src/conversation.ts";
import type { AgentEvent, Reply, TurnRef } from "../../src/events.ts";
import { InfrastructureError } from "../../src/errors.ts";
import { messageId, participantId, type TurnId } from "../../src/ids.ts";
import type { InboundEvent, InboundMessage, Participant } from "../../src/message.ts";
import type { Jobs } from "../../src/ports.ts";
import { waiting } from "../../src/waiting.ts";
import { readState } from "../../src/state.ts";
import { memoryRecords, testClock } from "./client-agent.fixture.ts";
import { activeTurn, batchOfThread, directChat } from "./conversation.fixture.ts";

const now = 20_000 * 86_400_000;
const { account, conversation, participant: ann, agent, to, message, command } = directChat({ at: now });
const bob: Participant = { id: participantId(account, "bob"), user: "bob" };

function pressed(name: string, button: string, from = ann): InboundMessage {
  return message(name, { participant: from, message: { parts: [{ kind: "press", button }], addressed: true } });
}

const calls = [{ tool: "bank__pay", args: '{"amount":5}' }];

function play(traits: Partial<AgentTraits> = {}) {
  let state = readState(new Map());
  const rows = new Map<string, unknown>();
  const all: AgentTraits = { whileRunning: "queue", turnTimeoutMs: 60_000, historyItems: 20, ...traits };
  const thread = () => state.inbox.threads[conversation];

  function tell(event: Record<string, unknown> & { type: AgentEvent["type"] }): Reply {
    const step = reduce(state, { agent, now, instance: "here", ...event } as unknown as AgentEvent, all);
    state = step.state;
    for (const [key, value] of step.rows) {
      if (value === undefined) rows.delete(key);
      else rows.set(key, value);
    }
    return step.reply;
  }
  const running = (): TurnRef & { readonly command?: string } => {
    const command = thread()?.turn?.command;
    return { ...activeTurn(conversation, thread()), ...(command && { command }) };
  };
  const taken = () => batchOfThread(thread());
  return {
    tell,
    rows,
    running,
    receive: (event: InboundEvent) => tell({ type: "received", event }),
    answer: (text = "answer") =>
      tell({
        type: "finished",
        ...running(),
        messages: taken(),
        answer: { parts: [{ kind: "text", text, format: "markdown" }] },
      }),
    /** The run stops before a call; @returns the id of what it waits for. */
    ask(by: "person" | "operator" = "person"): string {
      const id = askIdOf(agent, running().turn, taken());
      const pause = { state: "the run", calls, by, forMs: 1_000 };
      const asked = { id, by, state: pause.state };
      tell({ type: "finished", ...running(), messages: taken(), answer: questionOf([], id, pause, undefined), asked });
      return id;
    },
    isRunning: () => thread()?.turn !== undefined,
    asks: () => thread()?.asks?.map(({ id }) => id) ?? [],
    aside: () => state.inbox.aside?.map(({ id, rule }) => [id.split(":").at(-1), rule]),
    said: () => state.outbox.entries.map(({ answer, answers }) => [answer.notice ?? "answer", answers.length]),
    /** What each says of calls that wait, with the names of the messages that led to them. */
    about: () =>
      state.outbox.entries.map(({ asks, decides }) =>
        [asks, decides].map((of) => of && [of.id, of.by, ...of.from.map((one) => one.split(":").at(-1))]),
      ),
    history: () => state.history.items.map(({ role, text }) => `${role}: ${text}`),
  };
}

function asked(by: "person" | "operator" = "person", traits: Partial<AgentTraits> = {}) {
  const game = play(traits);
  game.receive(message("pay"));
  return { game, id: game.ask(by) };
}

describe("a call that needs a word", () => {
  it("is asked of the person with two buttons; the run's state is in a row of its own", () => {
    const { game, id } = asked();
    expect(game.said()).toEqual([["answer", 1]]);
    expect(game.rows.get(`ask:${id}`)).toEqual({ v: 1, state: "the run" });
    expect(game.history().at(-1)).toContain("bank__pay");
    expect(game.isRunning()).toBe(false);
  });

  it("goes on with the press in a turn of its own, in its place, and is asked once", () => {
    const { game, id } = asked();
    game.receive(message("meanwhile"));
    game.receive(pressed("yes", `approve:${id}`));
    game.receive(message("after"));
    expect(game.running().command).toBeUndefined();
    game.answer();
    expect(game.running().command).toBe(messageId(account, "chat", "yes"));
    game.answer("paid");
    expect(game.asks()).toEqual([]);
    expect(game.rows.size).toBe(0);
    expect(game.running().command).toBeUndefined();
    expect(game.history()).toContain("agent: paid");
  });

  it("is named by what asks and by what comes of it, with what led to it, whoever decides", () => {
    const { game, id } = asked();
    game.receive(pressed("yes", `approve:${id}`));
    const next = game.ask("operator");
    game.receive({ ...pressed("operator", `approve:${next}`), note: { topic: "approval" } });
    game.answer("paid");
    expect(game.about()).toEqual([
      [[id, "person", "pay"], undefined],
      [
        [next, "operator", "pay", "yes"],
        [id, "person", "pay"],
      ],
      [undefined, [next, "operator", "pay", "yes"]],
    ]);
    const late = asked();
    late.game.tell({ type: "expired", conversation, ask: late.id });
    expect(late.game.about().at(-1)).toEqual([undefined, [late.id, "person", "pay"]]);
  });

  it("pressed twice is decided once; the second press is set aside by its rule", () => {
    const { game, id } = asked();
    game.receive(pressed("yes", `approve:${id}`));
    game.receive(pressed("again", `deny:${id}`));
    game.answer();
    expect(game.isRunning()).toBe(false);
    expect(game.aside()).toEqual([["again", "already decided"]]);
    expect(game.said()).toHaveLength(2);
  });

  it("is nobody else's to decide, and an operator's alone where a rule says so", () => {
    const { game, id } = asked();
    game.receive(pressed("bob", `approve:${id}`, bob));
    expect(game.aside()).toEqual([["bob", "not theirs to decide"]]);
    const other = asked("operator");
    other.game.receive(pressed("ann", `approve:${other.id}`));
    expect(other.game.aside()).toEqual([["ann", "not theirs to decide"]]);
    other.game.receive({ ...pressed("operator", `approve:${other.id}`), note: { topic: "approval" } });
    expect(other.game.running().command).toBeDefined();
  });

  it("goes on after the death of its process with the same word", () => {
    const { game, id } = asked();
    game.receive(pressed("yes", `approve:${id}`));
    const { command: word } = game.running();
    game.tell({ type: "silent", turns: [game.running()] });
    expect(game.running()).toMatchObject({ attempt: 2, command: word });
    expect(game.asks()).toEqual([id]);
  });

  it("is not done where it failed after the word, and asked no second time", () => {
    const { game, id } = asked();
    game.receive(pressed("yes", `approve:${id}`));
    game.tell({ type: "failed", ...game.running(), messages: [messageId(account, "chat", "yes")], notice: "failed" });
    expect(game.asks()).toEqual([]);
  });

  it("that nobody decides in time is over, and the person is told", () => {
    const { game, id } = asked();
    expect(game.tell({ type: "expired", conversation, ask: id })).toBe("accepted");
    expect(game.tell({ type: "expired", conversation, ask: id })).toBe("stale");
    expect(game.said().at(-1)).toEqual(["approvalExpired", 0]);
    game.receive(pressed("late", `approve:${id}`));
    expect(game.aside()).toEqual([["late", "already decided"]]);
  });

  it("does not expire while a word on it waits for its turn; it does while only somebody else's does", () => {
    const { game, id } = asked();
    game.receive(message("meanwhile"));
    game.receive(pressed("bob", `approve:${id}`, bob));
    const other = asked();
    other.game.receive(message("meanwhile"));
    other.game.receive(pressed("yes", `approve:${other.id}`));
    expect(other.game.tell({ type: "expired", conversation, ask: other.id })).toBe("busy");
    other.game.answer();
    expect(other.game.tell({ type: "expired", conversation, ask: other.id })).toBe("busy");
    other.game.answer();
    expect(other.game.tell({ type: "expired", conversation, ask: other.id })).toBe("stale");
    expect(game.tell({ type: "expired", conversation, ask: id })).toBe("accepted");
  });

  it("does not expire for a word that was behind a full inbox, either", () => {
    const { game, id } = asked();
    for (let count = 0; count < waiting.inbox; count++) game.receive(message(`more ${count}`));
    game.receive(pressed("yes", `approve:${id}`));
    expect(game.tell({ type: "expired", conversation, ask: id })).toBe("busy");
  });

  it("whose time is over before its question is kept expires after that", () => {
    const game = play();
    game.receive(message("pay"));
    const { turn } = game.running();
    expect(game.tell({ type: "expired", conversation, ask: "any", turn })).toBe("busy");
    const id = game.ask();
    expect(game.tell({ type: "expired", conversation, ask: id, turn })).toBe("accepted");
    expect(game.asks()).toEqual([]);
  });

  it("is not gone on with where a /stop that was sent before its word comes after it", () => {
    const game = play();
    game.receive(message("pay", { sequence: 1 }));
    const id = game.ask();
    game.receive({ ...pressed("yes", `approve:${id}`), sequence: 3 });
    expect(game.isRunning()).toBe(true);
    game.receive({ ...command("stop"), sequence: 2 });
    expect(game.isRunning()).toBe(false);
    expect(game.aside()).toEqual([["yes", "already decided"]]);
  });

  it.each(["stop", "reset"])("is given up by /%s, also where its run goes on just now", (name) => {
    const { game, id } = asked();
    game.receive(command(name));
    expect(game.asks()).toEqual([]);
    const other = asked();
    other.game.receive(pressed("yes", `approve:${other.id}`));
    other.game.receive(command(name));
    expect(other.game.isRunning()).toBe(false);
    expect(game.rows.size + other.game.rows.size).toBe(0);
    expect(id).not.toBe(undefined);
  });

  it("does not start a running turn again by its word", () => {
    const { game, id } = asked("person", { whileRunning: "interrupt" });
    game.receive(message("next"));
    const { attempt } = game.running();
    game.receive(pressed("yes", `approve:${id}`));
    expect(game.running().attempt).toBe(attempt);
  });
});

describe("what operators see", () => {
  function opened(replies: Reply[] = []) {
    const told: InboundEvent[] = [];
    const jobs = new Map<string, unknown>();
    const scheduled: Jobs = {
      schedule: async (name, _when, data) => void jobs.set(name, data),
      cancel: async (name) => void jobs.delete(name),
      handle: () => undefined,
    };
    const expired: string[] = [];
    const approvals = createApprovals({
      records: memoryRecords(),
      jobs: scheduled,
      inbound: { tell: async (event) => void told.push(event) },
      call: (async (_id: string, _method: string, { ask }: { ask: string }) => (
        expired.push(ask),
        replies.shift() ?? "accepted"
      )) as never,
      clock: { ...testClock(), now: () => now },
    });
    return { approvals, told, jobs, expired };
  }
  const turn = "t1" as TurnId;
  const wanted: Omit<Wanted, "verdict" | "at"> = {
    id: "a".repeat(16),
    agent,
    to,
    participant: ann,
    by: "operator",
    calls,
    until: now + 1_000,
  };

  it("is what is open, once, and decided once: the same again is the same, another's word comes too late", async () => {
    const { approvals, told, jobs } = opened();
    await approvals.want(wanted, turn);
    await approvals.want(wanted, turn);
    expect(await approvals.list([account])).toHaveLength(1);
    expect(jobs.size).toBe(1);
    const verdict = { approved: true, by: "eve", note: " up to 10 " };
    await approvals.decide(wanted.id, verdict, [account]);
    await approvals.decide(wanted.id, verdict, [account]);
    const late = approvals.decide(wanted.id, { approved: false, by: "mallory" }, [account]);
    await expect(late).rejects.toThrow("eve has decided it already");
    expect(new Set(told.map(({ id }) => id)).size).toBe(1);
    expect(told[0]).toMatchObject({
      note: { topic: "approval" },
      message: { parts: [{ button: `approve:${wanted.id}`, label: "eve" }, { text: "up to 10" }] },
    });
    expect(await approvals.list([account])).toEqual([]);
    await approvals.close({ id: wanted.id, to }, { approved: true, by: "eve" });
    expect(jobs.size).toBe(0);
    await expect(approvals.decide(wanted.id, verdict, [account])).rejects.toThrow("waits for a decision");
  });

  it("of another account or another tenant is not there", async () => {
    const { approvals } = opened();
    await approvals.want(wanted, turn);
    const other = { ...account, tenant: "other" };
    expect(await approvals.list([other])).toEqual([]);
    await expect(approvals.decide(wanted.id, { approved: true, by: "eve" }, [other])).rejects.toThrow(wanted.id);
  });

  it("ends by its job", async () => {
    const { approvals, jobs, expired } = opened();
    await approvals.want(wanted, turn);
    const [[name, data] = []] = [...jobs];
    expect(await approvals.run(name ?? "", data)).toBe(true);
    expect(expired).toEqual([wanted.id]);
    expect(await approvals.list([account])).toEqual([]);
    expect(await approvals.run("webhook:1", {})).toBe(false);
  });

  it("ends by its job once it is known whether anybody has decided, and where nothing waits any more", async () => {
    const { approvals, jobs } = opened(["busy", "unwatched", "stale"]);
    await approvals.want(wanted, turn);
    const [[name, data] = []] = [...jobs];
    await expect(approvals.run(name ?? "", data)).rejects.toThrow(InfrastructureError);
    await expect(approvals.run(name ?? "", data)).rejects.toThrow(InfrastructureError);
    expect(await approvals.list([account])).toHaveLength(1);
    await approvals.run(name ?? "", data);
    expect(await approvals.list([account])).toEqual([]);
  });
});
