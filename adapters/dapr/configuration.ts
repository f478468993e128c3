/** Dapr's configuration store: Redis, PostgreSQL, or what a cloud has, as its component says. */
import { z } from "zod";
import type { ClientOptions } from "./client.ts";
import { readMetadata } from "./check.ts";
import { awaitComponents, connectSidecar, unexpected } from "./sidecar.ts";

/** The component of dapr/components/configuration. */
const configurationStore = "settings";
const items = z.record(z.string(), z.object({ value: z.string() }));

/** Undefined where the sidecar has no such component, or the store no such key. */
export async function readConfiguration(options: ClientOptions, key: string): Promise<string | undefined> {
  const sidecar = connectSidecar({ url: options.sidecarUrl, token: options.apiToken });
  try {
    await awaitComponents(sidecar, options.sidecarUrl);
    const { components } = await readMetadata(sidecar);
    if (!components.some(({ name, type }) => name === configurationStore && type.startsWith("configuration.")))
      return undefined;
    const path = `/v1.0/configuration/${configurationStore}?key=${encodeURIComponent(key)}`;
    const answer = await sidecar.call("GET", path);
    if (answer.status === 204) return undefined;
    if (answer.status !== 200) throw unexpected("the configuration store does not answer", answer);
    return items.parse(JSON.parse(answer.body || "{}"))[key]?.value;
  } finally {
    sidecar.close();
  }
}
