import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

export type Line = Readonly<Record<string, unknown>>;

export interface Child {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly lines: Line[];
  /** The first line, past or to come, that has this field. */
  line(field: string): Promise<Line>;
  /** Resolves when it is dead and everything it printed was read. */
  kill(): Promise<void>;
}

/** Starts the fixture as a process of its own. `through`: a command that runs it, for example one that sets limits. */
export function startChild(directory: string, role: string, life = 0, through: readonly string[] = []): Child {
  const fixture = new URL("embedded-child.fixture.ts", import.meta.url).pathname;
  const [command, ...rest] = [...through, process.execPath, fixture, directory, role, String(life)];
  const child = spawn(command ?? "", rest, { stdio: ["ignore", "pipe", "inherit"] });
  const lines: Line[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on("line", (text) => {
    // The last line of a killed process may be cut off.
    if (text.endsWith("}")) lines.push(JSON.parse(text) as Line);
  });
  const closed = once(reader, "close");
  return {
    process: child,
    pid: child.pid ?? 0,
    lines,
    async line(field) {
      for (let step = 0; step < 1500; step += 1) {
        const found = lines.find((line) => field in line);
        if (found !== undefined) return found;
        await sleep(10);
      }
      throw new Error(`the process never said "${field}": ${JSON.stringify(lines.slice(-3))}`);
    },
    async kill() {
      child.kill("SIGKILL");
      await closed;
    },
  };
}
