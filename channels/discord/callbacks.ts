/** What Discord is told about an interaction within its three seconds: by the gateway a call, by webhook the response itself. */
import { offered, type Command } from "../../src/commands.ts";
import type { DiscordApi } from "./api.ts";
import { noMentions } from "./body.ts";
import type { Intake } from "./intake.ts";
import { askCommand, formId, interactionTypes, wantsForm, type Interaction } from "./interaction.ts";
import { isDeferred } from "./tokens.ts";

interface Callback {
  readonly type: number;
  readonly data?: unknown;
}

/** What needs no agent is answered at once, and is no event: a ping, suggestions, the form that asks for words. */
export function immediate(interaction: Interaction): Callback | undefined {
  if (interaction.type === interactionTypes.ping) return { type: 1 };
  if (interaction.type === interactionTypes.autocomplete) return { type: 8, data: { choices: [] } };
  return wantsForm(interaction) ? { type: 9, data: form } : undefined;
}

const onlyForTheirEyes = 1 << 6;

/**
 * Once it is durable or refused: the answer follows, or there is none, and only its sender sees why. After a press the message
 * with the button stays as it is.
 */
export function responseTo(interaction: Interaction, intake: Pick<Intake, "refusalOf">): Callback {
  const content = intake.refusalOf(interaction.id);
  if (content === undefined) return { type: isDeferred(interaction) ? 5 : 6 };
  return { type: 4, data: { content, flags: onlyForTheirEyes, allowed_mentions: noMentions } };
}

/** @throws the core's errors. */
export async function callBack(api: DiscordApi, { id, token }: Interaction, body: Callback): Promise<void> {
  const route = `/interactions/${encodeURIComponent(id)}/${encodeURIComponent(token)}/callback`;
  await api.call("interaction callback", { method: "POST", route, body, auth: false, deadlineMs: 5_000 });
}

const words = { type: 4, custom_id: "words", style: 2, label: "Message", required: true, max_length: 4_000 };
const form = { custom_id: formId, title: "Ask", components: [{ type: 1, components: [words] }] };

/** Spanish is two languages to Discord. @see https://discord.com/developers/docs/reference#locales */
const localized = ({ de, es }: Command["words"]) => ({ de, "es-ES": es, "es-419": es });

function optionOf({ name, words, only }: NonNullable<Command["argument"]>) {
  const choices = only?.map((value) => ({ name: value, value }));
  const described = { description: words.en, description_localizations: localized(words) };
  return { type: 3, name, ...described, required: false, ...(choices === undefined ? {} : { choices }) };
}

const mostCommands = 100;

/** @see https://discord.com/developers/docs/interactions/application-commands */
const commands = [
  {
    name: askCommand,
    description: "Ask me something",
    options: [
      { type: 3, name: "message", description: "Your message", required: false },
      { type: 11, name: "file", description: "A file to look at", required: false },
    ],
  },
  ...offered.map(registered),
];

function registered({ name, words, argument }: Command) {
  return {
    name,
    description: words.en,
    description_localizations: localized(words),
    ...(argument === undefined ? {} : { options: [optionOf(argument)] }),
  };
}

interface Registered {
  readonly name: string;
  readonly description?: string;
  readonly description_localizations?: Readonly<Record<string, string>> | null;
  readonly options?: readonly { readonly name: string; readonly type: number }[];
}

/** What tells one from an earlier version of it. */
function shape({ description, description_localizations: words, options = [] }: Registered): string {
  const localizations = Object.entries(words ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([description, localizations, options.map(({ name, type }) => [name, type])]);
}

/** Registers those that are missing or differ, and leaves others alone. */
export async function registerCommands(
  api: DiscordApi,
  application: string,
  more: readonly Command[] = [],
): Promise<void> {
  const route = `/applications/${encodeURIComponent(application)}/commands`;
  const listed = `${route}?with_localizations=true`;
  const there = await api.call<readonly Registered[]>("get commands", { method: "GET", route: listed });
  for (const command of [...commands, ...more.map(registered)].slice(0, mostCommands)) {
    const known = there.find(({ name }) => name === command.name);
    if (known !== undefined && shape(known) === shape(command)) continue;
    await api.call("register command", { method: "POST", route, body: { ...command, type: 1 } });
  }
}
