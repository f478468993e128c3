import type { ThreadMessageLike } from "@assistant-ui/react";
import type { Unsent } from "./outbox.ts";
import { keyOf, type Draft, type State } from "./store.ts";
import type { Message } from "./wire.ts";

/** One line of the conversation, wherever it comes from. */
export type Row =
  | { readonly kind: "message"; readonly key: string; readonly at: string; readonly message: Message }
  | { readonly kind: "unsent"; readonly key: string; readonly at: string; readonly unsent: Unsent }
  | { readonly kind: "draft"; readonly key: string; readonly at: string; readonly draft: Draft };

const cache = new WeakMap<object, Row>();

/** The same object for the same source: the runtime converts a row only when it is a new one. */
const row = (source: object, make: () => Row): Row => {
  const known = cache.get(source);
  if (known !== undefined) return known;
  const made = make();
  cache.set(source, made);
  return made;
};

export const rowsOf = ({ messages, unsent, draft }: Pick<State, "messages" | "unsent" | "draft">): readonly Row[] => {
  const rows: Row[] = [
    ...messages.map((message) =>
      row(message, () => ({ kind: "message", key: keyOf(message), at: message.at, message })),
    ),
    ...unsent.map((entry) => row(entry, () => ({ kind: "unsent", key: entry.id, at: entry.at, unsent: entry }))),
  ];
  if (draft === undefined) return rows;
  const written = row(draft, () => ({ kind: "draft", key: `draft:${draft.turn}`, at: draft.at, draft }));
  const anchor = rows.findIndex((r) => r.key === draft.anchor);
  let at = anchor === -1 ? rows.length : anchor + 1;
  for (; at < rows.length; at++) {
    const below = rows[at];
    if (below?.kind !== "message" || below.message.role === "user") break;
  }
  return rows.toSpliced(at, 0, written);
};

const roles = { user: "user", agent: "assistant", notice: "system" } as const;

export const toThreadMessage = (entry: Row): ThreadMessageLike => {
  const text =
    entry.kind === "message" ? entry.message.text : entry.kind === "unsent" ? entry.unsent.text : entry.draft.text;
  const role = entry.kind === "message" ? roles[entry.message.role] : entry.kind === "unsent" ? "user" : "assistant";
  const live = entry.kind === "draft" && entry.draft.live;
  return {
    id: entry.key,
    role,
    content: [{ type: "text", text }],
    createdAt: new Date(entry.at),
    metadata: { custom: { row: entry } },
    ...(role === "assistant" ? { status: live ? { type: "running" } : { type: "complete", reason: "stop" } } : {}),
  };
};
