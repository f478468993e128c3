/** What is wrong with the configuration and with what the gateway works with; the channels say it of themselves. */
import { createSafeFetch } from "../../adapters/fetch/index.ts";
import { createModels, type Models } from "../../adapters/models/index.ts";
import { modelsOfAgent, parseModelList, type NamedModels } from "../../adapters/models/spec.ts";
import type { Finding } from "../channel.ts";
import { reasonOf } from "../errors.ts";
import type { Report } from "../operations.ts";
import { modelsSettings } from "./agents.ts";
import { systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { knowledgeOf } from "./library.ts";
import { describeAccess, exposedAdvice, type AccessWords } from "./policies.ts";
import { sidecarUrl } from "./runtime.ts";

const checkMs = 20_000;

/** In this order, each as soon as it is known. */
export async function* examine(config: Config): AsyncGenerator<Report> {
  const configured = { ok: true, text: config.file ?? "from the environment alone" };
  yield { topic: "configuration", findings: [configured] };
  yield { topic: "node", findings: [{ ok: true, text: process.version }] };
  yield { topic: "public address", findings: [checkPublicUrl(config)] };
  yield { topic: "access", findings: describeAccess(config).map(accessFinding) };
  const models = createModels(modelsSettings(config), { clock: systemClock });
  for (const [topic, specs] of modelsOf(config)) {
    const findings: Finding[] = [];
    for (const spec of specs) findings.push(await checkModel(models, spec));
    yield { topic, findings };
  }
  const transcription = await models.checkTranscription(AbortSignal.timeout(checkMs));
  if (transcription !== undefined) yield { topic: "transcription", findings: [transcription] };
  const embedding = await models.checkEmbedding(AbortSignal.timeout(checkMs));
  if (embedding !== undefined) yield { topic: "embedding", findings: [embedding] };
  const { database } = knowledgeOf(config);
  if (database !== undefined) {
    const { checkPostgres } = await import("../../adapters/vectors/postgres/check.ts");
    yield { topic: "documents", findings: await checkPostgres(database) };
  }
  yield* checkMcp(config);
  if (config.runtime === "dapr") yield* checkDapr(config);
}

/** Each is connected to, or started, and asked what it offers. */
async function* checkMcp({ mcp, webhooks }: Config): AsyncGenerator<Report> {
  const servers = Object.entries(mcp);
  if (servers.length === 0) return;
  const { checkMcpServer } = await import("../../adapters/mcp/client/check.ts");
  const safeFetch = createSafeFetch({ allowHosts: webhooks.allowHosts });
  for (const [name, settings] of servers) {
    yield { topic: `mcp ${name}`, findings: [await checkMcpServer(name, settings, { safeFetch, clock: systemClock })] };
  }
}

/** The sidecar, its components' files, and the Redis that signals go over. */
async function* checkDapr({ dapr, redis }: Config): AsyncGenerator<Report> {
  const { checkDaprAt } = await import("../../adapters/dapr/check.ts");
  yield { topic: "sidecar", findings: await checkDaprAt({ url: sidecarUrl(dapr), token: dapr.apiToken }) };
  if (dapr.resources.length > 0) {
    const { checkResources } = await import("./dapr/durability.ts");
    yield { topic: "components", findings: checkResources(dapr.resources) };
  }
  if (redis.url !== undefined) {
    const { checkRedis } = await import("../../adapters/redis/check.ts");
    yield { topic: "redis", findings: await checkRedis(redis.url) };
  }
}

function accessFinding({ account, text, exposed }: AccessWords): Finding {
  return { ok: true, text: `${account}, ${text}`, ...(exposed ? { next: exposedAdvice } : {}) };
}

function checkPublicUrl({ server }: Config): Finding {
  if (server.publicUrl === undefined) return { ok: true, text: "PUBLIC_URL is not set; webhooks of platforms need it" };
  const { protocol } = new URL(server.publicUrl);
  if (protocol === "https:") return { ok: true, text: server.publicUrl };
  return { ok: true, text: `${server.publicUrl}: platforms call webhooks by https only` };
}

/** Every model that may be asked, by who asks it; of a skilled agent only those of its own. */
function modelsOf(config: Config): (readonly [string, readonly string[]])[] {
  const agents = Object.entries(config.agents).map(([name, own]) => {
    const specs = parseModelList(modelsOfAgent(own) ?? config.model.spec);
    const summary = own.summaryModel === undefined ? [] : parseModelList(own.summaryModel);
    return [`agent ${name}`, [...new Set([...specs, ...summary])]] as const;
  });
  const all = config.skills as Record<string, NamedModels & { readonly enabled?: boolean }>;
  const skills = Object.entries(all).flatMap(([name, own]) => {
    const spec = modelsOfAgent(own);
    return spec === undefined || own.enabled === false ? [] : [[`agent ${name}`, parseModelList(spec)] as const];
  });
  return [...agents, ...skills];
}

async function checkModel(models: Models, spec: string): Promise<Finding> {
  try {
    return await models.check(spec, AbortSignal.timeout(checkMs));
  } catch (error) {
    return { ok: false, text: reasonOf(error), next: "Correct ASCENT_MODEL or the agent's model." };
  }
}
