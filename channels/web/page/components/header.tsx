import { useRef, type RefObject, type SyntheticEvent } from "react";
import { useChat, useChatState } from "./context.ts";
import { focusComposer, leaveFrame } from "../frame.ts";
import { Compose, Cross, Mark } from "./icons.tsx";

export function Header({ embedded }: { readonly embedded: boolean }) {
  const name = useChatState((s) => s.session?.agent.name) ?? "Ascent";
  const demo = useChatState((s) => s.session?.agent.demo === true);
  const empty = useChatState((s) => s.messages.length === 0 && s.unsent.length === 0);
  const dialog = useRef<HTMLDialogElement>(null);
  return (
    <header className="header">
      <Mark size={embedded ? 24 : 28} />
      <h1>{name}</h1>
      {demo && <span className="badge">Demo</span>}
      <span className="spring" />
      <button type="button" className="quiet" disabled={empty} onClick={() => dialog.current?.showModal()}>
        <Compose size={18} />
        <span className={embedded ? "offscreen" : "wide"}>New conversation</span>
      </button>
      {embedded && (
        <button type="button" className="quiet" aria-label="Close" title="Close" onClick={leaveFrame}>
          <Cross size={18} />
        </button>
      )}
      <ResetDialog dialog={dialog} />
    </header>
  );
}

function ResetDialog({ dialog }: { readonly dialog: RefObject<HTMLDialogElement | null> }) {
  const chat = useChat();
  const unsent = useChatState((s) => s.unsent.filter((entry) => entry.state !== "accepted").length);
  const onClose = (event: SyntheticEvent<HTMLDialogElement>): void => {
    const chosen = event.currentTarget.returnValue;
    event.currentTarget.returnValue = "";
    if (chosen === "reset") chat.reset();
    focusComposer();
  };
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="reset-title" onClose={onClose}>
      <form method="dialog">
        <h2 id="reset-title">Start a new conversation?</h2>
        <p>The agent forgets this conversation, and its messages leave this page.</p>
        {unsent > 0 && (
          <p className="over">
            {unsent === 1
              ? "One message that has not been sent yet is"
              : `${unsent} messages that have not been sent yet are`}{" "}
            discarded too.
          </p>
        )}
        <div className="dialog-actions">
          <button type="submit" className="plain-button" value="">
            Keep it
          </button>
          <button type="submit" className="main-button" value="reset">
            New conversation
          </button>
        </div>
      </form>
    </dialog>
  );
}
