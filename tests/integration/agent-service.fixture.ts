/**
 * A skilled agent's service as a process of its own: `node agent-service.fixture.ts <data> <port>`. The agent does what its task's
 * text says: "kill:<step>" ends the process with SIGKILL at that step of the task's first run; "hold" runs until it may stop.
 */
import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { openAgentService } from "../../src/main/agent-service.ts";
import { systemClock } from "../../src/main/clock.ts";
import { loadConfig } from "../../src/main/config.ts";
import { endOnSignals } from "../../src/main/ends.ts";
import { skill } from "../../src/main/skills.ts";
import { agentOf, apiKey, otherKey, textOf } from "../services/a2a.ts";
import { quietLog } from "./embedded-fixture.ts";

const [data = "", port = "0"] = process.argv.slice(2);

/** Once for each task and step, over all lives of the process. */
function dieOnce(task: string, wanted: string, step: string): void {
  const mark = join(data, `killed-${task}-${step}`);
  if (wanted !== `kill:${step}` || existsSync(mark)) return;
  writeFileSync(mark, "");
  process.kill(process.pid, "SIGKILL");
}

const tester = agentOf(async (run, hooks) => {
  const [wanted = "", more] = textOf(run).split(" ");
  const here = (step: string) => dieOnce(run.task, wanted, step);
  appendFileSync(join(data, "runs"), `${run.task} ${run.because}\n`);
  here("begin");
  if (wanted === "hold") while (!hooks.signal.aborted) await sleep(20);
  if (wanted === "ask" && more === undefined) return { kind: "input-required", question: "What?" };
  await hooks.save({ saved: true });
  here("saved");
  await hooks.artifact("part", [{ kind: "text", text: "part" }]);
  here("made");
  if (wanted === "kill:waiting" && run.because !== "due" && (run.state as { waited?: true } | null)?.waited !== true) {
    setTimeout(() => here("waiting"), 300);
    return { kind: "waiting", until: Date.now() + 1_500, state: { waited: true } };
  }
  if (wanted === "make") await sleep(300);
  // After its outcome is written, or while it is.
  if (wanted === "kill:end") setImmediate(() => here("end"));
  return { kind: "completed", parts: [{ kind: "text", text: `did ${wanted}` }] };
});

const loaded = await loadConfig({
  ASCENT_CONFIG: undefined,
  ASCENT_DATA: data,
  HOST: "127.0.0.1",
  PORT: port,
  ASCENT_A2A_GRPC_PORT: "0",
  ASCENT_A2A_KEYS: `${apiKey},${otherKey}`,
  WEBHOOK_ALLOW_HOSTS: "127.0.0.1",
});
const config = { ...loaded, server: { ...loaded.server, graceSeconds: 1 } };
const kinds = { tester: skill({ settings: z.object({}), on: true, make: () => tester }) };
const service = await openAgentService({ config, name: "tester", clock: systemClock, log: quietLog, kinds });
endOnSignals(quietLog, () => service.stop());
setInterval(() => undefined, 1_000);
await service.start();
