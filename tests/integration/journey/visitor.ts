/** One person, or one program, at a channel of the real gateway: what they can do there, and what their platform shows them. */

/** A message of the bot's as its platform has it: never what the gateway says of it. */
export interface Got {
  readonly id: string;
  readonly text: string;
  readonly buttons: readonly string[];
  /** The name of a file that came with it. */
  readonly file?: string;
  /** When the platform took it, in monotonic milliseconds of this process; absent where nothing is taken twice. */
  readonly at?: number;
}

export interface SentFile {
  readonly name: string;
  /** Media type. */
  readonly type: string;
  readonly bytes: Buffer;
}

/** What a channel lacks is absent: {@link Stop.deviations} says why. */
export interface Visitor {
  /** @returns the platform's name for it. Resolves when the platform has it, or insists until the gateway does. */
  says(text: string): Promise<string>;
  /** The platform hands the same event over again. */
  again(said: string): Promise<void>;
  sendsPicture?(text: string, bytes: Buffer): Promise<void>;
  sendsDocument?(text: string, file: SentFile): Promise<void>;
  edits?(said: string, text: string): Promise<void>;
  /** Presses a button of that message, or chooses from the list that stands for buttons. */
  presses(message: Got, label: string): Promise<void>;
  /** The bot's messages, in the order in which they came, drafts aside. */
  got(): Promise<readonly Got[]>;
  /** The bytes of the file that came with it. */
  opens?(message: Got): Promise<Buffer>;
  /** How often an answer was seen to grow. */
  grew?(): number;
  /** What was seen of answers before they were there, and of what agents do meanwhile. */
  drafts?(): readonly string[];
  /** Their platform tells the bot to slow down for a second, once. */
  slowsDown?(): Promise<void>;
  /** The platform takes the next answer and its sender never hears of it. */
  takesUnheard?(): Promise<void>;
  /** The connection between the platform and the gateway breaks, and comes back. */
  breaksOff(): Promise<void>;
}

/** A platform's fake, with the gateway's settings for it. */
export interface Stop {
  readonly name: string;
  env(gateway: string): Readonly<Record<string, string>>;
  /** Laid into ascent.yaml as channels.<name>.main. */
  readonly account: Readonly<Record<string, unknown>>;
  /** What must never be in the gateway's output. */
  readonly secrets: readonly string[];
  /** Why this channel cannot go along with a leg of the journey. */
  readonly deviations: Readonly<Partial<Record<Leg, string>>>;
  /** The same answer is never shown twice, whenever the gateway dies. */
  readonly idempotent: boolean;
  /** Once, when the gateway runs for the first time. */
  open(gateway: string): Promise<void>;
  visitor(name: string): Promise<Visitor>;
  close(): Promise<void>;
}

export type Leg = "grows" | "pictures" | "edits" | "slows down" | "sent unheard";
