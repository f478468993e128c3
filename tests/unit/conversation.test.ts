import { describe, expect, it } from "vitest";
import { isBusy, readState } from "../../src/state.ts";
import { command, conversation, day, deletion, edit, id, message, noon, play } from "./conversation.fixture.ts";

describe("an answer", () => {
  it("that may come of content from outside is remembered as such, also in another process", () => {
    const game = play();
    for (const [name, outside] of [
      ["m1", true],
      ["m2", undefined],
    ] as const) {
      game.receive(message(name));
      const answer = { parts: [{ kind: "text", text: name, format: "markdown" }] };
      game.tell({ type: "finished", ...game.running(), messages: [id(name)], answer, outside });
    }
    const stored = JSON.parse(JSON.stringify(game.state().history)) as unknown;
    const { items } = readState(new Map([["history", stored]])).history;
    expect(items.filter(({ role }) => role === "agent").map(({ outside }) => outside)).toEqual([true, undefined]);
  });
});

describe("a message", () => {
  it("that tells of the conversation so far has the newest of it remembered before itself, once", () => {
    const game = play({ historyItems: 4 });
    const told = (n: number) => ({ role: n % 2 === 0 ? ("user" as const) : ("agent" as const), text: `told ${n}` });
    const before = Array.from({ length: 7 }, (_, n) => told(n));
    game.receive(
      message("m1", { message: { parts: [{ kind: "text", text: "m1", format: "plain" }], addressed: true, before } }),
    );
    game.finish(game.running());
    game.receive(message("m2"));
    game.finish(game.running());
    expect(game.history()).toEqual([
      ...[3, 4, 5, 6].map((n) => `${told(n).role}: told ${n}`),
      "user: m1",
      "agent: answer",
      "user: m2",
      "agent: answer",
    ]);
    const long = play({ historyItems: 40 });
    const large = Array.from({ length: 9 }, (_, n) => ({ role: "user" as const, text: `${n}${"x".repeat(20_000)}` }));
    long.receive(message("m1", { message: { parts: [], addressed: true, before: large } }));
    long.finish(long.running());
    expect(long.history().map((item) => item.slice(0, 8))).toEqual(["user: 7x", "user: 8x", "user: ", "agent: a"]);
  });

  it("starts a turn, whose answer goes out once and into the history once", () => {
    const game = play();
    expect(game.receive(message("m1"))).toBe("accepted");
    const turn = game.running();
    expect(game.finish(turn)).toBe("accepted");
    expect(game.finish(turn)).toBe("stale");
    expect(game.answers()).toEqual([{ seq: 1, answers: [id("m1")], notice: undefined }]);
    expect(game.history()).toEqual(["user: m1", "agent: answer"]);
    expect(game.pending()).toEqual([]);
  });

  it.each([
    ["at once", 0],
    ["a day later", day],
    ["a week later", 7 * day],
  ])("that is delivered again %s changes nothing", (_when, ms) => {
    const game = play();
    game.receive(message("m1"));
    game.finish(game.running());
    game.later(ms);
    expect(game.receive(message("m1"))).toBe("duplicate");
    expect(game.answers()).toHaveLength(1);
  });

  it("that comes while a turn runs waits for the next one, and several are answered together", () => {
    const game = play();
    game.receive(message("m1"));
    const first = game.running();
    game.receive(message("m2"));
    game.receive(message("m3"));
    game.finish(first, "one", [id("m1")]);
    const second = game.running();
    expect(second.turn).not.toBe(first.turn);
    game.finish(second, "two and three");
    expect(game.answers().map((of) => of.answers)).toEqual([[id("m1")], [id("m2"), id("m3")]]);
  });

  it("interrupts the running turn where the agent is set so: the old attempt's answer is refused", () => {
    const game = play({ whileRunning: "interrupt" });
    game.receive(message("m1"));
    const first = game.running();
    game.receive(message("m2"));
    expect(game.take("cancel")).toMatchObject([{ attempt: 1 }]);
    expect(game.running()).toMatchObject({ turn: first.turn, attempt: 2 });
    expect(game.finish(first)).toBe("stale");
    game.finish(game.running());
    expect(game.answers()).toEqual([{ seq: 1, answers: [id("m1"), id("m2")], notice: undefined }]);
  });

  it("that overtook an earlier one waits for it, 15 seconds at most", () => {
    const game = play();
    game.receive(message("m2", { sequence: 2 }), "m1");
    expect(() => game.running()).toThrow();
    expect(game.take("wait")).toMatchObject([{ missing: id("m1") }]);
    game.receive(message("m1", { sequence: 1 }));
    expect(game.pending()).toEqual([id("m1"), id("m2")]);
    game.finish(game.running());
    expect(game.answers()[0]?.answers).toEqual([id("m1"), id("m2")]);

    game.receive(message("m4"), "m3");
    game.later(15_000);
    game.tell({ type: "waited", conversation, missing: id("m3") });
    expect(game.running().attempt).toBe(1);
  });

  it("waits for one that a copy of an old event stands before", () => {
    const game = play();
    game.receive(message("m1"));
    game.finish(game.running());
    game.tell({ type: "received", event: message("m3"), previous: [id("m1"), id("m2")] });
    expect(game.take("wait")).toMatchObject([{ missing: id("m2") }]);
    expect(() => game.running()).toThrow();
    game.receive(message("m2"));
    expect(game.running().attempt).toBe(1);
  });

  it("that waited for one that came waits for the one before that, too", () => {
    const game = play();
    game.receive(message("m1"));
    const first = game.running();
    game.receive(message("m4"), "m3");
    game.receive(message("m3"), "m2");
    game.tell({ type: "silent", turns: [first] });
    game.finish(game.running());
    expect(game.answers().map((of) => of.answers)).toEqual([[id("m1")]]);
    expect(() => game.running()).toThrow();
    game.receive(message("m2"));
    expect(game.running().attempt).toBe(1);
  });

  it("waits for each that came before it where a copy closes the first wait and names nothing", () => {
    const game = play();
    game.tell({ type: "received", event: message("m3"), previous: [id("m2"), id("m1")] });
    game.receive(message("m2"));
    expect(game.take("wait").map(({ missing }) => missing)).toEqual([id("m2"), id("m1")]);
    expect(() => game.running()).toThrow();
    game.receive(message("m1"));
    expect(game.running().attempt).toBe(1);
  });

  it("takes along to its place what came before it and has no number of the channel's", () => {
    const game = play();
    game.receive(message("m0"));
    const arrival = (n: number) => ({ at: "here", n });
    game.receive(message("m3", { sequence: 3 }));
    game.receive(message("note", { arrival: arrival(1) }));
    game.receive(message("m2", { sequence: 2, arrival: arrival(2) }));
    expect(game.pending()).toEqual(["m0", "note", "m2", "m3"].map(id));
  });

  it("waits no longer for one that turns out to be a copy of what was seen long ago", () => {
    const game = play();
    game.receive(message("old"));
    game.finish(game.running());
    const { seen } = game.state().inbox;
    game.forgets({});
    game.receive(message("m1"), "old");
    expect(() => game.running()).toThrow();
    game.forgets(seen);
    expect(game.receive(message("old"))).toBe("accepted");
    expect(game.running().attempt).toBe(1);
  });

  it("whose predecessor is missing is not taken by the turn that runs", () => {
    const game = play();
    game.receive(message("m1"));
    game.receive(message("m3"), "m2");
    game.finish(game.running());
    expect(game.pending()).toEqual([id("m3")]);
    expect(() => game.running()).toThrow();
    game.receive(message("m2"));
    game.finish(game.running());
    expect(game.answers().map((of) => of.answers)).toEqual([[id("m1")], [id("m3"), id("m2")]]);
  });

  it("learns of its predecessor from a copy that came by another process", () => {
    const game = play();
    game.receive(message("m1"));
    game.receive(message("m3"));
    expect(game.receive(message("m3"), "m2")).toBe("duplicate");
    const event = message("m3");
    expect(game.tell({ type: "received", event, previous: [id("m2")], taken: [id("m1")] })).toBe("accepted");
    game.finish(game.running());
    expect(() => game.running()).toThrow();
    game.receive(message("m2"));
    expect(game.running().attempt).toBe(1);
  });

  it("is sent back to the bus when too many wait, and taken when there is room", () => {
    const game = play();
    for (let n = 0; n < 1_064; n++) expect(game.receive(message(`m${n}`))).toBe("accepted");
    expect(game.pending()).toHaveLength(64);
    expect(game.receive(message("m1064"))).toBe("full");
    game.receive(edit("m900", "better"));
    game.receive(deletion("m1000"));
    expect(game.receive(command("stop"))).toBe("accepted");
    expect(game.aside()).toHaveLength(1_064);
    expect(Object.keys(game.state().spilled)).toEqual([]);
    expect(game.receive(message("m1064"))).toBe("accepted");
  });

  it("that waits behind the inbox keeps its place, its edits and its deletion", () => {
    const game = play();
    for (let n = 0; n < 200; n++) game.receive(message(`m${n}`));
    game.receive(edit("m150", "better"));
    game.receive(deletion("m151"));
    expect(JSON.stringify(game.state().spilled)).toContain("better");
    for (let turns = 0; turns < 20 && game.pending().length > 0; turns++) game.finish(game.running());
    const wanted = Array.from({ length: 200 }, (_, n) => id(`m${n}`)).filter((name) => name !== id("m151"));
    expect(game.answers().flatMap((of) => of.answers)).toEqual(wanted);
    game.tell({ type: "journaled", entries: game.state().inbox.aside });
    game.tell({ type: "settled", upTo: [{ conversation, seq: 100 }] });
    expect(isBusy(game.state())).toBe(false);
  });
});

