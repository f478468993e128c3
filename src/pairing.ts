/**
 * Pairing: an unknown person is given a code, and an operator who was told the code lets the person in.
 *
 * Kept in records, so that every replica and every later process knows: one per account for those who ask, and one per person
 * who is approved or denied. Decisions are remembered here for {@link knownMs}: so long another replica's go unnoticed.
 */
import { z } from "zod";
import { ConflictError, InputError } from "./errors.ts";
import { digestOf, encodePart, participantId, type AccountRef } from "./ids.ts";
import { address, participant, type InboundEvent } from "./message.ts";
import type { Clock, Records } from "./ports.ts";
import { createRecent } from "./recent.ts";

const knownMs = 5_000;
/** As long as a platform may deliver a message again. */
const leftOutMs = 8 * 24 * 3_600_000;
/** So much may a platform's clock be behind ours. */
const skewMs = 10 * 60_000;
/** A code lets nobody in after so long; whoever writes then is given another. */
export const codeMs = 60 * 60_000;
/** Whoever was denied is given no code for so long. */
export const deniedMs = 24 * 60 * 60_000;
/** Open codes of one account; while there are so many nobody is given another. */
export const mostAsking = 100;
/** Characters that are kept of who asks; what is longer is given no code. */
const longestAsking = 2_000;

const asking = z.object({
  code: z.string(),
  /** The message that was answered with the code, as a digest. */
  by: z.string(),
  at: z.number(),
  until: z.number(),
  address,
  participant,
});
export type Asking = z.infer<typeof asking>;
const askingRow = z.object({ v: z.literal(1), asking: z.array(asking) });
const personRow = z.object({ v: z.literal(1), state: z.enum(["approved", "denied"]), at: z.number() });

export type Standing = "approved" | "denied" | "unknown";

export interface Pairing {
  standing(of: AccountRef, user: string): Promise<Standing>;
  /**
   * The person's code, the same one until it is over. `first`: this message is the one that it answers, also when it comes
   * again. Undefined while too many ask.
   */
  ask(event: InboundEvent): Promise<{ readonly code: string; readonly first: boolean } | undefined>;
  /** Of somebody who is not let in: the message stays out also when it comes again after they were. */
  leaveOut(event: InboundEvent): Promise<void>;
  /** Of somebody who is approved. Nothing is looked up for what was sent later, or eight days after. */
  wasLeftOut(event: InboundEvent): Promise<boolean>;
  /** Whose codes are open, the oldest first. */
  list(accounts: readonly AccountRef[]): Promise<readonly Asking[]>;
  /**
   * Decides about whoever has this code, or about "channel/account/user" whether they asked or not; the same again changes
   * nothing. `told` runs once the decision is durable, and the code is forgotten after it.
   * @throws InputError (404) where nobody is meant.
   */
  decide(
    who: string,
    state: "approved" | "denied",
    accounts: readonly AccountRef[],
    told: (asked: Asking) => Promise<void>,
  ): Promise<{ readonly account: AccountRef; readonly user: string }>;
}

interface Known {
  readonly until: number;
  readonly standing?: Standing;
  /** When that was decided. */
  readonly since?: number;
  readonly asked?: { readonly code: string; readonly by: string };
}

export interface PairingOptions {
  readonly records: Records;
  readonly clock: Clock;
  /** Random: 40 bits or more. */
  readonly newCode: () => string;
}

