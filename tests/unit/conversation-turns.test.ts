import { describe, expect, it } from "vitest";
import type { AgentTraits } from "../../src/agent.ts";
import { conversationId } from "../../src/ids.ts";
import { isBusy, readQuiet, threadsOf } from "../../src/state.ts";
import {
  account,
  agent,
  command,
  conversation,
  deletion,
  id,
  message,
  noon,
  play,
  to,
} from "./conversation.fixture.ts";

describe("a turn that has begun", () => {
  const begun = (whileRunning: AgentTraits["whileRunning"]) => {
    const game = play({ whileRunning });
    game.receive(message("m3", { sequence: 3 }), "/help");
    game.tell({ type: "waited", conversation, missing: id("/help") });
    const turn = game.running();
    const taken = [id("m3")];
    game.tell({ type: "received", event: { ...command("help"), sequence: 2 }, taken });
    game.tell({ type: "received", event: message("m1", { sequence: 1 }), taken });
    return { game, turn };
  };

  it("stays with its message when its runner dies and a command has come before it since", () => {
    const { game, turn } = begun("queue");
    game.tell({ type: "silent", turns: [turn] });
    expect(game.running()).toEqual({ ...turn, attempt: 2 });
    game.finish(game.running());
    game.finish(game.running());
    expect(game.answers().map((of) => of.answers)).toEqual([[id("m3")], [id("m1")], [id("/help")]]);
  });

  it("is not interrupted by what it cannot take", () => {
    const { game, turn } = begun("interrupt");
    expect(game.running()).toEqual(turn);
    game.receive(message("m4", { sequence: 4 }));
    expect(game.running()).toEqual(turn);
    while (game.pending().length > 0) game.finish(game.running());
    expect(game.answers().map((of) => of.answers)).toEqual([[id("m3")], [id("m1")], [id("/help")], [id("m4")]]);
  });

  it("keeps all of its messages when its runner dies and a command has come between them since", () => {
    const game = play({ whileRunning: "interrupt" });
    game.receive(message("m1", { sequence: 1 }));
    game.receive(message("m3", { sequence: 3 }));
    const turn = game.running();
    const taken = [id("m1"), id("m3")];
    game.tell({ type: "received", event: { ...command("help"), sequence: 2 }, taken });
    game.tell({ type: "received", event: message("m4", { sequence: 4 }), taken });
    game.tell({ type: "silent", turns: [turn] });
    expect(game.running()).toEqual({ ...turn, attempt: 3 });
    while (game.pending().length > 0) game.finish(game.running());
    expect(game.answers().map((of) => of.answers)).toEqual([[id("m1"), id("m3")], [id("/help")], [id("m4")]]);
  });

  it("stays with its message when one that waits for another has come before it since", () => {
    const game = play();
    game.receive(message("m3", { sequence: 3 }));
    const turn = game.running();
    const taken = [id("m3")];
    const event = message("m2", { sequence: 2 });
    game.tell({ type: "received", event, taken });
    // As a copy by another process has it.
    game.tell({ type: "received", event, taken, previous: [id("m1")] });
    game.tell({ type: "silent", turns: [turn] });
    expect(game.running()).toEqual({ ...turn, attempt: 2 });
    game.finish(game.running());
    expect(game.answers().map((of) => of.answers)).toEqual([[id("m3")]]);
  });

  it("goes on with the rest of what it took when its first message is deleted", () => {
    const game = play({ whileRunning: "interrupt" });
    game.receive(message("m3", { sequence: 3 }));
    game.receive(message("m4", { sequence: 4 }));
    const turn = game.running();
    const taken = [id("m3"), id("m4")];
    game.tell({ type: "received", event: { ...command("help"), sequence: 2 }, taken });
    game.tell({ type: "received", event: message("m1", { sequence: 1 }), taken });
    game.tell({ type: "received", event: deletion("m3"), taken });
    expect(game.running()).toEqual({ ...turn, attempt: 3 });
    game.finish(game.running());
    expect(game.answers()[0]?.answers).toEqual([id("m4")]);
  });

  it("is not called off by a /stop that was sent before its messages", () => {
    const game = play();
    game.receive(message("m3", { sequence: 3 }));
    const turn = game.running();
    const taken = [id("m3")];
    game.tell({ type: "received", event: message("m1", { sequence: 1 }), taken });
    game.tell({ type: "received", event: { ...command("stop"), sequence: 2 }, taken });
    expect(game.aside()).toEqual([[id("m1"), "stopped"]]);
    expect(game.running()).toEqual(turn);
  });
});

