/** The gateway's session, and when what came counts as received. */
import type { ChannelDeps, Connection } from "../../src/channel.ts";
import { reasonOf } from "../../src/errors.ts";
import type { DiscordApi } from "./api.ts";
import { callBack, immediate, registerCommands, responseTo } from "./callbacks.ts";
import type { Guilds } from "./guilds.ts";
import { createHistory, type History } from "./history.ts";
import type { Intake } from "./intake.ts";
import { isInteraction, type Interaction } from "./interaction.ts";
import type { Dispatch } from "./parse.ts";
import type { Places } from "./places.ts";
import { createQueue, type Queue } from "./queue.ts";
import type { DiscordOptions } from "./settings.ts";
import { createSocket, type Socket } from "./socket.ts";
import type { Tokens } from "./tokens.ts";
import { createWaits } from "../../src/waits.ts";

/** Kinds that become events, when they are not the bot's own doing. */
const heard = new Set([
  "MESSAGE_CREATE",
  "MESSAGE_UPDATE",
  "MESSAGE_DELETE",
  "MESSAGE_DELETE_BULK",
  "MESSAGE_REACTION_ADD",
  "MESSAGE_REACTION_REMOVE",
]);

/** Dispatches in memory while the core accepts none. */
const mostWaiting = 20_000;

export interface Identity {
  /** The bot's user id; empty until it is known. */
  me(): string;
  /** Asked for once. @throws the core's errors. */
  ask(): Promise<string>;
  /** The bot's application; empty until a session told it. */
  application(): string;
  learn(application: string): void;
}

export interface ConnectorParts {
  readonly api: DiscordApi;
  readonly identity: Identity;
  readonly guilds: Guilds;
  readonly places: Places;
  readonly tokens: Tokens;
  readonly intake: Intake;
}

export function createConnector(deps: ChannelDeps, options: DiscordOptions, parts: ConnectorParts) {
  const { log, clock } = deps;
  const { api, identity, guilds, places, tokens, intake } = parts;
  const about = { channel: deps.channel, account: deps.account };
  const waits = createWaits(clock);
  let registered = false;
  const again = (error: unknown) => {
    log.warn({ ...about, reason: reasonOf(error) }, "discord does not answer: trying again");
  };

  function answerTo(interaction: Interaction, body: Parameters<typeof callBack>[2]): void {
    callBack(api, interaction, body).catch((error: unknown) => {
      log.info({ ...about, reason: reasonOf(error) }, "discord: an interaction was not acknowledged in time");
    });
  }

  function interact(dispatch: Dispatch, session: string, queue: Queue): void {
    const now = isInteraction(dispatch.d) ? immediate(dispatch.d) : undefined;
    if (now !== undefined) answerTo(dispatch.d as Interaction, now);
    else queue.add([{ ...dispatch, session }]);
  }

  function take(dispatch: Dispatch, session: string, history: History, queue: Queue): void {
    guilds.learn(dispatch.t, dispatch.d);
    if (dispatch.t === "INTERACTION_CREATE") return interact(dispatch, session, queue);
    if (dispatch.t === "GUILD_CREATE") return history.look(channelsOf(dispatch.d));
    if (!heard.has(dispatch.t) || isOurs(dispatch, identity.me())) return;
    const channel = (dispatch.d as { channel_id?: unknown }).channel_id;
    // Without a channel nobody can read it: it is set aside on its way.
    if (typeof channel !== "string") return queue.add([{ ...dispatch, session }]);
    history.live(channel, { ...dispatch, session });
  }

  /** Once; best effort: without them people still write. */
  async function register(application: string): Promise<void> {
    if (!options.commands || registered) return;
    registered = true;
    await registerCommands(api, application, deps.commands).catch((error: unknown) => {
      log.warn({ ...about, reason: reasonOf(error) }, "discord: the commands were not registered");
    });
  }

  function session(signal: AbortSignal) {
    const queue = createQueue(
      { deps, intake, places, tokens, waits, onInteraction: (one) => answerTo(one, responseTo(one, intake)) },
      signal,
    );
    const missedMs = options.missedHours * 3_600_000;
    const history = createHistory(
      { api, guilds, places, queue, waits, log, about, clock, missedMs, mostWaiting },
      signal,
    );
    const socket = createSocket(api, options, {
      onReady({ application }) {
        identity.learn(application.id);
        history.begin();
        void register(application.id);
        void places.direct().then((direct) => history.look(direct.keys()), again);
      },
      onDispatch: (dispatch, id) => take(dispatch, id, history, queue),
      onClosed: (code) => log.info({ ...about, code }, "discord: the gateway's socket was closed"),
    });
    return { queue, socket };
  }

  /** Nothing is handed over any more when it resolves; rejects when Discord refuses the session for good. */
  async function end(signal: AbortSignal, aborted: Promise<void>, socket: Socket, queue: Queue): Promise<void> {
    try {
      await Promise.race([aborted, socket.lost]);
    } finally {
      await socket.close();
      if (signal.aborted) await queue.closed;
    }
  }

  return {
    async connect(signal: AbortSignal): Promise<Connection> {
      await waits.insist(signal, identity.ask, again);
      await waits.insist(signal, places.since, again);
      await waits.insist(signal, places.direct, again);
      const { queue, socket } = session(signal);
      const aborted = new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
      const ended = end(signal, aborted, socket, queue);
      ended.catch((error: unknown) => {
        log.error({ ...about, reason: reasonOf(error) }, "discord: the connection ended for good");
      });
      await Promise.race([aborted, waits.insist(signal, socket.open, again)]);
      return { closed: ended };
    },
  };
}

function channelsOf(guild: unknown): string[] {
  const { channels = [], threads = [] } = guild as { channels?: { id: string }[]; threads?: { id: string }[] };
  return [...channels, ...threads].map(({ id }) => id);
}

/** What the bot did itself: it is not looked at any further. */
function isOurs({ d }: Dispatch, me: string): boolean {
  const { author, user_id: user } = d as { author?: { id?: string }; user_id?: string };
  return author?.id === me || user === me;
}
