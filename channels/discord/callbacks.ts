/** What Discord is told about an interaction within its three seconds: by the gateway a call, by webhook the response itself. */
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

/** @see https://discord.com/developers/docs/interactions/application-commands */
export const commands = [
  {
    name: askCommand,
    description: "Ask me something",
    options: [
      { type: 3, name: "message", description: "Your message", required: false },
      { type: 11, name: "file", description: "A file to look at", required: false },
    ],
  },
  { name: "help", description: "What I can do" },
  { name: "reset", description: "Forget this conversation" },
  { name: "stop", description: "Stop the answer in progress" },
] as const;

/** Registers those that are missing or differ, and leaves others alone. */
export async function registerCommands(api: DiscordApi, application: string): Promise<void> {
  const route = `/applications/${encodeURIComponent(application)}/commands`;
  type Registered = { name: string; description?: string; options?: readonly { name: string; type: number }[] };
  const there = await api.call<readonly Registered[]>("get commands", { method: "GET", route });
  const shape = ({ description, options }: Registered) =>
    JSON.stringify([description, (options ?? []).map(({ name, type }) => [name, type])]);
  for (const command of commands) {
    const known = there.find(({ name }) => name === command.name);
    if (known !== undefined && shape(known) === shape(command)) continue;
    await api.call("register command", { method: "POST", route, body: { ...command, type: 1 } });
  }
}
