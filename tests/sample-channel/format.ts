import type { Dialect } from "../../src/channel.ts";
import { plainText } from "../../src/markdown.ts";

/** The platform shows text as it is. */
export const dialect: Dialect = {
  render: plainText,
  escape: (plain) => plain,
  measure: (rendered) => rendered.length,
};