describe("commands", () => {
  it("/help keeps its place between messages", () => {
    const game = play();
    game.receive(message("m1"));
    game.receive(command("help"));
    game.receive(message("m2"));
    game.finish(game.running(), "one");
    game.finish(game.running(), "two");
    expect(game.answers()).toEqual([
      { seq: 1, answers: [id("m1")], notice: undefined },
      { seq: 2, answers: [id("/help")], notice: "help" },
      { seq: 3, answers: [id("m2")], notice: undefined },
    ]);
  });

  it("/stop calls the running turn off and sets aside what waits, with the rule", () => {
    const game = play();
    game.receive(message("m1"));
    const turn = game.running();
    game.receive(message("m2"));
    game.take("start");
    game.receive(command("stop"));
    expect(game.aside()).toEqual([
      [id("m1"), "stopped"],
      [id("m2"), "stopped"],
    ]);
    expect(game.finish(turn, "late", [id("m1")])).toBe("stale");
    expect(game.answers()).toEqual([{ seq: 1, answers: [id("/stop")], notice: "stopped" }]);
  });

  it("/stop and /reset also set aside what was sent before them and comes when they are answered: the bus kept it meanwhile", () => {
    const game = play();
    const at = (n: number) => ({ arrival: { at: "ingress", n } });
    game.receive(message("m1", at(1)));
    game.receive({ ...command("reset"), ...at(4) });
    expect(game.receive(message("m2", at(2)))).toBe("accepted");
    expect(game.receive({ ...command("help"), ...at(3) })).toBe("accepted");
    expect(game.pending()).toEqual([]);
    expect(game.aside()?.slice(1)).toEqual([
      [id("m2"), "reset"],
      [id("/help"), "reset"],
    ]);
    game.receive(message("m5", at(5)));
    game.receive(message("another's", { arrival: { at: "another", n: 1 } }));
    expect(game.pending()).toEqual([id("m5"), id("another's")]);
  });

  it("/reset forgets the history, and an unknown command goes to the agent", () => {
    const game = play();
    game.receive(message("m1"));
    game.finish(game.running());
    game.receive(command("reset"));
    expect(game.history()).toEqual([]);
    game.receive(command("weather"));
    game.finish(game.running(), "sunny");
    expect(game.history()).toEqual(["user: /weather", "agent: sunny"]);
  });
});

