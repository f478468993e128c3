/** Patterns of operators: RE2's, whose matching takes time in proportion to the text, whatever the pattern. */
import { RE2JS } from "re2js";
import { z } from "zod";

const longestPattern = 500;

export const pattern = z
  .string()
  .min(1)
  .max(longestPattern)
  .superRefine((given, context) => {
    try {
      RE2JS.compile(given);
    } catch (error) {
      const why = error instanceof Error ? ` (${error.message.replace("error parsing regexp: ", "")})` : "";
      context.addIssue({
        code: "custom",
        message: `is no pattern of RE2, which knows neither backreferences nor lookaround${why}`,
      });
    }
  });

/** Whether it fits somewhere in the text. */
export function fits(given: string, text: string): boolean {
  return RE2JS.compile(given).matcher(text).find();
}
