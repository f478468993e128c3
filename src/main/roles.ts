/** What a process does of a gateway: all of it, or what scales apart. */

/** "gateway" has the channels: HTTP, sockets, deliveries. "agents" has the agents and their turns. */
export const roles = ["all", "gateway", "agents"] as const;
export type Role = (typeof roles)[number];
