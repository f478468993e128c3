import { useId, useState } from "react";
import type { Message, Thumb } from "../wire.ts";
import { useChat, useChatState } from "./context.ts";
import { ThumbDown, ThumbUp } from "./icons.tsx";

const choices = [
  { thumb: "up", label: "Good answer", Icon: ThumbUp },
  { thumb: "down", label: "Bad answer", Icon: ThumbDown },
] as const;

/** The thumbs under an answer; pressed again, one is taken back. */
export function Thumbs({ message }: { readonly message: Message }) {
  const chat = useChat();
  const thumb = useThumb(message);
  if (!useChatState((s) => s.session?.feedback !== undefined)) return null;
  return (
    <span className="thumbs" role="group" aria-label="Rate this answer">
      {choices.map(({ thumb: own, label, Icon }) => (
        <button
          key={own}
          type="button"
          className="rate"
          aria-label={label}
          title={label}
          aria-pressed={thumb === own}
          onClick={() => void chat.rate(message.id, thumb === own ? null : own)}
        >
          <Icon size={15} />
        </button>
      ))}
    </span>
  );
}

/** Asks whoever has just put a thumb down what was wrong; nobody has to say. */
export function Why({ message }: { readonly message: Message }) {
  const chat = useChat();
  const asks = useChatState((s) => s.session?.feedback?.asks === true && s.rated[message.id] === "down");
  const [text, setText] = useState("");
  const [state, setState] = useState<"open" | "sending" | "sent">("open");
  const id = useId();
  if (!asks) return null;
  if (state === "sent") {
    return (
      <p className="why" role="status">
        Thank you.
      </p>
    );
  }
  const send = async (): Promise<void> => {
    if (text.trim() === "" || state === "sending") return;
    setState("sending");
    setState((await chat.rate(message.id, "down", text.trim())) ? "sent" : "open");
  };
  return (
    <form
      className="why"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <label htmlFor={id}>What was wrong?</label>
      <input
        id={id}
        value={text}
        maxLength={2000}
        autoComplete="off"
        onChange={(event) => setText(event.target.value)}
      />
      <button type="submit" disabled={text.trim() === ""}>
        Send
      </button>
    </form>
  );
}

function useThumb(message: Message): Thumb | undefined {
  const here = useChatState((s) => s.rated[message.id]);
  return here === undefined ? message.rated : (here ?? undefined);
}