describe("a turn that falls silent", () => {
  it("is run again under the next attempt; the old one's answer is refused", () => {
    const game = play();
    game.receive(message("m1"));
    const first = game.running();
    game.tell({ type: "silent", turns: [first] });
    expect(game.running()).toEqual({ ...first, attempt: 2 });
    expect(game.finish(first)).toBe("stale");
    expect(game.finish(game.running())).toBe("accepted");
  });

  it("that often is given up, and the person is told", () => {
    const game = play();
    game.receive(message("m1"));
    for (let n = 0; n < 11; n++) game.tell({ type: "silent", turns: [game.running()] });
    expect(game.answers()).toEqual([{ seq: 1, answers: [id("m1")], notice: "failed" }]);
  });

  it("that often while it serves a command of the gateway's own is given up as well", () => {
    const game = play();
    game.receive(command("export"));
    const { turn } = game.running();
    for (let n = 0; n < 11; n++) {
      expect(game.running().turn).toBe(turn);
      game.tell({ type: "silent", turns: [game.running()] });
    }
    expect(game.answers()).toEqual([{ seq: 1, answers: [id("/export")], notice: "failed" }]);
  });
});

describe("deliveries", () => {
  it("that are settled leave the outbox", () => {
    const game = play();
    game.receive(message("m1"));
    game.finish(game.running());
    game.receive(message("m2"));
    game.finish(game.running());
    game.tell({ type: "settled", upTo: [{ conversation, seq: 1 }] });
    expect(game.answers().map((of) => of.seq)).toEqual([2]);
    expect(isBusy(game.state())).toBe(true);
  });

  it("that are given up are told once, and the telling's own failure is not", () => {
    const game = play();
    game.receive(message("m1"));
    game.finish(game.running());
    const receipt = { v: 1, kind: "failed", agent, to, seq: 1, notice: false, reason: "blocked", at: noon };
    expect(game.tell({ type: "undelivered", receipt })).toBe("accepted");
    expect(game.tell({ type: "undelivered", receipt })).toBe("duplicate");
    expect(game.answers().map((of) => of.notice)).toEqual([undefined, "undelivered"]);
    game.tell({ type: "undelivered", receipt: { ...receipt, seq: 2, notice: true } });
    expect(game.answers()).toHaveLength(2);
  });
});

