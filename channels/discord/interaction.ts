/**
 * Slash commands, buttons, selects and forms as events. Pure.
 *
 * @see https://discord.com/developers/docs/interactions/receiving-and-responding
 */
import type { APIAttachment, APIUser, Locale } from "discord.js";
import { InputError } from "../../src/errors.ts";
import type { AccountRef } from "../../src/ids.ts";
import type { InboundEvent, InboundPart, Message as Normalized } from "../../src/message.ts";
import { loosePart, partsOf, readable, type Content } from "./content.ts";
import { addressOf, interactionMessageId, participantOf, platformMessageId } from "./names.ts";
import { timeOf } from "./snowflake.ts";

export const interactionTypes = { ping: 1, command: 2, component: 3, autocomplete: 4, form: 5 } as const;

/** The command by which people ask; with no words it opens a form for them. */
export const askCommand = "ask";
export const formId = "ascent-ask";

interface Option {
  readonly name: string;
  readonly type: number;
  readonly value?: unknown;
  readonly options?: readonly Option[];
}

/** The fields that are read, of whichever kind it is. */
export interface Interaction {
  readonly id: string;
  readonly application_id: string;
  readonly type: number;
  readonly token: string;
  readonly channel_id?: string;
  readonly guild_id?: string;
  /** 2: a chat between people that the bot is no member of. */
  readonly context?: number;
  readonly locale?: Locale;
  readonly user?: APIUser;
  readonly member?: { readonly user: APIUser; readonly nick?: string | null };
  readonly message?: Content & { readonly id: string; readonly components?: unknown };
  readonly data?: {
    readonly name?: string;
    readonly options?: readonly Option[];
    readonly target_id?: string;
    readonly resolved?: {
      readonly attachments?: Readonly<Record<string, APIAttachment>>;
      readonly messages?: Readonly<Record<string, Content>>;
    };
    readonly custom_id?: string;
    readonly component_type?: number;
    readonly values?: readonly string[];
    readonly components?: unknown;
  };
}

export function isInteraction(value: unknown): value is Interaction {
  if (typeof value !== "object" || value === null) return false;
  const { id, type, token, application_id: application } = value as Partial<Interaction>;
  return [id, token, application].every((one) => typeof one === "string" && one !== "") && Number.isInteger(type);
}

/** It asks for words that it does not bring: a form is the answer, and nobody has said anything yet. */
export function wantsForm({ type, data }: Interaction): boolean {
  return type === interactionTypes.command && data?.name === askCommand && (data.options ?? []).length === 0;
}

/** @throws InputError for what Discord never sends. */
export function interacted(
  interaction: Interaction,
  context: AccountRef & { readonly receivedAt: number },
): InboundEvent | undefined {
  const { id, channel_id: channel, locale, member } = interaction;
  const user = member?.user ?? interaction.user;
  const sentAt = timeOf(id);
  if (sentAt === undefined || typeof channel !== "string" || typeof user?.id !== "string")
    throw new InputError("discord: an interaction has no id, channel or user");
  const message = user.bot === true || wantsForm(interaction) ? undefined : contentOf(interaction, context);
  if (message === undefined) return undefined;
  const direct = interaction.guild_id === undefined && interaction.context !== 2;
  const { token: _secret, ...raw } = interaction;
  return {
    v: 1,
    kind: "message",
    id: interactionMessageId(context, channel, id),
    address: addressOf(context, channel, direct ? "direct" : "group"),
    participant: { ...participantOf(context, user, member?.nick), ...(locale === undefined ? {} : { locale }) },
    sentAt,
    sequence: sentAt,
    receivedAt: context.receivedAt,
    raw,
    message: { ...message, addressed: true },
  };
}

type Words = Pick<Normalized, "parts" | "command">;

function contentOf(interaction: Interaction, account: AccountRef): Words | undefined {
  switch (interaction.type) {
    case interactionTypes.command:
      return commanded(interaction);
    case interactionTypes.component:
      return { parts: pressed(interaction, account) };
    case interactionTypes.form: {
      const words = inputsOf(interaction.data?.components).join("\n").trim();
      return words === "" ? undefined : { parts: [text(words)] };
    }
    default:
      return undefined;
  }
}

const attachmentOption = 11;

/** Options of sub-commands stand one level deeper. */
function flat(options: readonly Option[]): readonly Option[] {
  return options.flatMap((one) => (one.options === undefined ? [one] : [one, ...flat(one.options)]));
}

function commanded({ data }: Interaction): Words | undefined {
  const name = data?.name;
  if (name === undefined) return undefined;
  const options = flat(data?.options ?? []);
  const files = options.flatMap(({ type, value }) => {
    const file = type === attachmentOption ? data?.resolved?.attachments?.[String(value)] : undefined;
    return file === undefined ? [] : [loosePart(file)];
  });
  const target = data?.resolved?.messages?.[data.target_id ?? ""];
  if (target !== undefined) return { parts: partsOf(target, readable(target.content, target.mentions ?? [])) };
  const given = options.filter(({ type, value }) => type !== attachmentOption && value !== undefined);
  if (name === askCommand) {
    const words = given.map(({ value }) => String(value)).join("\n");
    return { parts: [...files, ...(words.trim() === "" ? [] : [text(words)])] };
  }
  // What has no value is a sub-command: its name says what is wanted.
  const groups = options.filter(({ value }) => value === undefined).map((one) => one.name);
  const args = [...groups, ...given.map(({ value }) => String(value))].join(" ");
  const line = text(args === "" ? `/${name}` : `/${name} ${args}`);
  return { parts: [...files, line], command: { name: name.toLowerCase(), args } };
}

function pressed({ data, message, channel_id: channel = "" }: Interaction, account: AccountRef): InboundPart[] {
  const id = data?.custom_id;
  const pressed = data?.values ?? (id === undefined ? [] : [id]);
  const of = message === undefined ? {} : { of: platformMessageId(account, channel, message.id) };
  const labels = labelsOf(message?.components);
  return pressed.map((button) => {
    const label = labels.get(button);
    return { kind: "press", button, ...of, ...(label === undefined ? {} : { label }) };
  });
}

function text(words: string): InboundPart {
  return { kind: "text", text: words, format: "plain" };
}

/** Every component of a message or a form, at whatever depth: rows, sections and labels contain others. */
function componentsIn(value: unknown, depth = 0): Readonly<Record<string, unknown>>[] {
  if (typeof value !== "object" || value === null || depth > 8) return [];
  if (Array.isArray(value)) return value.flatMap((one) => componentsIn(one, depth + 1));
  const own = value as Readonly<Record<string, unknown>>;
  return [own, ...["components", "component", "accessory"].flatMap((key) => componentsIn(own[key], depth + 1))];
}

function labelsOf(components: unknown): Map<string, string> {
  const labels = new Map<string, string>();
  for (const { custom_id: id, label, options } of componentsIn(components)) {
    if (typeof id === "string" && typeof label === "string") labels.set(id, label);
    for (const option of Array.isArray(options) ? (options as { value?: unknown; label?: unknown }[]) : []) {
      if (typeof option.value === "string" && typeof option.label === "string") labels.set(option.value, option.label);
    }
  }
  return labels;
}

function inputsOf(components: unknown): string[] {
  return componentsIn(components).flatMap(({ type, value }) =>
    type === 4 && typeof value === "string" ? [value] : [],
  );
}
