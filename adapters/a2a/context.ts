/** What an operation knows of its call, whichever transport it came by. */
import { defaultServerCallContextBuilder, type ServerCallContext } from "@a2a-js/sdk/server";
import { chainExtension } from "../../src/chain.ts";
import type { TaskCaller } from "../../src/skilled.ts";

export interface Caller {
  readonly caller: TaskCaller;
  readonly signal: AbortSignal;
}
const callerKey = "ascent caller";

export function callerOf(context: ServerCallContext): Caller {
  const found = context.state.get(callerKey) as Caller | undefined;
  if (found === undefined) throw new Error("a call without its caller");
  return found;
}

export interface ContextParts extends Caller {
  /** As the header names them, with commas between. */
  readonly extensions: string;
  readonly version: string;
}

export function contextOf({ caller, signal, extensions, version }: ContextParts): ServerCallContext {
  const context = defaultServerCallContextBuilder({
    extensions: extensions.split(",").map((one) => one.trim()),
    user: { isAuthenticated: true, userName: caller.id },
    headers: {},
    requestedVersion: version,
  });
  context.state.set(callerKey, { caller, signal } satisfies Caller);
  if (context.requestedExtensions?.includes(chainExtension) === true) context.addActivatedExtension(chainExtension);
  return context;
}
