/**
 * Programs that a test needs beside Node.js. On a person's machine a suite whose program is missing is skipped, with a line
 * that says so; where CI is set a missing program fails the run, so that no check is skipped there unseen.
 *
 * ```ts
 * const chromium = needs("chromium");
 * describe.skipIf(chromium.missing)("the page", () => { … launch({ executablePath: chromium.path }) … });
 * ```
 */
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

export interface Needed {
  readonly missing: boolean;
  /** Absolute path of the program; empty when it is missing. */
  readonly path: string;
}

interface Place {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told once per call, when the program is missing and the suite will be skipped. */
  readonly say: (line: string) => void;
}

/** Other names that a program goes by, and fixed places where it is installed outside of PATH. */
const aliases: Readonly<Record<string, readonly string[]>> = {
  chromium: ["chromium", "chromium-browser", "google-chrome", "/usr/bin/chromium"],
  postgres: ["postgres", ...[18, 17, 16, 15, 14].map((version) => `/usr/lib/postgresql/${version}/bin/postgres`)],
  // Debian's program in PATH would run it as a system service's user, with that service's files.
  "rabbitmq-server": ["/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server"],
};

/**
 * Looks for a program: first in the variable named after it (`CHROMIUM_PATH`, `REDIS_SERVER_PATH`), then in PATH.
 * @throws when it is missing and CI is set, or when the variable names no program.
 */
export function needs(program: string, place: Partial<Place> = {}): Needed {
  const { env, say }: Place = { env: process.env, say: (line) => console.warn(line), ...place };
  const variable = `${program.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}_PATH`;
  const named = env[variable];
  if (named) {
    if (isProgram(named)) return { missing: false, path: named };
    throw new Error(`${variable} names ${named}, which is no program`);
  }
  const folders = (env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  const candidates = (aliases[program] ?? [program]).flatMap((name) =>
    name.startsWith("/") ? [name] : folders.map((folder) => join(folder, name)),
  );
  const path = candidates.find(isProgram);
  if (path !== undefined) return { missing: false, path };
  if (env["CI"]) throw new Error(`${program} is not installed, and CI is set: nothing may be skipped here`);
  say(`skipped: ${program} is not installed (install it or set ${variable})`);
  return { missing: true, path: "" };
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
