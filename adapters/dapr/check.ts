/** What the sidecar says of itself: whether the components are there, and nothing of it would lose messages. */
import { z } from "zod";
import type { Finding } from "../../src/channel.ts";
import { reasonOf } from "../../src/errors.ts";
import { topics, type Log } from "../../src/ports.ts";
import { deadLetterTopic } from "./bus.ts";
import { store } from "./records.ts";
import { connectSidecar, unexpected, type Sidecar, type SidecarOptions } from "./sidecar.ts";

/** The version that components and tests are made for; the one before it works too. */
const minor = 18;

const metadata = z.object({
  id: z.string().optional(),
  runtimeVersion: z.string().default(""),
  components: z
    .array(z.object({ name: z.string(), type: z.string(), capabilities: z.array(z.string()).default([]) }))
    .default([]),
  /** Absent in older sidecars, which do not tell. */
  resiliencies: z.array(z.object({ name: z.string() })).optional(),
});
export type Metadata = z.infer<typeof metadata>;

export async function readMetadata(sidecar: Sidecar): Promise<Metadata> {
  const answer = await sidecar.call("GET", "/v1.0/metadata");
  if (answer.status !== 200) throw unexpected("the sidecar does not tell its components", answer);
  return metadata.parse(JSON.parse(answer.body));
}

export function isKafka({ components }: Metadata): boolean {
  return components.some(({ name, type }) => name === "inbound" && type === "pubsub.kafka");
}

/** Findings for `ascent doctor`; what is `fatal` would lose messages, or cannot work at all. */
type SidecarFinding = Finding & { readonly fatal?: true };

/** For a command that opens no runtime. Never rejects. */
export async function checkDaprAt(options: SidecarOptions): Promise<readonly Finding[]> {
  const sidecar = connectSidecar(options);
  try {
    return await checkSidecar(sidecar);
  } catch (error) {
    const next = "Start it beside the gateway (npm run dapr does both), or correct DAPR_HTTP_PORT and DAPR_API_TOKEN.";
    return [{ ok: false, text: `No sidecar answers at ${options.url}: ${reasonOf(error)}`, next }];
  } finally {
    sidecar.close();
  }
}

async function checkSidecar(sidecar: Sidecar): Promise<readonly SidecarFinding[]> {
  const found = await readMetadata(sidecar);
  return [version(found), pubsub(found), state(found), resiliency(found), await jobs(sidecar)];
}

/**
 * @param apart no topics are needed.
 * @throws Error that says what to do where messages would be lost.
 */
export async function refuseLossy(sidecar: Sidecar, log: Log, apart = false): Promise<void> {
  const found = await readMetadata(sidecar);
  const all = apart ? [version(found), state(found), await jobs(sidecar)] : await checkSidecar(sidecar);
  const wrong = all.filter(({ ok }) => !ok);
  for (const { text, next } of wrong) log.warn({ next }, text);
  const fatal = wrong.filter((finding) => finding.fatal === true);
  if (fatal.length > 0) throw new Error(fatal.map(({ text, next }) => `${text} ${next ?? ""}`).join("\n"));
}

function version({ runtimeVersion }: Metadata): SidecarFinding {
  const [, found] = /^1\.(\d+)\./.exec(runtimeVersion) ?? [];
  if (found === undefined || Number(found) >= minor - 1)
    return { ok: true, text: `the sidecar is Dapr ${runtimeVersion}` };
  return {
    ok: false,
    text: `The sidecar is Dapr ${runtimeVersion}; this gateway is tested with 1.${minor} and 1.${minor - 1}.`,
    next: `Upgrade it to 1.${minor}.`,
  };
}

function pubsub({ components }: Metadata): SidecarFinding {
  const missing = [...topics, deadLetterTopic].filter(
    (topic) => !components.some(({ name, type }) => name === topic && type.startsWith("pubsub.")),
  );
  const types = new Set(components.filter(({ type }) => type.startsWith("pubsub.")).map(({ type }) => type));
  if (missing.length === 0) return { ok: true, text: `topics are on ${[...types].join(", ")}` };
  return {
    ok: false,
    fatal: true,
    text: `The sidecar has no pub/sub component ${missing.join(", ")}.`,
    next: "Give it --resources-path dapr/components/common and one folder of dapr/components/pubsub.",
  };
}

function state({ components }: Metadata): SidecarFinding {
  const component = components.find(({ name, type }) => name === store && type.startsWith("state."));
  if (component === undefined) {
    return {
      ok: false,
      fatal: true,
      text: `The sidecar has no state component "${store}".`,
      next: "Give it --resources-path with one folder of dapr/components/state.",
    };
  }
  const lacks = ["ETAG", "TRANSACTIONAL", "ACTOR"].filter((ability) => !component.capabilities.includes(ability));
  if (lacks.length === 0) return { ok: true, text: `state is on ${component.type}` };
  return {
    ok: false,
    fatal: true,
    text: `The state component "${store}" (${component.type}) lacks ${lacks.join(", ")}.`,
    next: 'Use a store with transactions, and set actorStateStore: "true" in its file.',
  };
}

/** Without it the sidecar drops, or asks in a hot loop, what the gateway could not take. */
function resiliency({ resiliencies }: Metadata): SidecarFinding {
  if (resiliencies === undefined) {
    return {
      ok: false,
      text: "This sidecar does not tell whether its resiliency policy is loaded.",
      next: 'Look for "Loading Resiliency configuration: ascent" in its log.',
    };
  }
  if (resiliencies.some(({ name }) => name === "ascent")) return { ok: true, text: "the resiliency policy is loaded" };
  return {
    ok: false,
    fatal: true,
    text: 'The resiliency policy "ascent" is not loaded: messages that fail would be lost.',
    next: "Give the sidecar --resources-path dapr/components/common; resiliency.yaml must stand in a file of its own.",
  };
}

/** A managed sidecar may be without jobs. */
async function jobs(sidecar: Sidecar): Promise<SidecarFinding> {
  const answer = await sidecar.call("DELETE", "/v1.0-alpha1/jobs/ascent-probe").catch(() => undefined);
  if (answer !== undefined && answer.status < 300) return { ok: true, text: "jobs are there" };
  return {
    ok: false,
    text: `The sidecar has no jobs (${answer === undefined ? "no answer" : answer.status}): scheduled tasks cannot be made.`,
    next: "Connect it to a scheduler (--scheduler-host-address); everything else works without.",
  };
}
