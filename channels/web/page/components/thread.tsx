import { ComposerPrimitive, ThreadPrimitive } from "@assistant-ui/react";
import { useEffect, useRef } from "react";
import { leaveFrame } from "../frame.ts";
import type { Store } from "../outbox.ts";
import { ConnectionBanner, ProblemBar } from "./banner.tsx";
import { Composer } from "./composer.tsx";
import { useChat, useChatState } from "./context.ts";
import { ArrowDown } from "./icons.tsx";
import { Messages } from "./messages.tsx";
import { Failed, Loading, Welcome } from "./welcome.tsx";

/** Escape stops a running answer from anywhere on the page; in a frame with nothing to stop it closes the frame. */
const useEscape = (): void => {
  const chat = useChat();
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      if (event.key !== "Escape" || event.defaultPrevented || event.isComposing) return;
      if (document.querySelector("dialog[open]") !== null) return;
      if (chat.state().running) chat.stop();
      else leaveFrame();
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, [chat]);
};

export function Thread({ drafts }: { readonly drafts: Store }) {
  useEscape();
  return (
    <ThreadPrimitive.Root asChild>
      <ComposerPrimitive.AttachmentDropzone className="thread">
        <ConnectionBanner />
        <ThreadPrimitive.ViewportProvider>
          <Conversation />
          <div className="dock">
            <ThreadPrimitive.ScrollToBottom
              className="to-bottom"
              aria-label="Scroll to the newest message"
              behavior="smooth"
            >
              <ArrowDown size={18} />
            </ThreadPrimitive.ScrollToBottom>
            <ProblemBar />
            <Composer drafts={drafts} />
          </div>
        </ThreadPrimitive.ViewportProvider>
        <div className="drop" aria-hidden="true">
          <span>Drop files to attach them</span>
        </div>
      </ComposerPrimitive.AttachmentDropzone>
    </ThreadPrimitive.Root>
  );
}

function Conversation() {
  const phase = useChatState((s) => s.phase);
  const empty = useChatState((s) => s.messages.length === 0 && s.unsent.length === 0 && s.draft === undefined);
  return (
    <ThreadPrimitive.Viewport
      className="viewport"
      aria-label="Conversation"
      role="region"
      tabIndex={0}
      autoScroll={!empty}
    >
      {phase === "loading" && empty && <Loading />}
      {phase === "failed" && empty && <Failed />}
      {phase === "ready" && empty && <Welcome />}
      {!empty && (
        <div className="column">
          <Earlier />
          <Messages />
          <Writing />
        </div>
      )}
    </ThreadPrimitive.Viewport>
  );
}

/** Loads what came before, and keeps what is being read where it is. */
function Earlier() {
  const chat = useChat();
  const more = useChatState((s) => s.more && s.before !== undefined);
  const loading = useChatState((s) => s.loadingEarlier);
  const place = useRef<HTMLDivElement>(null);
  const watching = useRef<MutationObserver | undefined>(undefined);
  useEffect(() => () => watching.current?.disconnect(), []);
  const load = (): void => {
    const box = place.current?.closest(".viewport");
    if (box == null || loading) return;
    const { scrollTop, scrollHeight } = box;
    const first = chat.state().messages[0]?.id;
    // The runtime renders the rows a moment after the state has them: look when the page changes, before it is painted.
    watching.current?.disconnect();
    watching.current = new MutationObserver((_, observer) => {
      if (chat.state().messages[0]?.id === first || box.scrollHeight <= scrollHeight) return;
      observer.disconnect();
      box.scrollTop = scrollTop + box.scrollHeight - scrollHeight;
    });
    watching.current.observe(box, { childList: true, subtree: true });
    chat.loadEarlier();
  };
  if (!more) return null;
  return (
    <div className="earlier" ref={place}>
      <button type="button" className="plain-button" aria-disabled={loading} onClick={load}>
        {loading ? "Loading…" : "Show earlier messages"}
      </button>
    </div>
  );
}

function Writing() {
  const writing = useChatState((s) => (s.running || s.typing) && s.draft?.live !== true);
  if (!writing) return null;
  return (
    <div className="line agent writing" aria-hidden="true">
      <span className="dots">
        <i />
        <i />
        <i />
      </span>
    </div>
  );
}
