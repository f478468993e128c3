import { z } from "zod";

export const sampleSettings = z.strictObject({
  /** SAMPLE_SECRET signs both directions. */
  secret: z.string().min(16, 'is too short: take 16 characters or more, as "openssl rand -hex 24" prints'),
  /** SAMPLE_URL: where the platform takes messages. */
  url: z.url({ protocol: /^https?$/, message: "must be a URL that begins with http:// or https://" }),
});
export type SampleSettings = z.infer<typeof sampleSettings>;
