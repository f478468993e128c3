/**
 * The ledger of what tools changed in the world: a turn that runs again after a crash is told what it did already, instead of
 * doing it twice. One record per call, begun before it and finished after it, for as long as a turn may come again.
 */
import { z } from "zod";
import type { Belongings } from "./belongings.ts";
import { ConflictError, InputError, reasonOf, TerminalError } from "./errors.ts";
import { digestOf, type ConversationId } from "./ids.ts";
import type { Clock, Log, Records } from "./ports.ts";
import type { ToolResult, ToolSpec } from "./tools.ts";

const keptMs = 8 * 24 * 60 * 60_000;

const row = z.object({
  v: z.literal(1),
  at: z.number(),
  /** As a digest: what people asked for is nobody's to read here. */
  args: z.string(),
  result: z.unknown().optional(),
});

export interface EffectCall {
  /** Whose words its result may hold. */
  readonly conversation: ConversationId;
  readonly key: string;
  readonly effect: ToolSpec["effect"];
  readonly args: unknown;
}

export interface Effects {
  /**
   * Does the work at most once for a key where its effect is "once", and any number of times under the same key where it is
   * "idempotent"; a result that is known is given again.
   * @throws InputError where it cannot be known whether it was done, or was done with other arguments: its words are for the
   *   model. What `work` throws, too: an InputError or TerminalError says that nothing was done.
   */
  once(call: EffectCall, work: () => Promise<ToolResult>): Promise<ToolResult>;
}

export interface EffectsOptions {
  readonly records: Records;
  readonly clock: Clock;
  readonly log: Log;
  readonly belongings: Pick<Belongings, "note">;
}

export function createEffects({ records, clock, log, belongings }: EffectsOptions): Effects {
  return {
    async once({ key, effect, args, conversation }, work) {
      if (effect === "none") return work();
      const name = `effect:${key}`;
      const asked = digestOf(JSON.stringify(args) ?? "");
      const begun = await records.get(name);
      const before = begun === undefined ? undefined : row.parse(begun.value);
      if (before !== undefined && before.args !== asked) throw new InputError(otherwise(before.result));
      if (before?.result !== undefined) return before.result as ToolResult;
      if (before !== undefined && effect === "once") throw new InputError(unknown);
      const entry = { v: 1, at: clock.now(), args: asked };
      if (before === undefined) {
        await belongings.note(conversation, name);
        await begin(name, entry);
      }
      const result = await settled(name, work);
      await kept(() => records.put(name, { ...entry, result }, { ttlMs: keptMs }));
      return result;
    },
  };

  async function begin(name: string, entry: object): Promise<void> {
    try {
      await records.put(name, entry, { etag: null, ttlMs: keptMs });
    } catch (error) {
      if (error instanceof ConflictError) throw new InputError(unknown, { cause: error });
      throw error;
    }
  }

  /** Whoever made the call is told what came of it, also where no other attempt can know that: to those it was begun, and no more. */
  async function kept(write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
    } catch (error) {
      log.warn({ reason: reasonOf(error) }, "what came of a tool's call could not be kept");
    }
  }

  /** Nothing was done: the same call may be made anew. */
  async function settled(name: string, work: () => Promise<ToolResult>): Promise<ToolResult> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof InputError || error instanceof TerminalError) await records.remove(name);
      throw error;
    }
  }
}

const unknown =
  "this call was begun before and broken off: nobody knows whether it was done. Do not try it again; tell the person, " +
  "and look with another tool whether it was done where there is one";

function otherwise(result: unknown): string {
  const done =
    result === undefined
      ? "whether it was done is not known"
      : `its result was ${JSON.stringify(result).slice(0, 2_000)}`;
  return `an earlier run of this turn made this call with other arguments, and ${done}. Call again only if it has to be done besides`;
}
