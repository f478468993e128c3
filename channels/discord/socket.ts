/** The gateway's websocket, as discord.js holds it: it resumes after disconnects by itself, and begins anew where it cannot. */
import { RetryableError, TerminalError } from "../../src/errors.ts";
import type { DiscordApi } from "./api.ts";
import { TokenRefusedError } from "./errors.ts";
import { library, type SessionInfo, type SocketManager } from "./library.ts";
import type { Dispatch } from "./parse.ts";
import { wantsContent, type DiscordOptions } from "./settings.ts";

export interface SocketEvents {
  /** A session began anew: what was sent before it is not told. */
  onReady(d: { readonly user: { readonly id: string }; readonly application: { readonly id: string } }): void;
  onDispatch(dispatch: Dispatch, session: string): void;
  onClosed(code: number): void;
}

export interface Socket {
  /**
   * Resolves when every shard has a session.
   * @throws the core's errors, a terminal one where Discord wants no such bot.
   */
  open(): Promise<void>;
  /** Rejects when Discord refuses the session for good. */
  readonly lost: Promise<never>;
  /** Nothing is dispatched any more when it resolves. */
  close(): Promise<void>;
}

const intents = {
  guilds: 1,
  guildMessages: 1 << 9,
  guildReactions: 1 << 10,
  directMessages: 1 << 12,
  directReactions: 1 << 13,
};
const messageContent = 1 << 15;

/** @see https://discord.com/developers/docs/events/gateway#gateway-intents */
export function intentsOf(options: DiscordOptions): number {
  const always = Object.values(intents).reduce((all, one) => all | one, 0);
  return wantsContent(options) ? always | messageContent : always;
}

/** Close codes after which a session is refused whatever is tried. @see the table of gateway close event codes */
const finalCodes: Readonly<Record<number, string>> = {
  4004: "Discord does not know the bot's token; take a new one from the Bot page",
  4010: "Discord refuses the shard",
  4011: "Discord asks for more shards",
  4012: "Discord no longer speaks this version of its gateway",
  4013: "Discord does not know the intents",
  4014: "the application may not see the text of all messages: allow the Message Content Intent on its Bot page, or set messageContent to false",
};

export function createSocket(api: DiscordApi, options: DiscordOptions, events: SocketEvents): Socket {
  const sessions = new Map<number, SessionInfo>();
  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => undefined);
  let manager: SocketManager | undefined;
  let ended = false;
  /** Holds up a shard for ever that would connect again after the end. */
  const never = new Promise<null>(() => {});

  function fail(code: number): void {
    const why = finalCodes[code];
    if (why === undefined) return;
    const Refused = code === 4004 ? TokenRefusedError : TerminalError;
    lost.reject(new Refused(`discord gateway: closed with ${code}: ${why}`));
  }

  function make(): SocketManager {
    const made = new (library().WebSocketManager)({
      token: options.token,
      intents: intentsOf(options),
      rest: api.rest(),
      retrieveSessionInfo: (shard) => (ended ? never : (sessions.get(shard) ?? null)),
      updateSessionInfo: (shard, session) =>
        void (session === null ? sessions.delete(shard) : sessions.set(shard, session)),
    });
    const on = made.on.bind(made) as (event: string, listener: (payload: never) => void) => unknown;
    on("ready", ({ data }: { data: Parameters<SocketEvents["onReady"]>[0] }) => void (ended || events.onReady(data)));
    on("dispatch", ({ data, shardId }: { data: Dispatch; shardId: number }) => {
      if (!ended) events.onDispatch(data, sessions.get(shardId)?.sessionId ?? "");
    });
    on("closed", ({ code }: { code: number }) => {
      if (ended) return;
      events.onClosed(code);
      fail(code);
    });
    // Without a listener its errors would end the process; what they mean comes with the close.
    on("error", () => undefined);
    return made;
  }

  return {
    lost: lost.promise,
    async open() {
      // Asked here first, since the manager would not say in the core's terms what is wrong.
      const gateway = await api.call<{ session_start_limit: { remaining: number; reset_after: number } }>(
        "get gateway",
        {
          method: "GET",
          route: "/gateway/bot",
        },
      );
      const { remaining, reset_after: retryAfterMs } = gateway.session_start_limit;
      if (remaining < 1) throw new RetryableError("discord gateway: no session may be started now", { retryAfterMs });
      manager ??= make();
      // A refused shard fails the connect as well, with less to say.
      await Promise.race([
        lost.promise,
        manager.connect().catch(async (error: unknown) => {
          await new Promise((resolve) => setImmediate(resolve));
          throw new RetryableError("discord gateway: not connected", { cause: error });
        }),
      ]);
    },
    async close() {
      ended = true;
      // Discord need not answer the close.
      const destroyed = Promise.resolve(manager?.destroy()).catch(() => undefined); // it is given up either way
      await Promise.race([destroyed, new Promise((resolve) => setTimeout(resolve, 1_000).unref())]);
    },
  };
}
