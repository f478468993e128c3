/** What comes to the gateway, or is lost on the way, while every process lives. */
import { setTimeout as sleep } from "node:timers/promises";
import { replies } from "../../src/main/dapr/processes.ts";
import { inboundOf } from "../integration/stage.ts";
import type { Scenario } from "./run.ts";
import type { Combination, World } from "./world.ts";

/** What a person may have been told "received" for, and no agent's state had. Deliveries take milliseconds. */
const handedOverMs = 2_000;
const poisons = 5;

/** At most what was acknowledged and in no agent's state yet is lost, and counted; outboxes publish again. */
export function brokerWiped(on: Combination): Scenario {
  const wipes: number[] = [];
  return {
    name: "broker's data wiped",
    on,
    async fault(world) {
      const port = Number(world.cluster.env["REDIS_HOST"]?.split(":")[1]);
      for (let wipe = 0; wipe < 2; wipe++) {
        wipes.push(performance.now());
        if (!(await replies(port, "FLUSHALL\r\n", "+OK"))) throw new Error("Redis does not forget");
        world.note("the broker has forgotten everything");
        await sleep(10_000);
      }
    },
    mayTake: (world) =>
      inboundOf(world)
        .filter(({ acknowledgedAt = Infinity }) =>
          wipes.some((at) => acknowledgedAt > at - handedOverMs && acknowledgedAt < at + handedOverMs),
        )
        .map(({ token }) => token),
  };
}

/** The platform repeats updates that it was not sure of, ten times at once, through all replicas. */
export function tenTimes(on: Combination): Scenario {
  return {
    name: "the same update ten times at once",
    on,
    by: "webhook",
    async fault(world, random) {
      for (let round = 0; round < 20; round++) {
        await sleep(500);
        const { updateId } = random.pick(world.platform.log.updates.slice(-30));
        const statuses = await world.platform.redeliver(updateId, 10);
        if (statuses.some((status) => status !== 200 && status !== 503))
          throw new Error(`an update that is repeated is answered ${statuses.join(", ")}`);
      }
    },
  };
}

/** Events that no handler can read, among the others: dead letters after their tries, and all others go on. */
export function poison(on: Combination): Scenario {
  const ids = Array.from({ length: poisons }, (_, n) => `poison-${n}`);
  return {
    name: "poison messages",
    on,
    async fault(world) {
      for (const topic of ["inbound", "outbound"]) for (const id of ids) await publish(world, topic, id);
      await sleep(15_000);
    },
    async more(world) {
      const { out } = (await world.replicas[0]?.gateway.ascent("deadletters", "list", "--limit", "1000")) ?? {
        out: "",
      };
      return ["inbound", "outbound"].flatMap((topic) =>
        ids.flatMap((id) => (out.includes(`${topic}:${id}\n`) ? [] : [`${topic}:${id} is no dead letter: ${out}`])),
      );
    },
  };
}

async function publish({ cluster, replicas }: World, topic: string, id: string): Promise<void> {
  const event = { specversion: "1.0", id, source: "/poison", type: "poison", subject: "poison", data: { v: 99 } };
  const response = await fetch(`${replicas[0]?.sidecar.url}/v1.0/publish/${topic}/${topic}`, {
    method: "POST",
    headers: { "content-type": "application/cloudevents+json", "dapr-api-token": cluster.apiToken },
    body: JSON.stringify(event),
  });
  if (response.status !== 204) throw new Error(`a poison message cannot be published: ${response.status}`);
}
