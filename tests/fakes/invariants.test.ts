import { expect, test } from "vitest";
import { checkInvariants, checkModelRequests, type Inbound, type Outbound } from "./invariants.ts";
import type { RequestEntry } from "./openai/types.ts";

/** A message of conversation "1/5": arrives at `at`, acknowledged 1 later unless said otherwise. */
function message(n: number, at: number, acknowledgedAt: number | undefined = at + 1): Inbound {
  const base = { token: `m-5-${n}`, conversation: "1/5", arrivedAt: at };
  return acknowledgedAt === Infinity ? base : { ...base, acknowledgedAt };
}

function answer(at: number, ...numbers: number[]): Outbound {
  return { conversation: "1/5", text: `answer to: ${numbers.map((n) => `m-5-${n}`).join(" ")}`, at };
}

function broken(inbound: Inbound[], outbound: Outbound[], allowed = {}): string[] {
  return checkInvariants(inbound, outbound, allowed).violations.map(({ invariant }) => invariant);
}

test("answers, alone and merged, keep the promise", () => {
  const report = checkInvariants([message(1, 0), message(2, 10), message(3, 20)], [answer(5, 1), answer(30, 2, 3)]);
  expect(report.ok).toBe(true);
  expect(report.text).toBe("kept: 3 inbound, 3 acknowledged, 3 answered, 2 merged, 0 excused, 0 duplicates");
});

test("an acknowledged message without an answer breaks I1; one never acknowledged does not", () => {
  expect(broken([message(1, 0), message(2, 10, Infinity)], [])).toEqual(["I1"]);
});

test("a message set aside by a rule is excused, but not answered as well", () => {
  const excused = new Map([["m-5-1", "blocked"]]);
  expect(broken([message(1, 0)], [], { excused })).toEqual([]);
  expect(broken([message(1, 0)], [answer(5, 1)], { excused })).toEqual(["I1"]);
});

test("an answer in another conversation breaks I1", () => {
  expect(broken([message(1, 0)], [answer(5, 1), { ...answer(6, 1), conversation: "1/6" }])).toEqual(["I1"]);
});

test("two different answers break I2; the same one twice counts against I3", () => {
  expect(broken([message(1, 0), message(2, 1)], [answer(5, 1), answer(6, 1, 2)])).toEqual(["I2"]);
  expect(broken([message(1, 0)], [answer(5, 1), answer(6, 1)])).toEqual(["I3"]);
  expect(broken([message(1, 0)], [answer(5, 1), answer(6, 1)], { duplicates: 1 })).toEqual([]);
});

test("order binds only what was acknowledged before the other arrived", () => {
  expect(broken([message(1, 0), message(2, 10)], [answer(20, 2), answer(30, 1)])).toEqual(["I4"]);
  expect(broken([message(1, 0, 11), message(2, 10)], [answer(20, 2), answer(30, 1)])).toEqual([]);
});

test("the model's log shows overlapping turns and messages held twice", () => {
  const request = (
    seq: number,
    at: number,
    endedAt: number,
    tokens: string[],
    repeated: string[] = [],
  ): RequestEntry => {
    const base = { api: "chat", model: "m", stream: false, summary: false, messages: 1, characters: 1 } as const;
    return { ...base, seq, at, endedAt, tokens, repeated };
  };
  const log = [request(1, 0, 10, ["m-5-1"]), request(2, 5, 15, ["m-5-2"]), request(3, 5, 9, ["m-6-1"], ["m-6-1"])];
  expect(checkModelRequests(log).map(({ invariant }) => invariant)).toEqual(["I5", "I7"]);
});
