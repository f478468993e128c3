/** The same as on the embedded runtime, by Dapr's jobs: by the scheduler in the gateway, and by one that is a process of its own. */
import { join } from "node:path";
import { remindAll, reminding } from "../reminding.ts";
import type { Bench, Scenario } from "../scenario.ts";
import { freePort, root, until } from "../session.ts";
import { startWorld } from "../world.ts";
import type { Stack } from "./cluster.ts";
import { startOurs } from "./contenders.ts";

const secret = "a secret that the gateway and its agents share 0123";

export const daprReminders: Scenario = {
  name: "dapr reminders",
  limit: { quick: 500, full: 800 },
  async run(bench) {
    const { session, handicap } = bench;
    const { people } = await startOurs({ session, world: await startWorld(session), handicap, ...reminding });
    return remindAll(people, ", on Dapr", bench);
  },
};

export const daprRemindersApart: Scenario = {
  name: "dapr reminders apart",
  limit: { quick: 500, full: 800 },
  async run(bench) {
    const { session, handicap } = bench;
    const settings = { ...reminding.settings, skills: { scheduler: { enabled: false } } };
    const env = { ...reminding.env, ASCENT_SECRET: secret };
    const { people, stack } = await startOurs({ session, world: await startWorld(session), handicap, settings, env });
    await serveScheduler(bench, stack);
    return remindAll(people, ", by a process of its own", bench);
  },
};

/** `ascent agent serve scheduler`, which registers itself for the gateway to find. */
async function serveScheduler({ session }: Bench, { cluster }: Stack): Promise<void> {
  const [appPort, port] = [await freePort(), await freePort()];
  const config = join(root, "dapr/config/agent.yaml");
  const sidecar = await cluster.sidecar({ appPort, appId: "ascent-scheduler", config, logLevel: "warn" });
  session.launch({
    name: "the scheduler",
    command: join(root, "bin/ascent"),
    args: ["agent", "serve", "scheduler"],
    cwd: session.folder(),
    env: {
      HOST: "127.0.0.1",
      PORT: String(port),
      LOG_LEVEL: "warn",
      ASCENT_MODEL: "demo",
      ASCENT_RUNTIME: "dapr",
      ASCENT_SECRET: secret,
      ASCENT_DATA: session.folder(),
      DAPR_HTTP_PORT: String(sidecar.httpPort),
      DAPR_API_TOKEN: cluster.apiToken,
      APP_API_TOKEN: cluster.appToken,
      APP_PORT: String(appPort),
    },
  });
  const ready = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
    await answer?.body?.cancel();
    return answer?.ok ?? false;
  };
  await Promise.race([session.broken, until(60_000, "the scheduler's /readyz", ready)]);
}
