import { describe, expect, it } from "vitest";
import type { Unsent } from "../../../channels/web/page/outbox.ts";
import { rowsOf } from "../../../channels/web/page/rows.ts";
import { initialState, reduce, type Action, type State } from "../../../channels/web/page/store.ts";
import type { History, Message, ServerEvent } from "../../../channels/web/page/wire.ts";

const at = "2026-11-23T10:00:00.000Z";
const user = (id: string, clientId?: string): Message => ({
  id,
  role: "user",
  text: id,
  attachments: [],
  buttons: [],
  at,
  ...(clientId === undefined ? {} : { clientId }),
});
const agent = (id: string, answers?: string[]): Message => ({
  ...user(id),
  role: "agent",
  ...(answers === undefined ? {} : { answers }),
});
const unsent = (id: string, part: Partial<Unsent> = {}): Unsent => ({
  id,
  at,
  text: id,
  files: [],
  state: "sending",
  attempts: 0,
  ...part,
});
const history = (messages: Message[], part: Partial<History> = {}): History => ({
  messages,
  lastEventId: "9",
  more: false,
  running: false,
  ...part,
});

const play = (actions: Action[], from: State = initialState): State => actions.reduce(reduce, from);
const event = (value: ServerEvent): Action => ({ type: "event", event: value, at });
const message = (value: Message): Action => event({ type: "message", message: value });
const delta = (text: string, turn = "t1"): Action => event({ type: "delta", turn, text });
const keys = (state: State): string[] => rowsOf(state).map((row) => row.key);

describe("the page's state", () => {
  it("shows a sent message once, as the same row before and after the gateway confirms it", () => {
    const before = play([{ type: "unsent", unsent: [unsent("c1")] }]);
    const after = play([message(user("m1", "c1"))], before);
    expect(keys(before)).toEqual(["c1"]);
    expect(keys(after)).toEqual(["c1"]);
    expect(after.unsent).toEqual([]);
  });

  it("keeps one row when the acknowledgement comes after the message's event", () => {
    const state = play([
      { type: "unsent", unsent: [unsent("c1")] },
      message(user("m1", "c1")),
      { type: "unsent", unsent: [unsent("c1", { state: "accepted" })] },
    ]);
    expect(keys(state)).toEqual(["c1"]);
  });

  it("shows an event that comes twice once", () => {
    expect(keys(play([message(agent("a1")), message(agent("a1"))]))).toEqual(["a1"]);
  });

  it("streams into one draft and replaces it by the final message in its place", () => {
    const streaming = play([message(user("m1")), delta("Hel"), delta("Hello"), message(user("m2"))]);
    expect(keys(streaming)).toEqual(["m1", "draft:t1", "m2"]);
    expect(streaming.draft?.text).toBe("Hello");
    const done = play([message(agent("a1"))], streaming);
    expect(keys(done)).toEqual(["m1", "a1", "m2"]);
    expect(done.draft).toBeUndefined();
  });

  it("begins a draft below a message that is still being sent, and above one that waits", () => {
    const state = play([
      { type: "unsent", unsent: [unsent("c1"), unsent("c2", { state: "waiting" })] },
      delta("so far"),
    ]);
    expect(keys(state)).toEqual(["c1", "draft:t1", "c2"]);
  });

  it("puts an answer below the last message it answers, live and after a reload alike", () => {
    const events = [user("m1"), user("m2"), user("m3"), agent("a1", ["m1", "m2"]), agent("a2", ["m3"])];
    const live = play(events.map(message));
    const reloaded = play([{ type: "loaded", history: history(events) }]);
    expect(keys(live)).toEqual(["m1", "m2", "a1", "m3", "a2"]);
    expect(keys(reloaded)).toEqual(keys(live));
  });

  it("keeps a second message of the same answer below the first", () => {
    const state = play([message(user("m1")), message(agent("a1", ["m1"])), message(agent("a2", ["m1"]))]);
    expect(keys(state)).toEqual(["m1", "a1", "a2"]);
  });

  it("keeps what a stopped turn had written, no longer as running", () => {
    const state = play([message(user("m1")), delta("half"), event({ type: "status", running: false })]);
    expect(state.draft).toMatchObject({ text: "half", live: false });
    expect(play([event({ type: "status", running: true })], state).draft).toBeUndefined();
  });

  it("drops the stopped draft when its final message or a notice comes", () => {
    const stopped = play([delta("half"), event({ type: "status", running: false })]);
    expect(play([message(agent("a1"))], stopped).draft).toBeUndefined();
    expect(play([message({ ...agent("n1"), role: "notice" })], stopped).draft).toBeUndefined();
  });

  it("tells a screen reader of new answers and not of history, repetitions or the person's own messages", () => {
    const loaded = play([{ type: "loaded", history: history([agent("a1")]) }]);
    expect(loaded.heard).toBeUndefined();
    expect(play([message(user("m1")), message(agent("a1"))], loaded).heard).toBeUndefined();
    expect(play([message(agent("a2"))], loaded).heard?.id).toBe("a2");
  });

  it("empties on reset, and keeps what has not reached the gateway", () => {
    const state = play([
      message(user("m1")),
      delta("half"),
      { type: "unsent", unsent: [unsent("c1", { state: "accepted" }), unsent("c2", { state: "waiting" })] },
      event({ type: "reset" }),
    ]);
    expect(keys(state)).toEqual(["c2"]);
    expect(state.running).toBe(false);
  });

  it("puts earlier messages above, without repeating any", () => {
    const state = play([
      { type: "loaded", history: history([user("m3"), user("m4")], { more: true, before: "2" }) },
      { type: "earlier" },
      { type: "earlierLoaded", history: history([user("m1"), user("m2"), user("m3")]) },
    ]);
    expect(keys(state)).toEqual(["m1", "m2", "m3", "m4"]);
    expect(state).toMatchObject({ more: false, loadingEarlier: false });
    expect(state.before).toBeUndefined();
  });

  it("remembers a pressed button, and forgets it when the refused press is discarded", () => {
    const press = { message: "a1", button: "yes" };
    const pressed = play([{ type: "unsent", unsent: [unsent("c1", { press })] }]);
    expect(pressed.pressed).toEqual({ a1: "yes" });
    expect(play([message(user("m1", "c1"))], pressed).pressed).toEqual({ a1: "yes" });
    const failed = play([{ type: "unsent", unsent: [unsent("c1", { press, state: "failed" })] }], pressed);
    expect(play([{ type: "unsent", unsent: [] }], failed).pressed).toEqual({});
  });

  it("does not repeat an unsent message that the loaded history already has", () => {
    const state = play([
      { type: "unsent", unsent: [unsent("c1")] },
      { type: "loaded", history: history([user("m1", "c1")]) },
    ]);
    expect(keys(state)).toEqual(["c1"]);
    expect(state.unsent).toEqual([]);
  });
});
