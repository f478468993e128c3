/** The check of the import rules: `npm run imports`, or on another root with its path as the argument. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { cruise, type ICruiseResult } from "dependency-cruiser";
import { cruiseOptions, ownedPackage, sharedPackages } from "./rules.ts";

const roots = ["src", "agents", "adapters", "channels", "tests"];

export interface Findings {
  /** How many of our own files were read. Zero means that the tool understood nothing, whatever else it says. */
  readonly modules: number;
  readonly violations: readonly string[];
}

export async function checkImports(root: string): Promise<Findings> {
  const { output } = await cruise(
    roots.filter((folder) => existsSync(resolve(root, folder))),
    { ...cruiseOptions, baseDir: root },
  );
  if (typeof output === "string") throw new Error("dependency-cruiser gave text where its result was expected");
  const own = output.modules.filter(({ source }) => roots.some((folder) => source.startsWith(`${folder}/`)));
  return {
    modules: own.length,
    violations: [
      ...output.summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} imports ${to}`),
      ...strayPackages(own),
    ],
  };
}

/** Packages imported by more than one folder that are neither owned nor shared: an SDK is imported in one folder only. */
function strayPackages(modules: ICruiseResult["modules"]): string[] {
  const folders = new Map<string, Set<string>>();
  for (const { source, dependencies } of modules) {
    const folder = /^(agents|(?:channels|adapters)\/[^/]+)\//.exec(source)?.[1];
    if (folder === undefined) continue;
    for (const { resolved } of dependencies) {
      const name = /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(resolved)?.[1];
      if (name === undefined || ownedPackage(name) || sharedPackages.includes(name)) continue;
      folders.set(name, (folders.get(name) ?? new Set()).add(folder));
    }
  }
  return [...folders]
    .filter(([, users]) => users.size > 1)
    .map(([name, users]) => `one-folder-per-sdk: ${name} is imported by ${[...users].toSorted().join(", ")}`);
}

async function main(root: string): Promise<void> {
  const { modules, violations } = await checkImports(root);
  for (const violation of violations) console.error(violation);
  console.log(`imports: ${modules} modules, ${violations.length} violations`);
  if (modules === 0) console.error("no module was read: nothing is proven");
  process.exitCode = modules > 0 && violations.length === 0 ? 0 : 1;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(resolve(process.argv[2] ?? "."));
}
