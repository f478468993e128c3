/**
 * A peer's card: read in the background, checked, and kept for a while. Nobody waits for it but for a moment where there is none, and
 * one that cannot be had any more is there no more.
 */
import { AgentCard, verifyAgentCardSignature, type AgentInterface } from "@a2a-js/sdk";
import { DefaultAgentCardResolver } from "@a2a-js/sdk/client";
import { isLegacyAgentCard } from "@a2a-js/sdk/compat/v0_3/client";
import type { KeyObject } from "node:crypto";
import { chainExtension } from "../../src/chain.ts";
import { reasonOf, TerminalError } from "../../src/errors.ts";
import type { PeerCard } from "../../src/peers.ts";
import type { Clock, Log } from "../../src/ports.ts";

export interface CardKey {
  readonly key: KeyObject;
  /** Where the key has a name, it is asked for signatures of that name only. */
  readonly kid?: string | undefined;
}

export interface CardOptions {
  readonly peer: string;
  /** The card's JSON, bounded. @throws where it cannot be had. */
  readonly read: (signal: AbortSignal) => Promise<unknown>;
  /** Its signature has to be one of theirs; none: it need not be signed. */
  readonly signedBy: readonly CardKey[];
  /** Where an interface of the card is called; undefined: it leads where the peer is not allowed to. */
  readonly endpointOf: (url: string) => string | undefined;
  /** The same for gRPC, as an origin; absent: it is not spoken there. */
  readonly grpcEndpointOf?: ((url: string) => string | undefined) | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Cards {
  /** Waits for a second at most. */
  get(): Promise<AgentCard | undefined>;
}

const freshMs = 60_000;
/** A card that could not be read again meanwhile is not used any more. */
const keptMs = 180_000;
const againMs = 10_000;
const readMs = 15_000;
const patienceMs = 1_000;
const mostSkills = 200;

export function createCards(options: CardOptions): Cards {
  const { peer, clock, log } = options;
  let card: { readonly value: AgentCard; readonly at: number } | undefined;
  let reading: Promise<void> | undefined;
  let triedAt = -Infinity;
  let silent = false;

  async function read(): Promise<void> {
    triedAt = clock.monotonic();
    try {
      const raw = await options.read(AbortSignal.timeout(readMs));
      const value = await checked(raw, options);
      card = { value, at: clock.monotonic() };
      if (silent) log.info({ peer }, "an agent can be reached again");
      silent = false;
    } catch (error) {
      // Once for as long as it lasts.
      if (!silent) log.warn({ peer, reason: reasonOf(error) }, "an agent's card cannot be had: it is not offered");
      silent = true;
    } finally {
      reading = undefined;
    }
  }

  const ageMs = () => (card === undefined ? Infinity : clock.monotonic() - card.at);

  return {
    async get() {
      const wanted = ageMs() > freshMs && clock.monotonic() - triedAt > againMs;
      if (wanted) reading ??= read();
      if (ageMs() > keptMs && reading !== undefined) {
        const { promise, resolve } = Promise.withResolvers<void>();
        const cancel = clock.after(patienceMs, resolve);
        await Promise.race([reading, promise]);
        cancel();
      }
      return ageMs() > keptMs ? undefined : card?.value;
    },
  };
}

async function checked(raw: unknown, { signedBy, ...options }: CardOptions): Promise<AgentCard> {
  if (typeof raw !== "object" || raw === null) throw new TerminalError("it is no JSON object");
  const isLegacy = isLegacyAgentCard(raw);
  const resolver = new DefaultAgentCardResolver({ legacyCompat: { enabled: true } });
  const card = isLegacy ? resolver.normalizeAgentCard(raw) : AgentCard.fromJSON(raw);
  if (signedBy.length > 0 && !(await isSigned(card, signedBy)))
    throw new TerminalError("it is not signed with one of the keys in signedBy");
  const interfaces = card.supportedInterfaces.flatMap((one) => {
    const url = endpointIn(one, options);
    return url === undefined ? [] : [{ ...one, url }];
  });
  if (interfaces.length === 0) {
    const bindings = card.supportedInterfaces
      .slice(0, 5)
      .map((one) => `${one.protocolBinding} at ${one.url.slice(0, 200)}`);
    throw new TerminalError(
      `it names no JSONRPC, HTTP+JSON or GRPC interface at its own address (${bindings.join(", ") || "none"}): allow others with \`origins\``,
    );
  }
  return { ...card, supportedInterfaces: interfaces, skills: card.skills.slice(0, mostSkills) };
}

type Endpoints = Pick<CardOptions, "endpointOf" | "grpcEndpointOf">;

function endpointIn(
  { url, protocolBinding, protocolVersion }: AgentInterface,
  { endpointOf, grpcEndpointOf }: Endpoints,
): string | undefined {
  if (protocolBinding === "JSONRPC" || protocolBinding === "HTTP+JSON") return endpointOf(url);
  // Before 1.0 it was another service.
  if (protocolBinding !== "GRPC" || protocolVersion.startsWith("0.")) return undefined;
  return grpcEndpointOf?.(url);
}

async function isSigned(card: AgentCard, keys: readonly CardKey[]): Promise<boolean> {
  const kids = card.signatures.map((one) => kidOf(one.protected));
  for (const { key, kid } of keys) {
    if (kid !== undefined && !kids.includes(kid)) continue;
    try {
      await verifyAgentCardSignature(async () => key)(card);
      return true;
    } catch {
      // The next one may be it.
    }
  }
  return false;
}

function kidOf(header: string): string | undefined {
  try {
    const { kid } = JSON.parse(Buffer.from(header, "base64url").toString()) as { kid?: string };
    return kid;
  } catch {
    return undefined;
  }
}

const longestName = 200;
const longestWords = 2_000;

/** @param modes what is exchanged with it whatever its card says. */
export function peerCardOf(card: AgentCard, modes: readonly string[] | undefined): PeerCard {
  const types = (all: readonly string[]) => all.slice(0, 50).map((one) => one.slice(0, longestName));
  const skills = card.skills.map(({ name, description, inputModes }) => ({
    name: name.slice(0, longestName),
    description: description.slice(0, longestWords),
    inputModes,
  }));
  return {
    title: card.name.slice(0, longestName),
    description: card.description.slice(0, longestWords),
    skills: skills.map(({ name, description }) => ({ name, description })),
    inputModes: modes ?? types([...new Set([...card.defaultInputModes, ...skills.flatMap((one) => one.inputModes)])]),
    outputModes: modes ?? types(card.defaultOutputModes),
    pushes: card.capabilities?.pushNotifications === true,
    whole: card.capabilities?.extensions.some(({ uri }) => uri === chainExtension) === true,
  };
}
