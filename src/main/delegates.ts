/** The skilled agents that client agents can give tasks to: those in this process, those that the configuration names, and those that run. */
import { createSafeFetch } from "../../adapters/fetch/index.ts";
import { createPeer, type PeerOptions } from "../../adapters/a2a/peer.ts";
import { internalHeaders } from "../../adapters/a2a/callers.ts";
import type { A2aServer } from "../../adapters/a2a/server.ts";
import { createDelegations, type DelegationOptions, type Delegations } from "../delegation.ts";
import { pushPath } from "../delegation-push.ts";
import { reasonOf, RetryableError, TerminalError } from "../errors.ts";
import type { SafeFetch } from "../fetch.ts";
import type { Address } from "../message.ts";
import type { Peer, Peers } from "../peers.ts";
import type { Clock, Log, Records, Runtime } from "../ports.ts";
import type { Proactive } from "../proactive.ts";
import { createRegistry, type Registered } from "../registry.ts";
import type { TaskCaller } from "../skilled.ts";
import type { Config } from "./config.ts";
import { delegateSettings, keyOf, type DelegateSettings } from "./delegate-settings.ts";
import { sidecarUrl } from "./runtime.ts";

export interface DelegatesOptions {
  readonly config: Config;
  /** Names of the skilled agents of this process, and of all that can run as processes of their own. */
  readonly local: readonly string[];
  readonly known: readonly string[];
  readonly server: Pick<A2aServer, "handle">;
  readonly secret: string;
  readonly records: Records;
  readonly clock: Clock;
  readonly log: Log;
}

export interface DelegationsOptions extends Omit<DelegatesOptions, "records" | "server"> {
  readonly runtime: Runtime;
  readonly safeFetch: SafeFetch;
  readonly server: Pick<A2aServer, "handle" | "chainName">;
  readonly prompt: Proactive["prompt"];
  readonly toMission?: DelegationOptions["toMission"];
  readonly reaches: (to: Address) => boolean;
}

/** Delegations to all of them. */
export function openDelegations(options: DelegationsOptions): Delegations {
  const { config, runtime, clock, log, safeFetch, secret, server, prompt, toMission, reaches } = options;
  const { publicUrl } = config.server;
  return createDelegations({
    runtime,
    clock,
    log,
    safeFetch,
    secret,
    prompt,
    toMission,
    reaches,
    peers: createDelegates({ ...options, records: runtime.records }),
    chainName: server.chainName,
    pushUrl: publicUrl === undefined ? undefined : `${publicUrl}${pushPath}`,
    inlineMs: config.delegation.inlineSeconds * 1_000,
  });
}

const dayMs = 24 * 3_600_000;
const cardBytes = 512 * 1024;
const cardPath = "/.well-known/agent-card.json";
/** Where nobody listens. */
const inside = "http://agents.internal";
/** How long an agent that runs is taken to run. */
const registeredMs = 5_000;