export function createPairing({ records, clock, newCode }: PairingOptions): Pairing {
  const known = createRecent<string, Known>(clock, knownMs);
  const personKey = (of: AccountRef, user: string) => `access:person:${participantId(of, user)}`;
  const askingKey = (of: AccountRef) =>
    `access:asking:${[of.tenant, of.channel, of.account].map(encodePart).join(":")}`;

  const leftOutKey = ({ id }: InboundEvent) => `access:out:${id}`;

  function recall(key: string): Known | undefined {
    const one = known.get(key);
    return one !== undefined && one.until > clock.monotonic() ? one : undefined;
  }

  function remember(key: string, what: Omit<Known, "until">): void {
    known.set(key, { until: clock.monotonic() + knownMs, ...what });
  }

  async function read(of: AccountRef): Promise<{ asking: readonly Asking[]; etag: string | null }> {
    const row = await records.get(askingKey(of));
    if (row === undefined) return { asking: [], etag: null };
    const open = askingRow.parse(row.value).asking.filter(({ until }) => until > clock.now());
    return { asking: open, etag: row.etag };
  }

  /** @param next undefined: nothing is to be written. */
  async function change<Result>(
    of: AccountRef,
    next: (now: readonly Asking[]) => { readonly asking?: readonly Asking[]; readonly result: Result },
  ): Promise<Result> {
    for (;;) {
      const now = await read(of);
      const { asking: changed, result } = next(now.asking);
      if (changed === undefined) return result;
      try {
        await records.put(askingKey(of), { v: 1, asking: changed }, { etag: now.etag, ttlMs: codeMs });
        return result;
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
      }
    }
  }

  async function standing(of: AccountRef, user: string): Promise<Standing> {
    const key = personKey(of, user);
    const recent = recall(key)?.standing;
    if (recent !== undefined) return recent;
    const row = await records.get(key);
    const found = row === undefined ? undefined : personRow.parse(row.value);
    const since = found === undefined ? {} : { since: found.at };
    remember(key, { standing: found?.state ?? "unknown", ...since });
    return found?.state ?? "unknown";
  }

  function ask(event: InboundEvent) {
    const { address: to, participant: person } = event;
    const by = digestOf(event.id);
    return change(to, (now) => {
      const open = now.find((one) => one.participant.user === person.user);
      if (open !== undefined) return { result: { code: open.code, by: open.by } };
      const code = newCode();
      const at = clock.now();
      const one: Asking = { code, by, at, until: at + codeMs, address: to, participant: person };
      if (now.length >= mostAsking || JSON.stringify(one).length > longestAsking) return { result: undefined };
      return { asking: [...now, one], result: { code, by } };
    });
  }

  async function find(who: string, accounts: readonly AccountRef[]) {
    const [, channel, name, user] = /^([^/]+)\/([^/]+)\/([^]+)$/.exec(who.trim()) ?? [];
    const code = who.toUpperCase().replace(/[^A-Z0-9]/g, "");
    for (const account of accounts) {
      const named = channel === account.channel && name === account.account;
      if (user !== undefined && !named) continue;
      const { asking: open } = await read(account);
      const asked = open.find((one) => (user === undefined ? one.code === code : one.participant.user === user));
      if (asked !== undefined || named) return { account, user: asked?.participant.user ?? user ?? "", asked };
    }
    throw new InputError("nobody has this code, or it is over: `ascent pairing list` shows who asks", { status: 404 });
  }

  return {
    standing,
    async leaveOut(event) {
      await records.put(leftOutKey(event), { v: 1 }, { ttlMs: leftOutMs });
    },
    async wasLeftOut(event) {
      const { address: to, participant: person, sentAt } = event;
      const since = recall(personKey(to, person.user))?.since;
      if (since !== undefined && clock.now() - since > leftOutMs) return false;
      if (since !== undefined && sentAt !== undefined && sentAt > since + skewMs) return false;
      return (await records.get(leftOutKey(event))) !== undefined;
    },
    async ask(event) {
      const key = personKey(event.address, event.participant.user);
      const asked = recall(key)?.asked ?? (await ask(event));
      if (asked === undefined) return undefined;
      remember(key, { standing: "unknown", asked });
      return { code: asked.code, first: asked.by === digestOf(event.id) };
    },
    async list(accounts) {
      const all = await Promise.all(accounts.map(async (of) => (await read(of)).asking));
      return all.flat().toSorted((a, b) => a.at - b.at);
    },
    async decide(who, state, accounts, told) {
      const { account, user, asked } = await find(who, accounts);
      const key = personKey(account, user);
      const ttl = state === "denied" ? { ttlMs: deniedMs } : {};
      await records.put(key, { v: 1, state, at: clock.now() }, ttl);
      known.delete(key);
      if (asked !== undefined) {
        await told(asked);
        await change(account, (now) => ({ asking: now.filter(({ code }) => code !== asked.code), result: undefined }));
      }
      return { account, user };
    },
  };
}
