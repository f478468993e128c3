/** Replicas of the real gateway on real Dapr, each with a sidecar of its own, between a Telegram and a model on loopback. */
import { randomBytes } from "node:crypto";
import type { Service } from "../../src/main/dapr/processes.ts";
import type { Role } from "../../src/main/roles.ts";
import type { Sidecar } from "../../src/main/dapr/sidecar.ts";
import { startOpenAiFake } from "../fakes/openai.ts";
import { startTelegramFake } from "../fakes/telegram.ts";
import { createReplica } from "../integration/dapr-replica.ts";
import type { GatewayProcess } from "../integration/gateway-process.ts";
import type { Judged, Secrets } from "../integration/stage.ts";
import { startCluster, type Cluster, type PubSub, type State } from "../services/dapr.ts";
import { startBalancer } from "./balancer.ts";

export type Combination = readonly [PubSub, State];
export type Signal = "SIGKILL" | "SIGTERM";

export interface Replica {
  readonly name: string;
  readonly role: Role;
  readonly sidecar: Sidecar;
  readonly gateway: GatewayProcess;
}

export interface World extends Judged {
  readonly cluster: Cluster;
  readonly replicas: readonly Replica[];
  /** Started when it resolves. */
  addReplica(role: Role): Promise<Replica>;
  /** Ends a server or a sidecar, noting when. The gateways note their own ends. */
  strike(service: Service, signal: Signal): Promise<void>;
  /** Something is away, until the returned function is called: what it had in hand waits. */
  away(): () => void;
  /** From and until when something was away, on the clock of the fakes. */
  readonly outages: readonly (readonly [number, number])[];
  /** What happened, with the time since the world was opened. */
  note(line: string): void;
  /** The last lines of every gateway, for a failed run. */
  tail(): string;
  close(): Promise<void>;
}

export interface WorldOptions {
  readonly on: Combination;
  readonly roles: readonly Role[];
  /** How Telegram's updates come in: by polling of whoever holds the lease, or by webhooks to any replica. */
  readonly by: "polling" | "webhook";
  readonly seed: number;
  /** Told every note. */
  readonly say: (line: string) => void;
}

const programs: Readonly<Record<PubSub | State, readonly string[]>> = {
  redis: ["redis-server"],
  "redis-small": ["redis-server"],
  rabbitmq: ["rabbitmq-server"],
  kafka: ["java", "mvn"],
  postgresql: ["postgres"],
  sqlite: [],
};

/** What must be installed for it, beside Dapr. */
export function programsOf([pubsub, state]: Combination): readonly string[] {
  return [...new Set([...programs[pubsub], ...programs[state]])];
}

export const graceSeconds = 10;
/** A gateway waits for its sidecar, which waits for broker and store. */
export const startMs = 90_000;
/** From the platform's acceptance to the record in the store, with two cores under everything. */
const recordMs = 1_000;
/** The agent forgets nothing and folds often: a prompt shows all messages, in the summary or in the history. */
const config = {
  channels: { web: { main: { enabled: false } } },
  models: { timeoutSeconds: 30, retries: 1 },
  server: { graceSeconds },
  limits: { messagesPerMinute: { person: "off" } },
  agents: { assistant: { context: { historyItems: 12, tokens: 1_000_000 } } },
};

/** Everything in it runs when it resolves. It is closed by the caller. */
export async function openWorld({ on: [pubsub, state], roles, by, seed, say }: WorldOptions): Promise<World> {
  const began = performance.now();
  const secrets: Secrets = {
    botToken: `1000001:bot-canary-${randomBytes(12).toString("hex")}`,
    apiKey: `sk-canary-${randomBytes(12).toString("hex")}`,
    telegramWebhook: `canary-${randomBytes(12).toString("hex")}`,
    webhook: `whsec_${randomBytes(32).toString("base64")}`,
  };
  const platform = await startTelegramFake({ bots: [{ token: secrets.botToken }], seed, webhookRetryUnitMs: 200 });
  const model = await startOpenAiFake({ apiKey: secrets.apiKey, models: ["test"] });
  const balancer = await startBalancer();
  const cluster = await startCluster({ pubsub, state });
  const replicas: Replica[] = [];
  const strikes: number[] = [];
  const outages: [number, number][] = [];

  async function addReplica(role: Role): Promise<Replica> {
    const { sidecar, gateway } = await createReplica(cluster, {
      role,
      config,
      // Its grace, and a little.
      leaveSeconds: graceSeconds + 5,
      env: {
        ASCENT_CONFIG: "ascent.yaml",
        ASCENT_MODEL: "compatible:test",
        OPENAI_BASE_URL: model.baseURL,
        OPENAI_API_KEY: secrets.apiKey,
        TELEGRAM_BOT_TOKEN: secrets.botToken,
        TELEGRAM_API_ROOT: platform.url,
        ...(by === "webhook"
          ? {
              TELEGRAM_WEBHOOK_URL: `${balancer.url}/webhooks/telegram`,
              TELEGRAM_WEBHOOK_SECRET: secrets.telegramWebhook,
            }
          : {}),
        LOG_LEVEL: "info",
      },
    });
    const replica = { name: `replica ${replicas.length + 1}`, role, sidecar, gateway };
    replicas.push(replica);
    gateway.launch();
    await gateway.ready(startMs);
    if (role !== "agents") balancer.add(gateway.url);
    return replica;
  }

  const world: World = {
    platform,
    model,
    secrets,
    cluster,
    replicas,
    recordMs,
    gateway: {
      get kills() {
        return [...strikes, ...replicas.flatMap(({ gateway }) => gateway.kills)].toSorted((a, b) => a - b);
      },
      output: () => replicas.map(({ gateway }) => gateway.output()).join("\n"),
    },
    addReplica,
    outages,
    away() {
      const outage: [number, number] = [performance.now(), Infinity];
      outages.push(outage);
      return () => (outage[1] = performance.now());
    },
    async strike(service, signal) {
      strikes.push(performance.now());
      world.note(`${signal} of ${service.name}`);
      if (signal === "SIGKILL") await service.kill();
      else await service.stop();
    },
    note: (line) => say(`${((performance.now() - began) / 1_000).toFixed(1)} s: ${line}`),
    tail: () => replicas.map(({ name, gateway }) => `${name}:\n${gateway.tail()}`).join("\n"),
    async close() {
      await Promise.all(replicas.map(({ gateway }) => gateway.close()));
      await cluster.close();
      await Promise.all([balancer.close(), platform.close(), model.close()]);
    },
  };
  try {
    // The first alone: it makes what replicas share.
    for (const role of roles) await addReplica(role);
    return world;
  } catch (error) {
    const told = `${world.tail()}\n${cluster.tail()}`;
    await world.close();
    throw new Error(`the world does not start: ${String(error)}\n${told}`, { cause: error });
  }
}
