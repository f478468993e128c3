/** Another agent by A2A, 1.0 or 0.3: {@link Peer} on the SDK's client. */
import { TaskState, type AgentCard } from "@a2a-js/sdk";
import type { RequestOptions } from "@a2a-js/sdk/client";
import { TaskNotCancelableError, TaskNotFoundError } from "@a2a-js/sdk/errors";
import { RetryableError, TerminalError } from "../../src/errors.ts";
import type { Peer } from "../../src/peers.ts";
import type { TaskCaller } from "../../src/skilled.ts";
import { eraseExtension } from "./extensions.ts";
import type { PeerCalls } from "./peer-calls.ts";
import { createCards, peerCardOf, type CardOptions } from "./peer-card.ts";
import { peerError } from "./peer-errors.ts";
import { createWays } from "./peer-ways.ts";
import { peerTaskOf, requestOf, textOf } from "./peer-wire.ts";

export interface PeerOptions extends Omit<CardOptions, "peer"> {
  readonly name: string;
  readonly local: boolean;
  readonly timeoutMs?: number | undefined;
  /** What it is called with. Never leads anywhere but to what `endpointOf` gives. */
  readonly fetch: typeof fetch;
  /** What a call for this caller carries besides. */
  readonly headersOf: (caller: TaskCaller) => Readonly<Record<string, string>>;
  /** Media types; absent: what its card says. */
  readonly modes?: readonly string[] | undefined;
}

const listed = 50;

export function createPeer(options: PeerOptions): Peer {
  const { name, modes, headersOf } = options;
  const cards = createCards({ ...options, peer: name });
  const ways = createWays(options);

  async function cardNow(): Promise<AgentCard> {
    const card = await cards.get();
    if (card === undefined) throw new RetryableError(`agent "${name}": its card cannot be had`);
    return card;
  }

  const optionsOf = (caller: TaskCaller, signal: AbortSignal): RequestOptions => ({
    signal,
    serviceParameters: { ...headersOf(caller) },
  });

  async function asked<Result>(work: (to: PeerCalls, card: AgentCard) => Promise<Result>): Promise<Result> {
    try {
      const card = await cardNow();
      return await ways.asked(card, (to) => work(to, card));
    } catch (error) {
      throw peerError(name, error);
    }
  }

  return {
    name,
    local: options.local,
    timeoutMs: options.timeoutMs,
    async card() {
      const card = await cards.get();
      return card === undefined ? undefined : peerCardOf(card, modes);
    },
    send: (caller, message, signal) =>
      asked(async (to, card) => {
        const accepted = modes ?? card.defaultOutputModes.slice(0, listed);
        return peerTaskOf(await to.sendMessage(requestOf(message, accepted), optionsOf(caller, signal)));
      }),
    get: (caller, id, signal) =>
      asked(async (to) => {
        try {
          return peerTaskOf(await to.getTask({ tenant: "", id, historyLength: 0 }, optionsOf(caller, signal)));
        } catch (error) {
          if (error instanceof TaskNotFoundError) return undefined;
          throw error;
        }
      }),
    async *listen(caller, id, signal) {
      try {
        const card = await cardNow();
        if (card.capabilities?.streaming !== true) return;
        const to = await ways.first(card);
        for await (const { payload } of to.resubscribeTask({ tenant: "", id }, optionsOf(caller, signal))) {
          const status = payload?.$case === "statusUpdate" ? payload.value.status : undefined;
          const progress = status?.state === TaskState.TASK_STATE_WORKING ? textOf(status.message?.parts) : "";
          yield progress === "" ? {} : { progress };
        }
      } catch (error) {
        throw peerError(name, error);
      }
    },
    find: (caller, message, signal) =>
      asked(async (to) => {
        if (to.isLegacy) return undefined;
        const query = {
          tenant: "",
          contextId: message.context,
          status: TaskState.TASK_STATE_UNSPECIFIED,
          pageSize: listed,
          pageToken: "",
          historyLength: listed,
          statusTimestampAfter: undefined,
          includeArtifacts: false,
        };
        const { tasks } = await to.listTasks(query, optionsOf(caller, signal));
        return tasks.find(({ history }) => history.some(({ messageId }) => messageId === message.id))?.id;
      }),
    erase: (caller, id, signal) =>
      asked(async (_to, card) => {
        // Beside the protocol it is a request like those of HTTP+JSON, at the agent's address.
        const at = card.supportedInterfaces.find(({ protocolBinding }) => protocolBinding !== "GRPC");
        const offers = card.capabilities?.extensions.some(({ uri }) => uri === eraseExtension) === true;
        if (!offers || at === undefined) return false;
        const url = `${at.url.replace(/\/$/, "")}/tasks${id === undefined ? "" : `/${encodeURIComponent(id)}`}`;
        const headers = { ...headersOf(caller), "a2a-version": "1.0" };
        const response = await ways.fetch(url, { method: "DELETE", headers, signal });
        await response.body?.cancel();
        if (response.status !== 204)
          throw new TerminalError(`agent "${name}" answered ${response.status} where it was to erase tasks`);
        return true;
      }),
    cancel: (caller, id, signal) =>
      asked(async (to) => {
        try {
          await to.cancelTask({ tenant: "", id, metadata: undefined }, optionsOf(caller, signal));
        } catch (error) {
          if (!(error instanceof TaskNotCancelableError || error instanceof TaskNotFoundError)) throw error;
        }
      }),
  };
}
