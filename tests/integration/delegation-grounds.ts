/** Where the journey of delegated tasks goes: a gateway with two of its agents as processes of their own, on either runtime. */
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect } from "vitest";
import type { Sidecar } from "../../src/main/dapr/sidecar.ts";
import { startCluster } from "../services/dapr.ts";
import { agentSidecar, createReplica } from "./dapr-replica.ts";
import { delegateKey } from "./delegate-process.ts";
import { createGateway, type GatewayOptions, type GatewayProcess } from "./gateway-process.ts";
import { telegramStop } from "./journey/telegram.ts";
import type { Stop } from "./journey/visitor.ts";
import { webStop } from "./journey/web.ts";

/** What can be killed, and come back. */
interface Mortal {
  die(): Promise<void>;
  rise(): Promise<void>;
}

export interface Ground {
  readonly gateway: GatewayProcess;
  /** Telegram and the web page. */
  readonly stops: readonly [Stop, Stop];
  readonly mortals: Readonly<Record<string, Mortal>>;
  /** Everything of ours that runs. */
  readonly processes: readonly GatewayProcess[];
  /** What must be in none of their outputs. */
  readonly secrets: readonly string[];
  /** How long what a kill stands before may take here. */
  readonly patienceMs: number;
  /** Adds a document by the command, while the agent that answers from it runs. */
  learn(name: string, text: string): Promise<void>;
  tail(): string;
  close(): Promise<void>;
}

/** Without it agents would refuse the pages of these tests, and to tell a gateway there of changes: neither is public. */
const reaching = { WEBHOOK_ALLOW_HOSTS: "127.0.0.1" };

const serve = (name: string, env: Readonly<Record<string, string>>) =>
  createGateway({ command: ["agent", "serve", name], env: () => env });

const ofProcess = (one: GatewayProcess): Mortal => ({ die: () => one.kill(), rise: () => one.start() });
const ofSidecar = (one: Pick<Sidecar, "kill" | "restart">): Mortal => ({
  die: () => one.kill("SIGKILL"),
  rise: () => one.restart(),
});

async function openStops(): Promise<Pick<Ground, "stops"> & GatewayOptions> {
  const stops = [await telegramStop(), await webStop()] as const;
  return {
    stops,
    env: (url) => Object.assign({}, ...stops.map(({ env }) => env(url))) as Record<string, string>,
    config: { channels: Object.fromEntries(stops.map(({ name, account }) => [name, { main: account }])) },
  };
}

type Open = Omit<Ground, "learn" | "tail"> & {
  /** Has the documents. */
  readonly library: GatewayProcess;
};

function groundOf({ library, close, ...rest }: Open): Ground {
  const { stops, processes } = rest;
  return {
    ...rest,
    async learn(name, text) {
      const file = join(dirname(library.data), name);
      await writeFile(file, text);
      const { out, err } = await library.ascent("knowledge", "add", file);
      expect(out + err).toContain("1 added");
    },
    tail: () => processes.map((one) => one.tail()).join("\n--- next process\n"),
    async close() {
      await Promise.all([...stops, ...processes].map((one) => one.close()));
      await close();
    },
  };
}

/** The researcher and the analyst run elsewhere, and are asked with a key. */
export async function onEmbedded(): Promise<Ground> {
  const { stops, env, config } = await openStops();
  const researcher = await serve("researcher", { ...reaching, ASCENT_A2A_KEYS: delegateKey });
  const analyst = await serve("analyst", { ASCENT_A2A_KEYS: delegateKey });
  const delegate = ({ url }: GatewayProcess, name: string) => ({ url: `${url}/a2a/${name}`, apiKey: delegateKey });
  const gateway = await createGateway({
    env: (url) => ({ ASCENT_CONFIG: "ascent.yaml", ASCENT_MODEL: "demo", ...env(url) }),
    config: {
      ...config,
      delegation: { inlineSeconds: 3 },
      skills: { researcher: { enabled: false }, analyst: { enabled: false } },
      delegates: { researcher: delegate(researcher, "researcher"), analyst: delegate(analyst, "analyst") },
    },
  });
  await Promise.all([researcher, analyst, gateway].map((one) => one.start()));
  return groundOf({
    gateway,
    stops,
    library: gateway,
    processes: [gateway, researcher, analyst],
    mortals: {
      gateway: ofProcess(gateway),
      researcher: ofProcess(researcher),
      analyst: ofProcess(analyst),
    },
    secrets: [delegateKey],
    patienceMs: 40_000,
    close: async () => undefined,
  });
}

const ascentSecret = "a secret that the gateway and its agents share 0123";

/** The researcher and the knowledge agent run beside sidecars of their own, and say so; they tell the gateway of changes. */
export async function onDapr(): Promise<Ground> {
  const cluster = await startCluster({ pubsub: "redis", state: "redis" });
  const { stops, env, config } = await openStops();
  const shared = { ASCENT_MODEL: "demo", ASCENT_SECRET: ascentSecret };

  async function beside(name: string) {
    const { sidecar, env } = await agentSidecar(cluster, `ascent-${name}`);
    const process = await serve(name, { ...shared, ...reaching, ...env });
    return { sidecar, process };
  }

  const researcher = await beside("researcher");
  const knowledge = await beside("knowledge");
  const { gateway, sidecar } = await createReplica(cluster, {
    env: (url) => ({ ASCENT_CONFIG: "ascent.yaml", PUBLIC_URL: url, ...shared, ...env(url) }),
    config: {
      ...config,
      delegation: { inlineSeconds: 3 },
      skills: { researcher: { enabled: false }, knowledge: { enabled: false } },
    },
  });
  await Promise.all([researcher.process, knowledge.process, gateway].map((one) => one.start()));
  return groundOf({
    gateway,
    stops,
    library: knowledge.process,
    processes: [gateway, researcher.process, knowledge.process],
    mortals: {
      gateway: ofProcess(gateway),
      researcher: ofProcess(researcher.process),
      knowledge: ofProcess(knowledge.process),
      "the gateway's sidecar": ofSidecar(sidecar),
      "the researcher's sidecar": ofSidecar(researcher.sidecar),
      placement: ofSidecar(cluster.controlPlane.placement),
      "Dapr's scheduler": ofSidecar(cluster.controlPlane.scheduler),
    },
    secrets: [ascentSecret, cluster.apiToken, cluster.appToken],
    patienceMs: 120_000,
    close: () => cluster.close(),
  });
}
