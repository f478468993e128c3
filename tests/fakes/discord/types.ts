/** What the fake keeps. Shapes that go over the wire are Discord's own. */

export interface User {
  readonly id: string;
  readonly username: string;
  readonly global_name: string | null;
  readonly bot?: boolean;
  readonly discriminator: string;
  readonly avatar: null;
}

export interface Channel {
  readonly id: string;
  /** 0 text, 1 direct, 11 public thread, 15 forum. */
  readonly type: number;
  readonly guild_id?: string;
  readonly parent_id?: string;
  readonly name?: string;
  readonly recipients?: readonly User[];
  last_message_id: string | null;
}

export interface Attachment {
  readonly id: string;
  readonly filename: string;
  readonly size: number;
  readonly url: string;
  readonly proxy_url: string;
  readonly content_type?: string;
  readonly bytes: Buffer;
}

export interface Message {
  readonly id: string;
  readonly channel_id: string;
  readonly author: User;
  readonly type: number;
  readonly timestamp: string;
  content: string;
  edited_timestamp: string | null;
  attachments: Attachment[];
  embeds: unknown[];
  components: unknown[];
  flags: number;
  readonly mentions: User[];
  readonly message_reference?: { readonly message_id: string; readonly channel_id: string };
  readonly nonce?: string;
  /** Whom Discord notified: ids, "everyone". */
  readonly pinged: readonly string[];
  /** Contents it had before, the first one first. */
  readonly before: string[];
  readonly interaction?: string;
  /** Monotonic milliseconds. */
  readonly at: number;
  deleted: boolean;
}

export interface InteractionEntry {
  readonly id: string;
  readonly token: string;
  readonly channel: string;
  readonly at: number;
  /** Type of the first response, and when it came. */
  response: number | undefined;
  respondedAt: number | undefined;
  /** What a form or the suggestions were. */
  data: unknown;
  /** The message that a deferral shows. */
  original: string | undefined;
}

export interface RequestEntry {
  readonly at: number;
  readonly method: string;
  /** Below the API's version; tokens of interactions are left in. */
  readonly path: string;
  status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Fault {
  readonly kind: "rate" | "error" | "close" | "accepted then close" | "delay";
  readonly method?: string;
  /** A part of the path. */
  readonly path?: string;
  /** Default 1. */
  readonly times?: number;
  /** Seconds. */
  readonly retryAfter?: number;
  readonly global?: boolean;
  readonly status?: number;
  readonly code?: number;
  readonly ms?: number;
}
