/**
 * The interfaces of a peer's card, in its order: the first one that is reached is used. One that is not is set aside for a while, and
 * only a call that is known not to have been sent is made by the next.
 */
import type { AgentCard, AgentInterface } from "@a2a-js/sdk";
import { ClientFactory, JsonRpcTransportFactory, RestTransportFactory } from "@a2a-js/sdk/client";
import { RetryableError } from "../../src/errors.ts";
import type { Clock } from "../../src/ports.ts";
import type { PeerCalls } from "./peer-calls.ts";
import { boundedFetch, NotReachedError } from "./peer-errors.ts";

export interface WaysOptions {
  readonly name: string;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
}

export interface Ways {
  /** Bounded, for what is asked beside the protocol. */
  readonly fetch: typeof fetch;
  /** @param card what the peer's is now. */
  asked<Result>(card: AgentCard, work: (calls: PeerCalls) => Promise<Result>): Promise<Result>;
  /** What the next call would be made by. */
  first(card: AgentCard): Promise<PeerCalls>;
}

/** Of one answer: files come within it, by JSON in base64. */
const mostBytes = 48 * 1024 * 1024;
const asideMs = 60_000;
const legacyCompat = { enabled: true };

interface Way {
  readonly calls: () => Promise<PeerCalls>;
  readonly close: () => void;
  asideUntil: number;
}

export function createWays({ name, fetch, clock }: WaysOptions): Ways {
  const fetchImpl = boundedFetch(name, fetch, mostBytes);
  let known: { readonly of: string; readonly ways: readonly Way[] } | undefined;

  async function open(card: AgentCard, one: AgentInterface): Promise<PeerCalls> {
    if (one.protocolBinding === "GRPC") {
      const { grpcCalls } = await import("./peer-grpc.ts");
      return grpcCalls({ peer: name, origin: one.url, tenant: one.tenant, mostBytes });
    }
    const transports = [
      new JsonRpcTransportFactory({ fetchImpl, legacyCompat }),
      new RestTransportFactory({ fetchImpl, legacyCompat }),
    ];
    const factory = new ClientFactory({ transports, clientConfig: { polling: true } });
    const client = await factory.createFromAgentCard({ ...card, supportedInterfaces: [one] });
    return {
      isLegacy: one.protocolVersion.startsWith("0."),
      sendMessage: (...of) => client.sendMessage(...of),
      getTask: (...of) => client.getTask(...of),
      listTasks: (...of) => client.listTasks(...of),
      cancelTask: (...of) => client.cancelTask(...of),
      resubscribeTask: (...of) => client.resubscribeTask(...of),
      close: () => undefined,
    };
  }

  /** The same as long as the card names the same interfaces, however often it is read again. */
  function waysOf(card: AgentCard): readonly Way[] {
    const interfaces = newest(card.supportedInterfaces);
    const of = JSON.stringify(interfaces);
    if (known?.of === of) return known.ways;
    for (const way of known?.ways ?? []) way.close();
    const ways = interfaces.map((one): Way => {
      let opened: Promise<PeerCalls> | undefined;
      return {
        calls: () => (opened ??= open(card, one)),
        close: () => void opened?.then((calls) => calls.close()).catch(() => undefined),
        asideUntil: -Infinity,
      };
    });
    known = { of, ways };
    return ways;
  }

  /** Those that are set aside come last. */
  function inOrder(card: AgentCard): readonly Way[] {
    const isAside = (way: Way) => way.asideUntil > clock.monotonic();
    return waysOf(card).toSorted((a, b) => Number(isAside(a)) - Number(isAside(b)));
  }

  return {
    fetch: fetchImpl,
    async asked(card, work) {
      let last: unknown = new RetryableError(`agent "${name}": its card names no interface`);
      for (const way of inOrder(card)) {
        try {
          return await work(await way.calls());
        } catch (error) {
          if (!isNotReached(error)) throw error;
          way.asideUntil = clock.monotonic() + asideMs;
          last = error;
        }
      }
      throw last;
    },
    async first(card) {
      const [way] = inOrder(card);
      if (way === undefined) throw new RetryableError(`agent "${name}": its card names no interface`);
      return way.calls();
    },
  };
}

/** A binding once, in the place of its first mention, in the newest version that is spoken. */
function newest(interfaces: readonly AgentInterface[]): AgentInterface[] {
  const best = new Map<string, AgentInterface>();
  for (const one of interfaces) {
    const before = best.get(one.protocolBinding);
    if (before === undefined || one.protocolVersion === "1.0") best.set(one.protocolBinding, one);
  }
  return [...best.values()];
}

function isNotReached(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause as unknown) if (at instanceof NotReachedError) return true;
  return false;
}
