import { describe, expect, it } from "vitest";
import { batchOf } from "../../src/scheduling.ts";
import { readState } from "../../src/state.ts";
import { command, conversation, id, message, noon, participant, play } from "./conversation.fixture.ts";

describe("several agents", () => {
  const by = (name: string, more: object = {}) => ({ name, title: `The ${name}`, at: name, ...more });
  const note = (name: string, agentName: string) =>
    message(name, { note: { topic: "a task", agent: agentName }, participant });

  it("keep who answers with the write that ends the turn, in the history and the answer too", () => {
    const { receive, tell, state, running } = play();
    receive(message("one"));
    const turn = running();
    const choice = { handed: { to: "support", from: "triage" } };
    const answer = { parts: [{ kind: "text", text: "hello", format: "plain" }] };
    tell({ type: "finished", ...turn, messages: [id("one")], answer, by: by("support", { choice }) });
    expect(state().inbox.threads[conversation]).toMatchObject({ choice, at: "support" });
    expect(state().history.items.at(-1)).toMatchObject({ role: "agent", name: "The support" });
    expect(state().outbox.entries.at(-1)?.by).toEqual({ name: "support", title: "The support" });
    expect(readState(new Map(Object.entries(JSON.parse(JSON.stringify(state()))))).inbox).toEqual(state().inbox);
    receive(command("reset"));
    const { choice: kept, at } = state().inbox.threads[conversation] ?? {};
    expect([kept, at]).toEqual([undefined, undefined]);
  });

  it("have what is told to another one than the one at work in a turn of its own", () => {
    const { receive, tell, state, running } = play();
    const batch = () => {
      const thread = state().inbox.threads[conversation];
      return thread === undefined
        ? []
        : batchOf(thread)
            .map((of) => of.message.parts[0])
            .map((part) => part?.kind === "text" && part.text);
    };
    receive(message("one"));
    const turn = running();
    for (const next of [
      message("two"),
      note("own", "sales"),
      note("other", "support"),
      note("more", "support"),
      message("three"),
    ])
      receive({ ...next, sentAt: noon + 1 });
    const finish = (of: object, messages: readonly string[]) =>
      tell({ type: "finished", ...of, messages: messages.map(id), answer: { parts: [] }, by: by("sales") });
    finish(turn, ["one"]);
    expect(batch()).toEqual(["two", "own"]);
    finish(running(), ["two", "own"]);
    expect(batch()).toEqual(["other", "more"]);
    finish(running(), ["other", "more"]);
    expect(batch()).toEqual(["three"]);
  });

  it("do not answer what a command went on to say once it is stopped, though the command itself is not", () => {
    const { receive, take } = play();
    const agentCommand = (name: string, args: string) =>
      message(name, { message: { ...message(name).message, command: { name: "agent", args } } });
    receive(agentCommand("only", "support"));
    receive({ ...command("stop"), sentAt: noon + 1 });
    expect(take("cancel")).toEqual([]);
    const other = play();
    other.receive(agentCommand("more", "support my order"));
    other.receive({ ...command("stop"), sentAt: noon + 1 });
    expect(other.take("cancel")).toHaveLength(1);
  });
});
