import { z } from "zod";

const origin = z.string().transform((given, context) => {
  const url = URL.parse(given);
  if (url !== null && /^https?:$/.test(url.protocol) && url.origin === given.replace(/\/$/, "")) return url.origin;
  context.addIssue({ code: "custom", message: `"${given}" is no origin: write it like https://example.com` });
  return z.NEVER;
});

export const webSettings = z.strictObject({
  /** Where the built page is: index.html, embed.js and assets/. */
  pageDirectory: z.string().min(1),
  /** Sites that may show the chat in a frame. ASCENT_EMBED_ORIGINS. */
  embedOrigins: z.array(origin).default([]),
  /** Who the page says is answering. `notice` stands above the chat, for example what the demo is. */
  agent: z.strictObject({
    name: z.string().min(1),
    demo: z.boolean().default(false),
    notice: z.string().optional(),
    examples: z.array(z.string()).optional(),
  }),
  /** APIs that /docs describes beside the page's own. */
  documents: z.array(z.strictObject({ name: z.string(), url: z.string() })).default([]),
  /** UTF-16 code units in one message. */
  textLength: z.number().int().positive().default(32_000),
  maxAttachmentBytes: z
    .number()
    .int()
    .positive()
    .max(25 * 1024 * 1024, "the server takes bodies of 25 MiB at most")
    .default(20 * 1024 * 1024),
  /** Of all files that one session uploads within an hour. */
  uploadBytesPerHour: z
    .number()
    .int()
    .positive()
    .default(200 * 1024 * 1024),
  /** In one message; 0 turns them off. */
  maxAttachments: z.number().int().nonnegative().default(10),
  /** Open event streams. */
  streamsPerSession: z.number().int().positive().default(12),
  streams: z.number().int().positive().default(5000),
});
export type WebSettings = z.infer<typeof webSettings>;
