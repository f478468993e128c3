/** Every fault of a gateway on Dapr, on the brokers and stores where it differs. */
import {
  gatewayKills,
  gatewayTerms,
  holderDies,
  rebalance,
  replicaLeaves,
  replicaDies,
  rolesKilled,
  serverEnds,
  sidecarEnds,
} from "./kills.ts";
import { brokerWiped, poison, tenTimes } from "./messages.ts";
import type { Scenario } from "./run.ts";
import type { Combination, World } from "./world.ts";

const redis: Combination = ["redis", "redis"];
/** The five that the runtime's contract runs on. */
export const combinations: readonly Combination[] = [
  redis,
  ["redis", "postgresql"],
  ["rabbitmq", "redis"],
  ["rabbitmq", "postgresql"],
  ["kafka", "postgresql"],
];
const brokers = combinations.filter(([, state]) => state === "postgresql");
const broker = ({ cluster }: World) => cluster.pubsub;
const database = ({ cluster }: World) => cluster.state;
const placement = ({ cluster }: World) => cluster.controlPlane.placement;
const scheduler = ({ cluster }: World) => cluster.controlPlane.scheduler;

export const scenarios: readonly Scenario[] = [
  gatewayKills(redis, 6),
  gatewayKills(redis, 6, "webhook"),
  ...combinations.slice(1).map((on) => gatewayKills(on, 3)),
  gatewayTerms(redis, "polling"),
  gatewayTerms(redis, "webhook"),
  ...[redis, ...brokers.slice(1)].map((on) => sidecarEnds(on)),
  serverEnds("placement", redis, placement, 8_000),
  serverEnds("scheduler", redis, scheduler, 8_000),
  ...brokers.map((on) => serverEnds("broker", on, broker, 0)),
  ...brokers.map((on) => serverEnds("broker", on, broker, 60_000)),
  ...[combinations[1], combinations[2]].flatMap((on) => (on ? [serverEnds("database", on, database, 0)] : [])),
  ...[combinations[1], combinations[2]].flatMap((on) => (on ? [serverEnds("database", on, database, 60_000)] : [])),
  serverEnds("broker and database in one", redis, broker, 60_000),
  replicaDies(redis),
  replicaDies(["rabbitmq", "postgresql"]),
  rebalance(redis),
  replicaLeaves(redis),
  replicaLeaves(["rabbitmq", "postgresql"]),
  holderDies(redis),
  rolesKilled(redis),
  brokerWiped(["redis", "postgresql"]),
  tenTimes(redis),
  poison(redis),
];
