import { z } from "zod";
import { isKey, keyAdvice } from "../../src/api-keys.ts";

export const openaiSettings = z.strictObject({
  /** ASCENT_API_KEYS: each key is a caller of its own; "sha256:" and 64 hex digits stand for a key that is kept elsewhere. */
  keys: z
    .array(z.string().refine(isKey, `is no valid key: ${keyAdvice}`))
    .min(1, `holds no key: ${keyAdvice}, or leave it out`),
  /** How long a request without a stream is held at most, in seconds: less than the server's own limit. */
  waitSeconds: z.number().positive().max(110).default(110),
  /** Requests that one key may have open at once. */
  requestsPerKey: z.number().int().positive().default(200),
  /** UTF-16 code units of one message, and of what a request tells of the conversation so far: the newest of it is kept. */
  textLength: z.number().int().positive().default(100_000),
  /**
   * Days from the last question on after which what was said without a name of a conversation is deleted. A question is
   * recognised for eight of them.
   */
  unnamedDays: z.number().int().min(9, "must be 9 or more: for eight days a question is recognised").default(30),
  /** Pictures and files come within the body, in base64. */
  bodyBytes: z
    .number()
    .int()
    .positive()
    .max(25 * 1024 * 1024, "the server takes bodies of 25 MiB at most")
    .default(20 * 1024 * 1024),
});
export type OpenaiSettings = z.infer<typeof openaiSettings>;
