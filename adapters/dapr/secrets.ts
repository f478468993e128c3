/** Secrets from the sidecar's secret store: the environment, a file, Kubernetes or a vault, as its component says. */
import type { DaprClient } from "@dapr/dapr";
import { InfrastructureError } from "../../src/errors.ts";
import type { Secrets } from "../../src/ports.ts";
import { daprClient, type ClientOptions } from "./client.ts";
import { awaitComponents, connectSidecar } from "./sidecar.ts";

/** The component of dapr/components/common. */
const secretStore = "secrets";

export function createSecrets(client: () => Promise<DaprClient>): Secrets {
  return {
    async get(name) {
      const { secret } = await client();
      let found: unknown;
      try {
        found = await secret.get(secretStore, name);
      } catch (error) {
        // A store that knows no such secret answers an error; one that is the environment answers an empty value.
        if (error instanceof Error && /ERR_SECRET_GET|status\D+404/i.test(error.message)) return undefined;
        throw new InfrastructureError("The secret store does not answer.", { cause: error });
      }
      const value = (found as Record<string, unknown> | undefined)?.[name];
      return typeof value === "string" && value !== "" ? value : undefined;
    },
  };
}

/**
 * For the time before the runtime is opened, whose settings may be secrets. Waits until the sidecar's components are there.
 * @throws Error that says what to do where none answers.
 */
export async function openSecrets(options: ClientOptions): Promise<Secrets & { close(): Promise<void> }> {
  const sidecar = connectSidecar({ url: options.sidecarUrl, token: options.apiToken });
  try {
    await awaitComponents(sidecar, options.sidecarUrl);
  } finally {
    sidecar.close();
  }
  const client = await daprClient(options);
  return { ...createSecrets(async () => client), close: () => client.stop() };
}
