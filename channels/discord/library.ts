/**
 * Of discord.js the two packages that speak to Discord: its REST client and its gateway client. The rest of it keeps a copy of
 * every server in memory, and ends the process on a dispatch that it cannot read.
 *
 * Loaded with the first use: a gateway without Discord does not pay for it.
 */
import { createRequire } from "node:module";
import type { REST, WebSocketOptions } from "discord.js";

export type { REST } from "discord.js";
export type SocketManager = Parameters<NonNullable<WebSocketOptions["buildStrategy"]>>[0];
export type SessionInfo = NonNullable<Awaited<ReturnType<SocketManager["options"]["retrieveSessionInfo"]>>>;

interface Library {
  readonly REST: typeof REST;
  readonly WebSocketManager: new (
    options: Partial<SocketManager["options"]> & {
      readonly token: string;
      readonly intents: number;
      readonly rest: REST;
    },
  ) => SocketManager;
}

let loaded: Library | undefined;

export function library(): Library {
  if (loaded !== undefined) return loaded;
  const own = createRequire(createRequire(import.meta.url).resolve("discord.js"));
  const rest = own("@discordjs/rest") as Pick<Library, "REST">;
  const gateway = own("@discordjs/ws") as Pick<Library, "WebSocketManager">;
  loaded = { REST: rest.REST, WebSocketManager: gateway.WebSocketManager };
  return loaded;
}
