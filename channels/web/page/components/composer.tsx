import { ComposerPrimitive, useAui, useAuiEvent, useAuiState } from "@assistant-ui/react";
import { useEffect, useId, useRef, type KeyboardEvent } from "react";
import { focusComposer } from "../frame.ts";
import type { Store } from "../outbox.ts";
import { bytes, FileLabel, isPicture, LocalPicture } from "./attachments.tsx";
import { Commands } from "./commands.tsx";
import { useChat, useChatState } from "./context.ts";
import { ArrowUp, Clip, Cross, Stop } from "./icons.tsx";

const draftKey = "ascent.draft";

/** What is being written outlives a reload of the tab. */
const useKeptDraft = (store: Store): void => {
  const aui = useAui();
  const text = useAuiState((s) => s.composer.text);
  const restored = useRef(false);
  useEffect(() => {
    if (!restored.current) {
      restored.current = true;
      const kept = store.getItem(draftKey);
      if (kept !== null && text === "") aui.composer.setText(kept);
      return;
    }
    if (text === "") store.removeItem(draftKey);
    else store.setItem(draftKey, text);
  }, [aui, store, text]);
};

export function Composer({ drafts }: { readonly drafts: Store }) {
  useKeptDraft(drafts);
  const chat = useChat();
  const aui = useAui();
  const hint = useId();
  const input = useRef<HTMLTextAreaElement>(null);
  const name = useChatState((s) => s.session?.agent.name);
  const running = useChatState((s) => s.running);
  const limit = useChatState((s) => s.session?.limits.textLength);
  const length = useAuiState((s) => s.composer.text.length);
  const empty = useAuiState((s) => s.composer.isEmpty);
  const attachable = useChatState((s) => (s.session?.limits.attachments ?? 0) > 0);
  const commanding = useAuiState((s) => /^\/\S*$/.test(s.composer.text));
  const over = limit === undefined ? 0 : length - limit;

  useEffect(focusComposer, []);
  useAuiEvent("composer.attachmentAddError", (event) => chat.tell(event.message));

  const send = (): void => {
    if (over > 0) return;
    aui.composer.send();
    input.current?.focus();
  };
  const stop = (): void => {
    chat.stop();
    input.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>): void => {
    if (event.nativeEvent.isComposing) return;
    const choosing = event.currentTarget.hasAttribute("aria-activedescendant");
    if (event.key !== "Enter" || event.shiftKey) return;
    const command = event.currentTarget.value.trim().slice(1);
    const whole = chat.state().session?.commands.some((c) => c.name === command) ?? false;
    if (choosing && !whole) return;
    // The library's own handler would refuse to send while an answer is being written.
    event.preventDefault();
    if (!empty) send();
  };

  return (
    <ComposerPrimitive.Root
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <Pending />
      <div className="composer-row">
        {attachable && (
          <ComposerPrimitive.AddAttachment className="tool" aria-label="Attach files" title="Attach files">
            <Clip />
          </ComposerPrimitive.AddAttachment>
        )}
        <Commands>
          <ComposerPrimitive.Input
            ref={input}
            className="input"
            {...(commanding ? { role: "combobox", "aria-autocomplete": "list" } : {})}
            rows={1}
            maxRows={9}
            dir="auto"
            enterKeyHint="send"
            placeholder={name === undefined ? "Write a message" : `Message ${name}`}
            aria-label="Message"
            aria-describedby={hint}
            aria-invalid={over > 0}
            cancelOnEscape={false}
            onKeyDown={onKeyDown}
          />
        </Commands>
        {running && <StopButton onStop={stop} />}
        {(!running || !empty) && (
          <button type="submit" className="send" aria-label="Send" title="Send" disabled={empty || over > 0}>
            <ArrowUp />
          </button>
        )}
      </div>
      <div className="hint" id={hint}>
        <Hint over={over} left={limit === undefined ? undefined : limit - length} limit={limit} />
      </div>
    </ComposerPrimitive.Root>
  );
}

function StopButton({ onStop }: { readonly onStop: () => void }) {
  const stopping = useChatState((s) => s.stopping);
  return (
    <button
      type="button"
      className="stop"
      aria-label={stopping ? "Stopping" : "Stop"}
      title="Stop (Esc)"
      aria-disabled={stopping}
      onClick={onStop}
    >
      <Stop />
    </button>
  );
}

function Hint(props: { readonly over: number; readonly left: number | undefined; readonly limit: number | undefined }) {
  const running = useChatState((s) => s.running);
  if (props.over > 0) {
    return (
      <span className="over" role="status">
        {props.over.toLocaleString()} characters over the limit of {props.limit?.toLocaleString()}
      </span>
    );
  }
  if (props.left !== undefined && props.limit !== undefined && props.left < props.limit / 10) {
    return <span>{props.left.toLocaleString()} characters left</span>;
  }
  return (
    <span className="keys">
      <kbd>Enter</kbd> sends · <kbd>Shift</kbd> <kbd>Enter</kbd> for a new line
      {running && (
        <>
          {" "}
          · <kbd>Esc</kbd> stops
        </>
      )}
    </span>
  );
}

function Pending() {
  const count = useAuiState((s) => s.composer.attachments.length);
  const limits = useChatState((s) => s.session?.limits);
  if (count === 0) return null;
  return (
    <div className="pending">
      <ul aria-label="Attachments to send">
        <ComposerPrimitive.Attachments>{() => <PendingAttachment />}</ComposerPrimitive.Attachments>
      </ul>
      {limits !== undefined && (
        <p>
          {count} of {limits.attachments} files, up to {bytes(limits.attachmentBytes)} each
        </p>
      )}
    </div>
  );
}

function PendingAttachment() {
  const aui = useAui();
  const file = useAuiState((s) => s.attachment.file);
  const name = useAuiState((s) => s.attachment.name);
  const picture = file !== undefined && isPicture(file.type);
  return (
    <li className={picture ? "chip chip-picture" : "chip"}>
      {picture ? (
        <span className="thumb" role="img" aria-label={name}>
          <LocalPicture file={file} />
        </span>
      ) : (
        <FileLabel name={name} detail={file === undefined ? "" : bytes(file.size)} />
      )}
      <button
        type="button"
        className="remove"
        aria-label={`Remove ${name}`}
        title="Remove"
        onClick={() => void aui.attachment.remove()}
      >
        <Cross size={14} />
      </button>
    </li>
  );
}
