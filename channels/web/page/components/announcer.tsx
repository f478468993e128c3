import { useEffect } from "react";
import { marked, type Token } from "marked";
import { useChatState } from "./context.ts";

const plain = (tokens: readonly Token[]): string =>
  tokens
    .map((token) => {
      if (token.type === "code") return "Code block.";
      if (token.type === "table") return "Table.";
      if (token.type === "list")
        return (token as { items: { text: string }[] }).items.map((item) => item.text).join(". ");
      return "tokens" in token && token.tokens !== undefined
        ? plain(token.tokens)
        : "text" in token
          ? String(token.text)
          : "";
    })
    .join(" ");

/** What a screen reader says of a message: its words, without the signs of its markdown. */
export const spoken = (markdown: string): string => {
  try {
    return plain(marked.lexer(markdown)).replace(/\s+/g, " ").trim().slice(0, 2000);
  } catch {
    return markdown.slice(0, 2000);
  }
};

/** Says each answer once, when it is complete: a live region over the streamed text would stutter. */
export function Announcer() {
  const heard = useChatState((s) => s.heard);
  const name = useChatState((s) => s.session?.agent.name) ?? "Agent";
  const working = useChatState((s) => (s.running || s.typing) && s.draft === undefined);
  const words = heard === undefined ? "" : `${heard.role === "agent" ? `${name}: ` : ""}${spoken(heard.text)}`;
  return (
    <>
      <div className="offscreen" role="log" aria-live="polite" aria-atomic="true">
        {words !== "" && <p key={heard?.id}>{words}</p>}
      </div>
      <div className="offscreen" role="status">
        {working ? `${name} is writing…` : ""}
      </div>
    </>
  );
}

/** The tab's title counts the answers that came while it was hidden. */
export function TabTitle() {
  const heard = useChatState((s) => s.heard?.id);
  const name = useChatState((s) => s.session?.agent.name);
  useEffect(() => {
    const title = name ?? "Ascent";
    document.title = heard !== undefined && document.hidden ? `● ${title}` : title;
    const seen = (): void => {
      if (!document.hidden) document.title = title;
    };
    document.addEventListener("visibilitychange", seen);
    return () => document.removeEventListener("visibilitychange", seen);
  }, [heard, name]);
  return null;
}
