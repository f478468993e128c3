/** One part to one message, once: as an interaction's answer, as what a draft becomes, or as a message of its own. */
import { createHash } from "node:crypto";
import type { ChannelDeps, Outgoing, SendContext, Sent } from "../../src/channel.ts";
import { RetryableError, TerminalError } from "../../src/errors.ts";
import type { MediaPart } from "../../src/message.ts";
import type { Call, DiscordApi } from "./api.ts";
import { bodyOf, withList, type Body } from "./body.ts";
import type { Drafts } from "./drafts.ts";
import { codes, type Refusal } from "./errors.ts";
import { namedBy } from "./names.ts";
import type { SentMessages } from "./sent.ts";
import { latestOf } from "./snowflake.ts";
import { originalOf, type Token, type Tokens } from "./tokens.ts";

/** Of all files of a message, on a server without boosts. */
export const maxFile = 10 * 1024 * 1024;
const uploadDeadlineMs = 600_000;
/** So long after an interaction its deferral may still be on its way. */
const deferralMs = 3_000;

export interface SenderOptions {
  readonly deps: ChannelDeps;
  readonly api: DiscordApi;
  readonly drafts: Drafts;
  readonly tokens: Tokens;
  readonly sent: SentMessages;
}

type Part = Exclude<Outgoing, { kind: "location" }>;
type Files = NonNullable<Call["files"]>;
interface Message {
  readonly id: string;
}
/** What Discord does not take of a body; the same goes out without it. */
type Refused = "components" | "embeds" | "reference" | "gone";

