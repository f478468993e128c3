/** What a gateway on Dapr takes from its sidecar before it starts: its settings' file, and tokens and keys. */
import { variables, type Environment } from "./environment.ts";

/** The name of the settings in the configuration store: one text for all replicas. */
const settingsKey = "ascent.yaml";

/** The text of ascent.yaml from the sidecar's configuration store; undefined where it has none, or keeps none. */
export async function storedSettings(environment: Environment): Promise<string | undefined> {
  if (!isOnDapr(environment)) return undefined;
  const { readConfiguration } = await import("../../adapters/dapr/configuration.ts");
  return readConfiguration(sidecarOf(environment), settingsKey);
}

/**
 * What the environment lacks is looked up in the sidecar's secret store, under the same name.
 * @param referenced names that the settings refer to.
 */
export async function withSecrets(environment: Environment, referenced: readonly string[]): Promise<Environment> {
  if (!isOnDapr(environment)) return environment;
  const stored = Object.entries(variables).flatMap(([name, variable]) => (variable.stored === true ? [name] : []));
  const missing = [...new Set([...stored, ...referenced])].filter((name) => environment[name] === undefined);
  if (missing.length === 0) return environment;
  const { openSecrets } = await import("../../adapters/dapr/secrets.ts");
  const secrets = await openSecrets(sidecarOf(environment));
  try {
    const found: [string, string][] = [];
    for (const name of missing) {
      const value = await secrets.get(name);
      if (value !== undefined) found.push([name, value]);
    }
    return { ...environment, ...Object.fromEntries(found) };
  } finally {
    await secrets.close();
  }
}

const isOnDapr = (environment: Environment): boolean => environment["ASCENT_RUNTIME"] === "dapr";

const sidecarOf = (environment: Environment) => ({
  sidecarUrl: environment["DAPR_HTTP_ENDPOINT"] ?? `http://127.0.0.1:${environment["DAPR_HTTP_PORT"] ?? 3500}`,
  apiToken: environment["DAPR_API_TOKEN"],
});