export function createDelegates(options: DelegatesOptions): Peers {
  const { config, local, known, records, clock, log } = options;
  const named = Object.entries(config.delegates).map(([name, given]) => peerOf(name, given, options));
  const own = local
    .filter((name) => !Object.hasOwn(config.delegates, name))
    .map((name) => createPeer({ ...localPeer(name, options), name, ...common(options) }));
  const fixed = [...named, ...own];
  const others = known.filter((name) => !fixed.some((peer) => peer.name === name));
  const absent = new Map(others.map((name) => [name, absentPeer(name, options)]));
  const registry = createRegistry({ records, clock, log });
  const found = new Map<string, { readonly at: number; readonly peer: Peer | undefined; readonly place: string }>();

  async function registered(name: string): Promise<Peer | undefined> {
    const before = found.get(name);
    if (before !== undefined && clock.monotonic() - before.at < registeredMs) return before.peer;
    let entry: Registered | undefined;
    try {
      entry = await registry.find(name);
    } catch (error) {
      // Whether it runs cannot be told now: it is where it was.
      log.debug({ peer: name, reason: reasonOf(error) }, "where an agent runs cannot be read");
      if (before !== undefined) found.set(name, { ...before, at: clock.monotonic() });
      return before?.peer;
    }
    const place = entry === undefined ? "" : JSON.stringify([entry.app, entry.address]);
    const same = before?.place === place ? before.peer : undefined;
    const peer = same ?? (entry && servicePeer(entry, options));
    found.set(name, { at: clock.monotonic(), peer, place });
    return peer;
  }

  return {
    async all() {
      if (config.runtime !== "dapr") return fixed;
      const running = await Promise.all(others.map(registered));
      return [...fixed, ...running.filter((peer) => peer !== undefined)];
    },
    async of(name) {
      const peer = fixed.find((one) => one.name === name);
      if (peer !== undefined || config.runtime !== "dapr" || !others.includes(name)) return peer;
      // It may run again: its tasks are its own until then.
      return (await registered(name)) ?? absent.get(name);
    },
    mayReturn: (name) => config.runtime === "dapr" && others.includes(name),
  };
}

const common = ({ clock, log }: DelegatesOptions) => ({ clock, log });
type Way = Omit<PeerOptions, "name" | "clock" | "log">;

function peerOf(name: string, given: DelegateSettings, options: DelegatesOptions): Peer {
  const { url, app, local = name } = given;
  const way =
    url !== undefined
      ? urlPeer(url, given, options)
      : app !== undefined
        ? appPeer(name, app, given, options)
        : localPeer(local, options);
  const { timeoutSeconds, modalities, signedBy } = given;
  const timeoutMs = timeoutSeconds === undefined ? (url === undefined ? undefined : dayMs) : timeoutSeconds * 1_000;
  return createPeer({ ...way, ...common(options), name, timeoutMs, modes: modalities, signedBy: signedBy.map(keyOf) });
}

/** The same code as over HTTP, without a socket. */
function localPeer(agent: string, { server, secret }: DelegatesOptions): Way {
  const endpoint = `${inside}/a2a/${agent}`;
  const send: typeof fetch = (input, init) => server.handle(new Request(input, { ...init, redirect: "follow" }));
  return {
    local: true,
    fetch: send,
    read: async (signal) => {
      const response = await send(`${endpoint}${cardPath}`, { signal, headers: { "a2a-version": "1.0" } });
      if (response.status !== 200) throw new TerminalError(`there is no skilled agent "${agent}" in the gateway`);
      return response.json();
    },
    endpointOf: () => endpoint,
    headersOf: (caller) => internalHeaders(secret, caller),
    signedBy: [],
  };
}

function urlPeer(url: string, given: DelegateSettings, options: DelegatesOptions): Way {
  const { origin, host, protocol } = new URL(url);
  const origins = new Set([origin, ...given.origins.map((one) => new URL(one).origin)]);
  // The operator has named them: they may be private.
  const safeFetch = createSafeFetch({ allowHosts: [host, ...given.origins.map((one) => new URL(one).host)] });
  const cardUrl = new URL(url).pathname.endsWith(".json") ? url : `${url.replace(/\/+$/, "")}${cardPath}`;
  return {
    local: false,
    fetch,
    read: (signal) => readCard(safeFetch, cardUrl, credentials(given), signal),
    endpointOf: (one) => (origins.has(URL.parse(one)?.origin ?? "") ? one : undefined),
    grpcEndpointOf(one) {
      const at = grpcOrigin(one, protocol);
      return at !== undefined && origins.has(at) ? at : undefined;
    },
    headersOf: headersFor(given, options),
    signedBy: [],
  };
}

