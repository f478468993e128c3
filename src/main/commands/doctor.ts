import { reasonOf } from "../../errors.ts";
import type { Report } from "../../operations.ts";
import { loadRunningConfig } from "../config.ts";
import { examine } from "../doctor.ts";
import { withOperations } from "./operations.ts";

/** Checks everything and prints a line each; the exit code is 1 when something is wrong. */
export async function doctor(): Promise<void> {
  const config = await loadRunningConfig();
  let healthy = true;
  const report = ({ topic, findings }: Report): void => {
    for (const { ok, text, next } of findings) {
      healthy &&= ok;
      const mark = ok ? (next === undefined ? "ok   " : "WARN ") : "WRONG";
      process.stdout.write(`${mark}  ${topic}: ${text}\n`);
      if (next !== undefined) process.stdout.write(`       → ${next}\n`);
    }
  };
  for await (const one of examine(config)) report(one);
  try {
    await withOperations(config, async (operations, url) => {
      if (config.runtime === "embedded") {
        const text =
          url === undefined ? `${config.data} can be opened` : `${config.data}: a gateway works on it at ${url}`;
        report({ topic: "data", findings: [{ ok: true, text }] });
      }
      for (const one of await operations.check()) report(one);
    });
  } catch (error) {
    const text = error instanceof Error ? error.message : reasonOf(error);
    const next = "Correct what this line names, then try again.";
    report({ topic: "data and channels", findings: [{ ok: false, text, next }] });
  }
  process.exitCode = healthy ? 0 : 1;
}
