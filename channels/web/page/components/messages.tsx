import { MessagePrimitive, ThreadPrimitive, useAuiState } from "@assistant-ui/react";
import type { ReactNode } from "react";
import { dayOf, timeOf } from "../dates.ts";
import { focusComposer } from "../frame.ts";
import type { Unsent } from "../outbox.ts";
import type { Row } from "../rows.ts";
import type { Draft } from "../store.ts";
import type { Message } from "../wire.ts";
import { Attachments, bytes, FileLabel } from "./attachments.tsx";
import { useChat, useChatState } from "./context.ts";
import { CopyButton } from "./copy.tsx";
import { Alert } from "./icons.tsx";
import { Markdown } from "./markdown.tsx";
import { Thumbs, Why } from "./rating.tsx";

const rowOf = (message: { readonly metadata: { readonly custom: Record<string, unknown> } }): Row | undefined =>
  message.metadata.custom["row"] as Row | undefined;

export function Messages() {
  return <ThreadPrimitive.Messages>{() => <Line />}</ThreadPrimitive.Messages>;
}

function Line() {
  const row = useAuiState((s) => rowOf(s.message));
  const day = useAuiState((s) => {
    const before = s.thread.messages[s.message.index - 1];
    const own = dayOf(s.message.createdAt);
    return before === undefined || dayOf(before.createdAt) !== own ? own : undefined;
  });
  // The runtime adds an empty answer of its own while a turn runs; our indicator stands for it.
  if (row === undefined) return null;
  return (
    <>
      {day !== undefined && (
        <div className="day" role="separator" aria-label={day}>
          <span>{day}</span>
        </div>
      )}
      <RowView row={row} />
    </>
  );
}

function RowView({ row }: { readonly row: Row }) {
  if (row.kind === "unsent") return <UnsentView unsent={row.unsent} />;
  if (row.kind === "draft") return <DraftView draft={row.draft} />;
  const { message } = row;
  if (message.role === "notice") return <Notice message={message} />;
  if (message.role === "agent") return <AgentMessage message={message} />;
  return (
    <UserBubble text={message.text} footer={<Time at={message.at} />}>
      <Attachments attachments={message.attachments} />
    </UserBubble>
  );
}

function DraftView({ draft }: { readonly draft: Draft }) {
  const lost = useChatState((s) => s.connection === "lost");
  return (
    <Answer live={draft.live && !lost} footer={undefined}>
      <Markdown text={draft.text} />
    </Answer>
  );
}

function Time({ at }: { readonly at: string }) {
  return <time dateTime={at}>{timeOf(new Date(at))}</time>;
}

function UserBubble(props: {
  readonly text: string;
  readonly children: ReactNode;
  readonly footer: ReactNode;
  readonly state?: Unsent["state"];
}) {
  return (
    <MessagePrimitive.Root className="line user" data-state={props.state} role="article" aria-label="You">
      {props.children}
      {props.text !== "" && (
        <div className="bubble" dir="auto">
          {props.text}
        </div>
      )}
      <div className="foot">{props.footer}</div>
    </MessagePrimitive.Root>
  );
}

function UnsentView({ unsent }: { readonly unsent: Unsent }) {
  return (
    <UserBubble text={unsent.text} state={unsent.state} footer={<UnsentState unsent={unsent} />}>
      {unsent.files.length > 0 && (
        <ul className="attachments" aria-label="Attachments">
          {unsent.files.map((file) => (
            <li key={file.id}>
              <span className="file">
                <FileLabel name={file.name} detail={bytes(file.size)} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </UserBubble>
  );
}

function UnsentState({ unsent }: { readonly unsent: Unsent }) {
  const chat = useChat();
  const lost = useChatState((s) => s.connection === "lost");
  if (unsent.state === "accepted") return <Time at={unsent.at} />;
  if (unsent.state === "failed") {
    return (
      <span className="unsent failed" role="alert">
        <span>
          <Alert size={14} />
          Not sent: {unsent.problem ?? "the gateway refused it."}
        </span>
        <button type="button" onClick={() => chat.retry(unsent.id)}>
          Retry
        </button>
        <button type="button" onClick={() => chat.discard(unsent.id)}>
          Discard
        </button>
      </span>
    );
  }
  const tried = unsent.attempts > 0 || (lost && unsent.state === "waiting");
  return (
    <span className="unsent">
      {unsent.state === "waiting" && tried ? "Not sent yet, trying again…" : "Sending…"}
      {tried && (
        <button type="button" onClick={() => chat.retry(unsent.id)}>
          Retry now
        </button>
      )}
    </span>
  );
}

function Answer(props: {
  readonly live?: boolean;
  readonly children: ReactNode;
  readonly footer: ReactNode;
  readonly after?: ReactNode;
  readonly below?: ReactNode;
}) {
  const name = useChatState((s) => s.session?.agent.name) ?? "Agent";
  return (
    <MessagePrimitive.Root className="line agent" role="article" aria-label={name} aria-busy={props.live === true}>
      <div className={props.live === true ? "prose live" : "prose"} dir="auto">
        {props.children}
      </div>
      {props.after}
      {props.footer !== undefined && <div className="foot">{props.footer}</div>}
      {props.below}
    </MessagePrimitive.Root>
  );
}

function AgentMessage({ message }: { readonly message: Message }) {
  const footer = (
    <>
      <Time at={message.at} />
      {message.text !== "" && <CopyButton text={() => message.text} label="Copy message" />}
      <Thumbs message={message} />
    </>
  );
  const after = (
    <>
      <Attachments attachments={message.attachments} />
      <Buttons message={message} />
    </>
  );
  return (
    <Answer footer={footer} after={after} below={<Why message={message} />}>
      <Markdown text={message.text} />
    </Answer>
  );
}

function Buttons({ message }: { readonly message: Message }) {
  const chat = useChat();
  const here = useChatState((s) => s.pressed[message.id]);
  const pressed = here ?? message.pressed;
  if (message.buttons.length === 0) return null;
  return (
    <div className="buttons" role="group" aria-label="Choices">
      {message.buttons.map((button) => (
        <button
          key={button.id}
          type="button"
          className="choice"
          aria-pressed={pressed === button.id}
          aria-disabled={pressed !== undefined}
          onClick={() => {
            if (pressed !== undefined) return;
            chat.press(message.id, button);
            focusComposer();
          }}
        >
          {button.label}
        </button>
      ))}
    </div>
  );
}

function Notice({ message }: { readonly message: Message }) {
  return (
    <MessagePrimitive.Root className="line notice" role="note">
      <div className="prose" dir="auto">
        <Markdown text={message.text} />
      </div>
      <Buttons message={message} />
    </MessagePrimitive.Root>
  );
}
