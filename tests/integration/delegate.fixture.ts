/**
 * A skilled agent's service as a process of its own, as the environment configures it: `node delegate.fixture.ts [name]`. What it does,
 * its task's text says.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { TaskHooks, TaskOutcome, TaskRun } from "../../src/skilled.ts";
import { openAgentService } from "../../src/main/agent-service.ts";
import { systemClock } from "../../src/main/clock.ts";
import { loadConfig } from "../../src/main/config.ts";
import { endOnSignals } from "../../src/main/ends.ts";
import { createLog } from "../../src/main/log.ts";
import { skill, type SkillDeps } from "../../src/main/skills.ts";
import { agentOf, textOf } from "../services/a2a.ts";

const [name = "tester"] = process.argv.slice(2);
const done = (text: string): TaskOutcome => ({ kind: "completed", parts: [{ kind: "text", text }] });

/** "onward <agent> <words>": what that one says of them. */
async function onward(run: TaskRun, hooks: TaskHooks, words: string, deps: SkillDeps): Promise<TaskOutcome> {
  const [, other = "", task = ""] = /\bonward (\S+) ([^]*)$/.exec(words) ?? [];
  const { signal, progress } = hooks;
  const own = deps.delegating?.({ agent: name, run });
  const result = await own?.call(other, { key: "onward", args: { task }, signal, progress });
  return done(`${other} told me: ${result?.text}`);
}

async function execute(run: TaskRun, hooks: TaskHooks, deps: SkillDeps): Promise<TaskOutcome> {
  const first = run.messages[0]?.parts.flatMap((part) => (part.kind === "text" ? [part.text] : [])).join(" ") ?? "";
  const [, wanted = "", number = "0"] = /\b(onward|slow|ask|hold|file|later)\b ?(\d*)/.exec(first) ?? [];
  switch (wanted) {
    case "onward":
      return onward(run, hooks, first, deps);
    case "slow":
      for (let left = Number(number); left > 0; left -= 500) {
        hooks.progress("thinking hard");
        await sleep(Math.min(left, 500), undefined, { signal: hooks.signal });
      }
      return done(`slow is done, ${run.caller.id.length} letters`);
    case "ask": {
      const asked = run.messages.filter(({ role }) => role === "user").length > 1;
      return asked ? done(`it is ${textOf(run)}`) : { kind: "input-required", question: "Which colour?" };
    }
    case "hold":
      await sleep(600_000, undefined, { signal: hooks.signal });
      return done("never");
    case "file": {
      const files = run.messages.flatMap(({ parts }) => parts.filter((part) => part.kind === "file"));
      const body = new Blob(["a;b\n1;2\n"]).stream();
      const { id, size } = await deps.blobs.put(body, { type: "text/csv", name: "table.csv", maxBytes: 1_000 });
      const made = { kind: "file", name: "table.csv", type: "text/csv", blob: id, size } as const;
      const seen = files.map(({ name, size: bytes }) => `${name} of ${bytes} bytes`).join(", ");
      return { kind: "completed", parts: [{ kind: "text", text: `I have seen ${seen || "no file"}` }, made] };
    }
    case "later":
      if (run.state !== null) return done(`now is later, ${/say (\w+)/.exec(first)?.[1]}`);
      return { kind: "waiting", until: Date.now() + Number(number), state: { waited: true } };
    default:
      return done("quick is done");
  }
}

const config = await loadConfig();
const tester = (deps: SkillDeps) => {
  const agent = agentOf((run, hooks) => execute(run, hooks, deps), name);
  return { ...agent, profile: { ...agent.profile, inputModes: ["text/plain", "image/*", "text/csv"] } };
};
const kind = skill({ settings: z.object({}), on: true, make: (_settings, deps) => tester(deps) });
const kinds = { tester: kind, other: kind };
const log = createLog(config.logLevel);
const service = await openAgentService({ config, name, clock: systemClock, log, kinds });
endOnSignals(log, () => service.stop());
setInterval(() => undefined, 1_000);
await service.start();
