/** The structured log: JSON lines, or coloured lines on a terminal. Never message text, never a secret. */
import { createRequire } from "node:module";
import { pino } from "pino";
import type Pretty from "pino-pretty";
import { requestId } from "../../adapters/http/context.ts";
import type { Log } from "../ports.ts";

/** A second guard behind the rule that nobody logs these. */
const redacted = ["token", "secret", "apiKey", "authorization", "cookie", "text"].flatMap((key) => [key, `*.${key}`]);

export function createLog(level: string): Log {
  const mixin = () => ({ requestId: requestId() });
  const options = { level, base: null, mixin, redact: redacted, timestamp: pino.stdTimeFunctions.isoTime };
  if (!process.stdout.isTTY) return pino(options);
  // Loaded for a terminal only.
  const pretty = createRequire(import.meta.url)("pino-pretty") as typeof Pretty;
  return pino(options, pretty({ colorize: true, ignore: "pid,hostname", translateTime: "HH:MM:ss.l", sync: true }));
}
