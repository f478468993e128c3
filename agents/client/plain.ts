/**
 * Text from outside as a model may be shown it: with nothing that people do not see, and nothing that a model's server could take
 * for its own marks. It is applied where text is rendered, once for all sources: see `render.ts`.
 */

/**
 * Characters without a shape that hide words in a text or turn what stands there around: tags, bidirectional overrides and
 * isolates, zero-width spaces, variation selectors by the hundred, fillers, controls. The joiners of Persian, Indic scripts and
 * emoji stay, as does the one selector that makes a character an emoji, but not rows of them.
 */
const hidden =
  /[[\p{Default_Ignorable_Code_Point}\p{Cc}\uFFF9-\uFFFB]--[\uFE00-\uFE0F\u200C-\u200F\t\n\f\r]]|(?<=[\uFE00-\uFE0F\u200C-\u200F])(?!(?<=\uFE0F)\u200D)[\uFE00-\uFE0F\u200C-\u200F]/gv;

/** Where most texts end: no character that any of {@link hidden} is. */
const ordinary = /^[\t\n\f\r\x20-\x7E\u00A0-\u00AC\u00AE-\u033F]*$/;

/** Marks that chat templates put around roles, of the common model families. The first character is kept apart from the rest. */
const roleMark =
  /(<)(?=[|\uFF5C][^<>\n]{1,60}[|\uFF5C]>|\/?(?:start|end)_of_(?:turn|image)>|\/?(?:begin|end)_of_(?:text|sentence)>|<\/?SYS>>)|(\[)(?=\/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])/gi;

/** Without what people do not see. */
export function visible(text: string): string {
  return ordinary.test(text) ? text : text.replace(hidden, "");
}

export function plain(text: string): string {
  const seen = visible(text);
  return seen.includes("<") || seen.includes("[") ? seen.replace(roleMark, "$1$2\\") : seen;
}

/** The same for all texts in a value that becomes JSON. */
export function plainIn(_key: string, value: unknown): unknown {
  return typeof value === "string" ? plain(value) : value;
}
