import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AgentId } from "../../src/ids.ts";
import type { Clock, CloudEvent, Log } from "../../src/ports.ts";

export const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, task) {
    const timer = setTimeout(task, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

const nothing = () => undefined;
export const quietLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

export function newDirectory(): string {
  return mkdtempSync(join(tmpdir(), "ascent-embedded-"));
}

export function eventOf(
  subject: string,
  n: number,
  text = "",
): CloudEvent<{ readonly n: number; readonly text: string }> {
  return {
    specversion: "1.0",
    id: `${subject}-${n}`,
    source: "test",
    type: "test.event",
    time: "2026-11-23T10:00:00Z",
    datacontenttype: "application/json",
    subject,
    data: { n, text },
  };
}

export const agent = (name: string) => name as AgentId;
