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
  /[\u{E0000}-\u{E0FFF}\u202A-\u202E\u2060-\u206F\u200B\uFEFF\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180F\u3164\uFFA0\uFFF0-\uFFFB\u{1D173}-\u{1D17A}]|(?<=[\u200C-\u200F\uFE00-\uFE0F])[\u200C-\u200F\uFE00-\uFE0F]|[\u0000-\u0008\u000B\u000E-\u001F\u007F-\u009F]/gu;

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
