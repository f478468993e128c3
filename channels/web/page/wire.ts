/** What the page and the gateway say to each other: JSON over HTTP, and server-sent events. */

export type Attachment = {
  readonly id: string;
  readonly name: string;
  /** A media type, as the browser named it at upload. */
  readonly type: string;
  /** Bytes. */
  readonly size: number;
  /** On the gateway's own origin. */
  readonly url: string;
};

export type MessageButton = { readonly id: string; readonly label: string };

export type Message = {
  readonly id: string;
  readonly role: "user" | "agent" | "notice";
  /** Markdown from the agent; taken literally from the user. */
  readonly text: string;
  readonly attachments: readonly Attachment[];
  readonly buttons: readonly MessageButton[];
  /** ISO 8601. */
  readonly at: string;
  /** The user messages that this one answers. */
  readonly answers?: readonly string[];
  /** The id under which this page sent a user message. */
  readonly clientId?: string;
  /** The button that was pressed, where the gateway remembers it. */
  readonly pressed?: string;
  /** The thumb that this session has put on it. */
  readonly rated?: Thumb;
};

export type Thumb = "up" | "down";

export type Session = {
  readonly agent: { readonly name: string; readonly demo: boolean; readonly notice?: string };
  readonly participant: { readonly id: string };
  readonly limits: {
    /** UTF-16 code units in one message. */
    readonly textLength: number;
    /** Bytes in one attachment. */
    readonly attachmentBytes: number;
    /** Attachments in one message; 0 turns them off. */
    readonly attachments: number;
  };
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly examples?: readonly string[];
  /** Answers can be rated; `asks`: whoever is not content is asked why. */
  readonly feedback?: { readonly asks: boolean };
};

export type History = {
  /** Oldest first. */
  readonly messages: readonly Message[];
  /** Where to begin following events. */
  readonly lastEventId: string;
  readonly more: boolean;
  /** The cursor for the page before this one. */
  readonly before?: string;
  readonly running: boolean;
};

export type Press = { readonly message: string; readonly button: string };

/** The body of POST api/messages. The id makes a second POST of the same message harmless. */
export type Outgoing = {
  readonly id: string;
  readonly text?: string;
  readonly attachments?: readonly { readonly id: string }[];
  readonly replyTo?: string;
  readonly press?: Press;
};

export type ServerEvent =
  | { readonly type: "message"; readonly message: Message }
  /** The whole text of the running answer so far. */
  | { readonly type: "delta"; readonly turn: string; readonly text: string }
  | { readonly type: "typing"; readonly on: boolean }
  | { readonly type: "status"; readonly running: boolean }
  | { readonly type: "reset" };
