import { createContext, use, useSyncExternalStore } from "react";
import type { Chat } from "../chat.ts";
import type { State } from "../store.ts";

export const ChatContext = createContext<Chat | undefined>(undefined);

export const useChat = (): Chat => {
  const chat = use(ChatContext);
  if (chat === undefined) throw new Error("No chat above this component.");
  return chat;
};

/** The selector must return the same value for the same state: a part of it, or a primitive. */
export const useChatState = <T>(select: (state: State) => T): T => {
  const chat = useChat();
  return useSyncExternalStore(chat.subscribe, () => select(chat.state()));
};