export function createSender({ deps, api, drafts, tokens, sent }: SenderOptions) {
  const { blobs, log, clock } = deps;

  async function filesOf(media: MediaPart): Promise<Files> {
    const { source } = media;
    if (source.from === "url") return [];
    const blob = source.from === "blob" ? await blobs.get(source.id) : undefined;
    if (blob === undefined) throw new TerminalError("discord: the medium is no longer in the store");
    if (blob.size > maxFile) {
      await blob.body.cancel();
      throw new TerminalError(`discord: the medium has more than ${maxFile} bytes`);
    }
    const data = Buffer.from(await new Response(blob.body).arrayBuffer());
    const name = media.name ?? blob.name ?? `file.${/^\w+\/(\w+)/.exec(media.type)?.[1] ?? "bin"}`;
    return [{ name, data, contentType: media.type }];
  }

  async function put(
    operation: string,
    call: Pick<Call, "method" | "route" | "auth">,
    { body, files }: { body: Body & object; files: Files },
    signal: AbortSignal,
  ): Promise<Message | Refused> {
    const upload = files.length === 0 ? {} : { files, deadlineMs: uploadDeadlineMs };
    const attachments = files.map(({ name }, id) => ({ id, filename: name }));
    const whole = files.length === 0 ? body : { ...body, attachments };
    return api.attempt<Message, Refused>(operation, { ...call, ...upload, body: whole, signal }, refusedOf);
  }

  function post(part: Part, files: Files, { to, key, replyTo, first, signal }: SendContext, plain: boolean) {
    const named = first && !plain && replyTo !== undefined ? namedBy(replyTo, to.chat) : undefined;
    const reference =
      named?.kind === "message" ? { message_reference: { message_id: named.id, fail_if_not_exists: false } } : {};
    const body = { ...bodyOf(part), ...reference, nonce: nonceOf(key), enforce_nonce: true };
    const route = `/channels/${encodeURIComponent(to.chat)}/messages`;
    return put("send message", { method: "POST", route }, { body, files }, signal);
  }

  /** @returns undefined where the token's time is over, or the interaction never was deferred. */
  async function editOriginal(token: Token, part: Part, files: Files, { signal }: SendContext) {
    const call = { method: "PATCH", route: originalOf(token), auth: false } as const;
    for (;;) {
      const result = await put("answer interaction", call, { body: bodyOf(part), files }, signal);
      if (result !== "gone") return result;
      if (clock.now() - token.at > deferralMs) return undefined;
      await new Promise<void>((resolve) => void clock.after(200, resolve));
      if (signal.aborted) throw new RetryableError("discord answer interaction: no longer wanted");
    }
  }

  /**
   * Of several interactions that one answer covers, the last shows it; the others stop showing that the bot is thinking. So do
   * those before it that nobody answers: what a command such as /stop set aside is known by the gateway's answer to it, since
   * a conversation's answers keep its order.
   */
  async function tokenFor({ to, answers, first, notice }: SendContext): Promise<Token | undefined> {
    const named = first ? answers.flatMap((id) => namedBy(id, to.chat) ?? []) : [];
    const shows = latestOf(named.flatMap(({ kind, id }) => (kind === "interaction" ? [id] : [])));
    const last = latestOf(named.map(({ id }) => id));
    if (last === undefined || (shows === undefined && !notice)) return undefined;
    const before = await tokens.upTo(to.chat, last);
    for (const other of before) {
      if (other.id === shows || other.answered === true) continue;
      const gone = { method: "DELETE", route: originalOf(other), auth: false } as const;
      await api.call("delete a deferral", gone).catch(() => undefined); // it ends by itself: what it shows is no answer
    }
    if (before.length > 0) await tokens.settle(to.chat, last, shows);
    return before.find(({ id }) => id === shows);
  }

  async function attempt(part: Part, context: SendContext, plain: boolean): Promise<Message | Refused> {
    const files = part.kind === "media" ? await filesOf(part.media) : [];
    const token = await tokenFor(context);
    const draft = context.first ? await drafts.take(context, token === undefined && part.kind === "text") : undefined;
    if (token !== undefined) {
      const edited = await editOriginal(token, part, files, context);
      if (edited !== undefined) return edited;
    }
    if (draft !== undefined) {
      const route = `/channels/${encodeURIComponent(context.to.chat)}/messages/${encodeURIComponent(draft)}`;
      const call = { method: "PATCH", route } as const;
      const edited = await put("edit a draft to the answer", call, { body: bodyOf(part), files }, context.signal);
      if (edited !== "gone") return edited;
    }
    return post(part, files, context, plain);
  }

  async function deliver(part: Part, context: SendContext, plain = false): Promise<string> {
    const result = await attempt(part, context, plain);
    if (typeof result === "object") return result.id;
    log.warn({ conversation: context.to.conversation, refused: result }, "discord refused a part: sent plainer");
    if (result === "components" && part.buttons !== undefined) return deliver(withList(part), context, plain);
    if (result === "reference" && !plain) return deliver(part, context, true);
    const url = part.kind === "media" && part.media.source.from === "url" ? part.media.source.url : undefined;
    if (result === "embeds" && part.kind === "media" && url !== undefined) {
      const { caption, media: _media, ...rest } = part;
      return deliver({ ...rest, kind: "text", text: [caption, url].filter(Boolean).join("\n") }, context, plain);
    }
    throw new TerminalError(`discord send message: refused (${result})`);
  }

  return async (part: Outgoing, context: SendContext): Promise<Sent> => {
    if (part.kind === "location") throw new TerminalError("discord: a location goes out as a link");
    try {
      const before = context.again ? await sent.find(part, context, bodyOf(part).content) : undefined;
      if (before !== undefined && context.first) await drafts.take(context, false);
      const id = before ?? (await deliver(part, context));
      await sent.remember(context, id);
      if (context.first) await drafts.settle(context);
      return { id };
    } catch (error) {
      if (error instanceof TerminalError) drafts.giveUp(context.to);
      throw error;
    }
  };
}

/** At most 25 characters; the same for every attempt. */
export function nonceOf(key: string): string {
  return createHash("sha256").update(key).digest("base64url").slice(0, 25);
}

function refusedOf({ status, code, fields }: Refusal): Refused | undefined {
  if (code === codes.unknownMessage || code === codes.unknownWebhook || code === codes.unknownInteraction)
    return "gone";
  if (code === codes.invalidToken && status === 401) return "gone";
  if (code === codes.replyNeedsHistory) return "reference";
  if (code !== codes.invalidForm) return undefined;
  if (fields.includes("message_reference")) return "reference";
  return fields.includes("components") ? "components" : fields.includes("embeds") ? "embeds" : undefined;
}
