import { serve } from "@hono/node-server";
import { Hono } from "hono";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { checkDaprAt, refuseLossy } from "../../adapters/dapr/check.ts";
import { connectSidecar } from "../../adapters/dapr/sidecar.ts";
import { quiet } from "./client-agent.fixture.ts";

const pubsub = (name: string) => ({ name, type: "pubsub.redis", version: "v1" });
const state = { name: "state", type: "state.redis", version: "v1", capabilities: ["ETAG", "TRANSACTIONAL", "ACTOR"] };
const whole = {
  runtimeVersion: "1.18.2",
  components: [...["inbound", "outbound", "receipts", "deadletters"].map(pubsub), state],
  resiliencies: [{ name: "ascent" }],
};

let close: (() => void) | undefined;
afterEach(() => close?.());

/** A sidecar's own words about itself; without `jobs` it answers as one that has none. */
async function saying(metadata: unknown, jobs = true): Promise<string> {
  const app = new Hono()
    .get("/v1.0/metadata", (c) => c.json(metadata as object))
    .delete("/v1.0-alpha1/jobs/:name", (c) =>
      jobs ? c.body(null, 204) : c.json({ errorCode: "ERR_METHOD_NOT_FOUND" }, 404),
    );
  return new Promise((resolve) => {
    const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, (info: AddressInfo) =>
      resolve(`http://127.0.0.1:${info.port}`),
    );
    close = () => server.close();
  });
}

const wrongOf = async (metadata: unknown, jobs = true) =>
  (await checkDaprAt({ url: await saying(metadata, jobs), token: undefined })).filter(({ ok }) => !ok);
const refused = async (metadata: unknown, jobs = true) =>
  refuseLossy(connectSidecar({ url: await saying(metadata, jobs), token: undefined }), quiet);

describe("a sidecar that the gateway is given", () => {
  test("is taken when it has all that it needs", async () => {
    expect(await wrongOf(whole)).toEqual([]);
    await refused(whole);
  });

  test.each([
    ["without the resiliency policy", { ...whole, resiliencies: [] }, /resiliency policy "ascent" is not loaded/],
    [
      "without a topic's component",
      { ...whole, components: whole.components.slice(1) },
      /no pub\/sub component inbound/,
    ],
    ["without state", { ...whole, components: whole.components.slice(0, 4) }, /no state component/],
    [
      "whose store keeps no actors",
      {
        ...whole,
        components: [...whole.components.slice(0, 4), { ...state, capabilities: ["ETAG", "TRANSACTIONAL"] }],
      },
      /lacks ACTOR/,
    ],
  ])("%s is refused, with what to do", async (_what, metadata, words) => {
    await expect(refused(metadata)).rejects.toThrow(words);
  });

  test.each([
    [
      "of the previous minor version is taken; it does not tell its policies",
      { ...whole, runtimeVersion: "1.17.4", resiliencies: undefined },
      true,
      1,
    ],
    ["that is older is warned of", { ...whole, runtimeVersion: "1.15.0" }, true, 1],
    ["without jobs is taken, and says so", whole, false, 1],
  ])("%s", async (_what, metadata, jobs, findings) => {
    const wrong = await wrongOf(metadata, jobs);
    expect(wrong).toHaveLength(findings);
    expect(wrong.every(({ next }) => next !== undefined)).toBe(true);
    await refused(metadata, jobs);
  });

  test("that is not there is a finding, not a failure", async () => {
    const [finding] = await checkDaprAt({ url: "http://127.0.0.1:9", token: undefined });
    expect(finding?.text).toMatch(/No sidecar answers/);
  });
});
