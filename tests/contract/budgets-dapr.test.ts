import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRecords } from "../../adapters/dapr/records.ts";
import { awaitComponents, connectSidecar } from "../../adapters/dapr/sidecar.ts";
import { freePorts } from "../../src/main/dapr/ports.ts";
import { clock } from "../integration/embedded-fixture.ts";
import { needsDapr, startCluster, type Cluster, type State } from "../services/dapr.ts";
import { budgetsContract } from "./budgets.ts";

const { missing } = await needsDapr();
const limit = 400_000;
const reservation = 150;

/** A process with 25 turns of one person. @returns what its calls used, as it said itself when it made them. */
function caller(url: string, token: string, person: string) {
  const program = join(import.meta.dirname, "budget-caller.fixture.ts");
  const child = spawn("sh", [join(import.meta.dirname, "../../bin/node"), program, url, token, person, String(limit)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (more: string) => (text += more));
  const gone = once(child, "close");
  return {
    calls: () =>
      text
        .split("\n")
        .filter((line) => line !== "" && line !== "ended")
        .map(Number),
    hasEnded: () => text.includes("ended"),
    gone,
    async kill() {
      child.kill("SIGKILL");
      await gone;
    },
  };
}

for (const state of ["redis", "postgresql"] satisfies State[]) {
  describe.skipIf(missing)(`two replicas with ${state}`, () => {
    let cluster: Cluster;
    let urls: readonly string[] = [];
    beforeAll(async () => {
      cluster = await startCluster({ pubsub: "redis", state });
      const sidecars = [1, 2].map(async () => {
        const [appPort = 0] = await freePorts(1);
        return (await cluster.sidecar({ appPort })).url;
      });
      urls = await Promise.all(sidecars);
    }, 240_000);
    afterAll(() => cluster.close(), 60_000);

    budgetsContract({
      name: "Dapr",
      shared: true,
      async open() {
        const replicas = urls.map(async (url) => {
          const sidecar = connectSidecar({ url, token: cluster.apiToken });
          await awaitComponents(sidecar, url);
          return createRecords(sidecar, clock);
        });
        return { records: await Promise.all(replicas), close: async () => {} };
      },
    });

    test(
      "50 turns of one person in two processes, one of which is killed again and again",
      { timeout: 180_000 },
      async () => {
        const [one = "", two = ""] = urls;
        const start = (url: string) => caller(url, cluster.apiToken, `killed-${state}`);
        const all = [start(one)];
        for (let kills = 0; kills < 3; kills++) {
          const dying = start(two);
          all.push(dying);
          await expect.poll(() => dying.calls().length, { timeout: 30_000, interval: 5 }).toBeGreaterThan(5);
          await dying.kill();
          expect(dying.hasEnded()).toBe(false);
        }
        const last = start(two);
        all.push(last);
        await Promise.all([all[0]?.gone, last.gone]);
        expect(last.hasEnded()).toBe(true);
        const used = all.flatMap((process) => process.calls()).reduce((sum, tokens) => sum + tokens, 0);
        expect(used).toBeLessThan(limit + reservation);
        // What three deaths cost: each no more than what its turns had reserved.
        expect(used).toBeGreaterThan(limit - 3 * 25 * reservation - 50 * reservation);
      },
    );
  });
}
