/** What docs/dapr.md says of the files in dapr/, so that an edit which would lose messages fails here. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";

const root = join(import.meta.dirname, "../../dapr");
const topics = ["inbound", "outbound", "receipts", "deadletters"];
const ours = ["ascent", "ascent-gateway"];

interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>> & {
    readonly type?: string;
    readonly metadata?: readonly { readonly name: string; readonly value?: string }[];
  };
  readonly auth?: { readonly secretStore: string };
  readonly scopes?: readonly string[];
}

function read(path: string): Resource[] {
  return parseAllDocuments(readFileSync(join(root, path), "utf8")).map((document) => document.toJS() as Resource);
}

function values(resource: Resource): Record<string, string | undefined> {
  return Object.fromEntries((resource.spec.metadata ?? []).map(({ name, value }) => [name, value]));
}

/** Without these a broker's component loses messages. */
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

describe.each(readdirSync(join(root, "components/pubsub")))("pubsub/%s", (folder) => {
  const resources = read(`components/pubsub/${folder}/pubsub.yaml`);

  test("has one component per topic, for our applications alone", () => {
    expect(resources.map(({ metadata }) => metadata.name)).toEqual(topics);
    for (const { scopes, auth } of resources)
      expect({ scopes, auth }).toEqual({ scopes: ours, auth: { secretStore: "secrets" } });
  });

  test("loses nothing by its settings", () => {
    for (const resource of resources) {
      const set = values(resource);
      expect(set).toMatchObject(durable[resource.spec.type ?? ""] ?? { unknown: resource.spec.type });
      expect(set["consumerID"]).toBe(`ascent-${resource.metadata.name}`);
      expect(set["maxLenApprox"]).toBeUndefined();
    }
  });

  test("gives Redis's interval in milliseconds: with a unit it would be ignored", () => {
    for (const resource of resources.filter(({ spec }) => spec.type === "pubsub.redis")) {
      expect(Number(values(resource)["redeliverInterval"])).toBeGreaterThanOrEqual(1_000);
    }
  });
});

test.each(readdirSync(join(root, "components/state")))(
  "state/%s holds the agents, and records that all roles share",
  (folder) => {
    const [resource, ...others] = read(`components/state/${folder}/state.yaml`);
    expect(others).toEqual([]);
    expect(resource).toMatchObject({ metadata: { name: "state" }, scopes: ours });
    expect(resource && values(resource)).toMatchObject({ actorStateStore: "true", keyPrefix: "name" });
  },
);

test("the resiliency stands alone in its file, and every topic's deliveries are tried again without end", () => {
  const [resource, ...others] = read("components/common/resiliency.yaml");
  expect(others).toEqual([]);
  expect(resource).toMatchObject({ kind: "Resiliency", scopes: ours });
  const inbound = { inbound: { retry: "until-taken" } };
  expect(resource?.spec).toEqual({
    policies: { retries: { "until-taken": { policy: "constant", duration: "2s", maxRetries: -1 } } },
    targets: { components: Object.fromEntries(topics.map((topic) => [topic, inbound])) },
  });
});

test("other applications' sidecars get no route of the gateway", () => {
  for (const file of ["config/ascent.yaml", "config/cli.yaml"]) {
    expect(read(file)[0]?.spec).toMatchObject({ accessControl: { defaultAction: "deny" } });
  }
});
