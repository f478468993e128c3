/** One part to the messages that WhatsApp takes, each sent once as far as WhatsApp tells. */
import type { ChannelDeps, Outgoing, SendContext, Sent } from "../../src/channel.ts";
import { TerminalError } from "../../src/errors.ts";
import type { MediaPart } from "../../src/message.ts";
import { createRecent } from "../../src/recent.ts";
import type { GraphApi } from "./api.ts";
import { GraphError, isFormRefused, mapError, outsideWindow } from "./errors.ts";
import {
  asWords,
  keyBody,
  maxText,
  recipientOf,
  stepsOf,
  textBody,
  uploadType,
  wamidOf,
  type Step,
} from "./messages.ts";
import type { CloudOptions } from "./settings.ts";
import type { Signs } from "./signs.ts";
import type { Statuses } from "./statuses.ts";
import { templateBody } from "./template.ts";

/** How long a repeated send waits for word of the first one, which comes with the first status. */
const wordMs = 1_500;
const lookMs = 100;
const rememberedMs = 3600 * 1000;

export interface SenderOptions {
  readonly deps: ChannelDeps;
  readonly options: CloudOptions;
  readonly api: GraphApi;
  readonly signs: Signs;
  readonly statuses: () => Statuses;
}

export function createSender({ deps, options, api, signs, statuses }: SenderOptions) {
  const { blobs, clock, log } = deps;
  /** Ids under which Meta took the steps of a part that is not sent as a whole yet. */
  const done = createRecent<string, string>(clock, rememberedMs);

  return async function send(part: Outgoing, context: SendContext): Promise<Sent> {
    const { to, signal } = context;
    signal.throwIfAborted();
    if (context.first) signs.answered(to);
    try {
      return { id: await sendSteps(stepsOf(part, options.listButton), context) };
    } catch (error) {
      const words = asWords(part);
      if (isOutside(error) && options.template !== undefined && words !== "") {
        return { id: await sendStep({ body: templateBody(options.template, words) }, 0, context) };
      }
      const buttons = part.kind !== "location" && part.buttons !== undefined;
      if (buttons && isFormRefused(error)) {
        log.warn({ conversation: to.conversation }, "whatsapp refused the form of choices: sent as a numbered text");
        const plain = part.kind === "media" ? mediaAlone(part.media) : [];
        return { id: await sendSteps([...plain, { body: textBody(words.slice(0, maxText)) }], context).catch(raise) };
      }
      throw mapped(error);
    }
  };

  function mapped(error: unknown): Error {
    return mapError(error, "send", options.token);
  }

  function raise(error: unknown): never {
    throw mapped(error);
  }

  /** @returns the id of the first. */
  async function sendSteps(steps: readonly Step[], context: SendContext): Promise<string> {
    let first: string | undefined;
    for (const [at, step] of steps.entries()) {
      const id = await sendStep(step, at, context);
      first ??= id;
    }
    for (const at of steps.keys()) done.delete(keyOf(context, at));
    return first ?? "";
  }

  async function sendStep(step: Step, at: number, context: SendContext): Promise<string> {
    const key = keyOf(context, at);
    const known = done.get(key) ?? (context.again ? await wordOf(key, context.signal) : undefined);
    if (known !== undefined) return known;
    const { to, signal } = context;
    const body = "body" in step ? step.body : step.of(await fileOf(step.media, signal));
    const reply =
      context.first && at === 0 && context.replyTo !== undefined ? wamidOf(context.replyTo, to.chat) : undefined;
    const wamid = await api.messages(
      {
        ...recipientOf(to),
        ...(reply === undefined ? {} : { context: { message_id: reply } }),
        ...keyBody(key),
        ...body,
      },
      signal,
    );
    done.set(key, wamid);
    return wamid;
  }

  /** An earlier attempt may have arrived: Meta says so by a status that carries the key. */
  async function wordOf(key: string, signal: AbortSignal): Promise<string | undefined> {
    for (let waited = 0; waited < wordMs && !signal.aborted; waited += lookMs) {
      const id = statuses().accepted(key);
      if (id !== undefined) return id;
      await new Promise<void>((resolve) => void clock.after(lookMs, resolve));
    }
    return statuses().accepted(key);
  }

  async function fileOf({ source, name, type }: MediaPart, signal: AbortSignal) {
    if (source.from === "platform") return { id: source.ref };
    if (source.from === "url") return { link: source.url };
    const blob = await blobs.get(source.id);
    if (blob === undefined) throw new TerminalError("whatsapp: the medium is no longer in the store");
    const filename = name ?? blob.name ?? `file.${/^\w+\/(\w+)/.exec(type)?.[1] ?? "bin"}`;
    const upload = { body: blob.body, size: blob.size, type: uploadType(type), name: filename };
    return { id: await api.upload(upload, signal) };
  }

  function mediaAlone(media: MediaPart): Step[] {
    return stepsOf({ kind: "media", media }, options.listButton);
  }
}

function keyOf({ key }: SendContext, at: number): string {
  return at === 0 ? key : `${key}/${at}`;
}

function isOutside(error: unknown): boolean {
  return error instanceof GraphError && error.code === outsideWindow;
}
