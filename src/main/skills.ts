/** The skilled agents there are. A new one is a line here and its folder. */
import type { z } from "zod";
import { createCharts } from "../../adapters/charts/index.ts";
import { createSandbox } from "../../adapters/sandbox/index.ts";
import { createAnalyst } from "../../agents/skills/analyst/index.ts";
import { analystSettings } from "../../agents/skills/analyst/settings.ts";
import { createKnowledge } from "../../agents/skills/knowledge/index.ts";
import { knowledgeSettings } from "../../agents/skills/knowledge/settings.ts";
import { createResearcher, type ResearcherDeps } from "../../agents/skills/researcher/index.ts";
import { researcherSettings } from "../../agents/skills/researcher/settings.ts";
import { createSafeFetch } from "../../adapters/fetch/index.ts";
import { createScheduler } from "../../agents/skills/scheduler/index.ts";
import { schedulerSettings } from "../../agents/skills/scheduler/settings.ts";
import type { SkillModels } from "../../agents/skills/run.ts";
import type { Models } from "../../adapters/models/index.ts";
import { modelsOfAgent, type NamedModels } from "../../adapters/models/spec.ts";
import type { Delegating, NestedRun } from "../delegation-nested.ts";
import type { SafeFetch } from "../fetch.ts";
import type { Blobs, Clock, Log, Records } from "../ports.ts";
import type { SkilledAgent } from "../skilled.ts";
import type { Library } from "./library.ts";

/** What the composition gives every skilled agent. */
export interface SkillDeps {
  readonly records: Records;
  /** Those of all tenants: `blobsOf` gives a caller's. */
  readonly blobs: Blobs;
  readonly safeFetch: SafeFetch;
  readonly clock: Clock;
  readonly log: Log;
  /** Random ids: 128 bits or more, URL-safe. */
  readonly newId: () => string;
  readonly models: Models;
  /** The model of agents that name none. */
  readonly model: string;
  readonly library: Library;
  /** Where the gateway is, for those who are asked by it. */
  readonly publicUrl: string | undefined;
  /** For an agent that asks others while it works; absent where it runs alone. */
  readonly delegating?: (run: NestedRun) => Delegating;
}

interface SkillKind<Settings extends z.ZodObject> {
  readonly settings: Settings;
  /** The gateway runs it unless its settings say otherwise. */
  readonly on: boolean;
  make(settings: z.infer<Settings>, deps: SkillDeps): SkilledAgent;
}

/** By the agent's name, which stands in addresses: small letters, digits and dashes. */
export type SkillKinds = Readonly<Record<string, SkillKind<z.ZodObject>>>;

export function skill<Settings extends z.ZodObject>(of: SkillKind<Settings>): SkillKind<z.ZodObject> {
  return of as unknown as SkillKind<z.ZodObject>;
}

export const skillKinds: SkillKinds = {
  analyst: skill({
    settings: analystSettings,
    on: true,
    make: (settings, deps) =>
      createAnalyst(modelOf(settings, deps), {
        models: providerOf(deps),
        sandbox: createSandbox(deps, { timeMs: settings.programSeconds * 1_000 }),
        charts: createCharts(deps),
        blobs: deps.blobs,
        delegating: deps.delegating,
      }),
  }),
  scheduler: skill({
    settings: schedulerSettings,
    on: true,
    make: (settings, deps) => createScheduler(modelOf(settings, deps), { models: providerOf(deps), clock: deps.clock }),
  }),
  researcher: skill({
    settings: researcherSettings,
    on: true,
    make: (settings, deps) => createResearcher(modelOf(settings, deps), webOf(settings.searchUrl, deps)),
  }),
  knowledge: skill({
    settings: knowledgeSettings,
    on: true,
    make: (settings, deps) => {
      const { models, library, log } = deps;
      const { embedder } = models;
      return createKnowledge(modelOf(settings, deps), {
        models: providerOf(deps),
        base: library.knowledge,
        embedder,
        log,
      });
    },
  }),
};

/** An agent that names no model has that of all others. */
function modelOf<Settings extends NamedModels>(settings: Settings, { model }: SkillDeps) {
  return { ...settings, model: modelsOfAgent(settings) ?? model };
}

function providerOf({ models, clock, log }: SkillDeps): SkillModels {
  return { provider: models, clock, log, tracing: models.tracing };
}

function webOf(searchUrl: string | undefined, deps: SkillDeps): ResearcherDeps {
  const { clock, safeFetch, library, publicUrl } = deps;
  return {
    models: providerOf(deps),
    clock,
    safeFetch,
    documents: library.documents,
    // The operator named it: it may be in a private network, where no page's address leads.
    searchFetch: searchUrl === undefined ? safeFetch : createSafeFetch({ allowHosts: [new URL(searchUrl).host] }),
    userAgent: `Ascent-Researcher/1${publicUrl === undefined ? "" : ` (+${publicUrl})`}`,
  };
}

/** The settings of all of them, by their names. */
type Given = Readonly<Record<string, unknown>>;
const ownOf = (given: Given, name: string) => ({ ...(given[name] as { readonly enabled?: boolean } | undefined) });

/** Those that the gateway runs. */
export function createSkills(kinds: SkillKinds, given: Given, deps: SkillDeps): SkilledAgent[] {
  return Object.entries(kinds).flatMap(([name, kind]) =>
    ownOf(given, name).enabled === false ? [] : [makeSkill(kind, name, given, deps)],
  );
}

export function makeSkill(kind: SkillKinds[string], name: string, given: Given, deps: SkillDeps): SkilledAgent {
  const { enabled: _enabled, ...own } = ownOf(given, name);
  const agent = kind.make(kind.settings.parse(own), deps);
  if (agent.profile.name !== name) throw new Error(`The skilled agent "${name}" calls itself "${agent.profile.name}".`);
  return agent;
}

/** @throws Error that names those there are. */
export function skillOf(kinds: SkillKinds, name: string): SkillKinds[string] {
  const kind = kinds[name];
  if (kind !== undefined) return kind;
  throw new Error(`There is no skilled agent "${name}"; there are ${Object.keys(kinds).join(", ") || "none"}.`);
}
