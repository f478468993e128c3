import { createModels } from "../../../adapters/models/index.ts";
import type { Finding } from "../../channel.ts";
import { reasonOf } from "../../errors.ts";
import { systemClock } from "../clock.ts";
import { loadRunningConfig, type Config } from "../config.ts";
import { modelsSettings } from "../agents.ts";
import { describeAccess, exposedAdvice } from "../policies.ts";
import { sidecarUrl } from "../runtime.ts";
import { withOperations } from "./operations.ts";

const checkMs = 20_000;

/** Checks everything and prints a line each; the exit code is 1 when something is wrong. */
export async function doctor(): Promise<void> {
  const config = await loadRunningConfig();
  let healthy = true;
  const report = (topic: string, findings: readonly Finding[]): void => {
    for (const { ok, text, next } of findings) {
      healthy &&= ok;
      const mark = ok ? (next === undefined ? "ok   " : "WARN ") : "WRONG";
      process.stdout.write(`${mark}  ${topic}: ${text}\n`);
      if (next !== undefined) process.stdout.write(`       → ${next}\n`);
    }
  };
  report("configuration", [{ ok: true, text: config.file ?? "from the environment alone" }]);
  report("node", [{ ok: true, text: process.version }]);
  report("public address", [checkPublicUrl(config)]);
  for (const { account, text, exposed } of describeAccess(config))
    report("access", [{ ok: true, text: `${account}, ${text}`, ...(exposed ? { next: exposedAdvice } : {}) }]);
  for (const [name, spec] of modelsOf(config)) report(`agent ${name}`, [await checkModel(config, spec)]);
  const transcription = await checkTranscription(config);
  if (transcription !== undefined) report("transcription", [transcription]);
  if (config.runtime === "dapr") for (const [topic, findings] of await checkDapr(config)) report(topic, findings);
  try {
    await withOperations(config, async (operations, url) => {
      if (config.runtime === "embedded") {
        const text =
          url === undefined ? `${config.data} can be opened` : `${config.data}: a gateway works on it at ${url}`;
        report("data", [{ ok: true, text }]);
      }
      for (const { channel, findings } of await operations.check()) report(channel, findings);
    });
  } catch (error) {
    const text = error instanceof Error ? error.message : reasonOf(error);
    report("data and channels", [{ ok: false, text, next: "Correct what this line names, then try again." }]);
  }
  process.exitCode = healthy ? 0 : 1;
}

/** The sidecar, its components' files, and the Redis that signals go over. */
async function checkDapr({ dapr, redis }: Config): Promise<[string, readonly Finding[]][]> {
  const { checkDaprAt } = await import("../../../adapters/dapr/check.ts");
  const findings: [string, readonly Finding[]][] = [
    ["sidecar", await checkDaprAt({ url: sidecarUrl(dapr), token: dapr.apiToken })],
  ];
  if (dapr.resources.length > 0) {
    const { checkResources } = await import("../dapr/durability.ts");
    findings.push(["components", checkResources(dapr.resources)]);
  }
  if (redis.url !== undefined) {
    const { checkRedis } = await import("../../../adapters/redis/check.ts");
    findings.push(["redis", await checkRedis(redis.url)]);
  }
  return findings;
}

function checkPublicUrl({ server }: Config): Finding {
  if (server.publicUrl === undefined) return { ok: true, text: "PUBLIC_URL is not set; webhooks of platforms need it" };
  const { protocol } = new URL(server.publicUrl);
  if (protocol === "https:") return { ok: true, text: server.publicUrl };
  return { ok: true, text: `${server.publicUrl}: platforms call webhooks by https only` };
}

function modelsOf(config: Config): [string, string][] {
  return Object.entries(config.agents).map(([name, { model }]) => [name, model ?? config.model.spec]);
}

async function checkModel(config: Config, spec: string): Promise<Finding> {
  const models = createModels(modelsSettings(config), { clock: systemClock });
  try {
    return await models.check(spec, AbortSignal.timeout(checkMs));
  } catch (error) {
    return { ok: false, text: reasonOf(error), next: "Correct ASCENT_MODEL or the agent's model." };
  }
}

function checkTranscription(config: Config): Promise<Finding | undefined> {
  const models = createModels(modelsSettings(config), { clock: systemClock });
  return models.checkTranscription(AbortSignal.timeout(checkMs));
}
