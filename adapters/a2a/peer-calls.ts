import type { Client } from "@a2a-js/sdk/client";

/** What is asked of a peer, by one of its interfaces. */
export interface PeerCalls extends Pick<
  Client,
  "sendMessage" | "getTask" | "listTasks" | "cancelTask" | "resubscribeTask"
> {
  /** Protocol 0.3. */
  readonly isLegacy: boolean;
  close(): void;
}
