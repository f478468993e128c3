/** Objects of the Graph API as JSON; keys in index notation keep the wire's own spelling. */
export type Json = Readonly<Record<string, unknown>>;

/** Somebody on WhatsApp. */
export interface Person {
  /** The phone number in digits; it stays unknown to the business where `hidden`. */
  readonly phone: string;
  /** The id that this business knows the person by; absent: an account of before those ids. */
  readonly userId?: string;
  readonly name: string;
  readonly username?: string;
  readonly hidden?: boolean;
}

/** What a person sends: a text, or the fields of a message with its `type`. */
export type Content = string | (Json & { readonly type: string });

/** A message that came to the number, and what its webhook was answered. */
export interface InboundEntry {
  readonly id: string;
  readonly chat: string;
  readonly message: Json;
  readonly text?: string;
  readonly deliveredAt: number[];
  confirmedAt?: number;
}

/** A call of the API in the order of arrival. Times are the fake's monotonic milliseconds. */
export interface GraphCall {
  readonly seq: number;
  readonly at: number;
  readonly operation: "message" | "read" | "upload" | "media" | "download" | "number";
  readonly body: Json;
  /** The person's phone number, or the group, that it goes to. */
  readonly chat?: string;
  readonly files?: readonly { readonly name: string; readonly size: number; readonly mime: string }[];
  id?: string;
  accepted: boolean;
  acceptedAt?: number;
  status?: number;
}

/** Refused as Graph refuses. */
export class GraphRefusal extends Error {
  readonly status: number;
  readonly code: number;
  readonly details: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: number, message: string, details = "", headers: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
    this.headers = headers;
  }
}

/** Which calls a fault hits, and how often. */
export type Fault = { readonly operation?: GraphCall["operation"]; readonly chat?: string; readonly times?: number } & (
  | { readonly kind: "error"; readonly code: number; readonly status?: number; readonly retryAfter?: number }
  /** Never answered; with `accepted` the platform has acted, so that the caller cannot know. */
  | { readonly kind: "hang"; readonly accepted?: boolean }
  | { readonly kind: "close"; readonly accepted?: boolean }
  /** Accepted, and a webhook says later that it failed. */
  | { readonly kind: "fails later"; readonly code: number }
);
