/** The beginning of a text that is at most so many bytes of UTF-8. */
export function clipBytes(text: string, mostBytes: number): string {
  // Three bytes a character at most: mostly nothing has to be counted.
  if (text.length * 3 <= mostBytes || Buffer.byteLength(text) <= mostBytes) return text;
  return Buffer.from(text)
    .subarray(0, Math.max(0, mostBytes))
    .toString("utf8")
    .replace(/\uFFFD+$/, "");
}
