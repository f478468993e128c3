import { z } from "zod";

/** One Telegram bot. In the environment: TELEGRAM_BOT_TOKEN, _API_ROOT, _WEBHOOK_URL, _WEBHOOK_SECRET. */
export const telegramSettings = z
  .object({
    token: z
      .string({
        error: ({ input }) => (input === undefined ? "is not set: copy the bot's token from @BotFather" : undefined),
      })
      .regex(/^\d+:\S+$/, "is no bot's token: copy it from @BotFather, it looks like 123456:ABC…"),
    apiRoot: z
      .url({ protocol: /^https?$/ })
      .default("https://api.telegram.org")
      .transform((url) => url.replace(/\/+$/, "")),
    /** The full public address that Telegram posts to; absent: the bot polls. */
    webhookUrl: z.url({ protocol: /^https?$/ }).optional(),
    webhookSecret: z.string().optional(),
    /** Show the answer as it grows, in private chats. */
    preview: z.boolean().default(true),
    /** The most bytes of a medium taken in; Telegram's own servers offer at most 20 MB. */
    mediaMaxBytes: z
      .number()
      .int()
      .positive()
      .default(20 * 1024 * 1024),
    /** How long one poll waits for updates. */
    pollSeconds: z.number().int().min(0).max(50).default(50),
    /** How many updates Telegram may post at once. */
    webhookConnections: z.number().int().min(1).max(100).default(40),
  })
  .superRefine(({ webhookUrl, webhookSecret }, context) => {
    if (webhookUrl === undefined) return;
    // Without it anybody who finds the address could speak for any user.
    if (webhookSecret === undefined || webhookSecret === "") {
      const message = 'is not set, and a webhook needs it: take what "openssl rand -hex 24" prints';
      context.addIssue({ code: "custom", path: ["webhookSecret"], message });
    } else if (!/^[\w-]{16,256}$/.test(webhookSecret)) {
      const message = 'must be 16 to 256 of the characters A-Z a-z 0-9 _ -: take what "openssl rand -hex 24" prints';
      context.addIssue({ code: "custom", path: ["webhookSecret"], message });
    }
  });

export type TelegramSettings = z.input<typeof telegramSettings>;
export type TelegramOptions = z.output<typeof telegramSettings>;
