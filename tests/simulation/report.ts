/** A failing seed in words: what broke, the smallest plan that still breaks it, and what happened in it. */
import { planOf } from "./generate.ts";
import type { Action, Flavour, Plan } from "./plan.ts";
import { shrink } from "./shrink.ts";
import { simulate, type Outcome } from "./simulate.ts";
import type { Subject } from "./world.ts";

export async function runSeed(seed: number, flavour: Flavour, subject: Subject, trace?: string[]): Promise<Outcome> {
  return simulate(planOf(seed, flavour), subject, trace);
}

/** @returns undefined where the seed holds. */
export async function explain(seed: number, flavour: Flavour, subject: Subject): Promise<string | undefined> {
  const plan = planOf(seed, flavour);
  const { violations } = await simulate(plan, subject);
  const rule = violations[0]?.rule;
  if (rule === undefined) return undefined;
  const smallest = await shrink(plan, async (candidate) => {
    const outcome = await simulate(candidate, subject);
    return outcome.violations.some((violation) => violation.rule === rule);
  });
  const trace: string[] = [];
  const shrunk = await simulate(smallest, subject, trace);
  return [
    `seed ${seed}, ${flavour}: npm run simulate -- --seed ${seed} --flavour ${flavour}`,
    ...violations.map(({ rule: broken, text }) => `  ${broken}: ${text}`),
    "",
    "made small:",
    ...describe(smallest),
    "",
    ...trace,
    "",
    ...shrunk.violations.map(({ rule: broken, text }) => `  ${broken}: ${text}`),
    "",
  ].join("\n");
}

function describe(plan: Plan): string[] {
  const { replicas, workers, isolated, processingMs, senders, settings } = plan;
  return [
    `  ${JSON.stringify({ replicas, workers, isolated, processingMs, senders, ...settings })}`,
    ...plan.channels.map((channel) => `  channel ${JSON.stringify(channel)}`),
    ...plan.conversations.flatMap(({ actions, ...conversation }) => [
      `  conversation ${JSON.stringify(conversation)}`,
      ...actions.map((action) => `    ${actionLine(action)}`),
    ]),
    ...plan.faults.map((fault) => `  fault ${JSON.stringify(fault)}`),
  ];
}

function actionLine({ id, user, after, waitMs, does, copies, echoMs }: Action): string {
  const more = `${copies > 1 ? ` ×${copies}` : ""}${echoMs === undefined ? "" : ` and again after ${echoMs} ms`}`;
  return `${id} by ${user}, ${waitMs} ms after ${after === "answer" ? "an answer" : "the last"}: ${JSON.stringify(does)}${more}`;
}
