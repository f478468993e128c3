/** What a person did, as the channel hands it to the core: a pure function of the platform's record of it. */
import { conversationId, messageId, participantId, type AccountRef, type MessageId } from "../../src/ids.ts";
import type { Address, InboundEvent, Message, Participant } from "../../src/message.ts";
import type { Action, ConversationPlan } from "./plan.ts";
import type { Post } from "./platform.ts";

const accountOf = (conversation: ConversationPlan): AccountRef => ({
  tenant: "t",
  channel: conversation.channel,
  account: "a",
});

export function addressOf(conversation: ConversationPlan): Address {
  const { kind, chat, thread } = conversation;
  const account = accountOf(conversation);
  return {
    ...account,
    conversation: conversationId(account, chat, thread),
    kind,
    chat,
    ...(thread === undefined ? {} : { thread }),
  };
}

export function participantOf(conversation: ConversationPlan, user: string): Participant {
  return { id: participantId(accountOf(conversation), user), user, name: user };
}

/** What the message is known by that the post becomes; that of an operator's word, by what is decided with it. */
export function postId({
  conversation,
  action,
  words = "",
}: Pick<Post, "conversation" | "action" | "words">): MessageId {
  const to = addressOf(conversation);
  if (action.does.kind === "operate") return messageId(to, "operator", to.conversation, action.id);
  if (action.does.kind !== "decide") return idOf(conversation, action.id);
  return messageId(to, "requested", to.conversation, `approval ${words}`);
}

export function idOf(conversation: ConversationPlan, action: string): MessageId {
  const account = accountOf(conversation);
  const isRequest = conversation.actions.find(({ id }) => id === action)?.does.kind === "request";
  if (isRequest) return messageId(account, "requested", addressOf(conversation).conversation, action);
  return messageId(account, conversation.chat, action);
}

/** The ids of plan actions that a text names, or what it says that skilled agents said. */
export function tokensIn(text: string): string[] {
  return text.match(/\b(?:m\d+|w\d+[ab](?:[eqx]|a\d))\b/g) ?? [];
}

/** @param epoch the platform's wall clock at the start; @param receivedAt the gateway's, now. */
export function eventOf(
  { action, conversation, channel, at, sequence, words }: Post,
  epoch: number,
  receivedAt: number,
): InboundEvent {
  const header = {
    v: 1 as const,
    id: idOf(conversation, action.id),
    address: addressOf(conversation),
    participant: participantOf(conversation, action.user),
    receivedAt,
    ...(channel.order === "arrival" ? {} : { sentAt: Math.floor(epoch + at) }),
    ...(channel.order === "sequence" ? { sequence } : {}),
  };
  const { does } = action;
  switch (does.kind) {
    case "join":
      return { ...header, kind: "message", message: commandOf("link", words ?? "") };
    case "say":
    case "command":
      return { ...header, kind: "message", message: messageOf(action) };
    case "press":
      return { ...header, kind: "message", message: pressOf(action.id, words ?? "") };
    case "reply": {
      const message = words === undefined ? messageOf(action) : pressOf(action.id, words);
      return { ...header, kind: "message", message };
    }
    case "decide":
    case "operate":
    case "request":
      throw new TypeError("no person did that");
    case "edit": {
      const text = `${does.of}, put better`;
      const message: Message = { parts: [{ kind: "text", text, format: "plain" }], addressed: true };
      return { ...header, kind: "edited", target: idOf(conversation, does.of), message };
    }
    case "delete":
      return { ...header, kind: "deleted", targets: [idOf(conversation, does.of)] };
    case "react":
      return { ...header, kind: "reacted", target: idOf(conversation, does.of), added: ["👍"], removed: [] };
  }
}

function messageOf({ id, does }: Action): Message {
  if (does.kind === "command") return commandOf(does.name, does.name.endsWith("link") ? "" : id);
  const addressed = does.kind === "reply" || (does.kind === "say" && does.addressed);
  return { parts: [{ kind: "text", text: `${id}, please`, format: "plain" }], addressed };
}

/** @param words the button's id, or the number of it where the platform has none. */
function pressOf(id: string, words: string): Message {
  if (isTyped(words)) return { parts: [{ kind: "text", text: words, format: "plain" }], addressed: true };
  return { parts: [{ kind: "press", button: words, label: `${id}, please` }], addressed: true };
}

export function isTyped(words: string | undefined): boolean {
  return words !== undefined && /^\d$/.test(words);
}

function commandOf(name: string, args: string): Message {
  const text = `/${name} ${args}`;
  return { parts: [{ kind: "text", text, format: "plain" }], addressed: true, command: { name, args } };
}

/** The code that a message of the gateway gives. */
export function codeIn(text: string): string | undefined {
  return /^\/link (\S+)$/.exec(text)?.[1];
}
