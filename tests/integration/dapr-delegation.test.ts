/** Delegating on real Dapr: an agent that is an application of its own, by service invocation, and a gateway that is killed meanwhile. */
import { describe, expect, test } from "vitest";
import { needsDapr } from "../services/dapr.ts";
import { agentSidecar, startReplica } from "./dapr-replica.ts";
import { openDaprStage } from "./dapr-stage.ts";
import { delegateKey, startDelegate } from "./delegate-process.ts";
import { eventually, said } from "./stage.ts";

const { missing } = await needsDapr();
const ann = 7_400_001;
const gatewayKey = "an-api-key-of-the-agent-that-asks-on";

describe.skipIf(missing)("delegating on Dapr", () => {
  const stage = openDaprStage({ mtls: true });

  test("by an app id: a result at once, and one that comes after the gateway was killed and replaced", async () => {
    const { cluster, platform, model } = stage();
    const { env } = await agentSidecar(cluster, "ascent-scheduler");
    model.script((prompt) => {
      if (prompt.tools.includes("run_javascript"))
        return prompt.toolOutputs.length > 0
          ? { text: `it is ${/returned: (\d+)/.exec(prompt.toolOutputs.join())?.[1]}` }
          : { toolCalls: [{ name: "run_javascript", arguments: { code: "return 6 * 7" } }] };
      const [, task] = /^tester: (.*)$/.exec(prompt.turn.at(-1) ?? "") ?? [];
      if (task === undefined || prompt.toolOutputs.length > 0) return undefined;
      return { toolCalls: [{ name: "agent__tester", arguments: { task } }] };
    });
    const { gateway } = await startReplica(cluster, {
      config: {
        delegates: { tester: { app: "ascent-scheduler", apiKey: delegateKey } },
        delegation: { inlineSeconds: 3 },
      },
      env: {
        ASCENT_CONFIG: "ascent.yaml",
        ASCENT_A2A_KEYS: gatewayKey,
        ASCENT_MODEL: "compatible:test",
        OPENAI_BASE_URL: model.baseURL,
        TELEGRAM_BOT_TOKEN: platform.token,
        TELEGRAM_API_ROOT: platform.url,
      },
    });
    await startDelegate(env, {
      delegates: { analyst: { url: `${gateway.url}/a2a/analyst`, apiKey: gatewayKey } },
    });
    const heard = (words: string) =>
      eventually(`"${words}"`, () => said({ platform }, ann).find((text) => text.includes(words)), 60_000);

    await platform.user(ann).sends(ann, "tester: quick");
    await heard("quick is done");
    await platform.user(ann).sends(ann, "tester: slow 9000");
    await heard("goes on in the background");
    await gateway.kill();
    await gateway.start();
    await heard("slow is done");
    expect(said({ platform }, ann).filter((text) => text.includes("slow is done"))).toHaveLength(1);

    // It asks on, at the gateway that asks it.
    await platform.user(ann).sends(ann, "tester: onward analyst how much is it?");
    await heard("analyst told me: it is 42");
  }, 240_000);
});
