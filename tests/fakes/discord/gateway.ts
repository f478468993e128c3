import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { acceptSocket, type ServerSocket } from "../websocket.ts";
import type { World } from "./world.ts";

/** A session as Discord keeps it: what was dispatched can be replayed until it is forgotten. */
interface Session {
  readonly id: string;
  readonly intents: number;
  seq: number;
  readonly sent: { readonly s: number; readonly t: string; readonly d: unknown }[];
  socket: ServerSocket | undefined;
}

export interface Gateway {
  upgrade(request: IncomingMessage, stream: Duplex): void;
  dispatch(t: string, d: unknown, guild: string | undefined): void;
  /** Closes every connection. Sessions stay and can be resumed. */
  disconnect(code?: number): void;
  /** Asks every client to connect again and resume (op 7). */
  reconnect(): void;
  /** Sessions can no longer be resumed. */
  forgetSessions(): void;
  readonly counts: { identified: number; resumed: number; refused: number };
  /** Clients that are there. */
  connected(): number;
  close(): void;
}

export interface GatewayOptions {
  readonly world: World;
  readonly token: string;
  readonly url: () => string;
  readonly contentAllowed: boolean;
  readonly heartbeatMs: number;
}

const intentOf = { guilds: 1, messages: 1 << 9, reactions: 1 << 10, direct: 1 << 12, directReactions: 1 << 13 };
const contentIntent = 1 << 15;

export function createGateway({ world, token, url, contentAllowed, heartbeatMs }: GatewayOptions): Gateway {
  const sessions = new Map<string, Session>();
  const sockets = new Set<ServerSocket>();
  const counts = { identified: 0, resumed: 0, refused: 0 };

  const send = (socket: ServerSocket, op: number, d: unknown) =>
    socket.send(JSON.stringify({ op, d, s: null, t: null }));

  function emit(session: Session, t: string, d: unknown): void {
    session.seq += 1;
    const entry = { s: session.seq, t, d };
    session.sent.push(entry);
    session.socket?.send(JSON.stringify({ op: 0, ...entry }));
  }

  function identify(socket: ServerSocket, d: { token?: string; intents?: number }): void {
    if (d.token !== token) return refuse(socket, 4004, "Authentication failed.");
    const intents = d.intents ?? 0;
    if ((intents & contentIntent) !== 0 && !contentAllowed) return refuse(socket, 4014, "Disallowed intent(s).");
    counts.identified += 1;
    const session: Session = { id: randomBytes(16).toString("hex"), intents, seq: 0, sent: [], socket };
    sessions.set(session.id, session);
    emit(session, "READY", {
      v: 10,
      user: world.me,
      session_id: session.id,
      resume_gateway_url: url(),
      application: { id: world.application, flags: 0 },
      guilds: [{ id: world.guild.id, unavailable: true }],
      private_channels: [],
    });
    if ((intents & intentOf.guilds) !== 0) emit(session, "GUILD_CREATE", guildNow());
  }

  function guildNow(): unknown {
    const own = [...world.channels.values()].filter(({ guild_id: guild }) => guild === world.guild.id);
    return {
      id: world.guild.id,
      name: world.guild.name,
      joined_at: "2026-01-01T00:00:00.000Z",
      unavailable: false,
      roles: [{ id: world.guild.role, name: "ascent", tags: { bot_id: world.me.id } }],
      channels: own.filter(({ type }) => type !== 11),
      threads: own.filter(({ type }) => type === 11),
    };
  }

  function refuse(socket: ServerSocket, code: number, reason: string): void {
    counts.refused += 1;
    socket.close(code, reason);
  }

  function resume(socket: ServerSocket, d: { token?: string; session_id?: string; seq?: number }): void {
    const session = sessions.get(d.session_id ?? "");
    if (d.token !== token || session === undefined) return send(socket, 9, false);
    counts.resumed += 1;
    session.socket = socket;
    for (const entry of session.sent.filter(({ s }) => s > (d.seq ?? 0)))
      socket.send(JSON.stringify({ op: 0, ...entry }));
    emit(session, "RESUMED", {});
  }

  /** Whether a session is told, and with which words: without the privileged intent those that are not for the bot are empty. */
  function told({ intents }: Session, t: string, d: Record<string, unknown>, guild: string | undefined): unknown {
    const direct = guild === undefined;
    const needed = t.startsWith("MESSAGE_REACTION")
      ? direct
        ? intentOf.directReactions
        : intentOf.reactions
      : t.startsWith("MESSAGE")
        ? direct
          ? intentOf.direct
          : intentOf.messages
        : 0;
    if ((intents & needed) !== needed) return undefined;
    if (!("content" in d) || direct || (intents & contentIntent) !== 0) return d;
    const mentions = (d["mentions"] ?? []) as { id: string }[];
    const own = (d["author"] as { id: string } | undefined)?.id === world.me.id;
    if (own || mentions.some(({ id }) => id === world.me.id)) return d;
    return { ...d, content: "", attachments: [], embeds: [], components: [] };
  }

  return {
    counts,
    upgrade(request, stream) {
      const socket = acceptSocket(request, stream, {
        onText(text) {
          const { op, d } = JSON.parse(text) as { op: number; d: Record<string, never> };
          if (op === 1) send(socket, 11, null);
          else if (op === 2) identify(socket, d);
          else if (op === 6) resume(socket, d);
        },
        onClose(code) {
          sockets.delete(socket);
          for (const session of sessions.values()) {
            if (session.socket !== socket) continue;
            session.socket = undefined;
            // A client that says it goes for good ends its session.
            if (code === 1000 || code === 1001) sessions.delete(session.id);
          }
        },
      });
      sockets.add(socket);
      send(socket, 10, { heartbeat_interval: heartbeatMs });
    },
    dispatch(t, d, guild) {
      for (const session of sessions.values()) {
        const shown = told(session, t, d as Record<string, unknown>, guild);
        if (shown !== undefined) emit(session, t, shown);
      }
    },
    disconnect(code) {
      for (const socket of sockets)
        if (code === undefined) socket.destroy();
        else socket.close(code);
    },
    reconnect() {
      for (const socket of sockets) send(socket, 7, null);
    },
    forgetSessions: () => sessions.clear(),
    connected: () => [...sessions.values()].filter(({ socket }) => socket?.open === true).length,
    close() {
      for (const socket of sockets) socket.destroy();
    },
  };
}
