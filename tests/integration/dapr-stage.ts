/** What a block of tests on real Dapr has together: a cluster, and a Telegram and a model beside it. */
import { afterAll, beforeAll } from "vitest";
import { startOpenAiFake, type OpenAiFake, type OpenAiFakeOptions } from "../fakes/openai.ts";
import { startTelegramFake, type TelegramFake } from "../fakes/telegram.ts";
import { startCluster, type Cluster, type ClusterOptions } from "../services/dapr.ts";

export interface DaprStage {
  readonly cluster: Cluster;
  readonly platform: TelegramFake;
  readonly model: OpenAiFake;
}

interface DaprStageOptions extends Partial<ClusterOptions> {
  readonly provider?: OpenAiFakeOptions;
}

/** Opened before the tests of the block in which it is called, and closed after them. @returns what they have, while they run. */
export function openDaprStage({ provider = { models: ["test"] }, ...of }: DaprStageOptions = {}): () => DaprStage {
  let cluster: Cluster | undefined;
  let platform: TelegramFake | undefined;
  let model: OpenAiFake | undefined;
  beforeAll(async () => {
    cluster = await startCluster({ pubsub: "redis", state: "redis", ...of });
    platform = await startTelegramFake();
    model = await startOpenAiFake(provider);
  }, 120_000);
  afterAll(async () => {
    await Promise.all([platform?.close(), model?.close()]);
    await cluster?.close();
  }, 60_000);
  return () => {
    if (cluster === undefined || platform === undefined || model === undefined) throw new Error("nothing runs");
    return { cluster, platform, model };
  };
}
