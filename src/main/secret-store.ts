/** On the Dapr runtime tokens and keys may stand in the sidecar's secret store: what the environment lacks is looked up there. */
import { variables, type Environment } from "./environment.ts";

/** @param referenced names that the settings' file refers to. */
export async function withSecrets(environment: Environment, referenced: readonly string[]): Promise<Environment> {
  if (environment["ASCENT_RUNTIME"] !== "dapr") return environment;
  const stored = Object.entries(variables).flatMap(([name, variable]) => (variable.stored === true ? [name] : []));
  const missing = [...new Set([...stored, ...referenced])].filter((name) => environment[name] === undefined);
  if (missing.length === 0) return environment;
  const { openSecrets } = await import("../../adapters/dapr/secrets.ts");
  const secrets = await openSecrets({
    sidecarUrl: environment["DAPR_HTTP_ENDPOINT"] ?? `http://127.0.0.1:${environment["DAPR_HTTP_PORT"] ?? 3500}`,
    apiToken: environment["DAPR_API_TOKEN"],
  });
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
