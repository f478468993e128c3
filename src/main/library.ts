/** What agents read with, and the operator's documents: the same for the gateway, for an agent's own process and for commands. */
import { join } from "node:path";
import { createDocuments } from "../../adapters/documents/index.ts";
import { createKnowledgeBase } from "../../adapters/vectors/index.ts";
import type { KnowledgeBase } from "../knowledge.ts";
import type { Clock, Log } from "../ports.ts";
import type { Documents } from "../reading.ts";

export interface Library {
  readonly documents: Documents;
  readonly knowledge: KnowledgeBase;
}

/**
 * Beside the runtime's data and apart from it: several processes of one machine may have the documents open.
 * @param data the directory of the gateway's data.
 */
export function createLibrary(data: string, deps: { readonly clock: Clock; readonly log: Log }): Library {
  return {
    documents: createDocuments(deps),
    knowledge: createKnowledgeBase({ directory: join(data, "knowledge"), clock: deps.clock }),
  };
}
