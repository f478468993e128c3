/** Who may import what: the table of docs/architecture.md in a form that a tool checks. Paths are relative to the root. */
import type { ICruiseOptions, IForbiddenRuleType } from "dependency-cruiser";

/** The only folders that may import a package. The composition in src/main gets these through the folder that owns them. */
const owners: readonly { readonly packages: readonly string[]; readonly folders: readonly string[] }[] = [
  { packages: ["@openai/agents", "@openai/agents-[^/]+"], folders: ["agents", "adapters/models", "adapters/mcp"] },
  { packages: ["re2js"], folders: ["agents/client"] },
  { packages: ["openai"], folders: ["adapters/models"] },
  { packages: ["@a2a-js/sdk"], folders: ["agents/skills", "adapters/a2a"] },
  { packages: ["@grpc/grpc-js", "@bufbuild/protobuf"], folders: ["adapters/a2a"] },
  { packages: ["@modelcontextprotocol/[^/]+"], folders: ["adapters/mcp"] },
  { packages: ["@dapr/dapr"], folders: ["adapters/dapr"] },
  { packages: ["drizzle-orm", "pg"], folders: ["adapters/vectors"] },
  { packages: ["ioredis", "redis"], folders: ["adapters/redis"] },
  { packages: ["@hono/node-server"], folders: ["adapters/http", "adapters/dapr"] },
  { packages: ["@opentelemetry/[^/]+"], folders: ["adapters/telemetry"] },
  { packages: ["unpdf"], folders: ["adapters/documents"] },
  { packages: ["quickjs-emscripten[^/]*"], folders: ["adapters/sandbox"] },
  { packages: ["papaparse"], folders: ["adapters/sandbox", "agents/skills"] },
  { packages: ["echarts", "@resvg/[^/]+", "@expo-google-fonts/[^/]+"], folders: ["adapters/charts"] },
  { packages: ["request-filtering-agent", "ipaddr\\.js"], folders: ["adapters/fetch"] },
  { packages: ["chrono-node", "rrule-temporal", "temporal-polyfill"], folders: ["agents/skills/scheduler"] },
  { packages: ["grammy", "@grammyjs/[^/]+"], folders: ["channels/telegram"] },
  { packages: ["discord\\.js", "@discordjs/[^/]+", "discord-[^/]+"], folders: ["channels/discord"] },
  { packages: ["whatsapp-web\\.js"], folders: ["channels/whatsapp"] },
  { packages: ["standardwebhooks", "jsonata"], folders: ["channels/webhook"] },
];

/** What the core may import beside itself. */
const coreLibraries = ["zod", "marked", "i18next"];
/** Built-in modules that touch nothing outside the process. */
const pureBuiltins = ["assert", "buffer", "crypto", "string_decoder", "url", "util", "util/types"];

/** Packages that more than one folder may import, beside what {@link owners} says; `strayPackages` reports all others. */
export const sharedPackages: readonly string[] = [
  ...coreLibraries,
  "@hono/zod-openapi",
  "eventsource-parser",
  "hono",
  "lru-cache",
  "pino",
];

const npm = (packages: readonly string[]): string => `(^|/)node_modules/(${packages.join("|")})/`;
const builtin = (names: readonly string[]): string => `^(node:)?(${names.join("|")})$`;
const inside = (folders: readonly string[]): string => `^(${folders.join("|")})/`;

const core = "^src/(?!main/)";
/** The way of skilled agents to their models, which is made of the client agent's. */
const sharedBySkills = "^agents/skills/[^/]+\\.ts$";
const anyPackage = "(^|/)node_modules/";
const ours = inside(["src", "agents", "adapters", "channels", "tests"]);

const rules: IForbiddenRuleType[] = [
  { name: "resolvable", from: {}, to: { couldNotResolve: true } },
  { name: "acyclic", from: {}, to: { circular: true } },
  {
    name: "core-imports-core",
    from: { path: core },
    to: { pathNot: [core, npm(coreLibraries), builtin(pureBuiltins)] },
  },
  {
    name: "agents-import-core",
    from: { path: "^(agents/client|agents/skills/[^/]+)/" },
    to: {
      dependencyTypesNot: ["core"],
      pathNot: [
        core,
        "^$1/",
        sharedBySkills,
        npm([...coreLibraries, ...packagesOf("agents"), ...packagesOf("agents/skills")]),
      ],
    },
  },
  {
    name: "agents-stay-pure",
    from: { path: "^agents/" },
    to: { dependencyTypes: ["core"], pathNot: builtin(pureBuiltins) },
  },
  {
    name: "channels-import-core",
    from: { path: "^(channels/[^/]+)/" },
    to: { path: ours, pathNot: [core, "^$1/"] },
  },
  {
    name: "adapters-import-core",
    from: { path: "^(adapters/[^/]+)/" },
    to: { path: ours, pathNot: [core, "^$1/"] },
  },
  {
    name: "page-runs-in-a-browser",
    from: { path: "^channels/web/page/", pathNot: "/(vite\\.config|build)\\.ts$" },
    to: { dependencyTypes: ["core"] },
  },
  { name: "tests-stay-outside", from: { pathNot: "^tests/" }, to: { path: "^tests/" } },
  {
    name: "sqlite-in-embedded",
    from: { pathNot: inside(["adapters/embedded", "adapters/vectors", "tests"]) },
    to: { path: builtin(["sqlite"]) },
  },
  ...owners.map(({ packages, folders }): IForbiddenRuleType => ({
    name: `${packages[0]?.replaceAll("\\", "")} belongs to ${folders.join(", ")}`,
    from: { path: ours, pathNot: inside([...folders, "tests"]) },
    to: { path: npm(packages) },
  })),
];

/** Of a folder and those in it. */
function packagesOf(folder: string): readonly string[] {
  const isIn = (one: string) => one === folder || one.startsWith(`${folder}/`);
  return owners.filter(({ folders }) => folders.some(isIn)).flatMap(({ packages }) => packages);
}

export function ownedPackage(name: string): boolean {
  return owners.some(({ packages }) => new RegExp(`^(${packages.join("|")})$`).test(name));
}

export const cruiseOptions: ICruiseOptions = {
  validate: true,
  ruleSet: { forbidden: rules.map((rule) => ({ severity: "error", ...rule })) },
  parser: "swc",
  // Types count too: whoever imports a type knows the other side.
  tsPreCompilationDeps: true,
  doNotFollow: { path: anyPackage },
  exclude: { path: ["^tests/bench/rivals/", "^channels/web/page/dist/"] },
  enhancedResolveOptions: {
    extensions: [".ts", ".tsx", ".js", ".mjs", ".json", ".d.ts"],
    exportsFields: ["exports"],
    conditionNames: ["node", "import", "require", "types", "default"],
  },
};