describe("what is kept", () => {
  it("does not grow with the number of turns", () => {
    const game = play();
    const size = () => JSON.stringify({ ...game.state().inbox, ...game.state().history }).length;
    const turns = (from: number, count: number) => {
      for (let n = from; n < from + count; n++) {
        game.receive(message(`m${n}`));
        game.finish(game.running());
        game.tell({ type: "settled", upTo: [{ conversation, seq: n }] });
      }
    };
    turns(1, 100);
    const before = size();
    turns(101, 900);
    expect(size()).toBeLessThan(before * 1.1);
  });

  it("does not grow with the number of a person's conversations, and a quiet one goes on where it was", () => {
    const game = play();
    const stored = new Map<string, unknown>();
    const at = (n: number) => ({ ...to, conversation: conversationId(account, `chat${n}`) });
    const converse = (n: number, name: string): number => {
      const { conversation: of } = at(n);
      game.know(of, stored.get(of));
      game.receive(message(name, { address: at(n) }));
      const thread = game.state().inbox.threads[of];
      if (thread?.turn === undefined) throw new Error("no turn is active");
      const { id: turn, attempt } = thread.turn;
      game.finish({ conversation: of, turn, attempt }, "answer", [id(name)]);
      for (const away of game.away()) stored.set(away, game.state().quiet[away]);
      return game.state().inbox.threads[of]?.seq ?? 0;
    };
    for (let n = 0; n < 200; n++) expect(converse(n, `a${n}`)).toBe(1);
    expect(threadsOf(game.state().inbox)).toHaveLength(32);
    for (const n of [0, 199, 100, 0]) converse(n, `b${n}${stored.size}`);
    expect(converse(0, "c")).toBe(4);
  });

  it("knows of a conversation in which only the gateway spoke that nobody was heard there, also when it was put away", () => {
    const game = play();
    const { message: _message, ...header } = message("notice");
    game.receive({ ...header, kind: "notice", notice: "unpaired", values: { code: "AAAA-BBBB" } });
    expect(game.state().inbox.threads[conversation]?.unheard).toBe(true);
    for (let n = 0; n < 40; n++)
      game.receive({ ...deletion(`d${n}`), address: { ...to, conversation: conversationId(account, `chat${n}`) } });
    const stored = game.state().quiet[conversation];
    expect(game.state().inbox.threads[conversation]).toBeUndefined();
    game.know(conversation, stored);
    game.receive({ ...header, kind: "notice", id: id("again"), notice: "paired" });
    expect(game.state().inbox.threads[conversation]?.unheard).toBe(true);
    game.receive(message("m1"));
    expect(game.state().inbox.threads[conversation]?.unheard).toBeUndefined();
    game.receive({ ...header, kind: "notice", id: id("and again"), notice: "tooMany" });
    expect(game.state().inbox.threads[conversation]?.unheard).toBeUndefined();
  });

  it("a summary takes the place of the items it covers; one of a forgotten history is refused", () => {
    const game = play();
    game.receive(message("m1"));
    const turn = game.running();
    game.finish(turn);
    game.receive(message("m2"));
    game.finish(game.running());
    expect(game.tell({ type: "summarized", through: turn.turn, summary: "greeted" })).toBe("accepted");
    expect(game.state().history.summary).toBe("greeted");
    expect(game.history()).toEqual(["user: m2", "agent: answer"]);
    expect(game.tell({ type: "summarized", through: turn.turn, summary: "again" })).toBe("stale");
  });
});

describe("what is over for a day", () => {
  const rule = "budget used up";
  const over = (period: string) => ({ notice: "budgetDay", once: { period, rule } });
  /** The turn that runs comes to it. */
  const end = (game: ReturnType<typeof play>, of: object) =>
    game.tell({ type: "failed", ...game.running(), messages: game.pending(), ...of });

  it("is told once in it; then messages are set aside by the rule, without an answer and without a trace in the history", () => {
    const game = play();
    game.receive(message("m1"));
    end(game, over("2026-11-26"));
    expect(game.answers()).toEqual([{ seq: 1, answers: [id("m1")], notice: "budgetDay" }]);
    game.receive(message("m2"));
    game.receive(message("m3"));
    end(game, over("2026-11-26"));
    expect(game.aside()?.map(([of]) => of)).toContain(id("m2"));
    expect(new Set(game.aside()?.map(([, by]) => by))).toEqual(new Set([rule]));
    if (game.pending().length > 0) end(game, over("2026-11-26"));
    expect(game.pending()).toEqual([]);
    expect(game.answers()).toHaveLength(1);
    expect(game.history().join()).not.toContain("m2");
    game.receive(message("m4"));
    end(game, over("2026-11-27"));
    expect(game.answers().map(({ notice }) => notice)).toEqual(["budgetDay", "budgetDay"]);
    game.receive(message("m5"));
    game.finish(game.running());
    expect(game.answers()).toHaveLength(3);
  });

  it("is told each time where it is not said that once is enough, and what fails otherwise is told as ever", () => {
    const game = play();
    for (const name of ["m1", "m2"]) {
      game.receive(message(name));
      end(game, { notice: "budgetDay" });
    }
    game.receive(message("m3"));
    end(game, { notice: "failed" });
    expect(game.answers().map(({ notice }) => notice)).toEqual(["budgetDay", "budgetDay", "failed"]);
    expect(game.aside()).toBeUndefined();
  });

  it("stays told where the conversation is put away meanwhile", () => {
    expect(readQuiet({ to, seq: 1, told: "2026-11-26", listed: true })).toMatchObject({ told: "2026-11-26" });
  });
});
