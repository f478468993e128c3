/** The skilled agents there are. A new one is a line here and its folder. */
import type { z } from "zod";
import { createScheduler } from "../../agents/skills/scheduler/index.ts";
import { schedulerSettings } from "../../agents/skills/scheduler/settings.ts";
import type { SkillModels } from "../../agents/skills/run.ts";
import type { Models } from "../../adapters/models/index.ts";
import type { SafeFetch } from "../fetch.ts";
import type { Blobs, Clock, Log, Records } from "../ports.ts";
import type { SkilledAgent } from "../skilled.ts";

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
  scheduler: skill({
    settings: schedulerSettings,
    on: true,
    make: (settings, deps) => createScheduler(modelOf(settings, deps), { models: modelsOf(deps), clock: deps.clock }),
  }),
};

/** An agent that names no model has that of all others. */
function modelOf<Settings extends { readonly model?: string | undefined }>(settings: Settings, { model }: SkillDeps) {
  return { ...settings, model: settings.model ?? model };
}

function modelsOf({ models, clock, log }: SkillDeps): SkillModels {
  return { provider: models, clock, log, tracing: models.tracing };
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