describe("edits and deletions", () => {
  it("correct a message that waits, and start its turn again", () => {
    const game = play();
    game.receive(message("m1"));
    game.receive(edit("m1", "better"));
    expect(game.running().attempt).toBe(2);
    game.finish(game.running());
    expect(game.history()).toEqual(["user: better", "agent: answer"]);
  });

  it("after the answer correct the history only, visibly", () => {
    const game = play();
    game.receive(message("m1"));
    game.finish(game.running());
    game.receive(edit("m1", "better"));
    expect(() => game.running()).toThrow();
    expect(game.history()).toEqual(["user: better", "agent: answer"]);
    expect(game.aside()).toEqual([[id("m1 edited"), "edited after the answer"]]);
  });

  it("of a message that has not come yet are kept for it", () => {
    const game = play();
    game.receive(edit("m1", "better"));
    game.receive(message("m1"));
    game.finish(game.running());
    expect(game.history()[0]).toBe("user: better");

    game.receive(deletion("m2"));
    expect(game.receive(message("m2"))).toBe("duplicate");
  });

  it("of a message that was set aside unseen stand for it: as where the edit adds the mention", () => {
    const game = play();
    game.receive(edit("m1", "@bot better"));
    expect(isBusy(game.state())).toBe(true);
    game.finish(game.running());
    expect(game.answers()).toEqual([{ seq: 1, answers: [id("m1")], notice: undefined }]);
    expect(game.history()[0]).toBe("user: @bot better");
    expect(game.receive(message("m1"))).toBe("duplicate");
  });

  it("of a message of long ago, which only the history has, correct that and are not answered", () => {
    const game = play();
    game.receive(message("m1"));
    game.finish(game.running());
    game.later(10 * day);
    game.receive(message("m2", { sentAt: noon + 10 * day }));
    game.finish(game.running());
    game.receive({ ...edit("m1", "better"), sentAt: noon + 10 * day, arrival: { at: "ingress", n: 9 } });
    expect(() => game.running()).toThrow();
    expect(game.take("wait")).toEqual([]);
    expect(game.history()[0]).toBe("user: better");
    expect(game.aside()).toEqual([[id("m1 edited"), "edited after the answer"]]);
    game.receive({ ...deletion("m1"), sentAt: noon + 10 * day });
    expect(game.history()[0]).toBe("agent: answer");
    expect(game.aside()).toHaveLength(1);
  });

  it("on an unordered bus wait for their message first, two seconds at most", () => {
    const game = play();
    const unordered = (n: number) => ({ arrival: { at: "ingress", n } });
    game.receive({ ...edit("m1", "better"), ...unordered(2) }, "m1");
    expect(game.take("wait")).toHaveLength(1);
    game.receive(message("m1", unordered(1)));
    game.finish(game.running());
    expect(game.history()[0]).toBe("user: better");

    game.receive({ ...edit("m2", "best"), ...unordered(3) });
    expect(() => game.running()).toThrow();
    game.later(2_000);
    game.tell({ type: "waited", conversation, missing: id("m2") });
    game.finish(game.running());
    expect(game.answers()[1]?.answers).toEqual([id("m2")]);
  });

  it("start a turn again a few times only, and never for a message that it has not taken", () => {
    const game = play();
    game.receive(message("m1"));
    game.receive(message("m2"));
    game.tell({ type: "received", event: edit("m2", "not taken"), taken: [id("m1")] });
    expect(game.running().attempt).toBe(1);
    for (let n = 0; n < 20; n++) game.receive({ ...edit("m1", `edit ${n}`), id: id(`edit ${n}`) });
    expect(game.running().attempt).toBe(9);
    expect(game.aside()).toHaveLength(12);
    expect(game.aside()?.[0]).toEqual([id("edit 8"), "edited too often"]);
    game.finish(game.running());
    expect(game.history().slice(0, 2)).toEqual(["user: edit 19", "user: not taken"]);
  });

  it("a deleted message is set aside; its turn ends when nothing else is in it", () => {
    const game = play();
    game.receive(message("m1"));
    game.receive(deletion("m1"));
    expect(() => game.running()).toThrow();
    expect(game.aside()).toEqual([[id("m1"), "deleted"]]);
    const entries = game.state().inbox.aside;
    game.tell({ type: "journaled", entries });
    expect(isBusy(game.state())).toBe(false);
  });
});
