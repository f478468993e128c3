import { z } from "zod";

/** One Discord application with its bot. In the environment: DISCORD_TOKEN, _API_ROOT, _PUBLIC_KEY. */
export const discordSettings = z.object({
  token: z
    .string({
      error: ({ input }) =>
        input === undefined ? "is not set: copy the bot's token from the Bot page of the application" : undefined,
    })
    .regex(
      /^[\w-]+(?:\.[\w-]+)+$/,
      "is no bot's token: copy it from the Bot page of the application, three parts with dots between them, without the word Bot",
    ),
  apiRoot: z
    .url({ protocol: /^https?$/ })
    .default("https://discord.com/api")
    .transform((url) => url.replace(/\/+$/, "")),
  /** The application's public key in hexadecimal; with it interactions may come by webhook too. */
  publicKey: z
    .string()
    .regex(
      /^[\da-f]{64}$/i,
      "is no public key: copy it from the General page of the application, 64 characters of 0-9 a-f",
    )
    .optional(),
  /** Show the answer as it grows: a message that is edited, and at last becomes the answer. */
  preview: z.boolean().default(true),
  /** The most bytes of a medium taken in. */
  mediaMaxBytes: z
    .number()
    .int()
    .positive()
    .default(25 * 1024 * 1024),
  /** In servers everything is answered: the account's `groups` is "always". The composition says so. */
  always: z.boolean().default(false),
  /**
   * Ask for the text of messages that do not name the bot (a privileged intent, to be allowed on the Bot page). Absent: where
   * `groups` needs it.
   */
  messageContent: z.boolean().optional(),
  /** Register /ask and the commands that /help shows. */
  commands: z.boolean().default(true),
  /** How far back messages are fetched that came while the bot was away. At most what the core remembers as answered. */
  missedHours: z
    .number()
    .positive()
    .max(24 * 7)
    .default(72),
});

export type DiscordSettings = z.input<typeof discordSettings>;
export type DiscordOptions = z.output<typeof discordSettings>;

/** Whether the privileged intent is asked for. */
export function wantsContent({ messageContent, always }: DiscordOptions): boolean {
  return messageContent ?? always;
}
