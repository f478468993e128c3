/**
 * The operators' API. No channel: nobody talks to agents here, so that it is composed beside the channels and answers HTTP
 * alone. Whoever comes in does what `src/operations.ts` has for them, as the `ascent` commands do.
 */
import type { HttpHandler } from "../../src/channel.ts";
import type { Report } from "../../src/operations.ts";
import { createApi, documentPath } from "./api.ts";
import { consolePath } from "./settings.ts";
import { createGate, type GateParts } from "./verify.ts";

export interface ConsoleParts extends GateParts {
  /** What is wrong with what all tenants share. */
  readonly examine: () => Promise<readonly Report[]>;
}

export function createConsole(parts: ConsoleParts): HttpHandler {
  const gate = createGate(parts);
  const api = createApi(once(parts.examine));
  return {
    paths: [`${consolePath}/*`],
    async handle(request, from) {
      // What the API is like stands in its source too; only what it tells is for operators.
      if (new URL(request.url).pathname === documentPath) return api.request(request);
      const entry = gate(request.headers, from);
      return entry instanceof Response ? entry : api.fetch(request, entry);
    },
  };
}

/** Whoever asks while it runs gets the same answer. */
function once<Result>(work: () => Promise<Result>): () => Promise<Result> {
  let running: Promise<Result> | undefined;
  return () => (running ??= work().finally(() => (running = undefined)));
}
