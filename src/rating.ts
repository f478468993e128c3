/** What people say of an answer by a thumb: how it is kept, and how reactions are read. Pure, but for the port. */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { AccountRef, AgentId, ConversationId, MessageId } from "./ids.ts";
import { address, made, type Participant } from "./message.ts";

export const thumbs = ["up", "down"] as const;
export type Thumb = (typeof thumbs)[number];

const id = <Id extends string>() => z.string().transform((value) => value as Id);

/** An answer that can be rated, under what its platform calls it. */
export const ratedAnswer = z.object({
  v: z.literal(1),
  agent: id<AgentId>(),
  to: address,
  seq: z.number(),
  answers: z.array(id<MessageId>()),
  /** When the agent gave it. */
  at: z.number(),
  made: made.optional(),
});
export type RatedAnswer = Readonly<z.infer<typeof ratedAnswer>>;

/** The latest word on one of the thumbs; `order` is the platform's own where it has one. */
const word = z.object({ on: z.boolean(), order: z.number() });
const voice = z.object({
  /** A pseudonym of the person: the same in all conversations of the account. */
  who: z.string(),
  up: word.optional(),
  down: word.optional(),
  /** What they say about it. */
  words: z.string().optional(),
  /** When they last said anything. */
  at: z.number(),
});
export type Voice = Readonly<z.infer<typeof voice>>;

export const rating = ratedAnswer.extend({
  /** Of the answer: {@link answerIdOf}. */
  id: z.string(),
  /** By which they rated it. */
  target: id<MessageId>(),
  voices: z.array(voice),
});
export type Rating = Readonly<z.infer<typeof rating>>;

/** What channels with buttons, or an address for it, are given. */
export interface Ratings {
  /** Whoever is not content is asked why. */
  readonly asks: boolean;
  /** @returns false where no such answer is known (any more). @throws InfrastructureError: it may not be kept. */
  rate(of: {
    readonly account: AccountRef;
    /** As `ratedAs` said it. */
    readonly target: MessageId;
    readonly by: Pick<Participant, "id">;
    /** Undefined: taken back. */
    readonly thumb: Thumb | undefined;
    readonly words?: string | undefined;
  }): Promise<boolean>;
  /** The person's own of the latest rated answers there, by their targets. */
  of(conversation: ConversationId, by: Pick<Participant, "id">): Promise<ReadonlyMap<string, Thumb>>;
}

/** What somebody does: thumbs that are put on and taken away. */
export interface Change {
  readonly on: readonly Thumb[];
  readonly off: readonly Thumb[];
  readonly order: number;
  readonly words?: string | undefined;
}

/** Of one answer; more are not counted. */
const mostVoices = 500;
export const longestWords = 2_000;

/** @returns the same where nothing changes: an older word, one that came before, or one voice too many. */
export function rated(of: Rating, who: string, { on, off, order, words }: Change, at: number): Rating {
  const before = of.voices.find((one) => one.who === who);
  if (before === undefined && of.voices.length >= mostVoices) return of;
  let after: Voice = before ?? { who, at };
  for (const thumb of thumbs) {
    const isOn = on.includes(thumb);
    const known = after[thumb];
    if ((!isOn && !off.includes(thumb)) || (known !== undefined && known.order > order)) continue;
    if (known?.on === isOn || (known === undefined && !isOn)) continue;
    after = { ...after, [thumb]: { on: isOn, order } };
  }
  const said = words?.trim().slice(0, longestWords);
  if (said !== undefined && said !== "" && said !== after.words) after = { ...after, words: said };
  if (after === before || (before === undefined && after.up === undefined && after.down === undefined)) return of;
  return { ...of, voices: [...of.voices.filter((one) => one.who !== who), { ...after, at }] };
}

/** Who has put on both means the later one; of two at once, the complaint. */
export function thumbOf({ up, down }: Pick<Voice, "up" | "down">): Thumb | undefined {
  const ups = up?.on === true ? up.order : undefined;
  const downs = down?.on === true ? down.order : undefined;
  if (downs !== undefined && (ups === undefined || downs >= ups)) return "down";
  return ups === undefined ? undefined : "up";
}

export function countOf({ voices }: Pick<Rating, "voices">): { readonly up: number; readonly down: number } {
  const all = voices.map(thumbOf);
  return {
    up: all.filter((thumb) => thumb === "up").length,
    down: all.filter((thumb) => thumb === "down").length,
  };
}

export interface Emoji {
  readonly up: readonly string[];
  readonly down: readonly string[];
}

/**
 * @param whole the person has one reaction there, and this is it: what is not said is taken away.
 * @returns undefined for reactions that say nothing about an answer.
 */
export function changeOf(
  { added, removed }: { readonly added: readonly string[]; readonly removed: readonly string[] },
  emoji: Emoji,
  whole: boolean,
): Pick<Change, "on" | "off"> | undefined {
  const among = (given: readonly string[], thumb: Thumb) =>
    given.some((one) => emoji[thumb].some((known) => plain(known) === plain(one)));
  const on = thumbs.filter((thumb) => among(added, thumb));
  const off = thumbs.filter((thumb) => !on.includes(thumb) && (whole || among(removed, thumb)));
  return on.length + off.length === 0 ? undefined : { on, off };
}

/** Without the colour of the skin, and without what chooses between a drawing and a character. */
function plain(emoji: string): string {
  return emoji.replaceAll(/\p{Emoji_Modifier}|\uFE0E|\uFE0F/gu, "").toLowerCase();
}

/** The same for an answer wherever it is spoken of. */
export function answerIdOf({ conversation, seq }: { readonly conversation: ConversationId; readonly seq: number }) {
  return `ans_${createHash("sha256").update(`${conversation}#${seq}`).digest("base64url").slice(0, 22)}`;
}
