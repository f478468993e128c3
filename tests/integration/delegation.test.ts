/** Delegating by the real gateway: a person on Telegram, a model on loopback, a skilled agent in a process of its own, and kill -9. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Prompt, Reply, ToolCall } from "../fakes/openai/types.ts";
import { delegateKey, startDelegate } from "./delegate-process.ts";
import { eventually, openStage, said, type Stage } from "./stage.ts";

const ann = 7_300_001;

/** What the model does with what people say: "tester: …", "reply …", "cancel …". */
function calls(prompt: Prompt): readonly ToolCall[] {
  const words = prompt.turn.at(-1) ?? "";
  const [, command = "", rest = ""] = /^(both|tester|files|reply|cancel|tasks):? ?([^\n]*)$/m.exec(words) ?? [];
  const task = (text: string, files = false) => ({ name: "agent__tester", arguments: { task: text, files } });
  if (command === "tester") return [task(rest)];
  if (command === "files") return [task(rest, true)];
  if (command === "both") return [task("slow 700"), task("quick")];
  if (command === "reply") return [{ name: "agent__reply", arguments: { task: "tester-1", answer: rest } }];
  if (command === "cancel") return [{ name: "agent__cancel", arguments: { task: rest } }];
  if (command === "tasks") return [{ name: "agent__tasks", arguments: {} }];
  return [];
}

async function open(delegate: object = {}, settings: object = {}, env: Readonly<Record<string, string>> = {}) {
  const agent = await startDelegate();
  const delegates = { tester: { url: `${agent.url}/a2a/tester`, apiKey: delegateKey, ...delegate } };
  const config = { delegates, delegation: { inlineSeconds: 1, ...settings } };
  const stage = await openStage({ config, env });
  stage.model.script((prompt): Reply | undefined => {
    const wanted = prompt.toolOutputs.length === 0 ? calls(prompt) : [];
    return wanted.length === 0 ? undefined : { toolCalls: wanted };
  });
  return { ...stage, agent, says: (text: string) => stage.platform.user(ann).sends(ann, text) };
}

const heard = (stage: Pick<Stage, "platform">, words: string, mostMs = 30_000) =>
  eventually(`"${words}"`, () => said(stage, ann).find((text) => text.includes(words)), mostMs);
const times = (stage: Pick<Stage, "platform">, words: string) =>
  said(stage, ann).filter((text) => text.includes(words)).length;

describe("a task", () => {
  test("that is done soon is a part of the answer; what its agent does is seen meanwhile", async () => {
    const stage = await open({}, { inlineSeconds: 20 });
    await stage.says("tester: slow 2500");
    const answer = await heard(stage, "slow is done");
    expect(answer).toContain("completed");
    const drafts = stage.platform.log.calls.filter(({ method }) => method === "sendmessagedraft");
    expect(drafts.map(({ params }) => String(params["text"])).join("\n")).toContain("tester: thinking hard");
    await sleep(1_500);
    expect(times(stage, "slow is done")).toBe(1);
  }, 60_000);

  test("that takes longer is told when it is done, once, by a gateway that was killed and replaced meanwhile", async () => {
    const stage = await open();
    await stage.says("tester: slow 6000");
    await heard(stage, "goes on in the background");
    await stage.gateway.kill();
    await stage.gateway.start();
    await heard(stage, "slow is done");
    await sleep(3_000);
    expect(times(stage, "slow is done")).toBe(1);
  }, 60_000);

  test("is the same one for a gateway that was killed while it waited", async () => {
    const stage = await open({}, { inlineSeconds: 30 });
    await stage.says("tester: slow 4000");
    await eventually("the call", () => stage.model.log.length > 0);
    await sleep(1_000);
    await stage.gateway.kill();
    await stage.gateway.start();
    await heard(stage, "slow is done");
    await stage.says("tasks");
    const tasks = await heard(stage, '"state":"completed"');
    expect(tasks).not.toContain("tester-2");
    expect(times(stage, "slow is done, ")).toBe(2);
  }, 60_000);

  test("survives its own agent's process", async () => {
    const stage = await open();
    await stage.says("tester: slow 2000");
    await heard(stage, "goes on in the background");
    await stage.agent.kill();
    await sleep(2_500);
    await stage.agent.start();
    await heard(stage, "slow is done", 45_000);
  }, 90_000);

  test("asks, and goes on with the person's answer; two of them go on side by side", async () => {
    const stage = await open({}, { inlineSeconds: 5 });
    await stage.says("tester: ask");
    await heard(stage, "Which colour?");
    await stage.says("reply: blue");
    await heard(stage, "it is blue");
    await stage.says("both");
    const both = await heard(stage, "quick is done");
    expect(both).toContain("slow is done");
  }, 60_000);

  test("is cancelled by a word, by /stop, and by its time, which is told", async () => {
    const stage = await open({ timeoutSeconds: 6 }, { inlineSeconds: 4 });
    await stage.says("tester: hold");
    await eventually("the call", () => stage.model.log.length > 0);
    await sleep(500);
    await stage.says("/stop");
    await heard(stage, "topped");
    // The word is there before its agent has heard of it.
    await eventually("the task's end", async () => {
      await stage.says("tasks");
      await sleep(500);
      return times(stage, '"state":"canceled"') > 0;
    });
    await stage.says("tester: hold");
    await heard(stage, "tester-2");
    await stage.says("cancel tester-2");
    await heard(stage, "is cancelled");
    await stage.says("tester: hold");
    await heard(stage, "not done in its time");
  }, 60_000);

  test("takes files along and brings some back", async () => {
    const stage = await open({}, { inlineSeconds: 10 });
    const data = Buffer.from("x;y").toString("base64");
    const document = { kind: "document", name: "input.csv", mime: "text/csv", data, caption: "files: file" } as const;
    await stage.platform.user(ann).sends(ann, document);
    await heard(stage, "I have seen input.csv of 3 bytes");
    const files = await eventually("the file", () =>
      stage.platform.log.calls.find(({ method }) => method === "senddocument"),
    );
    expect(files.files?.[0]?.name).toBe("table.csv");
  }, 60_000);
});

test("the gateway's own scheduler reminds in time, though the gateway was killed and replaced meanwhile", async () => {
  const stage = await openStage({ env: { ASCENT_MODEL: "demo" } });
  const says = (text: string) => stage.platform.user(ann).sends(ann, text);
  await says("/start");
  await says("remind me in 15 seconds to drink tea");
  const asked = performance.now();
  await eventually("its word", () => said(stage, ann).find((text) => /tea/.test(text)));
  await stage.gateway.kill();
  await stage.gateway.start();
  // Its word may have been in flight at the kill.
  const reminders = () => said(stage, ann).filter((text) => text.startsWith("Reminder: drink tea"));
  await eventually("the reminder", () => reminders().length > 0, 40_000);
  const late = performance.now() - asked - 15_000;
  expect(late).toBeGreaterThan(-1_500);
  expect(late).toBeLessThan(4_000);
  await sleep(2_000);
  expect(reminders()).toHaveLength(1);
}, 90_000);
