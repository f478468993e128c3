/** The contract of every channel once more, with its records and transcript on each runtime. */
import { afterAll, beforeAll, describe } from "vitest";
import { rm } from "node:fs/promises";
import { openDapr } from "../../adapters/dapr/index.ts";
import { openEmbedded } from "../../adapters/embedded/index.ts";
import { freePorts } from "../../src/main/dapr/ports.ts";
import type { Runtime } from "../../src/ports.ts";
import { clock, newDirectory, quietLog } from "../integration/embedded-fixture.ts";
import { needs } from "../needs.ts";
import { needsDapr, startCluster } from "../services/dapr.ts";
import type { Stores } from "./channel-deps.ts";
import { channelContract } from "./channel.ts";
import { contracts as a2a } from "./a2a.ts";
import { contracts as discord } from "./discord.ts";
import { contracts as openai } from "./openai.ts";
import { contracts as telegram } from "./telegram.ts";
import { contracts as web } from "./web.ts";
import { contracts as webhook } from "./webhook.ts";
import { contracts as whatsapp } from "./whatsapp.ts";
import { contractOf as whatsappWeb } from "./whatsapp-web.ts";

interface Opened {
  readonly runtime: Runtime;
  close(): Promise<void>;
}

const [chromium, openssl] = [needs("chromium"), needs("openssl")];
const byBrowser = chromium.missing || openssl.missing ? [] : [whatsappWeb(chromium.path)];

describe("on the embedded runtime", () => {
  channelsOn(embedded);
});

const { missing } = await needsDapr();
describe.skipIf(missing)("on Dapr, with Redis", () => {
  channelsOn(dapr);
});

function channelsOn(open: () => Promise<Opened>): void {
  let opened: Opened | undefined;
  let checks = 0;
  beforeAll(async () => {
    opened = await open();
  }, 240_000);
  afterAll(() => opened?.close(), 60_000);

  for (const contract of [telegram, discord, whatsapp, byBrowser, web, webhook, openai, a2a].flat()) {
    channelContract({
      ...contract,
      stores() {
        if (opened === undefined) throw new Error("the runtime is not open");
        checks += 1;
        return apart(opened.runtime, `check-${checks}:`);
      },
    });
  }
}

async function embedded(): Promise<Opened> {
  const directory = newDirectory();
  const runtime = await openEmbedded({ directory, clock, log: quietLog });
  await runtime.start();
  return {
    runtime,
    async close() {
      await runtime.stop(0);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function dapr(): Promise<Opened> {
  const cluster = await startCluster({ pubsub: "redis", state: "redis" });
  const [appPort = 0] = await freePorts(1);
  const sidecar = await cluster.sidecar({ appPort });
  const { apiToken, appToken } = cluster;
  const listen = { host: "127.0.0.1", port: appPort };
  const runtime = await openDapr({ sidecarUrl: sidecar.url, apiToken, appToken, listen, clock, log: quietLog });
  await runtime.start();
  return {
    runtime,
    async close() {
      await runtime.stop(0);
      await cluster.close();
    },
  };
}

/** A check sees nothing of another's. */
function apart({ records, transcript }: Runtime, prefix: string): Stores {
  return {
    records: {
      get: (key) => records.get(prefix + key),
      put: (key, value, options) => records.put(prefix + key, value, options),
      remove: (key) => records.remove(prefix + key),
    },
    transcript: {
      append: (conversation, key, entry) => transcript.append(prefix + conversation, key, entry),
      list: (conversation, range) => transcript.list(prefix + conversation, range),
      get: (conversation, key) => transcript.get(prefix + conversation, key),
      clear: (conversation) => transcript.clear(prefix + conversation),
    },
  };
}
