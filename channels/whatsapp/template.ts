/** What may be said to a person who has not written for 24 hours: an approved template, with the words as its parameter. */
import type { CloudOptions } from "./settings.ts";

/** Meta takes 1,024 characters for the whole body, of which the template has some itself. */
const mostWords = 900;

/** A parameter takes no line breaks, tabs or runs of spaces. */
export function templateBody(
  { name, language, parameter }: NonNullable<CloudOptions["template"]>,
  words: string,
): Readonly<Record<string, unknown>> {
  const line = words
    .replace(/\s*\n\s*/g, " · ")
    .replace(/\s+/g, " ")
    .trim();
  const text = line.length <= mostWords ? line : `${line.slice(0, mostWords - 1).replace(/[\ud800-\udbff]$/, "")}…`;
  const named = parameter === undefined ? {} : { parameter_name: parameter };
  const components = [{ type: "body", parameters: [{ type: "text", ...named, text }] }];
  return { type: "template", template: { name, language: { code: language }, components } };
}
