/** What a component's file must say so that nothing is lost: docs/dapr.md has the reasons. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import type { Finding } from "../../channel.ts";

/** A file of dapr/components, as far as it matters here. */
export interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>> & {
    readonly type?: string;
    readonly metadata?: readonly { readonly name: string; readonly value?: string }[];
  };
  readonly auth?: { readonly secretStore: string };
  readonly scopes?: readonly string[];
}

/** By type of component: settings whose defaults lose messages. */
const durable: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "pubsub.redis": { processingTimeout: "60s", streamTTL: "168h" },
  "pubsub.rabbitmq": {
    durable: "true",
    deliveryMode: "2",
    publisherConfirm: "true",
    deletedWhenUnused: "false",
    autoAck: "false",
    requeueInFailure: "true",
  },
  "pubsub.kafka": { initialOffset: "oldest", producerRequiredAcks: "all", consumeRetryEnabled: "true" },
};

export function readResources(file: string): Resource[] {
  return parseAllDocuments(readFileSync(file, "utf8")).map((document) => document.toJS() as Resource);
}

export function valuesOf(resource: Resource): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries((resource.spec.metadata ?? []).map(({ name, value }) => [name, value]));
}

/** What is wrong with one resource, a sentence each. */
export function lossySettings(resource: Resource): string[] {
  const { type = "" } = resource.spec;
  const { name } = resource.metadata;
  if (!type.startsWith("pubsub.")) return [];
  const set = valuesOf(resource);
  const wanted = { ...durable[type], consumerID: `ascent-${name}` };
  const wrong = Object.entries(wanted)
    .filter(([setting, value]) => set[setting] !== value)
    .map(([setting, value]) => `${name} (${type}): ${setting} must be "${value}"`);
  if (set["maxLenApprox"] !== undefined)
    wrong.push(`${name} (${type}): maxLenApprox deletes what nobody has read: leave it out`);
  // With a unit it is ignored without a word.
  if (type === "pubsub.redis" && !/^\d{4,}$/.test(set["redeliverInterval"] ?? ""))
    wrong.push(`${name} (${type}): redeliverInterval must be in milliseconds, 1000 or more, without a unit`);
  return wrong;
}

/** For `ascent doctor`: the files that the sidecar is given, where it is told which they are. */
export function checkResources(folders: readonly string[]): Finding[] {
  const files = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => /\.ya?ml$/.test(file))
      .map((file) => join(folder, file)),
  );
  const wrong = files.flatMap((file) => readResources(file).flatMap((resource) => lossySettings(resource)));
  if (wrong.length === 0) return [{ ok: true, text: `${files.length} files: nothing of them loses messages` }];
  return wrong.map((text) => ({ ok: false, text, next: "Correct the component's file; docs/dapr.md says why." }));
}
