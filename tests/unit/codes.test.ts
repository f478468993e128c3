import { expect, it } from "vitest";
import { createCodes, randomCode } from "../../src/codes.ts";
import type { AgentId, ConversationId, MessageId } from "../../src/ids.ts";
import { memoryRecords, testClock } from "./client-agent.fixture.ts";

const [ann, bob, eve] = ["person:ann", "person:bob", "person:eve"] as AgentId[] as [AgentId, AgentId, AgentId];
const conversation = "t:c:a:1" as ConversationId;
const command = (name: string) => name as MessageId;

function opened() {
  const records = memoryRecords();
  const { rows } = records;
  const time = { now: 1_000 };
  const clock = { ...testClock(), now: () => time.now };
  return { codes: createCodes(records, clock, randomCode), rows, time };
}

it("a code is good once, for the command that brought it first, however it is written", async () => {
  const { codes, rows } = opened();
  const code = await codes.issue("t", ann, conversation);
  expect(code).toMatch(/^[2-9A-HJ-NP-Z]{5}-[2-9A-HJ-NP-Z]{5}$/);
  expect(JSON.stringify([...rows])).not.toContain(code.slice(0, 5));
  const written = ` ${code.toLowerCase().replace("-", " ")} `;
  const [first, second] = await Promise.all(["m1", "m2"].map((id) => codes.redeem("t", bob, written, command(id))));
  expect([first, second].filter((found) => found !== undefined)).toHaveLength(1);
  const winner = first === undefined ? "m2" : "m1";
  expect(await codes.redeem("t", bob, code, command(winner))).toMatchObject({ agent: ann, conversation });
  expect(await codes.redeem("t", eve, code, command("m3"))).toBeUndefined();
});

it("a code of another tenant, of oneself, of ten minutes ago, or before a newer one is as unknown as any", async () => {
  const { codes, time } = opened();
  const old = await codes.issue("t", ann, conversation);
  const code = await codes.issue("t", ann, conversation);
  expect(await codes.redeem("t", bob, old, command("m"))).toBeUndefined();
  expect(await codes.redeem("other", bob, code, command("m"))).toBeUndefined();
  expect(await codes.redeem("t", ann, code, command("m"))).toBeUndefined();
  expect(await codes.redeem("t", bob, "AAAAA-AAAAA", command("m"))).toBeUndefined();
  time.now += 10 * 60_000;
  expect(await codes.redeem("t", bob, code, command("m"))).toBeUndefined();
  const last = await codes.issue("t", ann, conversation);
  await codes.revoke(ann);
  expect(await codes.redeem("t", bob, last, command("m"))).toBeUndefined();
});

it("a person may try five codes in ten minutes; an attempt that comes again counts once", async () => {
  const { codes, time } = opened();
  for (const id of ["m1", "m1", "m2", "m3", "m4", "m5", "m5"]) expect(await codes.allow(bob, command(id))).toBe(true);
  expect(await codes.allow(bob, command("m6"))).toBe(false);
  expect(await codes.allow(eve, command("m6"))).toBe(true);
  time.now += 10 * 60_000;
  expect(await codes.allow(bob, command("m6"))).toBe(true);
});
