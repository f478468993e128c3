/**
 * A channel that sends only through its socket ({@link Traits.bySocket}), where several replicas are one gateway: whoever has
 * something to send asks the replica that holds the socket, whose address stands in its lease. The conversation's lane, its claim
 * and its record stay with the asker; the holder makes the call and nothing else. A call that is asked for again, because its
 * answer was lost or its asker died, is made once in the holder's life.
 */
import { z } from "zod";
import type { Channel, Connection, MediaFetch, Outgoing, SendContext, Sent } from "./channel.ts";
import { leaseName } from "./connections.ts";
import { sendDeadlineMs } from "./delivery.ts";
import { InfrastructureError, RetryableError } from "./errors.ts";
import { failureOf, outcomeOf, type Outcome } from "./fate.ts";
import type { AccountRef } from "./ids.ts";
import { leaseHolder } from "./lease.ts";
import { address, type Address } from "./message.ts";
import type { Clock, Records } from "./ports.ts";
import { createRecent } from "./recent.ts";

/** How soon the lease is looked at again where nobody holds it. */
const nobodyMs = 2_000;
const signMs = 10_000;
/** Longer than an asker that lost an answer may take to ask again. */
const rememberedMs = 3_600_000;

export interface HolderOptions {
  readonly records: Records;
  readonly clock: Clock;
  readonly instance: string;
  /** All replicas have the same. */
  readonly token: string;
  readonly fetch: (url: string, request: RequestInit) => Promise<Response>;
}

export interface HeldChannel {
  /** As the rest of the gateway sees it. Connecting it, which is done under the lease, makes this replica the holder. */
  readonly channel: Channel;
  /** The path of what replicas ask each other. */
  readonly path: string;
  /** Another replica asks; the token is checked already. */
  answer(request: Request): Promise<Response>;
}

const kind = z.looseObject({ kind: z.enum(["text", "media", "location"]) });
const sending = z.object({
  v: z.literal(1),
  operation: z.literal("send"),
  part: z.custom<Outgoing>((value) => kind.safeParse(value).success),
  context: z.object({
    to: address,
    key: z.string(),
    answers: z.array(z.string()).readonly(),
    replyTo: z.string().optional(),
    notice: z.boolean(),
    first: z.boolean(),
    last: z.boolean(),
    again: z.boolean(),
  }),
});
const asked = z.discriminatedUnion("operation", [
  sending,
  z.object({ v: z.literal(1), operation: z.literal("typing"), to: address, on: z.boolean() }),
  z.object({ v: z.literal(1), operation: z.literal("media"), ref: z.string() }),
]);
type Asked = z.infer<typeof asked>;
/** Of an answer that is no outcome: the replica does not hold the socket (any more), and did nothing. */
const notHeld = 409;
const failedStatus = 422;

