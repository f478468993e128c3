/**
 * The answer as it grows: a message that is edited, and at last becomes the answer.
 *
 * A draft that another process began, that stands before the message it answers, or that replies to another one cannot become
 * the answer: it is deleted and the answer comes as a message of its own. Nothing of a turn is shown after its answer began to be sent.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { AnswerDraft, ChannelDeps, SendContext } from "../../src/channel.ts";
import { reasonOf } from "../../src/errors.ts";
import type { Address } from "../../src/message.ts";
import { createRecent } from "../../src/recent.ts";
import type { DiscordApi } from "./api.ts";
import { maxText, noMentions } from "./body.ts";
import { discordDialect } from "./format.ts";
import type { Intake } from "./intake.ts";
import { namedBy, recordKey } from "./names.ts";
import { compareIds, latestOf } from "./snowflake.ts";
import { originalOf, type Token, type Tokens } from "./tokens.ts";

/** Shows that it is not the whole answer yet. */
export const cursor = " ▌";

const draftRecord = z.object({ v: z.literal(1), id: z.string(), by: z.string(), replyTo: z.string().optional() });
type Draft = z.infer<typeof draftRecord>;
/** The last message that a turn answers. */
type Named = ReturnType<typeof namedBy>;

interface Channel {
  /** What is under way, one call after the other. */
  busy: Promise<unknown>;
  draft: Draft | undefined;
  turn: string | undefined;
  /** Being sent: by the key of its part. Nothing else is shown meanwhile. */
  sending: string | undefined;
  /** The turn whose answer began to be sent. */
  over: string | undefined;
  /** What another process left was looked for. */
  looked: boolean;
}

export interface Drafts {
  preview(to: Address, draft: AnswerDraft): Promise<void>;
  /**
   * Before the first part of an answer, again for each of its attempts: waits for what is under way and ends the draft.
   * @returns the id of the message that may become the answer.
   */
  take(context: SendContext, asMessage: boolean): Promise<string | undefined>;
  /** The answer stands: there is no draft any more. */
  settle(context: SendContext): Promise<void>;
  /** The answer never will: what comes next may be shown. */
  giveUp(to: Address): void;
}

