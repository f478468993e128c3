/** What an operator does about conversations that a person is to have, or has: a part of `operations.ts`. */
import { z } from "zod";
import type { Channel } from "./channel.ts";
import type { Core } from "./core.ts";
import { InputError } from "./errors.ts";
import type { Overheard } from "./takeover-events.ts";
import type { Held } from "./takeover-state.ts";
import type { Listed } from "./takeover-list.ts";

/** Which conversation to take: one that is known by its id, or the person's or group's. */
export const takeOrder = z.object({
  /** The id of a conversation, or channel/account/id as the platform has it. */
  conversation: z.string().min(1).max(20_000),
  kind: z.enum(["direct", "group"]).default("direct"),
  thread: z.string().max(20_000).optional(),
  /** Also from the operator who has it. */
  force: z.boolean().default(false),
});
export type TakeOrder = z.infer<typeof takeOrder>;
/** What is done in a conversation that is taken; `n`: only if it is still as it was when it was taken. */
export interface TakenOrder {
  /** As {@link TakeOrder.conversation}. */
  readonly conversation: string;
  readonly n?: number | undefined;
}

/** A takeover as operators are shown it; what people call themselves, and why they ask, is their own word. */
export interface ShownTakeover extends Pick<Listed, "id" | "reason" | "by" | "at" | "until"> {
  readonly channel: string;
  readonly account: string;
  readonly conversation: string;
  readonly user: string;
  readonly name?: string;
}
/** The operator has it: `n` rises whenever somebody takes it. */
export type Taken = Omit<ShownTakeover, "reason"> & Pick<Held, "n">;
export interface WatchedTakeover {
  readonly conversation: string;
  readonly held?: Held;
  readonly items: Overheard["items"];
}

/** Who acts is the operator, unless a command says which of them: they have one key together. */
interface As {
  readonly as?: string | undefined;
}

export interface TakeoverOperations {
  /** Who asks for a person, and who has what; the oldest first. */
  takeovers(): Promise<readonly ShownTakeover[]>;
  /** The latest of what was said there, also before it was taken. */
  watchTakeover(conversation: string): Promise<WatchedTakeover>;
  /** As `Takeovers.take`. */
  take(order: TakeOrder & As): Promise<Taken>;
  /** As `Takeovers.say`. `id`: the same once more says nothing again. */
  sayThere(order: TakenOrder & As & { readonly id: string; readonly text: string }): Promise<void>;
  /** As `Takeovers.release`. `note`: for the agent, as data. */
  release(
    order: TakenOrder & As & { readonly force?: boolean | undefined; readonly note?: string | undefined },
  ): Promise<void>;
}

/** Does it; who did it stands in the log then. */
export type Act = <Done>(action: string, about: object, work: () => Promise<Done>) => Promise<Done>;

export interface TakeoverOperationsOptions {
  readonly core: Pick<Core, "proactive" | "takeovers">;
  readonly channels: readonly Channel[];
  /** The operator's. */
  readonly name: string;
  readonly act: Act;
}

export function takeoverOperations({ core, channels, name, act }: TakeoverOperationsOptions): TakeoverOperations {
  const reached = (to: string, kind: "direct" | "group" = "direct", thread?: string) =>
    core.proactive.reach(recipientOf(channels, { to, kind, thread }));

  /** By its id, or by channel/account/id: what is taken there, else that person's direct chat. */
  async function placeOf(given: string) {
    if (!isPlace(given)) return core.takeovers.find(given, channels);
    const known = (await core.takeovers.list(channels)).find((one) => placesOf(one).includes(given));
    return known === undefined ? reached(given) : { to: known.to, participant: known.participant };
  }

  return {
    takeovers: async () => (await core.takeovers.list(channels)).map(shownTakeover),
    async watchTakeover(conversation) {
      const { held, items } = await core.takeovers.watch(await placeOf(conversation));
      return { conversation, items, ...(held && { held }) };
    },
    take: ({ conversation: given, kind, thread, force, as: by = name }) => {
      const about = { conversation: given, by, ...(force && { forced: true }) };
      return act("take", about, async () => {
        const place = await (isPlace(given) ? reached(given, kind, thread) : placeOf(given));
        const { n, ...held } = await core.takeovers.take(place, { by, force });
        return { ...shownTakeover({ ...place, ...held }), n };
      });
    },
    sayThere: ({ conversation, as: by = name, n, id, text }) =>
      act("say", { conversation, by, message: id }, async () =>
        core.takeovers.say(await placeOf(conversation), { by, n, id, text }),
      ),
    release: ({ conversation, as: by = name, n, force, note }) =>
      act("release", { conversation, by, ...(force && { forced: true }) }, async () =>
        core.takeovers.release(await placeOf(conversation), { by, n, force, note }),
      ),
  };
}

/** The delimiters of conversations' ids are others. */
const isPlace = (given: string) => given.includes("/");

/** As `take` is told it, and as operators are shown it. */
function placesOf({ to: { channel, account, chat }, participant: { user } }: Listed): readonly string[] {
  return [`${channel}/${account}/${chat}`, `${channel}/${account}/${user}`];
}

function shownTakeover(of: Omit<Listed, "reason"> & Pick<Partial<Listed>, "reason">): ShownTakeover {
  const { id, reason, by, at, until, to, participant } = of;
  const { channel, account, conversation } = to;
  const { user, name } = participant;
  return {
    id,
    channel,
    account,
    conversation,
    user,
    ...(name !== undefined && { name }),
    ...(reason !== undefined && { reason }),
    ...(by !== undefined && { by }),
    at,
    ...(until !== undefined && { until }),
  };
}

interface Recipient {
  readonly to: string;
  readonly kind: "direct" | "group";
  readonly thread?: string | undefined;
}

/** @throws InputError where no account of these is meant. */
export function recipientOf(channels: readonly Channel[], { to, kind, thread }: Recipient) {
  const [, channel, name, id] = /^([^/]+)\/([^/]+)\/([^]+)$/.exec(to) ?? [];
  if (id === undefined)
    throw new InputError(`"${to}" names nobody: it is channel/account/id, such as telegram/main/7200001`);
  const account = channels.find((of) => of.channel === channel && of.account === name);
  if (account === undefined) {
    const known = channels.map((of) => `${of.channel}/${of.account}`).join(", ");
    throw new InputError(`no account "${channel}/${name}" is configured; there are ${known}`, { status: 404 });
  }
  return { account, kind, id, thread };
}
