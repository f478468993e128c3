/**
 * Choices that a person was shown as a numbered list, where the platform has no buttons: what they type in answer is the
 * press that the platform could not make.
 */
import { z } from "zod";
import { participant, type Answer, type Button, type InboundMessage, type Message } from "./message.ts";

/** The latest answer's. Numbers count all buttons, links among them, as the list does. */
export const choices = z.object({
  buttons: z.array(z.object({ id: z.string(), label: z.string(), url: z.string().optional() })),
  /** Whom they were offered to. */
  to: z.array(participant.shape.id),
});
export type Choices = z.infer<typeof choices>;

/** Of those who are remembered. */
const mostPeople = 32;

/** Undefined where the answer offers nothing. */
export function choicesOf(
  answer: Answer,
  offered: readonly Pick<InboundMessage, "participant">[],
): Choices | undefined {
  if (answer.buttons === undefined || answer.buttons.length === 0) return undefined;
  const to = [...new Set(offered.map(({ participant: { id } }) => id))].slice(-mostPeople);
  return { buttons: answer.buttons, to };
}

/** The message, or the press that it stands for: "2", "2." or a label as it was shown, whoever else is named before it. */
export function understood(of: Message, from: InboundMessage["participant"], offered: Choices | undefined): Message {
  const [part, ...more] = of.parts;
  if (offered === undefined || part?.kind !== "text" || more.length > 0 || of.command !== undefined) return of;
  if (!offered.to.includes(from.id)) return of;
  const button = buttonOf(part.text, offered.buttons);
  if (button === undefined) return of;
  return { ...of, parts: [{ kind: "press", button: button.id, label: button.label }] };
}

/** In groups the bot is named first: "@bot 2", "<@123> 2". */
const mention = /^(?:@[\w.-]{1,64}|<@[!&]?\d{1,32}>)[:,]?\s+/;

export function withoutMention(said: string): string {
  return said.replace(mention, "");
}

function buttonOf(text: string, buttons: readonly Button[]): Button | undefined {
  if (text.length > 300) return undefined;
  const said = text.trim();
  return match(said, buttons) ?? match(withoutMention(said), buttons);
}

/** What is meant by its number, or by its label as it was shown. */
export function match<Choice extends Button>(said: string, buttons: readonly Choice[]): Choice | undefined {
  const same = (a: string, b: string) => a.localeCompare(b, undefined, { sensitivity: "accent" }) === 0;
  const named = buttons.find(({ label }) => label.trim() !== "" && same(label.trim(), said));
  const number = /^(\d{1,3})\s?[.)]?$/.exec(said)?.[1];
  const found = named ?? (number === undefined ? undefined : buttons[Number(number) - 1]);
  return found?.url === undefined ? found : undefined;
}
