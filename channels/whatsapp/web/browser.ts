/** whatsapp-web.js in a browser of its own. Both are loaded only where they are used: together they weigh more than the gateway. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "whatsapp-web.js";

export interface BrowserOptions {
  /** Where the session lives: whoever has it writes in the number's name. */
  readonly directory: string;
  /** Names the session within it. */
  readonly session: string;
  /** The program. */
  readonly chromium: string;
}

const flags = [
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export interface BrowserClient {
  readonly client: Client;
  /** Resolves when the browser runs; never where it does not start. */
  readonly launched: Promise<void>;
}

/** Nothing runs yet: `client.initialize()` starts the browser. */
export async function createClient({ directory, session, chromium }: BrowserOptions): Promise<BrowserClient> {
  const { default: library } = await import("whatsapp-web.js");
  // A browser that was killed leaves its lock; nobody else may use this session, so that it is stale.
  for (const lock of ["SingletonLock", "SingletonCookie", "SingletonSocket"])
    await rm(join(directory, `session-${session}`, lock), { force: true });
  const root = process.getuid?.() === 0;
  const launched = Promise.withResolvers<void>();
  const auth = new library.LocalAuth({ clientId: session, dataPath: directory });
  const client = new library.Client({
    authStrategy: auth,
    webVersionCache: { type: "none" },
    puppeteer: {
      executablePath: chromium,
      headless: true,
      // The browser ends with its pipe, also when this process is killed.
      pipe: true,
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
      args: root ? ["--no-sandbox", ...flags] : flags,
    },
  });
  // A browser that dies breaks its pipes; unheard, their errors would end this whole process.
  auth.afterBrowserInitialized = async () => {
    for (const pipe of client.pupBrowser?.process()?.stdio ?? []) pipe?.on("error", () => undefined);
    launched.resolve();
  };
  return { client, launched: launched.promise };
}
