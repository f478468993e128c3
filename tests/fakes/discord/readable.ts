const marks =
  /```(?:[\w+#.-]+(?=\n))?\n?([^]*?)\n?```|`([^`\n]+)`|(https?:\/\/[^\s<>()]+)|\\([^a-zA-Z0-9\s])|\*\*|__|~~|[*_]|^#{1,3} /gm;

/** What a person sees of a message's markdown, as far as the tests look: marks taken away, escapes undone, code and addresses as they are. */
export function readableOf(content: string): string {
  return content
    .replace(marks, (_all, block?: string, code?: string, address?: string, escaped?: string) => {
      return block ?? code ?? address ?? escaped ?? "";
    })
    .replaceAll("\u200b", "");
}