export function throughHolder(channel: Channel, options: HolderOptions): HeldChannel {
  const { clock } = options;
  const path = `/replicas/${encodeURIComponent(leaseName(channel))}`;
  const made = createRecent<string, Promise<Sent>>(clock, rememberedMs);
  const ask = createAsk(channel, path, options);
  let lease: AbortSignal | undefined;
  const isHeld = (): boolean => lease?.aborted === false;

  /** What failed may be made again; what runs or is done may not. */
  function once(part: Outgoing, context: SendContext): Promise<Sent> {
    const known = made.get(context.key);
    if (known !== undefined) return known;
    const sent = channel.send(part, context);
    made.set(context.key, sent);
    sent.catch(() => made.delete(context.key));
    return sent;
  }

  async function perform(request: Asked): Promise<Response> {
    if (request.operation === "media") return mediaResponse(await fetchHere(request.ref, AbortSignal.timeout(mediaMs)));
    if (request.operation === "typing") {
      await channel.typing?.(request.to, request.on);
      return Response.json({ result: null } satisfies Outcome);
    }
    const { part, context } = request;
    const { replyTo, ...rest } = context;
    const signal = AbortSignal.timeout(sendDeadlineMs[part.kind]);
    const result = await once(part, { ...rest, ...(replyTo === undefined ? {} : { replyTo }), signal });
    return Response.json({ result } satisfies Outcome);
  }

  function fetchHere(ref: string, signal: AbortSignal): ReturnType<MediaFetch["fetchMedia"]> {
    if (channel.fetchMedia === undefined) throw new InfrastructureError(`${channel.channel}: carries no media`);
    return channel.fetchMedia(ref, signal);
  }

  const { typing, fetchMedia, connect } = channel;
  return {
    path,
    channel: {
      ...channel,
      send(part, context) {
        if (isHeld()) return once(part, context);
        const { signal, ...rest } = context;
        const request = { v: 1, operation: "send", part, context: rest } as const;
        return ask(request, signal).then(resultOf<Sent>);
      },
      ...(typing && {
        async typing(to: Address, on: boolean) {
          if (isHeld()) return typing(to, on);
          await ask({ v: 1, operation: "typing", to, on }, AbortSignal.timeout(signMs)).then(resultOf);
        },
      }),
      ...(fetchMedia && {
        async fetchMedia(ref: string, signal: AbortSignal) {
          if (isHeld()) return fetchMedia(ref, signal);
          return mediaOf(await ask({ v: 1, operation: "media", ref }, signal));
        },
      }),
      ...(connect && {
        connect(signal: AbortSignal): Promise<Connection> {
          lease = signal;
          return connect(signal);
        },
      }),
    },
    async answer(request) {
      const parsed = asked.safeParse(await request.json().catch(() => undefined));
      if (!parsed.success) return new Response(null, { status: 400 });
      const given = parsed.data;
      const to = given.operation === "send" ? given.context.to : given.operation === "typing" ? given.to : channel;
      if (leaseName(to) !== leaseName(channel)) return new Response(null, { status: 400 });
      if (!isHeld()) return new Response(null, { status: notHeld });
      try {
        return await perform(given);
      } catch (error) {
        return Response.json(failureOf(error), { status: failedStatus });
      }
    },
  };
}

const mediaMs = sendDeadlineMs.media;

function createAsk(of: AccountRef, path: string, { records, instance, token, fetch }: HolderOptions) {
  const nobody = (cause?: unknown) =>
    new InfrastructureError(`${of.channel}: no replica holds its socket now`, {
      retryAfterMs: nobodyMs,
      ...(cause === undefined ? {} : { cause }),
    });

  /** @throws InfrastructureError where nothing was done; RetryableError where that is not known; what the holder says. */
  return async function ask(request: Asked, signal: AbortSignal): Promise<Response> {
    signal.throwIfAborted();
    const holder = await leaseHolder(leaseName(of), records);
    if (holder?.address === undefined || holder.holder === instance) throw nobody();
    const response = await fetch(`${holder.address}${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(request),
      redirect: "error",
      signal,
    }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw wasUnreached(error) ? nobody(error) : lost(error);
    });
    if (response.ok) return response;
    if (response.status === failedStatus) outcomeOf((await response.json()) as Outcome);
    await response.body?.cancel();
    if (response.status >= 500) throw lost(new Error(`it answered ${response.status}`));
    throw nobody(new Error(`the replica in the lease answered ${response.status}`));
  };

  function lost(cause: unknown): RetryableError {
    return new RetryableError(`${of.channel}: the replica that holds its socket gave no answer`, { cause });
  }
}

/** No connection was made: nothing can have been done. */
function wasUnreached(error: unknown): boolean {
  const { code } = ((error as Error | undefined)?.cause ?? error ?? {}) as { code?: unknown };
  return ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT"].includes(String(code));
}

async function resultOf<Result>(response: Response): Promise<Result> {
  return outcomeOf((await response.json()) as Outcome) as Result;
}

type Media = Awaited<ReturnType<MediaFetch["fetchMedia"]>>;

function mediaResponse({ body, type, size }: Media): Response {
  const headers = new Headers({ "content-type": type ?? "application/octet-stream" });
  if (size !== undefined) headers.set("content-length", String(size));
  return new Response(body, { headers });
}

function mediaOf({ body, headers }: Response): Media {
  const size = headers.get("content-length");
  const type = headers.get("content-type");
  return {
    body: body ?? new Blob([]).stream(),
    ...(type === null ? {} : { type }),
    ...(size === null ? {} : { size: Number(size) }),
  };
}
