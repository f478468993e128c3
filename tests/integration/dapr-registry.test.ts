/**
 * An agent that no configuration names, on real Dapr: `ascent agent serve` says where it runs, the gateway's agents find it and give it
 * tasks, are told when it is gone, and find it where it comes back.
 */
import { describe, expect, onTestFailed, onTestFinished, test } from "vitest";
import { needsDapr } from "../services/dapr.ts";
import { agentSidecar, startReplica } from "./dapr-replica.ts";
import { openDaprStage, type DaprStage } from "./dapr-stage.ts";
import { createGateway } from "./gateway-process.ts";
import { eventually, said } from "./stage.ts";

const { missing } = await needsDapr();
const ann = 7_410_001;

describe.skipIf(missing)("an agent that says itself where it is", () => {
  const stage = openDaprStage({ mtls: true });

  /** The command as a process of its own beside a sidecar of its own, on ports that nobody was told. */
  async function serveAnalyst() {
    const { sidecar, env } = await agentSidecar(stage().cluster, "ascent-analyst");
    const agent = await createGateway({
      command: ["agent", "serve", "analyst"],
      env: () => ({ ...env, ASCENT_MODEL: "demo" }),
    });
    onTestFinished(() => agent.close());
    onTestFailed(() => console.error(agent.tail()));
    await agent.start();
    return { agent, sidecar };
  }

  const startGateway = ({ cluster, platform, model }: DaprStage) =>
    startReplica(cluster, {
      config: { skills: { analyst: { enabled: false } }, delegation: { inlineSeconds: 4 } },
      env: {
        ASCENT_CONFIG: "ascent.yaml",
        ASCENT_MODEL: "compatible:test",
        OPENAI_BASE_URL: model.baseURL,
        TELEGRAM_BOT_TOKEN: platform.token,
        TELEGRAM_API_ROOT: platform.url,
      },
    });

  test("is found, asked, missed and found again elsewhere, by its own word alone", async () => {
    const { platform, model } = stage();
    onTestFailed(() => console.error(said({ platform }, ann)));
    // The model is offered it, or it is not.
    model.script((prompt) => {
      const [, task] = /^analyst: (.*)$/.exec(prompt.turn.at(-1) ?? "") ?? [];
      if (task === undefined || prompt.toolOutputs.length > 0) return undefined;
      const isOffered = JSON.stringify(prompt.body["tools"] ?? []).includes('"agent__analyst"');
      if (!isOffered) return { text: `nobody here does ${task}` };
      return { toolCalls: [{ name: "agent__analyst", arguments: { task } }] };
    });
    await startGateway(stage());
    const ask = (task: string) => platform.user(ann).sends(ann, `analyst: ${task}`);
    const all = (words: string) => said({ platform }, ann).filter((text) => text.includes(words));
    const heard = (words: string) => eventually(`"${words}"`, () => all(words).length > 0, 60_000);
    let asked = 0;
    /** Until its answer is there: whether it is offered is known a few seconds late. */
    const untilHeard = (words: string, task: string) =>
      eventually(
        `"${words}"`,
        async () => {
          const question = `${task} + ${(asked += 1)} - ${asked}`;
          await ask(question);
          await eventually("an answer", () => all(question).length > 0, 20_000);
          return all(question).some((text) => text.includes(words));
        },
        60_000,
      );

    await ask("1 + 1");
    await heard("nobody here does 1 + 1");

    const first = await serveAnalyst();
    await untilHeard("1111", "1000 + 111");

    // It stops in order, and says so itself.
    expect((await first.agent.terminate()).code).toBe(0);
    await first.sidecar.kill();
    await untilHeard("nobody here does", "2 + 2");

    // Elsewhere: another sidecar, other ports.
    const second = await serveAnalyst();
    await untilHeard("3333", "3000 + 333");

    // Its machine dies without a word: what is asked then waits for it, and the person is told so.
    await second.agent.kill();
    await second.sidecar.kill();
    await ask("5000 + 555");
    await heard("the agent cannot be reached now, and is tried again");
    expect(all("5555")).toEqual([]);
    await serveAnalyst();
    await eventually("the result", () => all("5555").length > 0, 90_000);
    expect(all("5555")).toHaveLength(1);
    // Found before the record of the dead one would have been over.
    await untilHeard("7777", "7000 + 777");
  }, 400_000);
});
