/** What a platform's fake must offer for the channel contract: how people act there, and what they see. */
import { readdirSync, readFileSync } from "node:fs";
import type { Channel, ChannelDeps } from "../../src/channel.ts";
import type { AccountRef } from "../../src/ids.ts";
import type { InboundEvent, MediaKind } from "../../src/message.ts";
import type { Stores } from "./channel-deps.ts";

/** One thing that a person did, as the platform keeps it. */
export interface Done {
  readonly id: string;
}

/** What a person sees of one message of the bot. */
export interface Shown {
  readonly id: string;
  readonly text: string;
  readonly buttons: readonly { readonly id?: string; readonly label: string; readonly url?: string }[];
  readonly media?: MediaKind;
  /** Bytes of the medium as the platform got them. */
  readonly size?: number;
  readonly location?: { readonly latitude: number; readonly longitude: number };
  /** The platform's id of the message it replies to. */
  readonly replyTo?: string;
}

export interface Running {
  readonly channel: Channel;
  /** As a process that is told to end: everything under way is finished or given back. */
  stop(): Promise<void>;
}

/** How the platform treats the next send: slow down for seven seconds, fail, hang up, or never again. */
export type Refusal = "rate" | "outage" | "hang up" | "gone";

/** A fresh fake of the platform with one bot and one person, who has a direct chat with it. */
export interface Platform {
  /** What must never be in an error or a log. */
  readonly secrets: readonly string[];
  /** The platform's ids of the person's direct chat, and of a group that the bot is in. */
  readonly chat: string;
  readonly group?: string;
  /** Makes the channel and connects it. Again after {@link Running.stop}: the next process. */
  start(deps: ChannelDeps): Promise<Running>;
  says(text: string): Promise<Done>;
  sendsFile?(bytes: Uint8Array, name: string): Promise<Done>;
  presses?(message: string, button: string): Promise<Done>;
  /** Delivers it once more to the running channel, as platforms do after a lost acknowledgement. */
  redelivers?(done: Done): Promise<void>;
  /** Something in the right envelope that no channel can read. */
  sendsGarbage?(): Promise<void>;
  acknowledged(done: Done): Promise<boolean>;
  /** The bot's messages in the direct chat, in order. */
  shown(): Promise<readonly Shown[]>;
  signs(): Promise<{ readonly typing: number; readonly previews: readonly string[] }>;
  refuses(how: Refusal): Promise<void>;
  /** Says of a message of the bot's that it reached the person, was read, or failed after it was taken. */
  reports?(message: string, what: "delivered" | "read" | "failed"): Promise<void>;
  /** Channels that answer HTTP: requests to {@link Channel.handle} with this payload. */
  readonly requests?: {
    genuine(payload: unknown): Request;
    /** By what is wrong with them. */
    forged(payload: unknown): Readonly<Record<string, Request>>;
  };
  close(): Promise<void>;
}

/** A payload as the platform sends it, and what it means; `expected: null`: set aside without an event. */
export interface Genuine {
  readonly name: string;
  readonly about: string;
  readonly tags: readonly string[];
  readonly payload: unknown;
  readonly expected: Readonly<Record<string, unknown>> | null;
}

/** The recorded payloads of `payloads/<folder>/*.json`. */
export function replay(folder: string): readonly Genuine[] {
  const path = new URL(`payloads/${folder}/`, import.meta.url);
  return readdirSync(path).map((name) => {
    const content = JSON.parse(readFileSync(new URL(name, path), "utf8")) as Omit<Genuine, "name">;
    return { name, ...content };
  });
}

/** What the suite is told of one channel. */
export interface ChannelContract {
  readonly name: string;
  /** The name in ids. */
  readonly channel: string;
  make(): Promise<Platform>;
  readonly genuine: readonly Genuine[];
  /** The channel's `parse`: the events in one payload. */
  read(payload: unknown, account: AccountRef): readonly InboundEvent[];
  /** The payload of a text whose chat and author have these ids. */
  hostile(ids: { readonly chat: string; readonly user: string }): unknown;
  /** Checks that this channel cannot pass, by their title, each with the reason. A deviation that names no check fails. */
  readonly deviations: Readonly<Record<string, string>>;
  /** Those of a runtime, empty for every check; in memory where it is absent. */
  readonly stores?: () => Stores;
}
