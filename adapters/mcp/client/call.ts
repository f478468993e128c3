/** One call of a server's tool, on one connection. */
import { CallToolResultSchema, ErrorCode, McpError, type CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import { StreamableHTTPError } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Clock } from "../../../src/ports.ts";
import type { ToolCall } from "../../../src/tools.ts";
import type { McpServer } from "../settings.ts";
import { askForm } from "./elicit.ts";
import { runOwn } from "./own-tools.ts";
import { goneCode, type Session } from "./session.ts";

/** Where a server finds what makes a call the same call: it does it once for each. */
const keyOfMeta = "ascent/idempotency-key";

const longestProgress = 200;
/** The gateway's own clock ends a call; the SDK's never does. */
const neverMs = 2 ** 31 - 1;

export class CallTimeout extends Error {
  override readonly name = "CallTimeout";
}

export interface CallOptions {
  readonly source: string;
  readonly settings: McpServer;
  readonly clock: Clock;
  /** As the server calls it; undefined: one of {@link runOwn}. */
  readonly remote: string | undefined;
  readonly name: string;
}

export async function callOn(session: Session, call: ToolCall, options: CallOptions): Promise<CallToolResult> {
  const { settings, clock, remote, name, source } = options;
  const ended = new AbortController();
  const signal = AbortSignal.any([call.signal, session.lost, ended.signal]);
  const limitMs = settings.timeoutSeconds * 1_000;
  const timer = createTimer(clock, limitMs, () => ended.abort(new CallTimeout(`no answer within ${limitMs} ms`)));
  const request = {
    signal,
    timeout: neverMs,
    onprogress({
      message,
      progress,
      total,
    }: {
      message?: string | undefined;
      progress: number;
      total?: number | undefined;
    }) {
      timer.again();
      const words = message ?? (total === undefined ? String(progress) : `${progress}/${total}`);
      call.progress(words.slice(0, longestProgress).toWellFormed());
    },
  };
  let asked = 0;
  if (settings.asks) {
    session.onElicit = async (form, stopped) => {
      timer.pause();
      try {
        const forMs = settings.answerSeconds * 1_000;
        const stop = AbortSignal.any([signal, stopped]);
        return await askForm(form, { source, call, number: ++asked, forMs, clock, signal: stop });
      } finally {
        timer.again();
      }
    };
  }
  try {
    if (remote === undefined) return await runOwn(name, session.client, call.args, request);
    const params = { name: remote, arguments: argsOf(call.args), _meta: { [keyOfMeta]: call.key } };
    return await session.client.request({ method: "tools/call", params }, CallToolResultSchema, request);
  } catch (error) {
    // The SDK's own error says that it was cancelled, not why.
    if (signal.aborted) throw signal.reason;
    throw error;
  } finally {
    timer.end();
    session.onElicit = undefined;
  }
}

function argsOf(args: unknown): Record<string, unknown> {
  return typeof args === "object" && args !== null ? (args as Record<string, unknown>) : {};
}

function createTimer(clock: Clock, ms: number, task: () => void) {
  let cancel = clock.after(ms, task);
  return {
    pause: () => cancel(),
    again() {
      cancel();
      cancel = clock.after(ms, task);
    },
    end: () => cancel(),
  };
}

/**
 * What is known of a call that failed: "undone" where it cannot have been begun, "answered" where the server refused it, "unknown"
 * for the rest.
 */
export function outcomeOf(error: unknown): "undone" | "answered" | "unknown" {
  if (error instanceof StreamableHTTPError) {
    // The session is not known there any more, or the request was not let in.
    return [404, 401, 403, 405, 413, 429].includes(error.code ?? 0) ? "undone" : "unknown";
  }
  if (error instanceof McpError) {
    const isOurs = [goneCode, ErrorCode.ConnectionClosed, ErrorCode.RequestTimeout].includes(error.code);
    return isOurs ? "unknown" : "answered";
  }
  const isOff = error instanceof Error && error.message === "Not connected";
  return isOff || isRefused(error) ? "undone" : "unknown";
}

function isRefused(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ("code" in at && (at.code === "ECONNREFUSED" || at.code === "ENOTFOUND")) return true;
  }
  return false;
}
