import {
  AssistantRuntimeProvider,
  useExternalStoreRuntime,
  type AppendMessage,
  type AttachmentAdapter,
} from "@assistant-ui/react";
import { useMemo, type ReactNode } from "react";
import type { Chat } from "../chat.ts";
import { uuid } from "../id.ts";
import type { Store } from "../outbox.ts";
import { rowsOf, toThreadMessage } from "../rows.ts";
import type { Session } from "../wire.ts";
import { Announcer, TabTitle } from "./announcer.tsx";
import { bytes, isPicture } from "./attachments.tsx";
import { ChatContext, useChat, useChatState } from "./context.ts";
import { Header } from "./header.tsx";
import { Thread } from "./thread.tsx";

type Props = { readonly chat: Chat; readonly drafts: Store; readonly embedded: boolean };

export function App({ chat, drafts, embedded }: Props) {
  return (
    <ChatContext value={chat}>
      <Runtime>
        <div className={embedded ? "app embedded" : "app"}>
          <Header embedded={embedded} />
          <main>
            <Thread drafts={drafts} />
          </main>
          <Announcer />
          <TabTitle />
        </div>
      </Runtime>
    </ChatContext>
  );
}

/** Files are checked when they are added, and travel with the message through the outbox. */
const attachmentAdapter = (chat: Chat): AttachmentAdapter => {
  const held = new Set<string>();
  return {
    accept: "*",
    add: async ({ file }) => {
      const problem = refusal(file, held.size, chat.state().session?.limits);
      if (problem !== undefined) throw new Error(problem);
      const id = uuid();
      held.add(id);
      const type = isPicture(file.type) ? "image" : "file";
      const status = { type: "requires-action", reason: "composer-send" } as const;
      return { id, type, name: file.name, contentType: file.type, file, status };
    },
    remove: async ({ id }) => {
      held.delete(id);
    },
    send: async (attachment) => {
      held.delete(attachment.id);
      return { ...attachment, status: { type: "complete" }, content: [] };
    },
  };
};

const refusal = (file: File, count: number, limits: Session["limits"] | undefined): string | undefined => {
  if (file.size === 0) return `“${file.name}” is empty.`;
  if (limits === undefined) return undefined;
  if (file.size > limits.attachmentBytes) {
    return `“${file.name}” is ${bytes(file.size)}: one file may have up to ${bytes(limits.attachmentBytes)}.`;
  }
  if (count >= limits.attachments)
    return `“${file.name}” was left out: a message takes up to ${limits.attachments} files.`;
  return undefined;
};

function Runtime({ children }: { readonly children: ReactNode }) {
  const chat = useChat();
  const messages = useChatState((s) => s.messages);
  const unsent = useChatState((s) => s.unsent);
  const draft = useChatState((s) => s.draft);
  const running = useChatState((s) => s.running);
  const attachable = useChatState((s) => (s.session?.limits.attachments ?? 0) > 0);
  const rows = useMemo(
    () => rowsOf({ messages, unsent, ...(draft === undefined ? {} : { draft }) }),
    [messages, unsent, draft],
  );
  const attachments = useMemo(() => attachmentAdapter(chat), [chat]);

  const runtime = useExternalStoreRuntime({
    messages: rows,
    convertMessage: toThreadMessage,
    isRunning: running,
    onNew: async (message: AppendMessage) => {
      const text = message.content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");
      const files = (message.attachments ?? []).flatMap((attachment) =>
        attachment.file === undefined ? [] : [attachment.file],
      );
      chat.send(text, files);
    },
    onCancel: async () => chat.stop(),
    ...(attachable ? { adapters: { attachments } } : {}),
  });
  return <AssistantRuntimeProvider runtime={runtime}>{children}</AssistantRuntimeProvider>;
}
