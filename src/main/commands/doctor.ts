import { createModels } from "../../../adapters/models/index.ts";
import type { Finding } from "../../channel.ts";
import { reasonOf } from "../../errors.ts";
import { systemClock } from "../clock.ts";
import { loadConfig, type Config } from "../config.ts";
import { modelsSettings } from "../agents.ts";
import { withOperations } from "./operations.ts";

const checkMs = 20_000;

/** Checks everything and prints a line each; the exit code is 1 when something is wrong. */
export async function doctor(): Promise<void> {
  const config = await loadConfig();
  let healthy = true;
  const report = (topic: string, findings: readonly Finding[]): void => {
    for (const { ok, text, next } of findings) {
      healthy &&= ok;
      process.stdout.write(`${ok ? "ok   " : "WRONG"}  ${topic}: ${text}\n`);
      if (!ok && next !== undefined) process.stdout.write(`       → ${next}\n`);
    }
  };
  report("configuration", [{ ok: true, text: config.file ?? "from the environment alone" }]);
  report("node", [{ ok: true, text: process.version }]);
  report("public address", [checkPublicUrl(config)]);
  for (const [name, spec] of modelsOf(config)) report(`agent ${name}`, [await checkModel(config, spec)]);
  try {
    await withOperations(config, async (operations, url) => {
      const text =
        url === undefined ? `${config.data} can be opened` : `${config.data}: a gateway works on it at ${url}`;
      report("data", [{ ok: true, text }]);
      for (const { channel, findings } of await operations.check()) report(channel, findings);
    });
  } catch (error) {
    const text = error instanceof Error ? error.message : reasonOf(error);
    report("data and channels", [{ ok: false, text, next: "Correct what this line names, then try again." }]);
  }
  process.exitCode = healthy ? 0 : 1;
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