/** Cards name it as "host:port" or as a URL. Without a scheme TLS is as at the agent's own address. */
function grpcOrigin(given: string, protocol: string): string | undefined {
  const bare = given.replace(/^(?:dns|ipv[46]):\/*/, "").replace(/^grpc(s?):\/\//, "http$1://");
  return URL.parse(/^https?:\/\//.test(bare) ? bare : `${protocol}//${bare}`)?.origin;
}

async function readCard(
  safeFetch: SafeFetch,
  url: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<unknown> {
  const asked = {
    headers: { accept: "application/json", "a2a-version": "1.0", ...headers },
    maxBytes: cardBytes,
    signal,
  };
  const { status, body } = await safeFetch(url, asked);
  if (status !== 200) throw new TerminalError(`its card's address answered ${status}`);
  return JSON.parse(Buffer.from(body).toString("utf8"));
}

/** The sidecar finds it, encrypts what is said, tries again and breaks off, as its resiliency policy says. */
function appPeer(name: string, app: string, given: DelegateSettings, options: DelegatesOptions): Way {
  const { dapr } = options.config;
  const base = `${sidecarUrl(dapr)}/v1.0/invoke/${encodeURIComponent(app)}/method`;
  const token: Readonly<Record<string, string>> =
    dapr.apiToken === undefined ? {} : { "dapr-api-token": dapr.apiToken };
  const { agent = name } = given;
  const headersOf = headersFor(given, options);
  return {
    local: false,
    fetch,
    async read(signal) {
      const headers = { ...token, ...credentials(given), "a2a-version": "1.0" };
      const response = await fetch(`${base}/a2a/${agent}${cardPath}`, { headers, signal, redirect: "error" });
      if (response.status !== 200)
        throw new TerminalError(`the application ${app} answered ${response.status} for its card`);
      const text = await response.text();
      if (text.length > cardBytes) throw new TerminalError("its card is too large");
      return JSON.parse(text);
    },
    endpointOf: (one) => {
      const path = URL.parse(one)?.pathname;
      return path === undefined ? undefined : `${base}${path}`;
    },
    headersOf: (caller) => ({ ...token, ...headersOf(caller) }),
    signedBy: [],
  };
}

/** One of ours that says that it runs: by way of the sidecars where they let it be called, else at its address. */
function servicePeer({ name, app, address }: Registered, options: DelegatesOptions): Peer {
  const given = delegateSettings.parse({ url: `${address}/a2a/${name}`, sameSecret: true });
  const direct = urlPeer(`${address}/a2a/${name}`, given, options);
  const sidecar = app === undefined ? undefined : appPeer(name, app, given, options);
  let way = sidecar ?? direct;
  return createPeer({
    ...direct,
    ...common(options),
    name,
    async read(signal) {
      try {
        const card = await (sidecar ?? direct).read(signal);
        way = sidecar ?? direct;
        return card;
      } catch (error) {
        if (sidecar === undefined) throw error;
        const card = await direct.read(signal);
        way = direct;
        return card;
      }
    },
    endpointOf: (one) => way.endpointOf(one),
    headersOf: (caller) => way.headersOf(caller),
  });
}

/** One of ours that runs nowhere now: it cannot be asked. */
function absentPeer(name: string, options: DelegatesOptions): Peer {
  return createPeer({
    ...common(options),
    name,
    local: false,
    fetch,
    read: () => Promise.reject(new RetryableError(`the agent "${name}" runs nowhere now`)),
    endpointOf: () => undefined,
    headersOf: () => ({}),
    signedBy: [],
  });
}

function credentials({ apiKey, headers }: DelegateSettings): Readonly<Record<string, string>> {
  return { ...headers, ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }) };
}

/** For whom it is asked: one of ours keeps apart what belongs to different people. */
function headersFor(given: DelegateSettings, { secret }: DelegatesOptions) {
  return (caller: TaskCaller): Readonly<Record<string, string>> =>
    given.sameSecret
      ? internalHeaders(secret, caller)
      : { ...credentials(given), "x-ascent-for": `${caller.tenant}.${caller.id}` };
}
