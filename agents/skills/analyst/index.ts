/**
 * The analyst: what it says of numbers was computed, by programs that a model writes and that run in a sandbox. Nothing that stands in a
 * file can do more than be computed with: the programs reach nothing, and the model has no other tool.
 */
import type { Charts } from "../../../src/charts.ts";
import { InputError } from "../../../src/errors.ts";
import type { Blobs } from "../../../src/ports.ts";
import type { Delegating, NestedRun } from "../../../src/delegation-nested.ts";
import type { Sandbox } from "../../../src/sandbox.ts";
import type { SkilledAgent, TaskHooks, TaskOutcome, TaskRun } from "../../../src/skilled.ts";
import { blobsOf } from "../../../src/tenant-blobs.ts";
import { askingOthers } from "../asking.ts";
import type { SkillModels } from "../run.ts";
import { runsOnDemo, type SkillSettings } from "../settings.ts";
import { filesOf } from "./files.ts";
import { analyseOnModel } from "./model.ts";
import { profileOf } from "./profile.ts";
import { partsOf } from "./results.ts";
import { wishIn } from "./rules.ts";
import { answerSimply } from "./simple.ts";

export interface AnalystDeps {
  readonly models: SkillModels;
  readonly sandbox: Sandbox;
  readonly charts: Charts;
  /** Those of all tenants. */
  readonly blobs: Blobs;
  /** Absent: it asks nobody. */
  readonly delegating?: ((run: NestedRun) => Delegating) | undefined;
}

export function createAnalyst(
  settings: SkillSettings & { readonly asks: readonly string[] },
  deps: AnalystDeps,
): SkilledAgent {
  const { models, sandbox, charts } = deps;
  const profile = profileOf(settings.asks);
  const delegatingFor = (run: NestedRun["run"]) =>
    settings.asks.length === 0 ? undefined : deps.delegating?.({ agent: profile.name, run });

  async function analyse(run: TaskRun, hooks: TaskHooks): Promise<TaskOutcome> {
    const { messages } = run;
    const { signal } = hooks;
    const blobs = blobsOf(deps.blobs, run.caller.tenant, `task ${run.task}`);
    const files = await filesOf(messages, blobs, sandbox);
    const given = localeOf(run.locale);
    if (runsOnDemo(settings)) {
      hooks.progress("computing");
      const text = lastTextOf(run);
      const { text: said, made } = await answerSimply(text, files, sandbox, given, signal);
      const locale = given ?? wishIn(text).language;
      return { kind: "completed", parts: await partsOf(said, made, { charts, blobs, locale, signal }) };
    }
    const context = given === undefined ? {} : { locale: given };
    const delegating = delegatingFor(run);
    const asking = await askingOthers({ delegating, names: settings.asks, messages, hooks });
    const on = { settings, models, sandbox, files, run, hooks, context, asking };
    const { answer, made } = await analyseOnModel(on);
    if (answer.kind === "asked") return { kind: "input-required", question: answer.question };
    const asked = asking.asked();
    const text = asked.length === 0 ? answer.text : `${answer.text}\n\nData from: ${asked.join(", ")}.`;
    const parts = await partsOf(text, made, { charts, blobs, locale: given ?? "en", signal });
    return { kind: "completed", parts: [...parts, ...asking.files()] };
  }

  return {
    profile,
    async execute(run, hooks) {
      try {
        return await analyse(run, hooks);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        return { kind: "rejected", reason: error.message };
      }
    },
    ended: async (run) => delegatingFor(run)?.end(),
  };
}

function lastTextOf({ messages }: TaskRun): string {
  const last = messages.findLast(({ role }) => role === "user");
  return (last?.parts ?? [])
    .flatMap((part) => (part.kind === "text" ? [part.text] : []))
    .join("\n")
    .slice(0, 4_000);
}

function localeOf(name: string | undefined): string | undefined {
  try {
    return name === undefined ? undefined : Intl.getCanonicalLocales(name)[0];
  } catch {
    return undefined; // a caller's word that means nothing here
  }
}
