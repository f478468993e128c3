/** What docs/dapr.md says of the files in dapr/, so that an edit which would lose messages fails here. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { lossySettings, readResources, valuesOf } from "../../src/main/dapr/durability.ts";
import { skillKinds } from "../../src/main/skills.ts";

const root = join(import.meta.dirname, "../../dapr");
const topics = ["inbound", "outbound", "receipts", "deadletters"];
const ours = ["ascent", "ascent-gateway"];
/** Skilled agents in processes of their own have records and jobs, and no part in the topics. */
const withAgents = [...ours, ...Object.keys(skillKinds).map((name) => `ascent-${name}`)];

const read = (path: string) => readResources(join(root, path));

describe.each(readdirSync(join(root, "components/pubsub")))("pubsub/%s", (folder) => {
  const resources = read(`components/pubsub/${folder}/pubsub.yaml`);

  test("has one component per topic, for our applications alone", () => {
    expect(resources.map(({ metadata }) => metadata.name)).toEqual(topics);
    for (const { scopes, auth } of resources)
      expect({ scopes, auth }).toEqual({ scopes: ours, auth: { secretStore: "secrets" } });
  });

  test("loses nothing by its settings; with any of them left out it would", () => {
    for (const resource of resources) {
      expect(lossySettings(resource)).toEqual([]);
      const lossy = { ...resource, spec: { ...resource.spec, metadata: [] } };
      expect(lossySettings(lossy).length).toBeGreaterThan(2);
    }
  });
});

test.each(readdirSync(join(root, "components/state")))(
  "state/%s holds the agents, and records that all roles share",
  (folder) => {
    const [resource, ...others] = read(`components/state/${folder}/state.yaml`);
    expect(others).toEqual([]);
    expect(resource).toMatchObject({ metadata: { name: "state" } });
    expect(new Set(resource?.scopes)).toEqual(new Set(withAgents));
    expect(resource && valuesOf(resource)).toMatchObject({ actorStateStore: "true", keyPrefix: "name" });
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