export function createDrafts(deps: ChannelDeps, api: DiscordApi, intake: Intake, tokens: Tokens): Drafts {
  const { records, clock, log } = deps;
  const by = deps.newId();
  const channels = createRecent<string, Channel>(clock, 3_600_000);
  const recordOf = (chat: string) => recordKey(deps, "draft", chat);
  const pathOf = (chat: string, id?: string) =>
    `/channels/${encodeURIComponent(chat)}/messages${id === undefined ? "" : `/${encodeURIComponent(id)}`}`;

  function channelOf(chat: string): Channel {
    const channel = channels.get(chat) ?? {
      busy: Promise.resolve(),
      draft: undefined,
      turn: undefined,
      sending: undefined,
      over: undefined,
      looked: false,
    };
    channels.set(chat, channel);
    return channel;
  }

  async function remove(chat: string, { id }: Draft): Promise<void> {
    intake.forget(id);
    const gone = { method: "DELETE", route: pathOf(chat, id) } as const;
    await api
      .attempt<unknown, true>("delete a draft", gone, ({ status }) => (status === 404 ? true : undefined))
      .catch((error: unknown) => {
        log.info({ channel: deps.channel, reason: reasonOf(error) }, "discord: a draft could not be deleted");
      });
  }

  async function removeLeft(channel: Channel, chat: string): Promise<void> {
    const found = await records.get(recordOf(chat));
    if (found !== undefined) await remove(chat, draftRecord.parse(found.value));
    channel.looked = true;
  }

  async function begin(channel: Channel, to: Address, turn: string, content: string, about: Named): Promise<void> {
    const replyTo = to.kind === "group" && about?.kind === "message" ? about.id : undefined;
    const reference =
      replyTo === undefined ? {} : { message_reference: { message_id: replyTo, fail_if_not_exists: false } };
    const nonce = `draft${createHash("sha256").update(turn).digest("base64url").slice(0, 20)}`;
    const body = { content, nonce, enforce_nonce: true, allowed_mentions: noMentions, ...reference };
    const { id } = await api.call<{ id: string }>("post a draft", { method: "POST", route: pathOf(to.chat), body });
    channel.draft = { v: 1, id, by, ...(replyTo === undefined ? {} : { replyTo }) };
    channel.turn = turn;
    await records.put(recordOf(to.chat), channel.draft);
  }

  /** Where the running turn is about an interaction. */
  function pendingIn(chat: string, about: Named): Token | undefined {
    const pending = tokens.pendingIn(chat);
    return about?.kind === "interaction" && about.id === pending?.id ? pending : undefined;
  }

  async function show(channel: Channel, to: Address, turn: string, content: string, about: Named): Promise<void> {
    if (channel.over === turn || channel.sending !== undefined) return;
    const body = { content, allowed_mentions: noMentions };
    const pending = pendingIn(to.chat, about);
    if (pending !== undefined) {
      channel.turn = turn;
      await api.call("edit a draft", { method: "PATCH", route: originalOf(pending), body, auth: false });
      return;
    }
    if (channel.draft !== undefined && channel.turn !== turn) {
      await remove(to.chat, channel.draft);
      channel.draft = undefined;
    }
    if (channel.draft === undefined) {
      if (!channel.looked) await removeLeft(channel, to.chat);
      return begin(channel, to, turn, content, about);
    }
    await api.call("edit a draft", { method: "PATCH", route: pathOf(to.chat, channel.draft.id), body });
  }

  function mayBecome(draft: Draft, { to, answers, replyTo }: SendContext): boolean {
    if (draft.by !== by) return false;
    const latest = latestOf(answers.flatMap((id) => namedBy(id, to.chat)?.id ?? []));
    if (latest !== undefined && compareIds(latest, draft.id) > 0) return false;
    const named = replyTo === undefined ? undefined : namedBy(replyTo, to.chat);
    return (named?.kind === "message" ? named.id : undefined) === draft.replyTo;
  }

  return {
    async preview(to, { turn, text, answers = [] }) {
      const channel = channelOf(to.chat);
      const content = drafted(text);
      if (content === undefined) return;
      const last = answers.at(-1);
      const about = last === undefined ? undefined : namedBy(last, to.chat);
      const shown = channel.busy.then(() => show(channel, to, turn, content, about));
      channel.busy = shown.catch(() => undefined);
      await shown;
    },
    async take(context, asMessage) {
      const { to, key } = context;
      const channel = channelOf(to.chat);
      channel.sending = key;
      channel.over = channel.turn;
      await channel.busy;
      const found = channel.draft === undefined ? await records.get(recordOf(to.chat)) : undefined;
      const draft = channel.draft ?? (found === undefined ? undefined : draftRecord.parse(found.value));
      if (draft === undefined) return undefined;
      channel.draft = draft;
      if (asMessage && mayBecome(draft, context)) return draft.id;
      await remove(to.chat, draft);
      channel.draft = undefined;
      await records.remove(recordOf(to.chat));
      return undefined;
    },
    giveUp: ({ chat }) => void (channelOf(chat).sending = undefined),
    async settle({ to }) {
      const channel = channelOf(to.chat);
      channel.sending = undefined;
      tokens.answered(to.chat);
      if (channel.draft === undefined) return;
      channel.draft = undefined;
      await records.remove(recordOf(to.chat)).catch((error: unknown) => {
        log.warn({ conversation: to.conversation, reason: reasonOf(error) }, "discord: a draft is not forgotten");
      });
    },
  };
}

/** As much as a message holds, from the beginning: it becomes the answer's first part. */
function drafted(text: string): string | undefined {
  const rendered = discordDialect.render(text).trim();
  const room = maxText - cursor.length;
  const shown =
    rendered.length <= room
      ? rendered
      : text
          .slice(0, room)
          .replace(/[\ud800-\udbff]$/, "")
          .trim();
  return shown === "" ? undefined : `${shown}${cursor}`;
}
