/** The agent writes first on real Dapr: asked at two replicas at once, it does so once, and in the order of asking. */
import { describe, expect, test } from "vitest";
import { needsDapr } from "../services/dapr.ts";
import { startReplica } from "./dapr-replica.ts";
import { openDaprStage } from "./dapr-stage.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { eventually, said } from "./stage.ts";

const { missing } = await needsDapr();
const ann = 7_200_001;

describe.skipIf(missing)("writing first on Dapr", () => {
  const stage = openDaprStage();

  async function replica(): Promise<GatewayProcess> {
    const { cluster, platform } = stage();
    const env = { ASCENT_MODEL: "demo", TELEGRAM_BOT_TOKEN: platform.token, TELEGRAM_API_ROOT: platform.url };
    return (await startReplica(cluster, { env })).gateway;
  }

  async function send(gateway: GatewayProcess, ...args: readonly string[]): Promise<void> {
    const { code, err } = await gateway.ascent("send", "--to", `telegram/main/${ann}`, ...args);
    expect(err).toBe("");
    expect(code).toBe(0);
  }

  test("the same words at two replicas are said once, and a note wakes the agent", async () => {
    const { platform } = stage();
    const [one, other] = await Promise.all([replica(), replica()]);
    await platform.user(ann).sends(ann, "/start");
    await eventually("the greeting", () => said({ platform }, ann).length === 1, 30_000);
    const words = ["--id", "monday", "the shop opens at nine"] as const;
    await Promise.all([send(one, ...words), send(other, ...words), send(one, ...words)]);
    await eventually("the words", () => said({ platform }, ann).length === 2, 30_000);
    await send(other, "--prompt", "--topic", "reminder", "water the plants");
    await eventually("what the agent makes of it", () => said({ platform }, ann).length === 3, 30_000);
    await send(other, ...words);
    await send(other, "and that is all");
    await eventually("the last words", () => said({ platform }, ann).at(-1) === "and that is all", 30_000);
    expect(said({ platform }, ann).slice(1)).toEqual([
      "the shop opens at nine",
      expect.stringContaining("This is about reminder: “water the plants”"),
      "and that is all",
    ]);
    expect((await one.ascent("deadletters", "list")).out).toContain("There are no dead letters");
  }, 180_000);
});
