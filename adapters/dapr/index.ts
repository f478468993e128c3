/** The Dapr runtime: brokers and stores behind the sidecar are components, configuration and never code. */
import type { DaprClient } from "@dapr/dapr";
import type { Server } from "node:http";
import { reasonOf } from "../../src/errors.ts";
import type { Clock, DeadLetter, Log, Runtime } from "../../src/ports.ts";
import { createActors } from "./actors.ts";
import { createDaprApp, listenForSidecar } from "./app.ts";
import { createBindings } from "./bindings.ts";
import { createBlobs } from "./blobs.ts";
import { createBus } from "./bus.ts";
import { isKafka, readMetadata, refuseLossy } from "./check.ts";
import { daprClient } from "./client.ts";
import { createDeadLetters } from "./dead-letters.ts";
import { createJobs } from "./jobs.ts";
import { createJournal } from "./journal.ts";
import { createRecords } from "./records.ts";
import { createSecrets } from "./secrets.ts";
import { awaitComponents, componentsWell, connectSidecar, type Sidecar } from "./sidecar.ts";
import { createTranscript } from "./transcript.ts";
import { createWorkflows } from "./workflows.ts";

export interface DaprOptions {
  /** The sidecar: http://host:port. */
  readonly sidecarUrl: string;
  /** Its gRPC, which workflows need: host:port. Absent: this process has no part in them. */
  readonly grpcEndpoint?: string | undefined;
  /** What the sidecar asks of us (DAPR_API_TOKEN); absent where it asks nothing. */
  readonly apiToken?: string | undefined;
  /** What we ask of the sidecar (APP_API_TOKEN). */
  readonly appToken: string;
  /** Where the sidecar calls us. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly clock: Clock;
  readonly log: Log;
  /** This process hosts agents; true unless given. */
  readonly hosts?: boolean;
  /** Of a process that needs records and jobs alone: it takes no part in the topics, and no components of theirs are asked for. */
  readonly apart?: boolean;
  /** An actor that is not called for so long leaves the memory. */
  readonly idleMs?: number;
  /** How long bytes are kept after they were last put or used. */
  readonly blobMs?: number;
}

export interface DaprRuntime extends Runtime {
  /** For tests and the bench. */
  readonly inside: { active(): number; readonly sidecar: Sidecar };
}

const readyMs = 120_000;
const pollMs = 100;
const healthEveryMs = 5_000;

/** Resolves when the sidecar's components are there. @throws Error that says what to do where it does not answer. */
export async function openDapr(options: DaprOptions): Promise<DaprRuntime> {
  const { clock, log, idleMs = 60_000, blobMs = 30 * 86_400_000, hosts = true, apart = false } = options;
  const sidecar = connectSidecar({ url: options.sidecarUrl, token: options.apiToken });
  await awaitComponents(sidecar, options.sidecarUrl);
  const records = createRecords(sidecar, clock);
  const bus = createBus({ sidecar, records, clock, log });
  const publishing = new Set<Promise<boolean>>();
  const actors = createActors({ sidecar, bus, log, publishing });
  const jobs = createJobs({ sidecar, clock, log });
  const bindings = createBindings(sidecar);
  const deadLetters = createDeadLetters(records, bus);
  const { grpcEndpoint, apiToken } = options;
  const workflows =
    grpcEndpoint === undefined ? undefined : createWorkflows({ grpcEndpoint, apiToken, records, clock, log });
  let client: Promise<DaprClient> | undefined;
  let server: Server | undefined;
  const invocations = new Map<string, (request: Request) => Promise<Response>>();
  let appId: string | undefined;
  let open = false;
  let problem: string | undefined = "The sidecar has not answered yet.";
  let cancelHealth: (() => void) | undefined;

  const app = createDaprApp({
    token: options.appToken,
    bus,
    actors,
    jobs,
    bindings,
    log,
    hosts,
    idleMs,
    subscribes: !apart,
    invoked: (path) => [...invocations].find(([prefix]) => path === prefix || path.startsWith(`${prefix}/`))?.[1],
    isOpen: () => open,
    async deadLetter(event) {
      try {
        await deadLetters.add(event.data as DeadLetter);
        return "SUCCESS";
      } catch (error) {
        log.warn({ reason: reasonOf(error) }, "a dead letter cannot be kept now; it is delivered again");
        return "RETRY";
      }
    },
  });

  /** It has found us, has subscribed, and can place our actors. */
  async function untilReady(): Promise<void> {
    const until = clock.monotonic() + readyMs;
    for (;;) {
      const answer = await sidecar.call("GET", "/v1.0/healthz", { deadlineMs: 2_000 }).catch(() => undefined);
      if (answer?.status === 204) return;
      if (clock.monotonic() > until) throw new Error(notReady(options.sidecarUrl));
      await new Promise<void>((resolve) => clock.after(pollMs, resolve));
    }
  }

  function watchHealth(): void {
    cancelHealth = clock.after(healthEveryMs, () => {
      sidecar.call("GET", componentsWell, { deadlineMs: 4_000 }).then(
        ({ status }) => {
          problem = status === 204 ? undefined : `The sidecar is not well: it answers ${status}.`;
          if (open) watchHealth();
        },
        (error: unknown) => {
          problem = reasonOf(error);
          if (open) watchHealth();
        },
      );
    });
  }

  return {
    bus,
    actors,
    records,
    jobs,
    journal: createJournal(records),
    transcript: createTranscript(records, clock),
    blobs: createBlobs(records, blobMs),
    deadLetters,
    bindings,
    ...(workflows === undefined ? {} : { workflows }),
    appId: () => appId,
    invoked: (prefix, handler) => void invocations.set(prefix, handler),
    secrets: createSecrets(() => (client ??= daprClient(options))),
    async start() {
      open = true;
      // It begins to deliver as soon as it has found us.
      await refuseLossy(sidecar, log, apart);
      const found = await readMetadata(sidecar);
      appId = found.id;
      if (!apart && isKafka(found)) bus.partitioned();
      server = await listenForSidecar(app, options.listen);
      await untilReady();
      problem = undefined;
      watchHealth();
      workflows?.start();
    },
    async stop(graceMs) {
      if (!open) return sidecar.close();
      open = false;
      cancelHealth?.();
      const grace = Promise.withResolvers<void>();
      const cancel = clock.after(graceMs, grace.resolve);
      await Promise.race([bus.stop().then(() => Promise.all(publishing)), grace.promise]);
      cancel();
      const ended = workflows?.stop();
      await Promise.race([ended, new Promise<void>((resolve) => void clock.after(Math.max(graceMs, 500), resolve))]);
      actors.dropAll();
      const closed = new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
      server?.closeAllConnections();
      await closed;
      await (await client)?.stop();
      sidecar.close();
    },
    health: () => problem,
    inside: { active: actors.active, sidecar },
  };
}

function notReady(url: string): string {
  return (
    `The sidecar at ${url} was not ready within ${readyMs / 1000} s. Is it running, with the components of dapr/components, ` +
    "and does its --app-port lead here? Its log says more."
  );
}
