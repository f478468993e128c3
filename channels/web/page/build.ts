import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const page = fileURLToPath(new URL(".", import.meta.url));
const lockfile = fileURLToPath(new URL("../../../package-lock.json", import.meta.url));

/** Where the built page stands: index.html, embed.js, assets/. */
export const pageDirectory = join(page, "dist");

/** The packages whose version changes what is built. */
const relevant =
  /^node_modules\/(?:react|react-dom|marked|eventsource-parser|vite|rolldown|@vitejs\/[^/]+|@assistant-ui\/[^/]+)$/;

type Log = { readonly info: (message: string) => void };

const sources = async (): Promise<string[]> => {
  const entries = await readdir(page, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(page, join(entry.parentPath, entry.name)))
    .filter((path) => !/^(?:dist|node_modules)$|^dist\./.test(path.split(sep)[0] ?? ""))
    .sort();
};

const versions = async (): Promise<string> => {
  const text = await readFile(lockfile, "utf8").catch(() => '{"packages":{}}');
  const { packages = {} } = JSON.parse(text) as { packages?: Record<string, { version?: string }> };
  const named = Object.entries(packages).filter(([path]) => relevant.test(path));
  return named.map(([path, { version }]) => `${path}@${version}`).join("\n");
};

const fingerprint = async (): Promise<string> => {
  const hash = createHash("sha256").update(await versions());
  for (const path of await sources()) hash.update(`\0${path}\0`).update(await readFile(join(page, path)));
  return hash.digest("hex");
};

const built = (): Promise<string | undefined> => readFile(join(pageDirectory, ".hash"), "utf8").catch(() => undefined);

/**
 * Puts a complete build where the page is served from. Whoever comes second, with a build of the same sources, leaves
 * the first one's in place.
 */
const install = async (from: string, hash: string): Promise<void> => {
  const old = `${from}-old`;
  for (let attempt = 0; (await built()) !== hash; attempt++) {
    await rename(pageDirectory, old).catch(() => undefined);
    try {
      await rename(from, pageDirectory);
    } catch (cause) {
      // Another process put its build there in between.
      if (attempt === 5) throw new Error(`The built page could not be moved to ${pageDirectory}.`, { cause });
    }
    await rm(old, { recursive: true, force: true });
  }
  await rm(from, { recursive: true, force: true });
};

/** A build that was killed leaves its folder behind. */
const sweep = async (): Promise<void> => {
  for (const name of await readdir(page)) {
    if (!name.startsWith("dist.building-")) continue;
    const made = await stat(join(page, name)).catch(() => undefined);
    if (made !== undefined && Date.now() - made.mtimeMs > 600_000)
      await rm(join(page, name), { recursive: true, force: true });
  }
};

/** What the child process does: vite's builder needs memory and an environment that the gateway should not inherit. */
const buildNow = async (hash: string): Promise<void> => {
  const [{ build }, { pageConfig }] = await Promise.all([import("vite"), import("./vite.config.ts")]);
  await sweep();
  const place = await mkdtemp(join(page, "dist.building-"));
  try {
    await build({ ...pageConfig, configFile: false, build: { ...pageConfig.build, outDir: place } });
    await writeFile(join(place, ".hash"), hash);
    // mkdtemp makes it private to this user; another may serve it.
    await chmod(place, 0o755);
    await install(place, hash);
  } finally {
    await rm(place, { recursive: true, force: true });
  }
};

const inChild = (hash: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url), hash], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      said = (said + chunk).slice(-8000);
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`The web page could not be built:\n${said.trim()}`));
    });
  });

/**
 * Builds the page when its sources or the packages it is made of have changed since the last build, which it else leaves
 * alone (a few milliseconds). Two processes may call it at once: each builds in a folder of its own, and one is kept.
 */
export const buildPage = async ({ log }: { readonly log: Log }): Promise<{ directory: string; built: boolean }> => {
  const hash = await fingerprint();
  if ((await built()) === hash) return { directory: pageDirectory, built: false };
  const begun = performance.now();
  log.info("building the web page");
  await inChild(hash);
  log.info(`built the web page in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  return { directory: pageDirectory, built: true };
};

if (import.meta.main) {
  const hash = process.argv[2];
  if (hash === undefined) await buildPage({ log: { info: (message) => process.stdout.write(`${message}\n`) } });
  else await buildNow(hash);
}
