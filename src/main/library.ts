/** What agents read with, and the operator's documents: the same for the gateway, for an agent's own process and for commands. */
import { join } from "node:path";
import { createDocuments } from "../../adapters/documents/index.ts";
import { createKnowledgeBase } from "../../adapters/vectors/sqlite/index.ts";
import { knowledgeSettings, type KnowledgeSettings } from "../../agents/skills/knowledge/settings.ts";
import { reasonOf } from "../errors.ts";
import type { KnowledgeBase } from "../knowledge.ts";
import type { Clock, Log } from "../ports.ts";
import type { Documents } from "../reading.ts";

/** Of the configuration what it takes. */
export interface LibrarySettings {
  readonly data: string;
  readonly skills: Readonly<Record<string, unknown>>;
}

export interface Library {
  readonly documents: Documents;
  readonly knowledge: KnowledgeBase;
}

/**
 * In the database that the configuration names. Else beside the runtime's data and apart from it: several processes of one machine may
 * have the documents open.
 */
export async function createLibrary(
  config: LibrarySettings,
  deps: { readonly clock: Clock; readonly log: Log },
): Promise<Library> {
  return { documents: createDocuments(deps), knowledge: await openKnowledge(config, deps.clock) };
}

async function openKnowledge(config: LibrarySettings, clock: Clock): Promise<KnowledgeBase> {
  const { database: url } = knowledgeOf(config);
  if (url === undefined) return createKnowledgeBase({ directory: join(config.data, "knowledge"), clock });
  const { createPostgresKnowledge } = await import("../../adapters/vectors/postgres/index.ts");
  return createPostgresKnowledge({ url, clock });
}

/** In the background: whoever asks of it first waits for it, and tries again where it failed. */
export function prepareKnowledge({ knowledge }: Pick<Library, "knowledge">, log: Log): void {
  knowledge.prepare().catch((error: unknown) => {
    log.warn({ reason: reasonOf(error) }, "the documents cannot be reached: `ascent doctor` says more");
  });
}

/** Those of the agent `knowledge`, whether or not the gateway runs it. */
export function knowledgeOf({ skills }: Pick<LibrarySettings, "skills">): KnowledgeSettings {
  const { enabled: _enabled, ...own } = { ...(skills["knowledge"] as { readonly enabled?: boolean } | undefined) };
  return knowledgeSettings.parse(own);
}
