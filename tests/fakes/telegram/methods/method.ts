import type { Upload } from "../../multipart.ts";
import type { Params } from "../types.ts";
import type { World } from "../world.ts";

export interface MethodContext {
  readonly world: World;
  readonly files: ReadonlyMap<string, Upload>;
  /** Aborts when the caller goes away: only a long poll looks at it. */
  readonly gone: AbortSignal;
  readonly webhookRetryUnitMs: number;
  readonly webhookTimeoutMs: number;
  /** Runs a call that a webhook's answer carries. */
  readonly runAnswer: (body: string) => void;
}

/** Returns the `result` of the answer, or a promise of it, or throws ApiError. Keys of method tables are lower case. */
export type Method = (context: MethodContext, params: Params) => unknown;

export function unixNow(): number {
  return Math.floor(Date.now() / 1_000);
}

/** A result that is JSON already. */
export class RawJson {
  readonly body: string;

  constructor(body: string) {
    this.body = body;
  }
}
